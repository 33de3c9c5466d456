package main

import (
	"bytes"
	"errors"
	"net/netip"
	"os"
	"time"

	"github.com/cfddns/cfddns/configs"
	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
	"github.com/cfddns/cfddns/ddns/journal"
)

// errNoState says why nothing is remembered.
var errNoState = errors.New("there is no state directory (state:)")

// remembered is what this installation knows from before. It only looks: a
// state that is not there is not made, and one that cannot be read stays.
func (a *app) remembered(cfg configs.Config) (doctor.Past, error) {
	places := (&parts{config: cfg}).rollbackDirs(a)
	past := doctor.Past{Replaced: replaced(places)}
	if cfg.State == "" {
		if len(past.Replaced) == 0 {
			return doctor.Past{}, errNoState
		}
		return past, nil
	}
	j, memory, err := journal.Peek(cfg.State)
	if err != nil {
		return doctor.Past{}, err
	}
	past.Ours = append(append([]netip.Addr{}, memory.IPv4.Confirmed...), memory.IPv6.Confirmed...)
	for _, c := range memory.Contests {
		past.Contests = append(past.Contests, c)
	}
	n := nights{now: a.clock(), past: &past, dark: map[string]int{}, offline: -1}
	for round, err := range j.Read(n.now.AddDate(0, 0, -7)) {
		if err != nil {
			break // what was read is known
		}
		n.add(round)
	}
	return past, nil
}

// replaced are the CNAMEs that rollback files hold.
func replaced(dirs []string) (all []doctor.Replaced) {
	for _, file := range journal.Rollbacks(dirs...) {
		for _, r := range file.Records {
			if r.Type == "CNAME" {
				all = append(all, doctor.Replaced{Name: r.Name, Target: r.Content, At: file.Written})
			}
		}
	}
	return all
}

// nights reads out of rounds when something was wrong, from the first round
// that says so to the first one that no longer does.
type nights struct {
	now     time.Time
	past    *doctor.Past
	dark    map[string]int // where in past.Hops the night of a host stands that is not over
	offline int            // where in past.Offline; -1: we are not
}

func (n *nights) add(round ddns.Report) {
	ended := round.Started.Add(time.Duration(round.TookMS) * time.Millisecond)
	if round.GapS > 0 {
		n.past.Moves = append(n.past.Moves, doctor.Stretch{From: ended.Add(-time.Duration(round.GapS * float64(time.Second))), To: ended})
	}
	if len(round.Verdicts)+len(round.Conditions) == 0 && len(round.Changes) > 0 {
		return // it wrote, and looked at nothing else
	}
	n.addHops(round)
	n.addLine(round)
}

func (n *nights) addHops(round ddns.Report) {
	dark := map[string]bool{}
	for _, c := range round.Conditions {
		if c.Code != ddns.CodeHopDark {
			continue
		}
		dark[c.Name] = true
		if _, known := n.dark[c.Name]; !known {
			n.dark[c.Name] = len(n.past.Hops)
			n.past.Hops = append(n.past.Hops, doctor.HopNight{Host: c.Name, Stretch: doctor.Stretch{From: c.Since, To: n.now}})
		}
	}
	for host, i := range n.dark {
		if !dark[host] {
			n.past.Hops[i].To = round.Started
			delete(n.dark, host)
		}
	}
}

func (n *nights) addLine(round ddns.Report) {
	silent := len(round.Verdicts) > 0
	for _, v := range round.Verdicts {
		silent = silent && v.State == ddns.Unknown.String()
	}
	switch {
	case silent && n.offline < 0:
		n.offline = len(n.past.Offline)
		n.past.Offline = append(n.past.Offline, doctor.Stretch{From: round.Started, To: n.now})
	case !silent && n.offline >= 0:
		n.past.Offline[n.offline].To = round.Started
		n.offline = -1
	}
}

// forwards reports whether this machine passes IPv4 packets on, as a router
// does. Where the kernel does not say so in a file it is not known.
func forwards() (bool, error) {
	said, err := os.ReadFile("/proc/sys/net/ipv4/ip_forward")
	return string(bytes.TrimSpace(said)) == "1", err
}
