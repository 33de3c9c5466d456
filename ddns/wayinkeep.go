package ddns

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// RuleAPI reads and changes the custom rules of a zone. Every error is an
// *Error. A change is never sent twice.
type RuleAPI interface {
	// Rules lists them in their order; a zone without any is an empty set.
	Rules(ctx context.Context, zone Zone) (RuleSet, error)
	// ChangeRule makes one change and returns the set as the answer shows it. With
	// dry Cloudflare checks the change and stores nothing.
	ChangeRule(ctx context.Context, zone Zone, set RuleSet, change RuleChange, dry bool) (RuleSet, error)
}

// KeptWayIn is a way in that the configuration wants kept, and where its
// addresses come from beside those it lists.
type KeptWayIn struct {
	WayIn
	Zone string // name of the zone; empty: the one that holds the hosts
	Self bool   // this home's agreed addresses
	From string // a host name that is resolved in every round; empty: none
}

// WayInSeen is what is remembered of a way in: what was last confirmed or, with
// a State, what only a person can mend.
type WayInSeen struct {
	Zone      Zone
	Wanted    string         // a digest of the rule: it may hold a secret
	Addresses []netip.Prefix `json:",omitempty"` // last seen in the rule
	At        time.Time      // when the rules were last read; zero: they must be
	State     TargetState    `json:",omitempty"` // refused or held; "": it stands
	Why       string         `json:",omitempty"`
	Hint      string         `json:",omitempty"`
}

// WayInOutcome is how a way in stands after a round, or after somebody asked
// for it.
type WayInOutcome struct {
	Name    string
	Zone    string
	State   TargetState // right, changed, held, refused or unreachable
	Why     string
	Hint    string
	Err     error
	Changes []RuleChange // confirmed; in a dry run, planned
	Set     RuleSet      // the rules as they then stand, where they were read
	// Addresses are those that the way in lets in, as far as they are known.
	Addresses []netip.Prefix
}

// LetIn makes one way in right: it reads the rules, plans, changes one rule
// after the other, and believes what the answers show. An uncertain change is
// settled by reading. With dry Cloudflare checks the first change, and nothing
// is stored.
func LetIn(ctx context.Context, api RuleAPI, zone Zone, w WayIn, dry bool, now time.Time) WayInOutcome {
	return changeRules(ctx, api, zone, w.Name, dry, func(set RuleSet) ([]RuleChange, error) { return PlanWayIn(set, zone, w, now) })
}

// Revoke takes a way in away: its rules, and no others.
func Revoke(ctx context.Context, api RuleAPI, zone Zone, name string, dry bool) WayInOutcome {
	return changeRules(ctx, api, zone, name, dry, func(set RuleSet) ([]RuleChange, error) { return PlanRevoke(set, name, "revoked"), nil })
}

func changeRules(ctx context.Context, api RuleAPI, zone Zone, name string, dry bool, plan func(RuleSet) ([]RuleChange, error)) WayInOutcome {
	o := WayInOutcome{Name: name, Zone: zone.Name, State: Right}
	set, err := api.Rules(ctx, zone)
	if err != nil {
		return o.failed(err)
	}
	o.Set = set
	changes, err := plan(set)
	if err != nil {
		return o.failed(err)
	}
	for i, change := range changes {
		if dry && i > 0 {
			o.Changes = append(o.Changes, change)
			continue
		}
		set, err := api.ChangeRule(ctx, zone, o.Set, change, dry)
		if KindOf(err) == Uncertain {
			set, err = settled(ctx, api, zone, plan, err, changes[i+1:])
		}
		if err != nil {
			return o.failed(err)
		}
		o.Set, o.State = set, Changed
		o.Changes = append(o.Changes, change)
	}
	var why []string
	for _, change := range o.Changes {
		why = append(why, change.Why)
	}
	o.Why = strings.Join(why, "; ")
	return o
}

// settled reads what became of an uncertain change: done if what is left to do
// is what would have been left after it.
func settled(ctx context.Context, api RuleAPI, zone Zone, plan func(RuleSet) ([]RuleChange, error), uncertain error, rest []RuleChange) (RuleSet, error) {
	set, err := api.Rules(ctx, zone)
	if err != nil {
		return RuleSet{}, uncertain
	}
	if open, err := plan(set); err != nil || len(open) > len(rest) {
		return RuleSet{}, uncertain
	}
	return set, nil
}

// NotLetIn is the outcome of a way in that an error ended before its rules were
// read.
func NotLetIn(name, zone string, err error) WayInOutcome {
	return WayInOutcome{Name: name, Zone: zone}.failed(err)
}

// failed is the outcome of an error. What stood before still stands.
func (o WayInOutcome) failed(err error) WayInOutcome {
	o.State, o.Why, o.Hint, o.Err = StateAfter(err), err.Error(), HintOf(err), err
	switch {
	case errors.Is(err, ErrNoAddress):
		o.State = Held
	case errors.Is(err, ErrWayInOff):
		o.State, o.Hint = Held, fmt.Sprintf("enable it there, or let the host in again with: cfddns waf allow %s …", o.Name)
	}
	return o
}

func (o WayInOutcome) right() bool { return o.State == Right || o.State == Changed }

// passing reports whether what is wrong may pass by itself.
func (o WayInOutcome) passing() bool {
	return o.State == Unreached || o.State == Held && !errors.Is(o.Err, ErrWayInOff)
}

// keepWaysIn makes the configured ways in right. Without any it asks nobody;
// rules are read only where what is wanted is not what was last confirmed, and
// once every recheck.
func (r *Runner) keepWaysIn(ctx context.Context, round Round, m Memory, now time.Time) ([]WayInOutcome, Memory) {
	if len(r.WaysIn) == 0 || r.Rules == nil {
		return nil, m
	}
	seen := map[string]WayInSeen{} // what is no longer configured is forgotten; its rule stays
	zones, rules := r.zonesOf(ctx, round.Found), readOnce{r.Rules, map[string]RuleSet{}}
	outcomes := make([]WayInOutcome, 0, len(r.WaysIn))
	for _, kept := range r.WaysIn {
		o, s := r.keepWayIn(ctx, kept, m.WaysIn[kept.Name], round, surroundings{zones, rules})
		outcomes, seen[kept.Name] = append(outcomes, o), s
	}
	if !r.Dry {
		m.WaysIn = seen
	}
	return outcomes, m
}

// surroundings are what the ways in of a round share.
type surroundings struct {
	zones func(name string) (Zone, error)
	rules RuleAPI
}

// readOnce reads the rules of a zone once, and goes on from what the answers to
// changes show. After one that failed they are read again.
type readOnce struct {
	RuleAPI
	sets map[string]RuleSet
}

// Rules implements RuleAPI.
func (o readOnce) Rules(ctx context.Context, zone Zone) (RuleSet, error) {
	if set, known := o.sets[zone.ID]; known {
		return set, nil
	}
	set, err := o.RuleAPI.Rules(ctx, zone)
	if err == nil {
		o.sets[zone.ID] = set
	}
	return set, err
}

// ChangeRule implements RuleAPI.
func (o readOnce) ChangeRule(ctx context.Context, zone Zone, set RuleSet, change RuleChange, dry bool) (RuleSet, error) {
	delete(o.sets, zone.ID)
	set, err := o.RuleAPI.ChangeRule(ctx, zone, set, change, dry)
	if err == nil {
		o.sets[zone.ID] = set
	}
	return set, err
}

// keepWayIn makes one of them right, and returns what is then remembered.
func (r *Runner) keepWayIn(ctx context.Context, kept KeptWayIn, seen WayInSeen, round Round, at surroundings) (WayInOutcome, WayInSeen) {
	o := WayInOutcome{Name: kept.Name, Zone: seen.Zone.Name}
	now := round.Started
	from, err := r.comesFrom(ctx, kept, round)
	if err != nil {
		return o.failed(err), seen
	}
	sketch, known := from.fill(kept.WayIn, seen.Addresses)
	if r.stillSo(seen, sketch, known, round) {
		return o.asSeen(seen, sketch), seen
	}
	zone, err := kept.zone(seen.Zone, at.zones)
	if err != nil {
		o = o.failed(err)
		return o, seen.after(o, wanted(sketch, now), now)
	}
	seen.Zone = zone
	if !kept.Over(now) {
		if err := r.refuseShared(ctx, kept, round); err != nil {
			return o.failed(err), seen
		}
	}
	var complete WayIn
	o = changeRules(ctx, at.rules, zone, kept.Name, r.Dry, func(set RuleSet) ([]RuleChange, error) {
		w, ok := from.fill(kept.WayIn, standing(set, kept.Name))
		if complete = w; !ok && !w.Over(now) {
			return nil, ErrNoAddress
		}
		return PlanWayIn(set, zone, w, now)
	})
	o.Addresses = complete.Addresses
	if !o.right() {
		return o, seen.after(o, wanted(sketch, now), now)
	}
	if complete.Over(now) {
		o.Why = overAndGone
	}
	return o, WayInSeen{Zone: zone, Wanted: wanted(complete, now), Addresses: complete.Addresses, At: now}
}

// stillSo reports whether the rules need not be read: what is wanted was
// confirmed within the recheck, or was refused in a way that only a person can
// mend. A person who asks for a round may have done so.
func (r *Runner) stillSo(seen WayInSeen, w WayIn, known bool, round Round) bool {
	switch {
	case !r.fresh(seen.At, round.Started) || seen.Wanted != wanted(w, round.Started):
		return false
	case seen.State != "":
		return round.Trigger == BySchedule
	default:
		return known || w.Over(round.Started)
	}
}

// asSeen is the outcome that is remembered.
func (o WayInOutcome) asSeen(seen WayInSeen, w WayIn) WayInOutcome {
	o.State, o.Why, o.Hint, o.Addresses = cmp.Or(seen.State, Right), seen.Why, seen.Hint, w.Addresses
	if o.State == Held {
		o.Err, o.Addresses = ErrWayInOff, nil
	}
	if seen.Wanted == wantedOver {
		o.Why = overAndGone
	}
	return o
}

// after is what is remembered of a way in that is not right. Whatever was tried
// may be done all the same, and is read before it is believed; what a person
// must mend is not tried again in every round.
func (s WayInSeen) after(o WayInOutcome, wanted string, now time.Time) WayInSeen {
	s.At, s.State, s.Why, s.Hint = time.Time{}, "", "", ""
	if !o.passing() {
		s.Wanted, s.At, s.State, s.Why, s.Hint = wanted, now, o.State, o.Why, o.Hint
	}
	return s
}

// ErrNoAddress is why a way in of this home waits.
var ErrNoAddress = errors.New("the address that it shall let in is not agreed on; what stands stays")

// fresh reports whether what was seen at a time need not be read again.
func (r *Runner) fresh(at, now time.Time) bool {
	return r.Recheck > 0 && !at.IsZero() && !now.Before(at) && now.Sub(at) < r.Recheck
}

// wantedOver is what is wanted of a way in whose time is over, and overAndGone
// what is said where its rule is gone.
const (
	wantedOver  = "over"
	overAndGone = "its time is over, and no rule stands"
)

// wanted is a digest of a way in, by which one that is wanted is known again.
func wanted(w WayIn, now time.Time) string {
	if w.Over(now) {
		return wantedOver
	}
	rule := w.Rule()
	digest := sha256.Sum256([]byte(strings.Join([]string{rule.Expression, strings.Join(rule.Products, ","), strings.Join(rule.Phases, ","), rule.Ruleset}, " ")))
	return hex.EncodeToString(digest[:])
}

// standing are the addresses that the rule of a way in lets in now.
func standing(set RuleSet, name string) []netip.Prefix {
	for _, r := range rulesOf(set, WayIn{Name: name}) {
		if w, ok := ParseWayIn(r); ok {
			return w.Addresses
		}
	}
	return nil
}

// zone is where the rule belongs.
func (k KeptWayIn) zone(seen Zone, zones func(string) (Zone, error)) (Zone, error) {
	name := k.Hosts[0]
	if k.Zone != "" {
		name = k.Zone
	}
	zone, err := seen, error(nil)
	if seen.ID == "" || seen.Name != name && (k.Zone != "" || !seen.Owns(name)) {
		zone, err = zones(name)
	}
	for _, h := range k.Hosts {
		if err == nil && !zone.Owns(h) {
			err = &Error{Kind: NoZone, Op: "let " + k.Name + " in", Err: fmt.Errorf("%s is not in the zone %s", h, zone.Name), Hint: "make one way in for each zone"}
		}
	}
	return zone, err
}

// zonesOf finds zones by name: among those the round has read, else among all
// of the token, which are listed once.
func (r *Runner) zonesOf(ctx context.Context, found Found) func(name string) (Zone, error) {
	var all []Zone
	var err error
	listed := false
	return func(name string) (Zone, error) {
		if z, ok := found.zoneOf(name); ok {
			return z.Zone, nil
		}
		if !listed {
			all, err = r.API.Zones(ctx)
			listed = true
		}
		if err != nil {
			return Zone{}, err
		}
		return ZoneOf(all, name)
	}
}

// ZoneOf returns the zone that holds a name: of a zone and its delegated child,
// the child. The error is an *Error of kind NoZone.
func ZoneOf(zones []Zone, name string) (Zone, error) {
	if zone, ok := deepest(zones, name); ok {
		return zone, nil
	}
	return Zone{}, noZone(name, len(zones))
}

// assessWaysIn says which ways in are not right.
func assessWaysIn(outcomes []WayInOutcome) (raised []Condition) {
	for _, o := range outcomes {
		if !o.right() {
			raised = append(raised, condition(CodeWayIn, o.Name, o.Why, o.Hint))
		}
	}
	return raised
}

// optional reports whether nothing is wrong if a family has no address: no
// name wants one, and it was asked only for a way in of this home.
func (r Round) optional(v Verdict) bool {
	return v.Family == IPv6 && v.State == Unknown && len(r.WaysIn) > 0 &&
		!slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return o.Target.Family() == IPv6 })
}
