package sandbox

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Info is what a client must know to use a sandbox. `cfddns sandbox` prints it
// as one line of JSON when everything listens.
type Info struct {
	API      string     `json:"api"`     // http://HOST:PORT/client/v4
	APITLS   string     `json:"api_tls"` // the same over TLS, for api.cloudflare.com
	DNS      string     `json:"dns"`     // HOST:PORT, UDP and TCP
	Edge     string     `json:"edge"`    // http://HOST:PORT, and TLS on the same port
	Control  string     `json:"control"` // http://HOST:PORT
	Token    string     `json:"token"`
	Zones    []ZoneInfo `json:"zones"`
	CA       string     `json:"ca"` // file the authority was written to; empty if it was not
	DuckDNS  DuckInfo   `json:"duckdns"`
	Status   string     `json:"status"`   // https://HOST:PORT, the status service
	Resolver string     `json:"resolver"` // HOST:PORT, what the home's machine resolves by; it remembers nothing
	Echoes   []EchoInfo `json:"echoes"`
	WAN      WANInfo    `json:"wan"`
}

// ZoneInfo names a zone.
type ZoneInfo struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// DuckInfo says where Duck DNS answers: its update URL and its DNS.
type DuckInfo struct {
	API string `json:"api"`
	DNS string `json:"dns"`
}

// EchoInfo is one service that tells the home's address.
type EchoInfo struct {
	Name     string `json:"name"`
	Operator string `json:"operator"`
	Kind     string `json:"kind"`    // https, stun, dns
	Address  string `json:"address"` // a URL for https, else HOST:PORT
}

// WANInfo is the home's public address by family; empty means none.
type WANInfo struct {
	IPv4 string `json:"ipv4,omitempty"`
	IPv6 string `json:"ipv6,omitempty"`
}

// Start opens everything that the sandbox is made of, on loopback. Whoever
// started it calls Close.
func Start(cfg Config) (*Sandbox, error) {
	s, err := newSandbox(cfg)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	services := []func() error{
		s.startAPI, s.startNameservers, s.startDuckDNS, s.startResolvers, s.startEdge, s.startEchoes, s.startStatus, s.startRouter, s.startControl,
	}
	for _, start := range services {
		if err := start(); err != nil {
			s.end()
			return nil, fmt.Errorf("sandbox: %w", err)
		}
	}
	return s, nil
}

// Close ends the sandbox and waits until nothing of it runs any more.
func (s *Sandbox) Close() { s.end() }

// PEM returns the certificate of the authority that signed everything here,
// for clients that read their roots from a file.
func (s *Sandbox) PEM() []byte { return s.authority.PEM() }

// newSandbox makes the world's state; nothing listens yet.
func newSandbox(cfg Config) (*Sandbox, error) {
	now := time.Now()
	s := &Sandbox{
		lifecycle:     newLifecycle(cfg),
		cfg:           cfg,
		token:         cmp.Or(cfg.Token, "cfut_"+rand.Text()+rand.Text()),
		started:       now,
		account:       idOf("account"),
		securityLevel: "medium",
		duckUp:        true,
		calls:         make(map[string]int),
		wan4:          cfg.IPv4,
		wan6:          cfg.IPv6,
	}
	s.resolvers = newResolvers(s)
	if !bearer.MatchString(s.token) {
		return nil, errors.New("the token may hold letters, digits, hyphens and underscores only")
	}
	s.tokens = map[string]*token{s.token: {value: s.token}}
	if err := s.settleWAN(); err != nil {
		return nil, err
	}
	seeds := cfg.Zones
	if len(seeds) == 0 {
		seeds = []SeedZone{{Name: "example.com"}}
	}
	if err := s.plant(seeds, now); err != nil {
		return nil, err
	}
	authority, err := newCA()
	if err != nil {
		return nil, err
	}
	s.authority = authority
	return s, nil
}

// settleWAN gives the home its first addresses, and Duck DNS the host that
// follows them.
func (s *Sandbox) settleWAN() error {
	if !s.wan4.IsValid() {
		s.wan4 = netip.AddrFrom4([4]byte{45, 67, 89, 10})
	}
	if !s.wan4.Is4() {
		return fmt.Errorf("the home's IPv4 address is %s, which is none", s.wan4)
	}
	home := []netip.Addr{s.wan4}
	if s.wan6.IsValid() {
		if !s.wan6.Is6() {
			return fmt.Errorf("the home's IPv6 address is %s, which is none", s.wan6)
		}
		home = append(home, s.wan6)
	}
	s.duckHosts = map[string][]netip.Addr{"myhome": home}
	return nil
}

func (s *Sandbox) plant(seeds []SeedZone, now time.Time) error {
	for _, seed := range seeds {
		z, err := plantZone(seed, now)
		if err != nil {
			return err
		}
		for _, other := range s.zones {
			if other.Name == z.Name {
				return fmt.Errorf("zone %s is there twice; put its records into one", z.Name)
			}
		}
		z.pool = len(s.zones) % 2
		s.zones = append(s.zones, z)
	}
	return nil
}

// startAPI serves Cloudflare's API, in the clear and under its own name.
func (s *Sandbox) startAPI() error {
	plain, err := s.listen(s.cfg.API)
	if err != nil {
		return err
	}
	s.apiPlain = plain.Addr().String()
	api := s.api()
	s.serveHTTP(plain, api)
	cert, err := s.certificateOf("api.cloudflare.com")
	if err != nil {
		return err
	}
	at, err := s.serveSite(site{address: s.cfg.APITLS, certificate: cert, handler: api})
	if err != nil {
		return err
	}
	s.places.put(placeAPI, at)
	return nil
}

// startControl serves the control address.
func (s *Sandbox) startControl() error {
	l, err := s.listen(s.cfg.Control)
	if err != nil {
		return err
	}
	s.controlAt = l.Addr().String()
	s.serveHTTP(l, s.control())
	return nil
}

// Info says where everything is. CA is left to whoever writes the file.
func (s *Sandbox) Info() Info {
	info := Info{
		API:     "http://" + s.apiPlain + apiPrefix,
		APITLS:  "https://" + s.places.find(placeAPI, ipv4) + apiPrefix,
		DNS:     s.places.find(placeDNS, ipv4),
		Edge:    "http://" + s.places.find(placeEdge, ipv4),
		Control: "http://" + s.controlAt,
		Token:   s.token,
		DuckDNS: DuckInfo{
			API: "http://" + s.places.find(placeDuckAPI, ipv4),
			DNS: s.places.find(placeDuckDNS, ipv4),
		},
		Resolver: s.places.find(resolverPlace(homeResolver), ipv4),
		Status:   "https://" + s.places.find(placeStatus, ipv4),
		Echoes:   s.echoes(),
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		info.Zones = append(info.Zones, ZoneInfo{Name: z.Name, ID: z.ID})
	}
	info.WAN = s.wanInfo()
	return info
}

// wanInfo shows the home's addresses; the caller holds s.mu.
func (s *Sandbox) wanInfo() WANInfo {
	var w WANInfo
	if s.wan4.IsValid() {
		w.IPv4 = s.wan4.String()
	}
	if s.wan6.IsValid() {
		w.IPv6 = s.wan6.String()
	}
	return w
}
