// Package sandbox is a fake world on loopback: Cloudflare's API, its
// nameservers, its edge with rules and defences, its analytics and its status
// service; Duck DNS, public resolvers with a memory, the home's router, and
// echo services of every kind that cfddns asks. It serves the tests,
// `cfddns demo` and `cfddns sandbox`.
//
// Everything is real but the world: real sockets, real TLS with an authority
// that it makes at start, real DNS over UDP and TCP. It accepts what Cloudflare
// accepts and refuses what Cloudflare refuses, with the same codes and words,
// and is hostile only when told (see Fault). It shares no type with the client
// that is tested against it, or both would make the same mistake and agree.
//
// One Sandbox holds the state (this file) and is put together in start.go; each
// service reads it through the small methods below:
//
//	the API         api*.go, on the transactions of store.go and the rules of rules.go
//	its analytics   graphql*.go, over what events.go remembers of the edge
//	nameservers     nameserver.go; Duck DNS's in duckdns.go
//	the edge        edge.go, which asks security.go, which evaluates expression*.go,
//	                and fetches from the home's own server, origin.go
//	resolvers       resolvers.go, each with a memory; resolver.go asks for them
//	the home        router.go; world.go is the internet as its machine sees it
//	the rest        echo*.go, status.go
//
// control*.go changes the world from outside, fault.go and misbehave.go make it
// hostile.
package sandbox

import (
	"context"
	"encoding/json"
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Config says what a sandbox holds at the start. The zero Config is a world
// with the zone example.com, an address, and every service well.
type Config struct {
	// Zones at Cloudflare; empty means one Free zone, example.com.
	Zones []SeedZone
	// Token that the API accepts; empty means one is made.
	Token string
	// WAN is the home's public address at the start, by family. Zero means
	// 45.67.89.10 for IPv4 and no IPv6: documentation addresses would be
	// refused, rightly, by what is tested here.
	IPv4, IPv6 netip.Addr
	// Addresses to listen on, HOST:PORT on loopback; empty means a free port
	// of 127.0.0.1. Anything but loopback is refused.
	API, APITLS, DNS, Edge, Control string
	// Listen and ListenPacket open the sockets; nil means package net.
	Listen       func(network, address string) (net.Listener, error)
	ListenPacket func(network, address string) (net.PacketConn, error)
	// Dial connects to what Listen and ListenPacket opened; nil means package net.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// SeedZone is a zone to start with, as `--seed FILE` spells it.
type SeedZone struct {
	Name    string       `yaml:"name"`
	Plan    string       `yaml:"plan"` // free, pro, business, enterprise; empty means free
	Records []SeedRecord `yaml:"records"`
}

// SeedRecord is a record to start with.
type SeedRecord struct {
	Type    string   `yaml:"type"`
	Name    string   `yaml:"name"`
	Content string   `yaml:"content"`
	Proxied bool     `yaml:"proxied"`
	TTL     int      `yaml:"ttl"` // seconds; 0 means auto
	Comment string   `yaml:"comment"`
	Tags    []string `yaml:"tags"`
}

// record is a DNS record as the store holds it.
type record struct {
	ID              string
	Name            string // complete, lower case
	Type            string
	Content         string
	TTL             int // 1 = auto
	Proxied         bool
	Comment         string // empty = none
	Tags            []string
	Settings        json.RawMessage // nil = {}
	Data            json.RawMessage // for types with parts (SRV, CAA); nil for the others
	Priority        *int
	Private         bool
	Created         time.Time
	Modified        time.Time
	CommentModified time.Time
	TagsModified    time.Time
}

// zone is a zone as the store holds it.
type zone struct {
	ID          string
	Name        string
	Plan        string
	Status      string // active, pending, …
	Type        string // full, partial
	Paused      bool
	NameServers []string // two host names, as Cloudflare assigns them
	Delegated   []string // those that the registrar has; nil = NameServers
	pool        int      // which addresses of the edge its proxied names have
	rules       *ruleset // nil = none yet
	Created     time.Time
	Records     []*record // in the order of their creation
}

// Sandbox is a running fake world. Its methods may be called from anywhere.
type Sandbox struct {
	*lifecycle // listen, listenPacket, serve, serveHTTP, onClose, done (lifecycle.go)

	cfg       Config
	authority *ca
	token     string
	started   time.Time
	account   string // ID of the account that owns every zone

	places              places               // where each service listens
	resolvers           map[string]*resolver // by name
	ways                ways                 // how each connection of the world came about
	router              homeRouter
	apiPlain, controlAt string // where the API without TLS and the control address listen

	mu            sync.Mutex // guards the following
	zones         []*zone
	tokens        map[string]*token // by value
	wan4, wan6    netip.Addr
	underAttack   bool
	securityLevel string // what it is when not under attack
	securitySet   time.Time
	duckUp        bool
	duckHosts     map[string][]netip.Addr // "myhome" → what myhome.duckdns.org answers
	faults        []Fault
	calls         map[string]int // API calls by effect: "list", "batch", …
	noHairpin     bool           // the home does not reach itself by its public address
	defences      Defences
	managed       predicate // of defences.ManagedRule
	floods        map[netip.Addr]flood
	seen          analytics
	incidents     []Incident
	passed        time.Duration           // by which the clock of the resolvers' caches is ahead
	hosts         map[string][]netip.Addr // what resolvers answer for the services of this world, if anything
}

// SetHosts lets the world's resolvers know the services of this world by name,
// where they stand at addresses that somebody leads to them.
func (s *Sandbox) SetHosts(hosts map[string][]netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hosts = hosts
}

// addressesOf are those that were set for a host, or those of a nameserver; nil
// for any other name.
func (s *Sandbox) addressesOf(host string) []netip.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.hosts[host]; set != nil {
		return set
	}
	return serverAddrs(host)
}

// SetWAN gives the home another public address. The zero Addr takes the
// family away.
func (s *Sandbox) SetWAN(f4, f6 netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wan4, s.wan6 = f4, f6
}

// WAN returns the home's public addresses; a zero Addr means that the home
// has none of the family.
func (s *Sandbox) WAN() (f4, f6 netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.wan4, s.wan6
}

// SetDuckDNS takes Duck DNS down or brings it back.
func (s *Sandbox) SetDuckDNS(up bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.duckUp = up
}

// SetUnderAttack switches Cloudflare's Under Attack mode.
func (s *Sandbox) SetUnderAttack(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.underAttack = on
}

// Calls returns how many API calls were made so far, by effect.
func (s *Sandbox) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

func hasSuffixLabel(name, zone string) bool {
	return len(name) > len(zone) && name[len(name)-len(zone)-1] == '.' && name[len(name)-len(zone):] == zone
}
