package sandbox

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"
)

type homeOrder struct {
	Hairpin *bool `json:"hairpin"`
}

func (s *Sandbox) orderHome(o homeOrder) error {
	if o.Hairpin == nil {
		return errors.New("hairpin is missing; give true or false")
	}
	s.SetHairpin(*o.Hairpin)
	return nil
}

type securityOrder struct {
	UnderAttack     *bool   `json:"under_attack"`
	UnderAttackPath *string `json:"under_attack_path"`
	BIC             *bool   `json:"bic"`
	BotFight        *bool   `json:"bot_fight"`
	ManagedRule     *string `json:"managed_rule"`
	Flood           *int    `json:"flood"`
}

func (s *Sandbox) orderSecurity(o securityOrder) error {
	if o == (securityOrder{}) {
		return errors.New("nothing to change; give under_attack or another of the switches that GET / lists")
	}
	d := s.Defences()
	give(o.UnderAttackPath, &d.UnderAttackPath)
	give(o.BIC, &d.BIC)
	give(o.BotFight, &d.BotFight)
	give(o.ManagedRule, &d.ManagedRule)
	give(o.Flood, &d.Flood)
	if err := s.SetDefences(d); err != nil {
		return fmt.Errorf("managed_rule: %w", err)
	}
	if o.UnderAttack != nil {
		s.SetUnderAttack(*o.UnderAttack)
	}
	return nil
}

// give changes a value if there is one to give.
func give[T any](from, to *T) {
	if from != nil {
		*to = *from
	}
}

type historyOrder struct {
	Events  []Event  `json:"events"`
	Minutes []Minute `json:"minutes"`
}

func (s *Sandbox) orderHistory(o historyOrder) error {
	for _, e := range o.Events {
		if err := s.AddEvent(e); err != nil {
			return err
		}
	}
	for _, m := range o.Minutes {
		if err := s.AddMinute(m); err != nil {
			return err
		}
	}
	return nil
}

type statusOrder struct {
	Incidents []Incident `json:"incidents"`
}

func (s *Sandbox) orderStatus(o statusOrder) error {
	for _, one := range o.Incidents {
		if !slices.Contains([]string{"", "minor", "major", "critical"}, one.Impact) {
			return fmt.Errorf("incident %q: impact %q is none; give minor, major or critical", one.Name, one.Impact)
		}
	}
	s.SetStatus(o.Incidents...)
	return nil
}

type resolversOrder struct {
	Flush bool   `json:"flush"`
	Pass  string `json:"pass"`
}

func (s *Sandbox) orderResolvers(o resolversOrder) error {
	if o.Flush {
		s.FlushResolvers()
	}
	if o.Pass == "" {
		return nil
	}
	d, err := time.ParseDuration(o.Pass)
	if err != nil || d < 0 {
		return fmt.Errorf("pass: %q is no time to pass; write it like 30m", o.Pass)
	}
	s.Pass(d)
	return nil
}

type zoneOrder struct {
	Name       string    `json:"name"`
	Paused     *bool     `json:"paused"`
	Status     *string   `json:"status"`
	Type       *string   `json:"type"`
	Delegation *[]string `json:"delegation"`
}

func (s *Sandbox) orderZone(o zoneOrder) error {
	var state ZoneState
	if err := s.changeZone(o.Name, func(z *zone) { state = ZoneState{z.Paused, z.Status, z.Type} }); err != nil {
		return err
	}
	give(o.Paused, &state.Paused)
	give(o.Status, &state.Status)
	give(o.Type, &state.Type)
	if err := s.SetZone(o.Name, state); err != nil {
		return err
	}
	if o.Delegation == nil {
		return nil
	}
	return s.SetDelegation(o.Name, *o.Delegation...)
}

type duckOrder struct {
	Up        *bool        `json:"up"`
	Host      string       `json:"host"`
	Addresses []netip.Addr `json:"addresses"`
}

func (s *Sandbox) orderDuckDNS(o duckOrder) error {
	if o.Up == nil && o.Host == "" {
		return errors.New("up is missing; give true or false")
	}
	if o.Host != "" {
		s.SetDuckHost(o.Host, o.Addresses...)
	}
	if o.Up != nil {
		s.SetDuckDNS(*o.Up)
	}
	return nil
}
