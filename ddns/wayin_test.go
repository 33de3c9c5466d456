package ddns

import (
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	wayInNow  = time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	freeZone  = Zone{ID: "z", Name: "example.com", Plan: "free"}
	scriptsV4 = netip.MustParsePrefix("198.51.100.7/32")
	scriptsV6 = netip.MustParsePrefix("2001:db8:1:2::/64")
)

func backup() WayIn {
	return WayIn{Name: "backup", Hosts: []string{"api.example.com"}, Addresses: []netip.Prefix{scriptsV4}}
}

// userRules are n rules of the user's own.
func userRules(n int) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		rules[i] = Rule{ID: fmt.Sprintf("u%d", i), Ref: fmt.Sprintf("u%d", i), Description: fmt.Sprintf("mine %d", i), Expression: "(ip.src eq 192.0.2.1)", Action: "block", Enabled: true}
	}
	return rules
}

// numbered gives rules their places.
func numbered(rules []Rule) RuleSet {
	set := RuleSet{ID: "set", Rules: rules}
	for i := range set.Rules {
		set.Rules[i].Position = i + 1
	}
	return set
}

// applied is what Cloudflare makes of a change.
func applied(set RuleSet, c RuleChange) RuleSet {
	rules := slices.Clone(set.Rules)
	if c.Before != nil {
		i := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == c.Before.ID })
		if c.After == nil || c.After.Position == 1 {
			rules = slices.Delete(rules, i, i+1)
		} else {
			rules[i] = *c.After
			return numbered(rules)
		}
	}
	if c.After != nil {
		after := *c.After
		if after.ID == "" {
			after.ID = newID(rules)
		}
		rules = slices.Insert(rules, 0, after)
	}
	return numbered(rules)
}

// newID is an id that no rule has: two rules made, with one deleted between
// them, are not the same rule.
func newID(rules []Rule) string {
	for n := 0; ; n++ {
		id := fmt.Sprintf("new%d", n)
		if !slices.ContainsFunc(rules, func(r Rule) bool { return r.ID == id }) {
			return id
		}
	}
}

func foreign(set RuleSet) (rules []Rule) {
	for _, r := range set.Rules {
		if _, ours := Ours(r); !ours {
			r.Position = 0
			rules = append(rules, r)
		}
	}
	return rules
}

func TestAWayInIsOneNarrowRule(t *testing.T) {
	w := backup()
	w.Hosts = []string{"files.example.com", "api.example.com"}
	w.Addresses = append(w.Addresses, scriptsV6)
	w.Until = time.Unix(1800000000, 0)
	w.Skips = []string{"rateLimit", "securityLevel", "sbfm", "custom"}
	want := Rule{Ref: "cfddns-backup", Description: "cfddns: way in of backup (kept by cfddns)", Action: "skip", Enabled: true,
		Expression: `(http.host in {"api.example.com" "files.example.com"} and ip.src in {198.51.100.7 2001:db8:1:2::/64} and http.request.timestamp.sec lt 1800000000)`,
		Products:   []string{"securityLevel", "rateLimit"}, Phases: []string{"http_ratelimit", "http_request_sbfm"}, Ruleset: "current"}
	if got := w.Rule(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	secret := WayIn{Name: "phone", Hosts: []string{"a.example.com"}, Header: "x-way-in", Secret: NewSecret("0123456789abcdef")}
	if got := secret.Rule().Expression; got != `(http.host in {"a.example.com"} and any(http.request.headers["x-way-in"][*] eq "0123456789abcdef"))` {
		t.Errorf("got %s", got)
	}
	if strings.Contains(fmt.Sprintf("%s %v %+v", secret, secret, secret), "0123456789abcdef") {
		t.Error("the secret shows")
	}
	if got := backup().Rule(); !slices.Equal(got.Products, []string{"securityLevel"}) || got.Phases != nil || got.Ruleset != "" {
		t.Errorf("by default only the security level is skipped: %+v", got)
	}
}

func TestAnIPv6AddressIsLetInWithItsNetwork(t *testing.T) {
	for from, want := range map[string]string{"198.51.100.7": "198.51.100.7/32", "::ffff:198.51.100.7": "198.51.100.7/32", "2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64"} {
		if got := Admit(netip.MustParseAddr(from)); got.String() != want {
			t.Errorf("%s is admitted as %s, want %s", from, got, want)
		}
	}
}

func TestAWayInThatWouldBeAHoleIsRefused(t *testing.T) {
	tests := []struct {
		name   string
		change func(*WayIn)
		says   string // empty: accepted
	}{
		{"one address", func(*WayIn) {}, ""},
		{"a /24", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("45.67.89.0/24") }, ""},
		{"a /23", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("45.67.88.0/23") }, "too wide"},
		{"everybody", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("0.0.0.0/0") }, "too wide"},
		{"everybody over IPv6", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("::/0") }, "too wide"},
		{"an IPv6 /32", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("2a01:4f8::/32") }, "too wide"},
		{"an IPv6 /48", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("2a01:4f8:1::/48") }, ""},
		{"an address shared by a provider's NAT", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("100.64.1.2/32") }, "CGNAT"},
		{"a private address", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("192.168.1.2/32") }, "private"},
		{"loopback", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("127.0.0.1/32") }, "loopback"},
		{"Cloudflare's own", func(w *WayIn) { w.Addresses[0] = netip.MustParsePrefix("104.28.1.1/32") }, "WARP"},
		{"no address at all", func(w *WayIn) { w.Addresses = nil }, "neither"},
		{"no host", func(w *WayIn) { w.Hosts = nil }, "names no host"},
		{"a host that breaks out", func(w *WayIn) { w.Hosts[0] = `a"} or (true) or http.host in {"b` }, "no host name"},
		{"a name that breaks out", func(w *WayIn) { w.Name = "a (b" }, "no name"},
		{"a secret that breaks out", func(w *WayIn) { w.Header, w.Secret = "x-a", NewSecret(`0123456789abcde" or true`) }, "cannot be compared"},
		{"a secret that can be guessed", func(w *WayIn) { w.Header, w.Secret = "x-a", NewSecret("short") }, "cannot be compared"},
		{"an unknown product", func(w *WayIn) { w.Skips = []string{"everything"} }, "cannot be skipped"},
		{"more hosts than a rule holds", func(w *WayIn) {
			for i := range 300 {
				w.Hosts = append(w.Hosts, fmt.Sprintf("host%d.example.com", i))
			}
		}, "Cloudflare takes 4096"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := backup()
			tt.change(&w)
			err := w.Validate()
			if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("got %v, want %q", err, tt.says)
			}
			if changes, planErr := PlanWayIn(RuleSet{}, freeZone, w, wayInNow); (planErr == nil) != (err == nil) || err != nil && (len(changes) > 0 || KindOf(planErr) != Rejected) {
				t.Errorf("planned %v, %v", changes, planErr)
			}
		})
	}
}

func TestPlanningAWayIn(t *testing.T) {
	mine := backup().Rule()
	mine.ID = "ours"
	with := func(change func(*Rule)) Rule { r := mine; change(&r); return r }
	tests := []struct {
		name  string
		rules []Rule
		w     func(*WayIn)
		want  []string // the changes; the last word of each is in its why
	}{
		{"the first rule of a zone", nil, nil, []string{"create: lets in 198.51.100.7"}},
		{"before the user's rules", userRules(4), nil, []string{"create: lets in"}},
		{"it stands as it should", append([]Rule{mine}, userRules(4)...), nil, nil},
		{"it stands with another white space and order", []Rule{with(func(r *Rule) {
			r.Expression = strings.ReplaceAll(r.Expression, " and ", "  and\n ")
		})}, nil, nil},
		{"the address changed: the old one leaves in the same write", append([]Rule{mine}, userRules(4)...),
			func(w *WayIn) { w.Addresses = []netip.Prefix{netip.MustParsePrefix("198.51.100.8/32")} }, []string{"edit: address: 198.51.100.7 → 198.51.100.8"}},
		{"another way in of ours stands before it", []Rule{{ID: "o", Ref: "cfddns-other", Description: wayInMark + "other (kept by cfddns)"}, mine}, nil, nil},
		{"somebody put a rule before it", append(userRules(1), mine), nil, []string{"edit: it stood behind other rules"}},
		{"somebody changed it", []Rule{with(func(r *Rule) { r.Expression = "(true)" })}, nil, []string{"edit: it was changed by hand"}},
		{"somebody made it skip more", []Rule{with(func(r *Rule) { r.Products = []string{"waf"}; r.Phases = []string{"http_request_firewall_managed"} })}, nil,
			[]string{"edit: skips: waf → securityLevel"}},
		{"its ref was lost", []Rule{with(func(r *Rule) { r.Ref = "0123" })}, nil, []string{"edit: its mark was changed"}},
		{"its description was changed", []Rule{with(func(r *Rule) { r.Description = "my script" })}, nil, []string{"edit: its mark was changed"}},
		{"it stands there twice", []Rule{mine, with(func(r *Rule) { r.ID = "twice"; r.Ref = "x" })}, nil, []string{"delete twice: a second rule"}},
		{"it stands there twice, and the first is disabled", []Rule{with(func(r *Rule) { r.ID, r.Ref, r.Enabled = "idle", "x", false }), mine}, nil, []string{"delete idle: a second rule"}},
		{"it was disabled, and a person asks", []Rule{with(func(r *Rule) { r.Enabled = false })}, func(w *WayIn) { w.Insist = true }, []string{"edit: it was disabled"}},
		{"its time is over", append([]Rule{mine}, userRules(1)...), func(w *WayIn) { w.Until = wayInNow }, []string{"delete ours: its time was over on 2026-11-24T03:00:00Z"}},
		{"its time is over and it is gone", userRules(5), func(w *WayIn) { w.Until = wayInNow }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := backup()
			if tt.w != nil {
				tt.w(&w)
			}
			set := numbered(slices.Clone(tt.rules))
			changes, err := PlanWayIn(set, freeZone, w, wayInNow)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, c := range changes {
				op := "edit"
				switch {
				case c.Before == nil:
					op = "create"
				case c.After == nil:
					op = "delete " + c.Before.ID
				}
				got = append(got, op+": "+c.Why)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("got %q, want %q", got, tt.want)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestADisabledRuleIsAPersonsWord(t *testing.T) {
	r := backup().Rule()
	r.ID, r.Enabled = "ours", false
	if changes, err := PlanWayIn(numbered([]Rule{r}), freeZone, backup(), wayInNow); !errors.Is(err, ErrWayInOff) || len(changes) > 0 {
		t.Errorf("got %v, %v", changes, err)
	}
}

func TestWithoutAFreeSlotNothingIsChanged(t *testing.T) {
	rules := userRules(5)
	rules[3].Enabled = false
	_, err := PlanWayIn(numbered(rules), freeZone, backup(), wayInNow)
	if KindOf(err) != Rejected || !strings.Contains(err.Error(), "5 custom rules, and its plan (free) allows 5; nothing was changed") || !strings.Contains(HintOf(err), `"mine 3"`) {
		t.Errorf("got %v; %s", err, HintOf(err))
	}
	pro := Zone{Name: "example.com", Plan: "pro"}
	if _, err := PlanWayIn(numbered(rules), pro, backup(), wayInNow); err != nil {
		t.Error(err)
	}
}

// genWayIn makes ways in, some of them over.
func genWayIn(names ...string) *rapid.Generator[WayIn] {
	return rapid.Custom(func(t *rapid.T) WayIn {
		w := WayIn{Name: rapid.SampledFrom(names).Draw(t, "name")}
		w.Hosts = rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a.example.com", "b.example.com", "c.example.com"}), 1, 3, rapid.ID[string]).Draw(t, "hosts")
		w.Addresses = rapid.SliceOfNDistinct(rapid.SampledFrom([]netip.Prefix{scriptsV4, scriptsV6, netip.MustParsePrefix("45.67.89.0/28")}), 0, 3, rapid.ID[netip.Prefix]).Draw(t, "addresses")
		if len(w.Addresses) == 0 || rapid.Bool().Draw(t, "header") {
			w.Header, w.Secret = "x-way-in", NewSecret(rapid.StringMatching(`[A-Z0-9]{26}`).Draw(t, "secret"))
		}
		if rapid.Bool().Draw(t, "until") {
			w.Until = wayInNow.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "hours")) * time.Hour)
		}
		skips := rapid.SliceOfDistinct(rapid.SampledFrom(SkipWords()), rapid.ID[string]).Draw(t, "skips")
		slices.SortFunc(skips, func(a, b string) int { return slices.Index(SkipWords(), a) - slices.Index(SkipWords(), b) })
		if w.Skips = skips; len(skips) == 0 {
			w.Skips = []string{SkipLevel}
		}
		return w
	})
}

// What was planned, once applied, needs no further plan; the user's rules are
// what and where they were among themselves; no step exceeds the plan's slots.
func TestAPlanAfterItsOwnApplyIsEmpty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := userRules(rapid.IntRange(0, 5).Draw(t, "user rules"))
		for _, w := range rapid.SliceOfN(genWayIn("one", "two"), 0, 3).Draw(t, "stand") {
			r := w.Rule()
			r.ID, r.Enabled = fmt.Sprintf("o%d", len(rules)), rapid.Bool().Draw(t, "enabled")
			rules = slices.Insert(rules, rapid.IntRange(0, len(rules)).Draw(t, "at"), r)
		}
		before := numbered(rules)
		set := before
		for _, w := range rapid.SliceOfN(genWayIn("one", "two", "three"), 1, 4).Draw(t, "wanted") {
			w.Insist = rapid.Bool().Draw(t, "insist")
			changes, err := PlanWayIn(set, freeZone, w, wayInNow)
			if err != nil {
				if len(changes) > 0 || KindOf(err) != Rejected && !errors.Is(err, ErrWayInOff) {
					t.Fatalf("%v with %v", changes, err)
				}
				continue
			}
			for _, c := range changes {
				full := len(set.Rules) > freeZone.RuleSlots()
				if set = applied(set, c); len(set.Rules) > freeZone.RuleSlots() && !full {
					t.Fatalf("%d rules", len(set.Rules))
				}
			}
			if again, err := PlanWayIn(set, freeZone, w, wayInNow); err != nil || len(again) > 0 {
				t.Fatalf("planned again: %+v, %v", again, err)
			}
		}
		if !reflect.DeepEqual(foreign(set), foreign(before)) {
			t.Fatalf("the user's rules were %+v and are %+v", foreign(before), foreign(set))
		}
	})
}

func TestARuleOfOursIsReadBackAsItWasMeant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := genWayIn("one").Draw(t, "w")
		got, ok := ParseWayIn(w.Rule())
		if !ok || got.String() != (WayIn{Name: w.Name, Hosts: slices.Sorted(slices.Values(w.Hosts)), Addresses: w.Addresses, Header: w.Header, Secret: w.Secret, Until: w.Until, Skips: w.Skips}).String() || got.Secret != w.Secret {
			t.Fatalf("%s was read as %s, %v", w, got, ok)
		}
	})
}

func TestOnlyRulesOfOursAreRevoked(t *testing.T) {
	mine, other := backup().Rule(), backup()
	mine.ID, other.Name = "ours", "other"
	second := other.Rule()
	second.ID = "other"
	set := numbered(append(userRules(2), mine, second))
	changes := PlanRevoke(set, "backup", "revoked")
	if len(changes) != 1 || changes[0].Before.ID != "ours" || changes[0].After != nil {
		t.Errorf("got %+v", changes)
	}
	if changes := PlanRevoke(set, "", "revoked"); len(changes) != 0 {
		t.Errorf("got %+v", changes)
	}
}

func TestEvidenceAsksForNoMoreThanWhatStoppedTheHost(t *testing.T) {
	event := func(source, action string) SecurityEvent {
		return SecurityEvent{Source: source, Action: action, RuleID: "u0"}
	}
	pro := Zone{Name: "example.com", Plan: "pro"}
	tests := []struct {
		name   string
		events []SecurityEvent
		zone   Zone
		skips  []string
		cannot string
		own    []string
	}{
		{"nothing was seen", nil, freeZone, nil, "", nil},
		{"Under Attack mode", []SecurityEvent{event("securitylevel", "managed_challenge")}, freeZone, []string{"securityLevel"}, "", []string{"mine 0"}},
		{"what passed is no evidence", []SecurityEvent{event("waf", "log"), event("bic", "skip"), event("securitylevel", "jschallenge_solved")}, freeZone, nil, "", nil},
		{"several products, in their order", []SecurityEvent{event("ratelimit", "block"), event("firewallManaged", "block"), event("bic", "block")}, freeZone, []string{"bic", "rateLimit", "waf"}, "", []string{"mine 0"}},
		{"a rule of the user's own", []SecurityEvent{event("firewallCustom", "managed_challenge")}, freeZone, []string{"custom"}, "", []string{"mine 0"}},
		{"Bot Fight Mode on the Free plan", []SecurityEvent{event("botFight", "managed_challenge")}, freeZone, nil, "switch it off (dashboard > Security > Settings", []string{"mine 0"}},
		{"Super Bot Fight Mode", []SecurityEvent{event("botFight", "managed_challenge")}, pro, []string{"sbfm"}, "", []string{"mine 0"}},
		{"HTTP DDoS protection", []SecurityEvent{event("l7ddos", "block")}, pro, nil, "send fewer requests", []string{"mine 0"}},
		{"a product that is not known here", []SecurityEvent{event("new", "block")}, pro, nil, "look at the event", []string{"mine 0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := EvidenceOf(tt.events, numbered(userRules(1)), tt.zone)
			if !slices.Equal(e.Skips, tt.skips) || !strings.Contains(strings.Join(e.Cannot, "; "), tt.cannot) || tt.cannot == "" && len(e.Cannot) > 0 || !slices.Equal(e.Own, tt.own) {
				t.Errorf("got %+v", e)
			}
		})
	}
}

// FuzzParseWayIn: whatever a rule says, what is read of it says the same.
func FuzzParseWayIn(f *testing.F) {
	f.Add(backup().Rule().Expression, "securityLevel")
	f.Add(`(http.host in {"a.example.com"} and any(http.request.headers["x-a"][*] eq "0123456789abcdef") and http.request.timestamp.sec lt 9)`, "waf")
	f.Add(`(http.host in {"a"} and ip.src in {1.2.3.4/33})`, "")
	f.Add(`(true)`, "bic")
	f.Fuzz(func(t *testing.T, expression, product string) {
		r := Rule{Ref: "cfddns-backup", Description: wayInMark + "backup (kept by cfddns)", Expression: expression, Action: "skip", Enabled: true, Products: []string{product}}
		w, ok := ParseWayIn(r)
		if !ok {
			return
		}
		if err := w.Validate(); err != nil || !sameRule(w.Rule(), r) {
			t.Errorf("%q was read as %+v (%v)", expression, w, err)
		}
	})
}
