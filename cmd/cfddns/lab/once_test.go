//go:build linux

package lab

import (
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/journal"
	"github.com/cfddns/cfddns/sandbox"
	"github.com/google/go-cmp/cmp"
)

// The scenarios of one round.

func coldStart(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	began := time.Now()
	r := l.once(0)
	took := time.Since(began)
	l.wantHolds(labName, labHome)
	calls, writes := l.calls()
	l.Logf("cold to proved: %s, %d calls, %d writes", took.Round(time.Millisecond), calls, writes)
	seen := slices.ContainsFunc(r.Proofs, func(p ddns.ProofReport) bool { return p.By == "nameserver" && p.Outcome == ddns.ProofSeen })
	if asked := l.gate.visits("ada.ns.cloudflare.com") + l.gate.visits("bob.ns.cloudflare.com"); !seen || asked == 0 {
		l.Errorf("the zone's nameservers were asked %d times; proofs: %+v", asked, r.Proofs)
	}
	if p := l.run(0, "once"); p.stdout.String()+p.stderr.String() != "" {
		l.Errorf("all is right, and it said:\n%s%s", p.stdout, p.stderr)
	}
	if _, after := l.calls(); after != writes {
		l.Errorf("all is right, and there were %d writes more", after-writes)
	}
}

// Each way of being bad alone, and any two together, leave a quorum.
func badSources(t *testing.T) {
	trios := [][]string{
		{"echo:amazon lie " + labOther, "echo:akamai portal", "echo:identme hang"},
		{"echo:google lie " + labOther, "echo:cloudflare portal", "echo:amazon hang"},
	}
	for _, trio := range trios {
		for bad := 1; bad < 1<<len(trio)-1; bad++ {
			var faults []string
			for i, f := range trio {
				if bad>>i&1 == 1 {
					faults = append(faults, f)
				}
			}
			t.Run(strings.Join(faults, " and "), func(t *testing.T) {
				l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
				l.fault(faults...)
				began := time.Now()
				l.once(0)
				l.Logf("right after %s", time.Since(began).Round(time.Millisecond))
				l.wantHolds(labName, labHome)
			})
		}
	}
}

func tooManyBadSources(t *testing.T) {
	everybody := []string{"cloudflare", "amazon", "google", "akamai", "identme", "desec", "nsupdate", "ipify"}
	pages := make([]string, len(everybody))
	for i, name := range everybody {
		pages[i] = "echo:" + name + " portal"
	}
	for name, faults := range map[string][]string{
		"a liar, a portal and one that hangs, and no spare": {"echo:amazon lie " + labOther, "echo:akamai portal",
			"echo:identme hang", "echo:desec drop", "echo:nsupdate drop", "echo:ipify drop"},
		"a page with addresses everywhere": pages,
	} {
		t.Run(name, func(t *testing.T) {
			l := newLab(t, zoneWith(sandbox.SeedRecord{Type: "A", Name: labName, Content: labOld, TTL: 300}))
			before := l.records(labName)
			l.fault(faults...)
			l.once(3)
			if diff := cmp.Diff(before, l.records(labName)); diff != "" {
				l.Errorf("the old record changed:\n%s", diff)
			}
			l.clear(labName)
			_, writes := l.calls()
			l.once(3)
			if _, after := l.calls(); after != writes || len(l.records(labName)) > 0 {
				l.Errorf("nobody agrees, and it wrote: %v", l.records(labName))
			}
		})
	}
}

const replaceHome = "records: [{name: " + labName + ", on_cname: replace}]\n"

func aliasAtTheName(t *testing.T) {
	alias := sandbox.SeedRecord{Type: "CNAME", Name: labName, Content: "myhome.duckdns.org", TTL: 300, Comment: "the way in"}
	proxied := alias
	proxied.Proxied, proxied.TTL = true, 0
	refused := func(l *lab, want string) {
		l.Helper()
		before := l.records(labName)
		p := l.run(4, "once")
		if !strings.Contains(p.stderr.String(), want) {
			l.Errorf("want %q in:\n%s", want, p.stderr)
		}
		if diff := cmp.Diff(before, l.records(labName)); diff != "" {
			l.Errorf("the CNAME changed:\n%s", diff)
		}
	}
	t.Run("is refused, and the way on is said", func(t *testing.T) {
		refused(newLab(t, zoneWith(alias)), "set on_cname: replace for "+labName)
	})
	for name, seed := range map[string]sandbox.SeedRecord{"DNS only": alias, "proxied": proxied} {
		t.Run("that leads here is replaced, "+name, func(t *testing.T) {
			l := newLab(t, zoneWith(seed))
			l.configure(replaceHome)
			before := l.records(labName)[0]
			l.once(0)
			l.wantHolds(labName, labHome)
			after := l.records(labName)[0]
			for _, field := range []string{"proxied", "ttl", "comment"} {
				if before[field] != after[field] {
					l.Errorf("%s was %v, is %v", field, before[field], after[field])
				}
			}
			if kept := l.rollback(filepath.Join(l.dir, ".local", "state", "cfddns")); len(kept) != 1 || kept[0].Content != seed.Content || kept[0].ID != before["id"] {
				l.Errorf("the rollback file keeps %+v, the record was %v", kept, before)
			}
		})
	}
	t.Run("that leads elsewhere is refused", func(t *testing.T) {
		l := newLab(t, zoneWith(alias))
		l.configure(replaceHome)
		l.http(http.MethodGet, l.world.Info().DuckDNS.API+"/update?domains=myhome&token=x&ip="+labOther, nil, false)
		refused(l, "its CNAME leads elsewhere: myhome.duckdns.org answers "+labOther)
	})
	t.Run("that leads into the dark is refused", func(t *testing.T) {
		l := newLab(t, zoneWith(alias))
		l.configure(replaceHome)
		l.world.SetDuckDNS(false)
		refused(l, "it was never seen to be this home")
	})
	t.Run("that led here before it went dark is replaced", func(t *testing.T) {
		l := newLab(t, zoneWith(alias))
		l.stateDir()
		l.once(4)
		l.world.SetDuckDNS(false)
		l.configure(replaceHome)
		l.once(0)
		l.wantHolds(labName, labHome)
	})
	t.Run("stays if no rollback file can be written", func(t *testing.T) {
		l := newLab(t, zoneWith(alias))
		l.configure(replaceHome)
		l.fill(l.stateDir())
		before := l.records(labName)
		p := l.run(4, "once")
		if !strings.Contains(p.stderr.String(), "no space left on device") {
			l.Errorf("it said:\n%s", p.stderr)
		}
		if diff := cmp.Diff(before, l.records(labName)); diff != "" {
			l.Errorf("the CNAME changed:\n%s", diff)
		}
	})
}

// rollback reads the newest rollback file of a directory.
func (l *lab) rollback(dir string) []ddns.Record {
	l.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "rollback-*.json"))
	must(l.T, err)
	if len(files) == 0 {
		return nil
	}
	kept, err := journal.OpenRollback(slices.Max(files))
	must(l.T, err)
	return kept.Records
}

func severalRecords(t *testing.T) {
	seed := func(contents ...string) sandbox.Config {
		var records []sandbox.SeedRecord
		for _, c := range contents {
			records = append(records, sandbox.SeedRecord{Type: "A", Name: labName, Content: c, TTL: 300})
		}
		return zoneWith(records...)
	}
	contents := func(l *lab) string {
		var words []string
		for _, r := range l.records(labName) {
			words = append(words, r["content"].(string))
		}
		slices.Sort(words)
		return strings.Join(words, " ")
	}
	check := func(l *lab, want string, r ddns.Report, code ddns.Code) {
		l.Helper()
		if got := contents(l); got != want {
			l.Errorf("the name holds %s, want %s", got, want)
		}
		if _, told := has(r, code); code != "" && !told {
			l.Errorf("%s was not told: %+v", code, r.Conditions)
		}
	}
	t.Run("two old ones, neither known: refused", func(t *testing.T) {
		l := newLab(t, seed(labOld, labOther))
		check(l, labOld+" "+labOther, l.once(4), ddns.CodeShared)
	})
	t.Run("two old ones, and extra ones shall go", func(t *testing.T) {
		l := newLab(t, seed(labOld, labOther))
		l.configure("records: [{name: " + labName + ", extra: delete}]\n")
		check(l, labHome, l.once(0), "")
	})
	t.Run("one right, one of somebody else: both stay", func(t *testing.T) {
		l := newLab(t, seed(labOld, labHome))
		check(l, labOld+" "+labHome, l.once(0), ddns.CodeShared)
	})
	t.Run("one right, one that was ours: one stays", func(t *testing.T) {
		l := newLab(t, sandbox.Config{})
		l.stateDir()
		l.once(0)
		l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
		l.once(0)
		l.create(record{"type": "A", "name": labName, "content": labHome, "ttl": 300})
		check(l, labMoved, l.once(0), "")
	})
	t.Run("ours, and one that somebody added: ours follows", func(t *testing.T) {
		l := newLab(t, sandbox.Config{})
		l.stateDir()
		l.once(0)
		l.create(record{"type": "A", "name": labName, "content": labOther, "ttl": 300})
		l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
		check(l, labMoved+" "+labOther, l.once(0), ddns.CodeShared)
	})
}

// A write that was done and never confirmed is settled by reading, and not
// sent again.
func answerLost(t *testing.T) {
	for name, seed := range map[string][]sandbox.SeedRecord{
		"of a creation": nil,
		"of an update":  {{Type: "A", Name: labName, Content: labOld, TTL: 300}},
	} {
		for _, fault := range []string{"done-but-drop", "done-but-500"} {
			t.Run(name+", "+fault, func(t *testing.T) {
				l := newLab(t, zoneWith(seed...))
				l.fault("batch " + fault)
				l.once(0)
				l.wantHolds(labName, labHome)
				if _, writes := l.calls(); writes != 1 {
					l.Errorf("%d writes, want 1", writes)
				}
			})
		}
	}
}

// An update sends the address, and nothing else of the record changes.
func metadataKept(t *testing.T) {
	l := newLab(t, sandbox.Config{Zones: []sandbox.SeedZone{{Name: "example.com", Plan: "pro"}}})
	l.set("CFDDNS_RECORDS", "plain.example.com,proxied.example.com")
	l.create(record{"type": "A", "name": "plain.example.com", "content": labOld, "ttl": 300,
		"comment": "door, do not touch", "tags": []string{"team:home", "door"}})
	l.create(record{"type": "A", "name": "proxied.example.com", "content": labOld, "proxied": true,
		"comment": "shop", "tags": []string{"shop"}, "settings": record{"ipv4_only": true}})
	for _, name := range []string{"plain.example.com", "proxied.example.com"} {
		if l.records(name)[0]["content"] != labOld {
			l.Fatalf("%v", l.records(name))
		}
	}
	before := append(l.records("plain.example.com"), l.records("proxied.example.com")...)
	l.once(0)
	after := append(l.records("plain.example.com"), l.records("proxied.example.com")...)
	for _, r := range before {
		r["content"] = labHome
		delete(r, "modified_on")
	}
	for _, r := range after {
		delete(r, "modified_on")
	}
	if diff := cmp.Diff(before, after); diff != "" {
		l.Errorf("more than the address changed:\n%s", diff)
	}
	if _, writes := l.calls(); writes-2 != 1 { // two made above
		l.Errorf("%d writes for two names of one zone", writes-2)
	}
}

func bothFamilies(t *testing.T) {
	types := "records: [{name: " + labName + ", types: [A, AAAA]}]\n"
	t.Run("a missing IPv6 does not fail IPv4", func(t *testing.T) {
		l := newLab(t, sandbox.Config{})
		l.configure(types)
		l.once(5)
		l.wantHolds(labName, labHome)
	})
	mustRun(t, `ip link add wan0 type veth peer name isp0
		ip link set isp0 up
		ip link set wan0 up
		ip -6 addr add `+labHome6+`/64 dev wan0 nodad
		ip -6 route add default via fe80::1 dev wan0`)
	t.Run("a dead IPv6 does not hold up IPv4", func(t *testing.T) {
		l := newLab(t, sandbox.Config{IPv6: netip.MustParseAddr(labHome6)})
		l.configure(types)
		l.world.SetWAN(netip.MustParseAddr(labHome), netip.Addr{})
		p := l.start("once")
		took := l.within(20*time.Second, "the A record is there", func() bool { return l.holds(labName, labHome) })
		l.Logf("the A record is there after %s", took.Round(time.Millisecond))
		if code, _ := p.wait(20 * time.Second); code != 5 {
			l.Errorf("ended with %d, want 5", code)
		}
	})
	t.Run("both are published", func(t *testing.T) {
		l := newLab(t, sandbox.Config{IPv6: netip.MustParseAddr(labHome6)})
		l.configure(types)
		r := l.once(0)
		got := map[any]any{}
		for _, at := range l.records(labName) {
			got[at["type"]] = at["content"]
		}
		if diff := cmp.Diff(map[any]any{"A": labHome, "AAAA": labHome6}, got); diff != "" {
			l.Errorf("%s\n%+v", diff, r.Verdicts)
		}
	})
}

// Put back once, then left alone and told, with both values.
func contestedRecord(t *testing.T) {
	l := newLab(t, sandbox.Config{})
	l.stateDir()
	l.once(0)
	l.edit(l.records(labName)[0], record{"content": labOther})
	l.once(0)
	l.wantHolds(labName, labHome)
	l.edit(l.records(labName)[0], record{"content": labOther})
	c, told := has(l.once(3), ddns.CodeContested)
	l.wantHolds(labName, labOther)
	if !told || !strings.Contains(c.Title, labHome) || !strings.Contains(c.Title, labOther) {
		l.Errorf("both values must be told: %+v", c)
	}
	// A new verdict of our own is written at once.
	l.world.SetWAN(netip.MustParseAddr(labMoved), netip.Addr{})
	l.once(0)
	l.wantHolds(labName, labMoved)
}

// fill makes a directory that has no space left: a disk of 64 KiB.
func (l *lab) fill(dir string) {
	l.Helper()
	must(l.T, os.MkdirAll(dir, 0o700))
	mustRun(l.T, "mount -t tmpfs -o size=64k,mode=700 tmpfs "+dir)
	l.Cleanup(func() { mustRun(l.T, "umount "+dir) })
	ballast, err := os.Create(filepath.Join(dir, "ballast"))
	must(l.T, err)
	defer ballast.Close()
	for err == nil {
		_, err = ballast.Write(make([]byte, 4096))
	}
}
