package ddns

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// newTTL is the time to live, in seconds, of a DNS-only record that is made
// new: the shortest that every plan allows, so that a change is seen soon.
const newTTL = 60

// wish spells what a record shall be, so that a refusal is remembered of
// exactly that and of nothing else.
func (r Record) wish() string {
	return fmt.Sprintf("%s proxied=%t ttl=%d comment=%q", r.Content, r.Proxied, r.TTL, r.Comment)
}

// create plans the record of a name that has none of the type which is ours.
func (d differ) create(address netip.Addr) (Outcome, []Change) {
	after := Record{Name: d.target.Name, Type: d.target.Type, Content: address.String(), TTL: newTTL}
	sibling, hasSibling := d.sibling()
	before := ""
	switch {
	case d.target.Proxied == SetTrue:
		after.Proxied = true
	case d.target.Proxied == SetFalse:
	case hasSibling: // the name as a whole is proxied or not
		after.Proxied, after.TTL = sibling.Proxied, sibling.TTL
	case d.saidBeside() != KeepIt:
		after.Proxied = d.saidBeside() == SetTrue
	case d.memory.Kept[d.target.Key()].Proxied: // somebody deleted it, and nobody said that it may be seen
		after.Proxied, before = true, ", and the one that was kept was proxied"
	case d.hidesHome():
		return d.proxyUnclear(), nil
	}
	why := fmt.Sprintf("%s has no %s record%s", d.target.Shown, d.target.Type, before)
	if d.wishes.Owner != "" && hasSibling {
		why = fmt.Sprintf("%s has no %s record that is marked %s", d.target.Shown, d.target.Type, mark(d.wishes.Owner))
	}
	if ttl := d.ttl(); ttl != 0 {
		after.TTL = ttl
	}
	if after.Proxied {
		after.TTL = 1 // Cloudflare's rule for proxied records
	}
	if owner := d.wishes.Owner; owner != "" {
		after.Comment, _ = addMark("", owner, d.zone.Zone.CommentLimit())
	}
	o := d.outcome(Changed, why)
	o.Address = after.Content
	return o, []Change{d.change(Create, nil, &after, why)}
}

// ttl is the time to live that is wished for: one that only another plan takes
// is the least that the zone's takes, since Cloudflare would refuse the whole change.
func (d differ) ttl() int {
	if ttl := d.target.TTL; ttl < leastTTL {
		return ttl
	}
	return max(d.target.TTL, d.zone.Zone.LeastTTL())
}

// sibling is an address record that stands at the name already: of the other
// family, or another updater's. Where one of them is proxied, all are.
// https://developers.cloudflare.com/dns/proxy-status/
func (d differ) sibling() (sibling Record, ok bool) {
	siblings := slices.DeleteFunc(d.zone.at(d.target.Name), func(r Record) bool {
		_, address := FamilyOfType(r.Type)
		return !address
	})
	if len(siblings) == 0 {
		return Record{}, false
	}
	last := func(r Record) int {
		switch {
		case r.Proxied:
			return 0
		case r.Type == d.target.Type:
			return 1
		default:
			return 2
		}
	}
	return slices.MinFunc(siblings, func(a, b Record) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), strings.Compare(a.ID, b.ID))
	}), true
}

// saidBeside is what the configuration says of the same name's other family.
func (d differ) saidBeside() Keep {
	i := slices.IndexFunc(d.wishes.Targets, func(t Target) bool {
		return t.Name == d.target.Name && t.Proxied != KeepIt
	})
	if i < 0 {
		return KeepIt
	}
	return d.wishes.Targets[i].Proxied
}

// update plans the record that is ours: only the fields that differ are sent.
func (d differ) update(r Record, address netip.Addr) (Outcome, []Change) {
	if other := d.otherKeeper(r); other != "" {
		o := d.outcome(Right, fmt.Sprintf("%s keeps the same address here", other))
		o.Address = r.Content
		return o, nil
	}
	after, patch := r, Patch{ID: r.ID}
	var why []string
	if r.Address() != address {
		content := address.String()
		after.Content, patch.Content = content, &content
		why = append(why, fmt.Sprintf("holds %s, the home is at %s", r.Content, content))
	}
	why = append(why, d.enforce(&after, &patch)...)
	o := d.outcome(Right, "holds "+r.Content)
	o.Address, o.Records = r.Content, []string{r.ID}
	if owner := d.wishes.Owner; owner != "" && !marked(after.Comment, mark(owner)) {
		o.Code, o.Hint = CodeShared, fmt.Sprintf("the mark %s does not fit into the comment of %s, so the next change would not know the record as ours: shorten the comment", mark(owner), d.target.Shown)
	}
	if len(why) == 0 {
		return o, nil
	}
	c := d.change(Update, &r, &after, strings.Join(why, "; "))
	c.Patch = patch
	if d.movedBy(r, address) {
		contest := d.memory.Contests[d.target.Key()]
		o.Moved = r.Content
		if until := contest.contested(d.now); !until.IsZero() {
			return d.contested(o, r, address, until), nil
		}
		c.PutsBack, c.Why = true, fmt.Sprintf("somebody moved it to %s; put back to %s", r.Content, address)
	}
	o.State, o.Why, o.Address = Changed, c.Why, after.Content
	return o, []Change{c}
}

// otherKeeper names who says, in its comment, that a record is theirs and not
// ours; "" if nobody does. Without an owner there is nobody to share with.
func (d differ) otherKeeper(r Record) string {
	if d.wishes.Owner == "" || marked(r.Comment, mark(d.wishes.Owner)) {
		return ""
	}
	return cmp.Or(foreignMark(r.Comment, d.wishes.Owner), r.keeper())
}

// movedBy reports whether somebody else moved the record away from what we
// last confirmed there, which is also what is right now.
func (d differ) movedBy(r Record, address netip.Addr) bool {
	return r.Address() != address && d.memory.Kept[d.target.Key()].Address == address
}

// contested leaves a record that two keepers fight over.
func (d differ) contested(o Outcome, r Record, address netip.Addr, until time.Time) Outcome {
	o.State, o.Code, o.Until = Held, CodeContested, until
	o.Why = fmt.Sprintf("contested: we say %s, somebody else moved it to %s again; left so until %s", address, r.Content, until.UTC().Format(time.RFC3339))
	o.Hint = fmt.Sprintf("find the other updater that writes %s and stop it, or remove the name here", d.target.Shown)
	return o
}

// enforce sets what the configuration sets beside the address, and says what.
func (d differ) enforce(after *Record, patch *Patch) (why []string) {
	if want := d.target.Proxied == SetTrue; d.target.Proxied != KeepIt && after.Proxied != want {
		after.Proxied, patch.Proxied = want, &want
		why = append(why, fmt.Sprintf("proxied becomes %t", want))
		if want {
			after.TTL = 1
		}
	}
	if d.staysProxied && d.target.Proxied == KeepIt && !after.Proxied {
		proxied := true
		after.Proxied, after.TTL, patch.Proxied = proxied, 1, &proxied
		why = append(why, "proxied, as the name was by the record that goes")
	}
	if ttl := d.ttl(); ttl != 0 && !after.Proxied && after.TTL != ttl {
		why = append(why, fmt.Sprintf("ttl %d becomes %d", after.TTL, ttl))
		after.TTL, patch.TTL = ttl, &ttl
	}
	if owner := d.wishes.Owner; owner != "" && !marked(after.Comment, mark(owner)) {
		if comment, ok := addMark(after.Comment, owner, d.zone.Zone.CommentLimit()); ok {
			after.Comment, patch.Comment = comment, &comment
			why = append(why, "marked "+mark(owner))
		}
	}
	return why
}

// tidy deletes what is ours beside the one record that we keep, and says what
// it leaves.
func (d differ) tidy(o Outcome, changes []Change, others []Record, address netip.Addr) (Outcome, []Change) {
	var left []string
	hider := ""
	for _, r := range others {
		switch {
		case !d.mayDelete(r, address):
			left = append(left, r.Content)
			continue
		case r.Proxied && d.unhidden(changes):
			hider = r.Content
			continue
		}
		c := d.change(Delete, &r, nil, fmt.Sprintf("%s is known to be ours, and one record is enough", r.Content))
		if d.target.DeleteExtra && !d.known(r) {
			c.Why = fmt.Sprintf("%s is extra, and extra: delete is set", r.Content)
		}
		changes = append(changes, c)
		if o.State == Right {
			o.State, o.Why = Changed, c.Why
		}
	}
	if hider != "" {
		o.Code = CodeShared
		o.Hint = fmt.Sprintf("%s stays, since without it the home's address would become public here: set "+
			"proxied: false for %s if that is right, or have the other record proxied by the one who keeps it",
			hider, d.target.Shown)
		return o, changes
	}
	if len(left) > 0 && d.wishes.Owner == "" {
		o.Code = CodeShared
		o.Hint = fmt.Sprintf("other addresses answer here too: %s. If they are leftovers, set extra: delete for %s; "+
			"if another machine keeps them, set owner: NAME on both", strings.Join(left, ", "), d.target.Shown)
	}
	return o, changes
}

// alias plans a name at which a CNAME stands.
func (d differ) alias(cname Record, found Found, holding Holding) (Outcome, []Change) {
	target := pointsTo(cname)
	if d.keeps(target) {
		o := d.outcome(Right, fmt.Sprintf("follows %s, which is kept", target))
		o.Address = target
		return o, nil
	}
	if other := cmp.Or(d.otherKeeper(cname), foreignMark(cname.Comment, d.wishes.Owner)); other != "" {
		return d.refused(CodeNotOurs, fmt.Sprintf("the CNAME here is marked %s; nothing was changed", other),
			fmt.Sprintf("let %s give it up, or remove the name here", other)), nil
	}
	service, err := hopOf(cname.Name, target)
	if err != nil {
		return d.refused(CodeCNAME, err.Error()+"; nothing was changed", fmt.Sprintf("delete the CNAME at %s by hand if it shall become an address, or remove the name here", d.target.Shown)), nil
	}
	if !d.target.ReplaceHop {
		return d.refused(CodeCNAME, fmt.Sprintf("a CNAME to %s (%s) stands here; nothing was changed", target, service),
			fmt.Sprintf("see what would replace it with: %s; or set on_cname: replace for %s, then run: cfddns once",
				CommandLine("cfddns", "migrate", d.target.Shown), d.target.Shown)), nil
	}
	state, evidence := d.wishes.Hops[target].State(d.home())
	switch state {
	case HopElsewhere:
		return d.refused(CodeCNAME, fmt.Sprintf("its CNAME leads elsewhere: %s, and the home is at %s; nothing was changed", evidence, holding.Address),
			fmt.Sprintf("make sure that %s is this home; if it is, update it once, then run: %s", target,
				CommandLine("cfddns", "migrate", "--apply", d.target.Shown))), nil
	case HopDark:
		return d.refused(CodeCNAME, fmt.Sprintf("its CNAME leads to a host nobody can ask: %s, and it was never seen to be this home; nothing was changed", evidence),
			fmt.Sprintf("if %s is this home, say so: %s", target,
				CommandLine("cfddns", "migrate", "--apply", "--from", target, d.target.Shown))), nil
	case HopUnknown:
		return d.outcome(Held, evidence), nil
	case HopHere:
	}
	if d.losesIPv4(found) {
		return d.outcome(Held, fmt.Sprintf("the CNAME to %s stays until an A record can replace it too", target)), nil
	}
	return d.replace(cname, holding.Address, evidence)
}

// replace plans the address record that takes a CNAME's place, and takes over
// what the person had set.
func (d differ) replace(cname Record, address netip.Addr, evidence string) (Outcome, []Change) {
	after := Record{Name: d.target.Name, Type: d.target.Type, Content: address.String(),
		Proxied: cname.Proxied, TTL: cname.TTL, Comment: cname.Comment, Tags: cname.Tags}
	d.enforce(&after, &Patch{})
	why := fmt.Sprintf("replaces the CNAME to %s (%s)", cname.Content, evidence)
	o := d.outcome(Changed, why)
	o.Address = after.Content
	return o, []Change{d.change(Replace, &cname, &after, why)}
}

// keeps reports whether the configuration keeps the target's type at a name.
func (d differ) keeps(name string) bool {
	return slices.ContainsFunc(d.wishes.Targets, func(t Target) bool { return t.Name == name && t.Type == d.target.Type })
}

// home is every address the home has now.
func (d differ) home() []netip.Addr {
	var home []netip.Addr
	for _, f := range Families {
		if h := d.wishes.Holdings[f]; h.Decision == Publish {
			home = append(home, h.Address)
		}
	}
	return home
}

// losesIPv4 reports whether the CNAME would go for an AAAA alone although the
// name wants an A as well, which cannot be made now.
func (d differ) losesIPv4(found Found) bool {
	i := slices.IndexFunc(d.wishes.Targets, func(t Target) bool { return t.Name == d.target.Name && t.Type == "A" })
	if d.target.Type != "AAAA" || i < 0 {
		return false
	}
	d.target = d.wishes.Targets[i]
	o, _ := d.planUnlessRefused(found)
	return o.State != Changed
}

// drills adds, for each zone in which nothing was written for a long time, a
// PATCH of one kept record's own content: what only a write can show (a token
// that may no longer write) shows on a quiet day, not on the day of a change.
func drills(w Wishes, found Found, m Memory, p Plan, now time.Time) (changes []Change) {
	if w.Drill <= 0 {
		return nil
	}
	for _, z := range found.Zones {
		wrote, known := m.Wrote[z.Zone.Name]
		if !known || now.Sub(wrote) < w.Drill || slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Zone.ID == z.Zone.ID }) {
			continue
		}
		i := slices.IndexFunc(p.Outcomes, func(o Outcome) bool { return o.Zone == z.Zone.Name && o.State == Right && len(o.Records) == 1 })
		if i < 0 {
			continue
		}
		o := p.Outcomes[i]
		j := slices.IndexFunc(z.Records, func(r Record) bool { return r.ID == o.Records[0] })
		r := z.Records[j]
		changes = append(changes, Change{Op: Update, Zone: z.Zone, Target: o.Target, Before: &r, After: &r, Drill: true,
			Patch: Patch{ID: r.ID, Content: &r.Content}, Why: fmt.Sprintf("nothing was written to %s since %s: proves that the token still may", z.Zone.Name, wrote.UTC().Format(time.DateOnly))})
	}
	return changes
}
