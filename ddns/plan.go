package ddns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Op is what a change does.
type Op string

// The operations. Replace is a CNAME that becomes an address record: Cloudflare
// refuses to change the type of a record, so it deletes and creates in one batch.
const (
	Create  Op = "create"
	Update  Op = "update"
	Delete  Op = "delete"
	Replace Op = "replace"
)

// Change turns one record into what it should be.
type Change struct {
	Op     Op
	Zone   Zone
	Target Target
	Before *Record // nil for Create
	After  *Record // nil for Delete
	Patch  Patch   // for Update: the fields that are sent
	Why    string
	// PutsBack is set if the record was moved by somebody else and is
	// put back; Drill if nothing changes and only the way to write is proved.
	PutsBack bool
	Drill    bool
	// Reveals is set if an address of the home becomes visible that was not; Why says so.
	Reveals bool
}

// TargetState is how a target ends a round.
type TargetState string

// The states, as in the JSON output and the exit code.
const (
	Right        TargetState = "right"
	Changed      TargetState = "changed"
	Held         TargetState = "held"
	Refused      TargetState = "refused"
	Unreached    TargetState = "unreachable"
	Contradicted TargetState = "contradicted"
)

// Outcome is how one target stands.
type Outcome struct {
	Target  Target
	Zone    string
	State   TargetState
	Why     string
	Hint    string    // what a person should do; empty if nothing
	Code    Code      // the condition it raises, if any
	Err     error     // what Cloudflare said, if it refused
	Moved   string    // what somebody else moved the record to
	Address string    // what the record holds, if it is known
	Records []string  // IDs of the records that are this target's
	Until   time.Time // when a guard ends, if one holds the target
}

// Plan is the changes that turn records into targets. The same input gives
// the same plan, byte for byte.
type Plan struct {
	Changes  []Change  // by zone, name, type
	Outcomes []Outcome // one a target, as it stands before the changes
}

// Wishes is all that a plan is made from, beside what was found.
type Wishes struct {
	Targets  []Target // sorted
	Holdings map[Family]Holding
	Owner    string        // mark of our records; empty: none
	Drill    time.Duration // prove the way to write this often; 0: never
	Hops     map[string]Hop
	Families []Family // plan for these only; nil means for all
}

// Diff compares what is wanted with what was found. It is pure.
func Diff(w Wishes, found Found, m Memory, now time.Time) Plan {
	var p Plan
	for _, t := range w.Targets {
		if w.Families != nil && !slices.Contains(w.Families, t.Family()) {
			continue
		}
		d := differ{wishes: w, memory: m, now: now, target: t}
		outcome, changes := d.planUnlessRefused(found)
		p.Outcomes = append(p.Outcomes, outcome)
		p.Changes = append(p.Changes, changes...)
	}
	p.Changes = Revealing(shareDeletes(p.Changes), found, w.Hops)
	p.Outcomes = revealed(p.Outcomes, p.Changes)
	p.Changes = append(p.Changes, drills(w, found, m, p, now)...)
	return p
}

// revealed says in the outcomes, too, which targets make the home's address visible.
func revealed(outcomes []Outcome, changes []Change) []Outcome {
	reveals := map[targetID]bool{}
	for _, c := range changes {
		if c.Reveals {
			reveals[c.Target.id()] = true
		}
	}
	for i, o := range outcomes {
		if reveals[o.Target.id()] {
			outcomes[i].Why += "; " + becomesPublic
		}
	}
	return outcomes
}

// differ plans one target.
type differ struct {
	wishes Wishes
	memory Memory
	now    time.Time
	target Target
	zone   ZoneFacts
	// staysProxied is set if what made the name a proxied one is deleted, and
	// what stays must do so instead.
	staysProxied bool
}

// outcome makes an outcome of the target.
func (d differ) outcome(state TargetState, why string) Outcome {
	return Outcome{Target: d.target, Zone: d.zone.Zone.Name, State: state, Why: why}
}

// refused makes an outcome that a person has to resolve.
func (d differ) refused(code Code, why, hint string) Outcome {
	o := d.outcome(Refused, why)
	o.Code, o.Hint = code, hint
	return o
}

// planUnlessRefused plans the target, and leaves out what Cloudflare refused lately.
func (d differ) planUnlessRefused(found Found) (Outcome, []Change) {
	o, changes := d.plan(found)
	if d.waitsProxied(changes) {
		d.zone, _ = found.zoneOf(d.target.Name)
		return d.heldBack(o), nil
	}
	r, remembered := d.memory.Refusals[d.target.Key()]
	if !remembered || !d.now.Before(r.Until) || r.Until.Sub(d.now) > refusalPause { // the clock was set back
		return o, changes
	}
	same := func(c Change) bool { return c.After != nil && c.After.wish() == r.Content }
	if !slices.ContainsFunc(changes, same) {
		return o, changes
	}
	d.zone, _ = found.zoneOf(d.target.Name)
	o = d.refused(CodeRefused, fmt.Sprintf("%s; not tried again before %s", r.Why, r.Until.UTC().Format(time.RFC3339)), r.Hint)
	o.Until = r.Until
	return o, nil
}

// waitsProxied reports whether changes would lead visitors of a proxied name
// elsewhere while they still find this home where the name leads now.
func (d differ) waitsProxied(changes []Change) bool {
	return d.wishes.Holdings[d.target.Family()].ProxiedWait && slices.ContainsFunc(changes, func(c Change) bool {
		return c.After != nil && c.After.Proxied && (c.Before == nil || c.Before.Content != c.After.Content)
	})
}

// heldBack is the outcome of a target that waits although its family is published.
func (d differ) heldBack(planned Outcome) Outcome {
	holding := d.wishes.Holdings[d.target.Family()]
	o := d.outcome(Held, holding.Why)
	o.Hint, o.Code, o.Records = holding.Hint, CodeDisagrees, planned.Records
	return o
}

// plan walks through what may stand in the way of one target, from the
// outside in.
func (d differ) plan(found Found) (Outcome, []Change) {
	t := d.target
	var ok bool
	d.zone, ok = found.zoneOf(t.Name)
	holding := d.wishes.Holdings[t.Family()]
	if holding.Decision != Publish {
		o := d.outcome(Held, holding.Why)
		o.Until, o.Hint = holding.Until, cmp.Or(holding.Hint, "what stands is kept; see who says what with: cfddns ip")
		return o, nil
	}
	if err := found.Missing[t.Name]; err != nil {
		return d.failed(err), nil
	}
	if !ok {
		return d.outcome(Unreached, "its zone was not looked for"), nil
	}
	if err := found.Failed[d.zone.Zone.Name]; err != nil {
		return d.failed(err), nil
	}
	records := d.zone.at(t.Name)
	if i := slices.IndexFunc(records, d.isOff); i >= 0 {
		o := d.outcome(Held, fmt.Sprintf("left alone at %s: its comment holds %s", records[i].Content, markOff))
		o.Address, o.Code = records[i].Content, CodeLeftAlone
		return o, nil
	}
	if tool := d.zone.keeper(t.Name, t.Type); tool != "" && !d.bearsMark(records) {
		return d.refused(CodeNotOurs, fmt.Sprintf("%s marks this name as its own, so nothing was changed", tool),
			fmt.Sprintf("remove the name from %s, or from the configuration of cfddns", tool)), nil
	}
	if i := slices.IndexFunc(records, func(r Record) bool { return r.Type == "CNAME" }); i >= 0 {
		return d.alias(records[i], found, holding)
	}
	if cut := d.delegation(); cut != "" {
		return d.refused(CodeConflict, fmt.Sprintf("NS records at %s delegate this name to other nameservers, so an address here would not be seen", cut),
			"create the name in the zone it is delegated to, or delete the NS records"), nil
	}
	return d.addresses(records, holding.Address)
}

// isOff reports whether a person asked us to leave a record of the target alone.
func (d differ) isOff(r Record) bool {
	return (r.Type == d.target.Type || r.Type == "CNAME") && leftAlone(r.Comment)
}

// delegation is the name at or above the target's at which NS records hand it
// over to other nameservers, or "". The apex has NS records of its own.
func (d differ) delegation() string {
	for name := d.target.Name; name != d.zone.Zone.Name && name != ""; _, name, _ = strings.Cut(name, ".") {
		if slices.ContainsFunc(d.zone.at(name), func(r Record) bool { return r.Type == "NS" }) {
			return name
		}
	}
	return ""
}

// failed turns an error of Cloudflare's API into an outcome.
func (d differ) failed(err error) Outcome {
	o := d.outcome(StateAfter(err), err.Error())
	o.Hint, o.Err, o.Code = HintOf(err), err, codeOf(err)
	return o
}

func (d differ) bearsMark(records []Record) bool {
	return d.wishes.Owner != "" && slices.ContainsFunc(records, func(r Record) bool {
		return r.Type == d.target.Type && marked(r.Comment, mark(d.wishes.Owner))
	})
}

// addresses plans a name at which there is no CNAME.
func (d differ) addresses(all []Record, address netip.Addr) (Outcome, []Change) {
	var records []Record
	for _, r := range all {
		if r.Type == d.target.Type {
			records = append(records, r)
		}
	}
	foreign := func(r Record) bool {
		return d.wishes.Owner == "" && foreignMark(r.Comment, "") != "" && !leftAlone(r.Comment)
	}
	mine := slices.DeleteFunc(slices.Clone(records), foreign)
	if len(mine) == 0 && len(records) > 0 {
		other := foreignMark(records[0].Comment, "")
		return d.refused(CodeNotOurs, fmt.Sprintf("the record here is marked %s, so another cfddns keeps it; nothing was changed", other),
			fmt.Sprintf("set owner: %s if it is this one, or remove the mark from the comment", strings.TrimPrefix(other, mark("")))), nil
	}
	if i := slices.IndexFunc(records, func(r Record) bool { return foreign(r) && r.Address() == address }); i >= 0 {
		// Cloudflare takes no second record of the same content.
		o := d.outcome(Right, fmt.Sprintf("%s keeps the same address here", foreignMark(records[i].Comment, "")))
		o.Address = address.String()
		d.staysProxied = d.losesProxy(records, mine, address)
		return d.tidy(o, nil, mine, address)
	}
	ours, others, o := d.whose(mine, address)
	switch {
	case o.State != "":
		return o, nil
	case ours == nil:
		return d.create(address)
	}
	d.staysProxied = d.losesProxy(records, others, address)
	o, changes := d.update(*ours, address)
	if o.State == Held {
		return o, nil
	}
	return d.tidy(o, changes, others, address)
}

// whose tells our record at the name from those of others. An outcome with a
// state ends the planning of the target.
func (d differ) whose(records []Record, address netip.Addr) (ours *Record, others []Record, o Outcome) {
	records = slices.Clone(records)
	slices.SortFunc(records, func(a, b Record) int {
		return cmp.Or(cmp.Compare(d.rank(a, address), d.rank(b, address)), strings.Compare(a.ID, b.ID))
	})
	switch {
	case len(records) == 0:
		return nil, nil, o
	case d.rank(records[0], address) < rankUnknown:
		return &records[0], records[1:], o
	case d.wishes.Owner != "":
		return nil, records, o
	case len(records) == 1 || d.target.DeleteExtra:
		return &records[0], records[1:], o
	}
	contents := make([]string, len(records))
	for i, r := range records {
		contents[i] = r.Content
	}
	return nil, nil, d.refused(CodeShared, fmt.Sprintf("%d records stand here (%s), and none is known to be ours: nothing was changed", len(records), strings.Join(contents, ", ")),
		fmt.Sprintf("if they are leftovers, set extra: delete for %s; if other machines keep them, set owner: NAME on each", d.target.Shown))
}

// The ranks of a record among several at a name; the lowest is ours.
const (
	rankMarkedRight = iota // bears our mark and holds the address already
	rankRight              // holds the address already: there cannot be a second one
	rankMarked             // bears our mark
	rankKept               // is the record we last confirmed
	rankOurs               // holds an address we once confirmed
	rankUnknown            // nothing says whose it is
)

func (d differ) rank(r Record, address netip.Addr) int {
	owner := d.wishes.Owner
	bearsMark := owner != "" && marked(r.Comment, mark(owner))
	kept := d.memory.Kept[d.target.Key()].RecordID == r.ID && r.ID != ""
	switch {
	case bearsMark && r.Address() == address:
		return rankMarkedRight
	case r.Address() == address:
		return rankRight
	case bearsMark:
		return rankMarked
	case kept && d.otherKeeper(r) == "":
		return rankKept
	case owner == "" && d.memory.knows(r.Address()):
		return rankOurs
	default:
		return rankUnknown
	}
}

// mayDelete reports whether a record beside ours may be deleted: only if it
// is known to be ours, or the configuration says so.
func (d differ) mayDelete(r Record, address netip.Addr) bool {
	return d.known(r) || d.wishes.Owner == "" && (d.target.DeleteExtra || r.Address() == address)
}

// known reports whether a record is known to be ours: with an owner by its
// mark, else by an address that we once confirmed.
func (d differ) known(r Record) bool {
	if owner := d.wishes.Owner; owner != "" {
		return marked(r.Comment, mark(owner))
	}
	return d.memory.knows(r.Address())
}

// change makes a change of the target.
func (d differ) change(op Op, before, after *Record, why string) Change {
	return Change{Op: op, Zone: d.zone.Zone, Target: d.target, Before: before, After: after, Why: why}
}

// shareDeletes keeps one change of each deleted record: a CNAME that both an
// A and an AAAA replace is deleted once, and the second becomes a creation in
// the same batch.
func shareDeletes(changes []Change) []Change {
	seen := map[string]bool{}
	for i, c := range changes {
		if c.Op != Replace {
			continue
		}
		if seen[c.Before.ID] {
			changes[i].Op, changes[i].Before = Create, nil
		}
		seen[c.Before.ID] = true
	}
	return changes
}
