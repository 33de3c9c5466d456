package ddns

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Standing is how a target stands now, as far as it is known, and since when
// that is known: a round may be made from facts that are older than it.
type Standing struct {
	Target Target
	State  TargetState
	Holds  []string // what stands at the name, as a rule one address; empty: nothing, or not known
	Known  bool     // the records were read, or confirmed; else Holds is what was last confirmed, or found moved since
	AsOf   time.Time
	Why    string // of a state that is not right, and of what changed
}

// Standings says how each target stands after a round.
func Standings(r Round, past Past) []Standing {
	all, made := make([]Standing, 0, len(r.Outcomes)), map[targetID][]Change{}
	for _, rc := range r.Receipts {
		if rc.State == Confirmed && !rc.Change.Drill {
			made[rc.Change.Target.id()] = append(made[rc.Change.Target.id()], rc.Change)
		}
	}
	for _, o := range r.Outcomes {
		s := Standing{Target: o.Target, State: o.State, Why: o.Why}
		if changes := made[o.Target.id()]; o.State == Changed && len(changes) > 0 {
			s.Why = allDone(changes)
		}
		kept, contest := past.Memory.Kept[o.Target.Key()], past.Memory.Contests[o.Target.Key()]
		z, ok := r.Found.zoneOf(o.Target.Name)
		switch {
		case ok && !z.ReadAt.IsZero():
			s.Known, s.AsOf, s.Holds = true, z.ReadAt, z.contents(o.Target)
		case o.Address != "" && (o.State == Right || o.State == Changed || o.State == Contradicted):
			s.Known, s.AsOf, s.Holds = true, r.Started, []string{o.Address}
		case contest.Theirs != "" && contest.Moved.After(kept.At): // so it was found since
			s.AsOf, s.Holds = contest.Moved, []string{contest.Theirs}
		case kept.Address.IsValid():
			s.AsOf, s.Holds = kept.At, []string{kept.Address.String()}
		}
		if kept.At.After(s.AsOf) && len(s.Holds) == 1 && s.Holds[0] == kept.Address.String() {
			s.AsOf = kept.At // written since
		}
		all = append(all, s)
	}
	return all
}

// contents is what stands at the place of a target.
func (z ZoneFacts) contents(t Target) (contents []string) {
	for _, record := range z.at(t.Name) {
		switch record.Type {
		case t.Type:
			contents = append(contents, record.Content)
		case "CNAME":
			contents = append(contents, "CNAME "+record.Content)
		}
	}
	slices.Sort(contents)
	return contents
}

// Published is what the names of a family hold after a round; known is false if
// that could not be read, and the addresses are those that were last confirmed.
func Published(f Family, standings []Standing) (addresses []netip.Addr, known bool) {
	known = true
	for _, s := range standings {
		if s.Target.Family() != f {
			continue
		}
		known = known && s.Known
		for _, text := range s.Holds {
			if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(addresses, a) {
				addresses = append(addresses, a)
			}
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	return addresses, known
}

// ReadAt is when the records that a round is made from were read: of several
// zones the longest ago. Zero if they could not be read.
func (r Round) ReadAt() time.Time {
	var oldest time.Time
	for _, o := range r.Outcomes {
		z, ok := r.Found.zoneOf(o.Target.Name)
		switch {
		case !ok || z.ReadAt.IsZero():
			return time.Time{}
		case oldest.IsZero() || z.ReadAt.Before(oldest):
			oldest = z.ReadAt
		}
	}
	return oldest
}

// done says how a target stands after a confirmed change, and what stood there.
func done(c Change) string {
	public := ""
	if c.After != nil && !c.After.Proxied && (c.Before == nil || c.Before.Proxied) {
		public = "; this home's address is public there now"
	}
	switch {
	case c.After == nil:
		return "the record with " + c.Before.Content + " is deleted"
	case c.Before == nil:
		return "holds " + c.After.Content + " now; there was none" + public
	case c.Before.Type != c.After.Type:
		return "holds " + c.After.Content + " now, in place of " + c.Before.Type + " " + c.Before.Content + public
	case c.Before.Content != c.After.Content:
		return "holds " + c.After.Content + " now; it held " + c.Before.Content + public
	default:
		return "holds " + c.After.Content + " as before, with other settings now" + public
	}
}

// allDone is done of several changes of one target, the one of the record that
// it keeps first.
func allDone(changes []Change) string {
	var words []string
	for _, c := range changes {
		if c.After != nil {
			words = slices.Insert(words, 0, done(c))
		} else {
			words = append(words, done(c))
		}
	}
	return strings.Join(words, "; ")
}

// stale returns a past of which nothing is believed about Cloudflare's side
// before it is read again, and in which nothing that was refused is left out.
func (p Past) stale() Past {
	p.Facts = p.Facts.stale()
	p.Memory = p.Memory.clone()
	clear(p.Memory.Refusals)
	p.Memory.WaysIn = cloned(p.Memory.WaysIn)
	for name, seen := range p.Memory.WaysIn {
		seen.At = time.Time{}
		p.Memory.WaysIn[name] = seen
	}
	return p
}
