package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"golang.org/x/sys/unix"
)

// talker writes the daemon's log: one line for each round that changed
// something or went wrong. What goes wrong the same way again is said again
// after an hour, not every few seconds.
type talker struct {
	log    *slog.Logger
	rounds int
	wrong  string    // what was said last, if it was wrong
	said   time.Time // and when
}

// repeatTrouble is how long the same trouble is not said again.
const repeatTrouble = time.Hour

// round writes about one round.
func (t *talker) round(r ddns.Round, past ddns.Past) {
	t.rounds++
	if r.BrokenOff && len(r.Receipts) == 0 && !changed(r) {
		t.log.Info("ended in the middle of a round, which wrote nothing", "round", r.ID, "trigger", string(r.Trigger))
		return
	}
	line, trouble := lineWithHome(r, past), r.Exit() != ddns.ExitRight || loud(r)
	attrs := []any{"round", r.ID, "trigger", string(r.Trigger), "took", r.Took.Round(time.Millisecond).String(), "calls", r.Calls}
	for _, h := range r.Hints {
		attrs = append(attrs, "hint", h.From+": "+h.Says)
	}
	switch {
	case trouble && t.wrong == troubleOf(r) && r.Started.Sub(t.said) < repeatTrouble && !changed(r):
		t.log.Debug(line, attrs...)
		return
	case trouble:
		t.log.Warn(line, attrs...)
	case changed(r) || t.rounds == 1 || t.wrong != "":
		t.log.Info(line, attrs...)
	default:
		t.log.Debug(line, attrs...)
	}
	for _, rc := range r.Receipts { // what was replaced or deleted is never lost
		if c := rc.Change; c.Before != nil && c.Op != ddns.Update && !r.Again {
			t.log.Info("kept here: the record that stood there", "op", string(c.Op), "name", c.Before.Name, "type", c.Before.Type, "content", c.Before.Content,
				"proxied", c.Before.Proxied, "ttl", c.Before.TTL, "comment", c.Before.Comment, "receipt", string(rc.State))
		}
	}
	t.wrong, t.said = "", r.Started
	if trouble {
		t.wrong = troubleOf(r)
	}
}

// loud reports whether a condition stands that is more than a notice.
func loud(r ddns.Round) bool {
	return slices.ContainsFunc(r.Conditions, func(c ddns.Condition) bool { return c.Severity != ddns.Notice })
}

// changed reports whether anything was written, and not told before.
func changed(r ddns.Round) bool {
	opened := func(o ddns.WayInOutcome) bool { return o.State == ddns.Changed }
	wrote := func(rc ddns.Receipt) bool { return rc.State == ddns.Confirmed && !rc.Change.Drill }
	return !r.Again && (slices.ContainsFunc(r.Receipts, wrote) || slices.ContainsFunc(r.WaysIn, opened))
}

// troubleOf tells troubles apart, whatever their words.
func troubleOf(r ddns.Round) string {
	words := []string{fmt.Sprint(r.Exit())}
	for _, c := range r.Conditions {
		words = append(words, string(c.Code)+" "+c.Name)
	}
	for _, o := range r.Outcomes {
		words = append(words, string(o.State)+" "+o.Target.Key())
	}
	for _, o := range r.WaysIn {
		words = append(words, string(o.State)+" "+o.Name)
	}
	return strings.Join(words, "\n")
}

// roundLine is a round in one line: what changed, then what is wrong.
func roundLine(r ddns.Round) string {
	var parts, public []string
	for _, rc := range r.Receipts {
		c := rc.Change
		if rc.State == ddns.Confirmed && !c.Drill && !r.Again {
			parts = append(parts, fmt.Sprintf("%s %s: %s", c.Target.Shown, c.Target.Type, changeText(c)))
			if c.Reveals {
				public = append(public, c.Target.Shown)
			}
		}
	}
	parts = several(parts, "names changed")
	if public = slices.Compact(public); len(public) > 0 {
		parts = append(parts, "the home's address becomes public at "+someNames(public))
	}
	for _, o := range r.WaysIn {
		if o.State == ddns.Changed && !r.Again {
			parts = append(parts, fmt.Sprintf("way in %s: %s", o.Name, o.Why))
		}
	}
	var wrong []string
	for _, o := range r.Outcomes {
		if o.State != ddns.Right && o.State != ddns.Changed {
			wrong = append(wrong, fmt.Sprintf("%s %s %s: %s", o.Target.Shown, o.Target.Type, o.State, joinNonEmpty("; ", o.Why, o.Hint)))
		}
	}
	parts = append(parts, several(wrong, "names not right")...)
	for _, o := range r.WaysIn {
		if o.State != ddns.Right && o.State != ddns.Changed {
			parts = append(parts, fmt.Sprintf("way in %s %s: %s", o.Name, o.State, joinNonEmpty("; ", o.Why, o.Hint)))
		}
	}
	for _, c := range r.Conditions {
		if !fromOutcome(r, c) && c.Severity != ddns.Notice {
			parts = append(parts, joinNonEmpty(": ", c.Name, c.Title))
		}
	}
	if r.Gap > 0 && !r.Again {
		parts = append(parts, fmt.Sprintf("visitors may have failed for %s at most", r.Gap.Round(100*time.Millisecond)))
	}
	if len(parts) == 0 && len(r.Outcomes) == 0 && len(r.WaysIn) > 0 {
		return fmt.Sprintf("all %d ways in right at %s", len(r.WaysIn), addresses(r))
	}
	if len(parts) == 0 {
		if len(r.Outcomes) == 1 {
			return "1 name right at " + addresses(r)
		}
		return fmt.Sprintf("all %d names right at %s", len(r.Outcomes), addresses(r))
	}
	return strings.Join(parts, " · ")
}

// several shortens a list that no line should hold.
func several(words []string, what string) []string {
	if len(words) <= 3 {
		return words
	}
	return []string{fmt.Sprintf("%d %s, first %s", len(words), what, words[0])}
}

// addresses are those that the round published or found right.
func addresses(r ddns.Round) string {
	var words []string
	for _, h := range r.Holdings {
		if h.Decision == ddns.Publish {
			words = append(words, h.Address.String())
		}
	}
	return strings.Join(words, " and ")
}

// lineWithHome is a round in one line, with both the address that is agreed and
// the one that stands where they are not the same.
func lineWithHome(r ddns.Round, past ddns.Past) string {
	line := roundLine(r)
	standings := ddns.Standings(r, past)
	for _, h := range r.Holdings {
		if text, settled := familyText(r, past, standings, h); !settled && text != "" {
			line += " · " + text
		}
	}
	return line
}

// homeText is where the home is, and what its names hold.
func homeText(r ddns.Round, past ddns.Past) string {
	var homes []string
	standings := ddns.Standings(r, past)
	for _, h := range r.Holdings {
		text, _ := familyText(r, past, standings, h)
		homes = append(homes, text)
	}
	return cmp.Or(joinNonEmpty(", ", homes...), "no agreed address")
}

// familyText says what is agreed of a family and what is published of it.
// settled means that both are the same.
func familyText(r ddns.Round, past ddns.Past, standings []ddns.Standing, h ddns.Holding) (text string, settled bool) {
	agreed := agreedOf(r, h)
	fm := past.Memory.Of(h.Family)
	since := func(a netip.Addr) string {
		if n := len(fm.Confirmed); n > 0 && fm.Confirmed[n-1] == a {
			return " since " + fm.Since.Local().Format("2006-01-02 15:04")
		}
		return ""
	}
	ours := func(s ddns.Standing) bool { return s.Target.Family() == h.Family }
	if !slices.ContainsFunc(standings, ours) { // no name is kept of it, at most a way in
		if !agreed.IsValid() {
			return "", true
		}
		return agreed.String() + since(agreed), true
	}
	published, known := ddns.Published(h.Family, standings)
	if n := len(fm.Confirmed); n > 0 && len(published) == 0 && !known {
		published = fm.Confirmed[n-1:]
	}
	if agreed.IsValid() && slices.Contains(published, agreed) && (known || len(published) == 1) {
		return agreed.String() + since(agreed), true
	}
	family, held := "", ""
	if len(r.Holdings) > 1 {
		family = h.Family.String() + " "
	}
	if h.Decision == ddns.Wait {
		held = " and held back"
	}
	stands := make([]string, len(published))
	for i, a := range published {
		stands[i] = a.String() + since(a)
	}
	what := strings.Join(stands, " and ") + " published"
	switch {
	case len(published) == 0 && known:
		what = "none published"
	case len(published) == 0:
		what = "what is published is not known"
	case !known:
		what += " when it was last seen"
	}
	if agreed.IsValid() {
		return agreed.String() + " agreed" + held + ", " + what, false
	}
	return "no agreed " + family + "address, " + what, false
}

// agreedOf is the address that the sources agreed on; zero if they did not.
func agreedOf(r ddns.Round, h ddns.Holding) netip.Addr {
	if h.Decision == ddns.Publish {
		return h.Address
	}
	for _, v := range r.Verdicts {
		if v.Family == h.Family && v.State == ddns.Agreed {
			return v.Address
		}
	}
	return netip.Addr{}
}

// nameStatuses says how each name stands after a round.
func nameStatuses(r ddns.Round, past ddns.Past) []NameStatus {
	all := []NameStatus{}
	for _, s := range ddns.Standings(r, past) {
		all = append(all, NameStatus{Name: s.Target.Name, Type: s.Target.Type, State: s.State, Why: s.Why,
			Holds: append([]string{}, s.Holds...), Known: s.Known, AsOf: s.AsOf.UTC()})
	}
	return all
}

// statusLine is how the home stands, in one line: the address, since when, and
// how many names are right and proved.
func statusLine(r ddns.Round, past ddns.Past) string {
	right := 0
	for _, o := range r.Outcomes {
		if o.State == ddns.Right || o.State == ddns.Changed {
			right++
		}
	}
	line := homeText(r, past)
	if len(r.Outcomes) > 0 || len(r.WaysIn) == 0 {
		line += fmt.Sprintf(" · %d of %d names right, %d proved", right, len(r.Outcomes), proved(r, past))
	}
	if len(r.WaysIn) > 0 {
		line += fmt.Sprintf(" · %d of %d ways in right", waysInRight(r), len(r.WaysIn))
	}
	if worst := worstCondition(r); worst != "" {
		line += " · " + worst
	}
	return line
}

// proved counts the names that are right and that the world was seen to show.
func proved(r ddns.Round, past ddns.Past) int {
	unproved := make(map[string]bool, len(past.Unproved))
	for _, key := range past.Unproved {
		unproved[key] = true
	}
	n := 0
	for _, o := range r.Outcomes {
		if (o.State == ddns.Right || o.State == ddns.Changed) && !unproved[o.Target.Key()] {
			n++
		}
	}
	return n
}

// worstCondition is the loudest thing that is wrong, in one line.
func worstCondition(r ddns.Round) string {
	for _, s := range []ddns.Severity{ddns.Alarm, ddns.Warning} {
		for _, c := range r.Conditions {
			if c.Severity == s {
				return strings.Join(strings.Fields(joinNonEmpty(": ", c.Name, c.Title)), " ")
			}
		}
	}
	return ""
}

// monotonicMicroseconds is the clock by which systemd orders reloads.
func monotonicMicroseconds() int64 {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return ts.Nano() / 1000
}
