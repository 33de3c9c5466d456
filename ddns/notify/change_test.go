package notify

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cfddns/cfddns/ddns"
)

func TestOnlyAnAddressThatWasPublishedIsAChange(t *testing.T) {
	www, six := ddns.Target{Name: "www.example.com", Type: "A"}, ddns.Target{Name: "home.example.com", Type: "AAAA"}
	with := func(change func(*ddns.Receipt)) ddns.Round {
		r := changed("1", "203.0.113.1", "203.0.113.2")
		change(&r.Receipts[0])
		return r
	}
	contradicted := changed("1", "203.0.113.1", "203.0.113.2")
	contradicted.Outcomes[0].State = ddns.Contradicted
	partly := changed("1", "203.0.113.1", "203.0.113.2")
	partly.Receipts = append(partly.Receipts, receipt(www, "203.0.113.1", "203.0.113.2"))
	partly.Outcomes[0].State = ddns.Contradicted
	both := changed("1", "203.0.113.1", "203.0.113.2")
	both.Receipts = append(both.Receipts, receipt(six, "2001:db8::1", "2001:db8::2"), receipt(www, "", "203.0.113.2"))
	hop := with(func(rc *ddns.Receipt) {
		rc.Change.Op, rc.Change.Before = ddns.Replace, &ddns.Record{Type: "CNAME", Content: "x.duckdns.org"}
	})
	const v4 = "OLD=203.0.113.1 NEW=203.0.113.2 FAMILY=ipv4 NAMES="
	cases := []struct {
		name  string
		round ddns.Round
		want  []string
	}{
		{"a confirmed one is", changed("1", "203.0.113.1", "203.0.113.2"), []string{v4 + "home.example.com ROUND=1"}},
		{"a new record is, with no old address", changed("1", "", "203.0.113.2"), []string{"OLD= NEW=203.0.113.2 FAMILY=ipv4 NAMES=home.example.com ROUND=1"}},
		{"a CNAME that became an address is", hop, []string{"OLD= NEW=203.0.113.2 FAMILY=ipv4 NAMES=home.example.com ROUND=1"}},
		{"both families are, each by itself", both, []string{v4 + "home.example.com,www.example.com ROUND=1", "OLD=2001:db8::1 NEW=2001:db8::2 FAMILY=ipv6 NAMES=home.example.com ROUND=1"}},
		{"a contradicted one is not", contradicted, []string{}},
		{"of two names the one that is seen is", partly, []string{v4 + "www.example.com ROUND=1"}},
		{"a refused one is not", with(func(rc *ddns.Receipt) { rc.State = ddns.RefusedChange }), []string{}},
		{"an uncertain one is not", with(func(rc *ddns.Receipt) { rc.State = ddns.Doubtful }), []string{}},
		{"a drill is not", with(func(rc *ddns.Receipt) { rc.Change.Drill = true }), []string{}},
		{"a deletion is not", with(func(rc *ddns.Receipt) { rc.Change.Op, rc.Change.After = ddns.Delete, nil }), []string{}},
		{"a change of TTL alone is not", with(func(rc *ddns.Receipt) { rc.Change.Before.Content = "203.0.113.2" }), []string{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := []string{}
			for _, change := range changesOf(c.round) {
				got = append(got, strings.Join(change.environment(), " "))
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheMailboxKeepsTheNewestRoundAndAllChanges(t *testing.T) {
	var box mailbox
	for i := range changesMost + 4 {
		box.put(changed(strconv.Itoa(i), "203.0.113.1", "203.0.113.2"), time.Now())
		box.put(changed(strconv.Itoa(i), "203.0.113.1", "203.0.113.2"), time.Now()) // the same, proved again
	}
	box.put(ended("last", ddns.Right), time.Now())
	if box.round.ID != "last" {
		t.Errorf("the round is %s", box.round.ID)
	}
	if n := len(box.changes); n != changesMost || box.changes[0].round != "4" || box.changes[n-1].round != strconv.Itoa(changesMost+3) {
		t.Errorf("%d changes from %s", n, box.changes[0].round)
	}
}
