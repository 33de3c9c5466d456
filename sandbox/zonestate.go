package sandbox

import (
	"fmt"
	"slices"
)

// ZoneState is what may be unusual about a zone. An empty Status is active, an
// empty Type is full.
type ZoneState struct {
	Paused bool
	Status string // active, pending, moved
	Type   string // full, partial
}

// SetZone changes the state of a zone. It is an error if there is none of the
// name, or the state is not one of Cloudflare's.
func (s *Sandbox) SetZone(name string, state ZoneState) error {
	if state.Status == "" {
		state.Status = "active"
	}
	if state.Type == "" {
		state.Type = "full"
	}
	switch {
	case !slices.Contains([]string{"active", "pending", "initializing", "moved"}, state.Status):
		return fmt.Errorf("zone %s: status %q is none; give active, pending, initializing or moved", name, state.Status)
	case state.Type != "full" && state.Type != "partial":
		return fmt.Errorf("zone %s: type %q is none; give full or partial", name, state.Type)
	}
	return s.changeZone(name, func(z *zone) { z.Paused, z.Status, z.Type = state.Paused, state.Status, state.Type })
}

// SetDelegation says which nameservers the registrar has for a zone; with none
// given those that Cloudflare assigned. If none of those is among them, public
// resolvers get no answer for the zone's names.
func (s *Sandbox) SetDelegation(name string, hosts ...string) error {
	for i, host := range hosts {
		hosts[i] = hostName(host)
	}
	return s.changeZone(name, func(z *zone) { z.Delegated = hosts })
}

func (s *Sandbox) changeZone(name string, change func(*zone)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, z := range s.zones {
		if z.Name == foldName(name) {
			change(z)
			return nil
		}
	}
	return fmt.Errorf("zone %q is not there", name)
}
