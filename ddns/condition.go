package ddns

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Code names a kind of condition, for scripts. A code once released keeps its
// meaning.
type Code string

// The conditions. Each is explained in README.md.
const (
	CodeNoQuorum     Code = "no-quorum"     // too few operators agree on the address
	CodeSplit        Code = "split"         // operators contradict each other
	CodeVeto         Code = "veto"          // operators still name what is published; a change waits
	CodeDamped       Code = "damped"        // the address flaps; a change waits to be said twice
	CodeAlone        Code = "alone"         // one source decides, no consensus
	CodeNAT66        Code = "nat66"         // visitors come in by an address that a router translates
	CodeRosterThin   Code = "roster-thin"   // one more silent operator would leave no quorum
	CodeToken        Code = "token-refused" // the token is not accepted
	CodeTokenExpires Code = "token-expires" // the token ends within two weeks
	CodeTokenFilter  Code = "token-filter"  // the token's IP filter does not allow this home's address
	CodePermission   Code = "permission"    // the token may not do this
	CodeNoZone       Code = "no-zone"       // no zone of the token holds the name
	CodeUnreachable  Code = "unreachable"   // Cloudflare's API does not answer
	CodeLimited      Code = "rate-limited"  // Cloudflare asks us to wait
	CodeZonePending  Code = "zone-inactive" // the zone is paused, pending or only partly Cloudflare's
	CodeCNAME        Code = "cname"         // a CNAME stands in the way
	CodeConflict     Code = "conflict"      // other records stand in the way
	CodeShared       Code = "shared-name"   // other addresses answer at the name
	CodeNotOurs      Code = "not-ours"      // another tool keeps the name
	CodeProxyUnclear Code = "proxy-unclear" // proxied or not must be said for a new name
	CodeRefused      Code = "refused"       // Cloudflare refused a change
	CodeUncertain    Code = "uncertain"     // a write could not be confirmed yet
	CodeLeftAlone    Code = "left-alone"    // the record's comment holds cfddns:off
	CodeContested    Code = "contested"     // somebody else keeps moving the record
	CodeContradicted Code = "contradicted"  // the nameservers say something else
	CodeUnproved     Code = "unproved"      // the nameservers could not be asked
	CodeLeftBehind   Code = "left-behind"   // records that still hold the old address
	CodeClock        Code = "clock"         // the clock is wrong: before this program was built, or when no certificate is valid
	CodeState        Code = "state"         // what must be remembered could not be written
	CodeCGNAT        Code = "cgnat"         // the provider translates: visitors cannot come in over IPv4
	CodeDoubleNAT    Code = "double-nat"    // the router's own WAN address is private: two routers in a row
	CodeRouter       Code = "router"        // the router names another public address than the one we leave by
	CodeResolver     Code = "resolver"      // this machine's resolver denies names, or leads them astray
	CodeHopDark      Code = "hop-dark"      // a DDNS host that names still lead to does not answer
	CodeUnkept       Code = "unkept"        // a name holds this home's address, and this cfddns does not keep it
	CodeWayIn        Code = "way-in"        // the way in of a script host could not be kept right

	// The router names what is, or was, published, and the vote another address.
	CodeDisagrees Code = "router-disagrees"
)

// Severity says how loud a condition is.
type Severity string

// The severities: an Alarm is told at once, a Warning when there is time, and
// a Notice is only shown.
const (
	Alarm   Severity = "alarm"
	Warning Severity = "warning"
	Notice  Severity = "notice"
)

// Condition is something wrong, as data: the log, the status, the exit code
// and the messages all show the same one.
type Condition struct {
	Code     Code      `json:"code"`
	Severity Severity  `json:"severity"`
	Name     string    `json:"name"` // a target, zone or family; empty: all
	Title    string    `json:"title"`
	Hint     string    `json:"hint"`
	Since    time.Time `json:"since"`
}

// key tells conditions apart; the words may change while one stands.
func (c Condition) key() string { return string(c.Code) + " " + c.Name }

// severities of the codes; a code that is not here is a Warning.
var severities = map[Code]Severity{
	CodeNoQuorum: Alarm, CodeSplit: Alarm, CodeToken: Alarm, CodeTokenFilter: Alarm, CodePermission: Alarm,
	CodeNoZone: Alarm, CodeCNAME: Alarm, CodeConflict: Alarm, CodeNotOurs: Alarm, CodeProxyUnclear: Alarm,
	CodeRefused: Alarm, CodeContested: Alarm, CodeContradicted: Alarm, CodeClock: Alarm, CodeState: Alarm,
	CodeCGNAT: Alarm, CodeHopDark: Alarm,
	CodeAlone: Notice, CodeDoubleNAT: Notice, CodeLeftAlone: Notice, CodeUnproved: Notice, CodeDamped: Notice,
}

// condition makes a condition of a code.
func condition(code Code, name, title, hint string) Condition {
	severity, ok := severities[code]
	if !ok {
		severity = Warning
	}
	if severity == Alarm && hint == "" {
		hint = "see what is missing with: cfddns check"
	}
	return Condition{Code: code, Severity: severity, Name: name, Title: title, Hint: hint}
}

// codeOf returns the condition that an error of Cloudflare's API raises.
func codeOf(err error) Code {
	switch KindOf(err) {
	case TokenRefused:
		return CodeToken
	case Filtered:
		return CodeTokenFilter
	case NotPermitted:
		return CodePermission
	case NoZone:
		return CodeNoZone
	case Limited:
		return CodeLimited
	case Conflict:
		return CodeConflict
	case Rejected, Denied:
		return CodeRefused
	case Uncertain:
		return CodeUncertain
	default:
		return CodeUnreachable
	}
}

// Assess says what is wrong after a round, once for everybody who shows it.
// It is pure. A condition that stood before keeps its beginning.
func Assess(r Round, before []Condition) []Condition {
	var raised []Condition
	for i, v := range r.Verdicts {
		if r.optional(v) {
			continue
		}
		raised = append(raised, assessVerdict(v, r.Holdings[i])...)
		raised = append(raised, assessRoster(v, before)...)
	}
	raised = append(raised, r.WAN.assess(r.holdingOf(IPv4), before)...)
	raised = append(raised, r.assessNames()...)
	raised = append(raised, assessZones(r.Found)...)
	for _, o := range r.Outcomes {
		raised = append(raised, o.Conditions()...)
	}
	raised = append(raised, assessWaysIn(r.WaysIn)...)
	raised = append(raised, assessDrills(r.Receipts)...)
	raised = append(raised, assessProofs(r.Proofs)...)
	raised = append(raised, r.LeftBehind...)
	raised = append(raised, r.Beside...)
	raised = append(raised, r.TokenEnd.assess(r.Started)...)
	return settle(raised, before, r.Started)
}

// assess says what is wrong after a round. While the clock is wrong
// certificates look invalid: that is then the one thing to say, and what
// stood before still stands. What cannot be kept over a restart is unkept.
func (r *Runner) assess(round Round, before []Condition, unkept error) []Condition {
	if clock := r.clockTrouble(round); clock != nil {
		return settle(append([]Condition{*clock}, before...), before, round.Started)
	}
	return settle(append(Assess(round, before), assessKeeping(unkept)...), before, round.Started)
}

// assessKeeping says that something cannot be remembered over a restart.
func assessKeeping(unkept error) []Condition {
	if unkept == nil {
		return nil
	}
	return []Condition{condition(CodeState, "", unkept.Error()+"; names are kept right all the same", "each round tries again")}
}

// settle sorts the conditions, drops repetitions, and dates them.
func settle(raised, before []Condition, now time.Time) []Condition {
	slices.SortStableFunc(raised, func(a, b Condition) int {
		return cmp.Or(strings.Compare(string(a.Code), string(b.Code)), strings.Compare(a.Name, b.Name))
	})
	raised = slices.CompactFunc(raised, func(a, b Condition) bool { return a.key() == b.key() })
	since := make(map[string]time.Time, len(before))
	for _, b := range slices.Backward(before) { // of two the first counts
		since[b.key()] = b.Since
	}
	for i, c := range raised {
		raised[i].Since = now
		if at, stood := since[c.key()]; stood && at.Before(now) {
			raised[i].Since = at
		}
	}
	return raised
}

// assessVerdict says what is odd about the address of a family.
func assessVerdict(v Verdict, h Holding) []Condition {
	name := v.Family.String()
	hint := "see who says what with: cfddns ip --all"
	switch {
	case h.Guard == VetoGuard:
		return []Condition{condition(CodeVeto, name, h.Why, hint)}
	case h.Guard == DampGuard:
		return []Condition{condition(CodeDamped, name, h.Why, "two lines in turn? set ip.bind to the one that visitors use")}
	case v.State == Split:
		return []Condition{condition(CodeSplit, name, v.Why, hint)}
	case v.State == Unknown:
		return []Condition{condition(CodeNoQuorum, name, v.Why, hint)}
	case v.Alone:
		return []Condition{condition(CodeAlone, name, v.Why, "")}
	case v.NAT66:
		return []Condition{condition(CodeNAT66, name, v.Why, "visitors reach this machine only if the router forwards that address to it")}
	}
	return nil
}

// assessRoster says whether one more silent operator would leave no quorum, after
// some were lost. Only a round in which all were heard of, and spares asked, can
// tell; until the next one, what the last one found still stands. A roster that bears
// no silence from the beginning is warned of with the configuration, and not here.
func assessRoster(v Verdict, before []Condition) []Condition {
	name := v.Family.String()
	if v.State != Agreed || v.Alone {
		return nil
	}
	if !v.full() || v.Unfilled {
		i := slices.IndexFunc(before, func(c Condition) bool { return c.Code == CodeRosterThin && c.Name == name })
		if i < 0 {
			return nil
		}
		return before[i : i+1]
	}
	lost := dissent(v)
	if lost == "" || !v.thin() {
		return nil
	}
	return []Condition{condition(CodeRosterThin, name,
		"one more operator that is silent or wrong would leave no quorum ("+lost+")",
		"look with: cfddns ip --all; add a source over HTTPS to ip.sources")}
}

// dissent lists the sources that did not say what the verdict says.
func dissent(v Verdict) string {
	var words []string
	for _, o := range v.Observations {
		switch {
		case o.Err != nil && !o.Silent.IsZero():
			words = append(words, fmt.Sprintf("%s, silent since %s: %v", o.Source,
				o.Silent.UTC().Format("2006-01-02 15:04 UTC"), o.Err))
		case o.Err != nil:
			words = append(words, o.Source+": "+o.Err.Error())
		case o.Address != v.Address:
			words = append(words, o.Source+": "+o.Address.String())
		}
	}
	return strings.Join(words, "; ")
}

// assessZones says which zones do not serve what is written to them.
// https://developers.cloudflare.com/dns/zone-setups/reference/domain-status/
func assessZones(f Found) (raised []Condition) {
	for _, z := range f.Zones {
		title, hint := "", ""
		switch {
		case z.Zone.Paused:
			title, hint = "the zone is paused: Cloudflare answers with the home's addresses and proxies nothing", "enable Cloudflare for the zone: dashboard > Overview > Advanced actions"
		case z.Zone.Type == "partial":
			title, hint = "the zone is partial (CNAME set-up): its names are served elsewhere", "check that the other DNS points these names here"
		case z.Zone.Status != "active" && z.Zone.Status != "":
			title, hint = "the zone is "+z.Zone.Status+": the world does not ask Cloudflare for it yet", "set the zone's nameservers at your registrar: "+strings.Join(z.Zone.NameServers, ", ")
		}
		if title != "" {
			raised = append(raised, condition(CodeZonePending, z.Zone.Name, title, hint))
		}
	}
	return raised
}

// Conditions says what keeps a target from being right. What stands in the way
// of all targets of the token, of a zone or of a name alike is said once.
func (o Outcome) Conditions() []Condition {
	switch o.Code {
	case "", CodeDisagrees: // that is said once, of the family
		return nil
	case CodeToken, CodeTokenFilter, CodeUnreachable, CodeLimited:
		return []Condition{condition(o.Code, "", o.Why, o.Hint)}
	case CodePermission, CodeUncertain:
		return []Condition{condition(o.Code, o.Zone, o.Why, o.Hint)}
	case CodeCNAME, CodeNotOurs, CodeNoZone:
		return []Condition{condition(o.Code, o.Target.Name, o.Why, o.Hint)}
	default:
		if forbidden(o.Err) { // the zone, and not one record
			return []Condition{condition(o.Code, o.Zone, o.Why, o.Hint)}
		}
		if o.State == Right || o.State == Changed { // it is kept, and only the others there are to be spoken of
			return []Condition{condition(o.Code, o.Target.Key(), o.Hint, "")}
		}
		return []Condition{condition(o.Code, o.Target.Key(), o.Why, o.Hint)}
	}
}

// assessDrills says if the token turned out to be unable to write.
func assessDrills(made []Receipt) (raised []Condition) {
	for _, rc := range made {
		if rc.Change.Drill && rc.State == RefusedChange {
			raised = append(raised, condition(codeOf(rc.Err), rc.Change.Zone.Name, "the next change of address would be refused: "+rc.Err.Error(), HintOf(rc.Err)))
		}
	}
	return raised
}

// assessProofs says which names the world sees otherwise.
func assessProofs(proofs []Proof) (raised []Condition) {
	for _, p := range proofs {
		switch p.Outcome {
		case ProofContradicted:
			raised = append(raised, condition(CodeContradicted, p.Target.Key(), p.Why, p.Hint))
		case ProofUnasked:
			if p.By != "edge" { // it can only contradict
				raised = append(raised, condition(CodeUnproved, p.Target.Key(), p.Why, p.Hint))
			}
		case ProofSeen:
		}
	}
	return raised
}
