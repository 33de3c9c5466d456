package sandbox

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Fault is a way in which a service misbehaves. On names the service, or what
// a call of the API does: batch, list, create, edit, delete, zones, verify,
// rules, settings, analytics, api (any of them), echo:NAME, dns, edge, origin,
// duckdns, resolver:ADDRESS, status. Do says how: 500, 429, hang, drop, html,
// done-but-500 (done, and reported as failed), done-but-drop, lie, portal,
// huge, …; GET / of the control address lists what each can do. Value is the
// lie, the seconds of a Retry-After, or what Do needs.
type Fault struct {
	On    string `json:"on"`
	Do    string `json:"do"`
	Value string `json:"value"`
	// Times is how often; 0 means until told otherwise.
	Times int `json:"times"`
	// Every makes it come and go: 3 is every third time. 0 and 1 are always.
	Every int `json:"every,omitempty"`
	// At is the one address or name of several at which it is: of the edge,
	// of the zones' nameservers, of Duck DNS. "" means all of them.
	At string `json:"at,omitempty"`

	met int // how often it could have been, for Every
}

// AddFault makes a service misbehave from now on.
func (s *Sandbox) AddFault(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, f)
}

// ClearFaults makes every service well again.
func (s *Sandbox) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// takeFault returns the fault that is due on an effect, and uses it up.
func (s *Sandbox) takeFault(on string) (Fault, bool) { return s.takeFaultAt(on, "") }

// takeFaultAt is takeFault for one of the several addresses of a service; if
// any ways are named, only for a fault that is one of them.
func (s *Sandbox) takeFaultAt(on, at string, ways ...string) (Fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, f := range s.faults {
		if f.On != on || f.At != "" && !sameServer(f.At, at) || len(ways) > 0 && !slices.Contains(ways, f.way()) {
			continue
		}
		s.faults[i].met++
		if f.Every > 1 && s.faults[i].met%f.Every != 0 {
			continue
		}
		if f.Times == 1 {
			s.faults = append(s.faults[:i:i], s.faults[i+1:]...)
		} else if f.Times > 1 {
			s.faults[i].Times--
		}
		return f, true
	}
	return Fault{}, false
}

// way is Do, and the value where it makes it another thing.
func (f Fault) way() string {
	if f.Do == "hang" && f.Value == "connect" {
		return "hang connect"
	}
	return f.Do
}

// check tells whether a fault is one that the sandbox can play.
func (f Fault) check() error {
	ways := faultsOn(f.On)
	switch {
	case ways == nil:
		return fmt.Errorf("fault on %q: there is no such thing here; GET / lists them", f.On)
	case !slices.Contains(ways, f.Do):
		return fmt.Errorf("fault on %s: it cannot do %q; it can do %s", f.On, f.Do, strings.Join(ways, ", "))
	case f.Times < 0:
		return fmt.Errorf("fault on %s: times is %d; give 0 (until cleared) or more", f.On, f.Times)
	case f.Every < 0:
		return fmt.Errorf("fault on %s: every is %d; give 2 for every second time, 3 for every third", f.On, f.Every)
	case f.At != "" && !slices.Contains([]string{"edge", "dns", "duckdns"}, f.On):
		return fmt.Errorf("fault on %s: it has one address only; leave out at", f.On)
	}
	return f.checkValue()
}

func (f Fault) checkValue() error {
	_, err := netip.ParseAddr(f.Value)
	server := f.On == "dns" || f.On == "duckdns" || strings.HasPrefix(f.On, "resolver:")
	switch {
	case f.Do == "error" && troubleNamed(f.Value) == nil:
		return fmt.Errorf("fault on %s: %q is no error of the edge; give 1000, 1001, 1016, 520, 522, … as value", f.On, f.Value)
	case f.Do == "stale" && f.Value != "" && err != nil:
		return fmt.Errorf("fault on %s: the old address %q is none", f.On, f.Value)
	case f.Do != "lie":
	case strings.HasPrefix(f.On, "echo:") && f.Value == "":
		return fmt.Errorf("fault on %s: there is no lie; give it as value", f.On)
	case server && err != nil:
		return fmt.Errorf("fault on %s: the lie %q is not an address", f.On, f.Value)
	}
	return nil
}

// lie is the address that a fault of a nameserver makes it tell.
func (f Fault) lie() (netip.Addr, bool) {
	if f.Do == "stale" && f.Value == "" {
		return staleDuck, true
	}
	a, err := netip.ParseAddr(f.Value)
	return a, err == nil && (f.Do == "lie" || f.Do == "stale")
}

// staleDuck is where the home was long ago.
var staleDuck = netip.AddrFrom4([4]byte{45, 67, 12, 34})
