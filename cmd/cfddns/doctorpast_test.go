package main

import (
	"slices"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
)

func TestTheNightsOfSeveralHostsEndEachAtItsTime(t *testing.T) {
	at := func(minute int) time.Time { return time.Date(2026, 11, 24, 1, minute, 0, 0, time.UTC) }
	dark := func(minute int, hosts ...string) ddns.Report {
		r := ddns.Report{Started: at(minute)}
		for _, h := range hosts {
			r.Conditions = append(r.Conditions, ddns.Condition{Code: ddns.CodeHopDark, Name: h, Since: at(minute)})
		}
		return r
	}
	line := func(r ddns.Report, state string) ddns.Report {
		r.Verdicts = []ddns.VerdictReport{{Family: "ipv4", State: state}}
		return r
	}
	var past doctor.Past
	n := nights{now: at(59), past: &past, dark: map[string]int{}, offline: -1}
	moved := dark(40)
	moved.GapS, moved.TookMS = 120, 60_000
	for _, r := range []ddns.Report{dark(1, "a.ddns.net"), dark(2, "a.ddns.net", "b.ddns.net"), dark(3, "b.ddns.net"), dark(4), dark(5, "a.ddns.net"),
		line(dark(10, "a.ddns.net"), "unknown"), line(dark(12, "a.ddns.net"), "agreed"), moved} {
		n.add(r)
	}
	want := []doctor.HopNight{
		{Host: "a.ddns.net", Stretch: doctor.Stretch{From: at(1), To: at(3)}},
		{Host: "b.ddns.net", Stretch: doctor.Stretch{From: at(2), To: at(4)}},
		{Host: "a.ddns.net", Stretch: doctor.Stretch{From: at(5), To: at(40)}},
	}
	if !slices.Equal(past.Hops, want) {
		t.Errorf("the nights are %v", past.Hops)
	}
	if !slices.Equal(past.Offline, []doctor.Stretch{{From: at(10), To: at(12)}}) || !slices.Equal(past.Moves, []doctor.Stretch{{From: at(39), To: at(41)}}) {
		t.Errorf("offline %v, moves %v", past.Offline, past.Moves)
	}
}
