package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// control is what tests and people change the world with.
func (s *Sandbox) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		say(w, http.StatusOK, "text/plain; charset=utf-8", controlHelp)
	})
	mux.HandleFunc("GET /world", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, s.world()) })
	mux.HandleFunc("POST /wan", order(s.orderWAN))
	mux.HandleFunc("POST /router", order(s.orderRouter))
	mux.HandleFunc("POST /duckdns", order(s.orderDuckDNS))
	mux.HandleFunc("POST /security", order(s.orderSecurity))
	mux.HandleFunc("POST /faults", order(s.orderFaults))
	mux.HandleFunc("POST /tokens", order(s.orderToken))
	mux.HandleFunc("POST /home", order(s.orderHome))
	mux.HandleFunc("POST /zones", order(s.orderZone))
	mux.HandleFunc("POST /history", order(s.orderHistory))
	mux.HandleFunc("POST /status", order(s.orderStatus))
	mux.HandleFunc("POST /resolvers", order(s.orderResolvers))
	mux.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		reply(w, http.StatusOK, done{OK: true})
	})
	return guarded(mux)
}

// guarded lets only local programs in: a web page that a person has open must
// neither read nor change the world, be it by a name that it points here
// (hence Host) or from its own origin.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		origin := r.Header.Get("Origin")
		switch {
		case !isLoopbackHost(r.Host):
			replyError(w, http.StatusForbidden, fmt.Errorf("host %q is not loopback; use 127.0.0.1, [::1] or localhost", r.Host))
		case origin != "" && origin != "http://"+r.Host:
			replyError(w, http.StatusForbidden, fmt.Errorf("origin %q is another site", origin))
		default:
			r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
			next.ServeHTTP(w, r)
		}
	})
}

func isLoopbackHost(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.Trim(hostport, "[]")
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

type done struct {
	OK bool `json:"ok"`
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func replyError(w http.ResponseWriter, status int, err error) {
	reply(w, status, map[string]string{"error": err.Error()})
}

// order handles a request to change something: strict JSON, and 400 with the
// words of the error if it cannot be.
func order[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var body T
		err := readStrict(r.Body, &body)
		if err == nil {
			err = do(body)
		}
		if err != nil {
			replyError(w, http.StatusBadRequest, err)
			return
		}
		reply(w, http.StatusOK, done{OK: true})
	}
}

func readStrict(r io.Reader, into any) error {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("body: %w; GET / says what is understood", err)
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("body: one JSON value is understood, and there is more")
	}
	return nil
}

type wanOrder struct {
	IPv4 *string `json:"ipv4"`
	IPv6 *string `json:"ipv6"`
}

func (s *Sandbox) orderWAN(o wanOrder) error {
	f4, f6 := s.WAN()
	for _, family := range []struct {
		name  string
		word  *string
		addr  *netip.Addr
		right func(netip.Addr) bool
	}{{"ipv4", o.IPv4, &f4, netip.Addr.Is4}, {"ipv6", o.IPv6, &f6, netip.Addr.Is6}} {
		switch {
		case family.word == nil:
			continue
		case *family.word == "":
			*family.addr = netip.Addr{}
			continue
		}
		addr, err := netip.ParseAddr(*family.word)
		if err != nil || !family.right(addr) {
			return fmt.Errorf("%s: %q is not such an address", family.name, *family.word)
		}
		*family.addr = addr
	}
	if o.IPv4 == nil && o.IPv6 == nil {
		return errors.New("nothing to change; give ipv4, ipv6 or both")
	}
	s.SetWAN(f4, f6)
	return nil
}

// faultsOrder is one fault or a list of them.
type faultsOrder []Fault

// UnmarshalJSON reads both forms, strictly.
func (o *faultsOrder) UnmarshalJSON(raw []byte) error {
	if strings.HasPrefix(string(raw), "[") {
		return readStrict(strings.NewReader(string(raw)), (*[]Fault)(o))
	}
	var f Fault
	if err := readStrict(strings.NewReader(string(raw)), &f); err != nil {
		return err
	}
	*o = faultsOrder{f}
	return nil
}

func (s *Sandbox) orderFaults(faults faultsOrder) error {
	for _, f := range faults {
		if err := f.check(); err != nil {
			return err
		}
	}
	for _, f := range faults {
		s.AddFault(f)
	}
	return nil
}

type tokenOrder struct {
	Value     string    `json:"value"`
	Status    string    `json:"status"`
	ReadOnly  bool      `json:"read_only"`
	Zones     []string  `json:"zones"`
	ExpiresOn time.Time `json:"expires_on"`
	// Permissions that it has; nil means all.
	Permissions []string `json:"permissions"`
}

func (s *Sandbox) orderToken(o tokenOrder) error {
	t := token{value: o.Value, readOnly: o.ReadOnly, zones: o.Zones, expires: o.ExpiresOn, may: o.Permissions}
	for _, permission := range o.Permissions {
		if !slices.Contains(tokenPermissions(), permission) {
			return fmt.Errorf("permissions: %q is none; give some of %s", permission, strings.Join(tokenPermissions(), ", "))
		}
	}
	if t.value == "" {
		t.value = s.token
	}
	if !bearer.MatchString(t.value) {
		return errors.New("value: a token holds letters, digits, hyphens and underscores only")
	}
	switch o.Status {
	case "", "active":
	case "disabled":
		t.disabled = true
	case "expired":
		if t.expires.IsZero() || t.expires.After(time.Now()) {
			t.expires = time.Now().Add(-time.Hour)
		}
	default:
		return fmt.Errorf("status: %q is none; give active, disabled or expired", o.Status)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if old := s.tokens[t.value]; old != nil {
		t.window, t.used = old.window, old.used
	}
	s.tokens[t.value] = &t
	return nil
}

// worldView is what GET /world shows.
type worldView struct {
	WAN      WANInfo                 `json:"wan"`
	Records  map[string][]recordView `json:"records"` // by zone
	Rules    map[string][]ruleView   `json:"rules"`   // by zone
	Events   int                     `json:"events"`  // of security, so far
	Calls    map[string]int          `json:"calls"`   // by effect
	Router   RouterState             `json:"router"`
	DuckDNS  duckView                `json:"duckdns"`
	Security securityView            `json:"security"`
	Faults   []Fault                 `json:"faults"`
}

type duckView struct {
	Up    bool                    `json:"up"`
	Hosts map[string][]netip.Addr `json:"hosts"`
}

type securityView struct {
	UnderAttack bool `json:"under_attack"`
	Defences
}

func (s *Sandbox) world() worldView {
	s.mu.Lock()
	defer s.mu.Unlock()
	view := worldView{
		WAN:      s.wanInfo(),
		Router:   s.Router(),
		Records:  make(map[string][]recordView, len(s.zones)),
		Calls:    maps.Clone(s.calls),
		DuckDNS:  duckView{Up: s.duckUp, Hosts: make(map[string][]netip.Addr, len(s.duckHosts))},
		Security: securityView{UnderAttack: s.underAttack, Defences: s.defences},
		Rules:    make(map[string][]ruleView, len(s.zones)),
		Events:   len(s.seen.events),
		Faults:   append([]Fault{}, s.faults...),
	}
	for _, z := range s.zones {
		view.Records[z.Name] = showRecords(z.Records)
		view.Rules[z.Name] = []ruleView{}
		if z.rules != nil {
			view.Rules[z.Name] = z.rules.view(true).Rules
		}
	}
	for host, addrs := range s.duckHosts {
		view.DuckDNS.Hosts[host] = slices.Clone(addrs)
	}
	return view
}
