package notify

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// change is an address that was published: what on_change is told.
type change struct {
	round    string
	family   ddns.Family
	old, new string // old is empty if there was no address
	names    []string
}

// environment is the change as variables.
func (c change) environment() []string {
	return []string{"OLD=" + c.old, "NEW=" + c.new, "FAMILY=" + c.family.String(), "NAMES=" + strings.Join(c.names, ","), "ROUND=" + c.round}
}

// changesOf returns what a round published, one change for each family. A name
// that the world sees otherwise is left out until a later proof of the round
// shows it.
func changesOf(round ddns.Round) (changes []change) {
	contradicted := map[string]bool{} // by name and type
	for _, o := range round.Outcomes {
		if o.State == ddns.Contradicted {
			contradicted[o.Target.Key()] = true
		}
	}
	for _, family := range ddns.Families {
		c := change{round: round.ID, family: family}
		for _, rc := range round.Receipts {
			if rc.Change.Target.Family() == family && published(rc) && !contradicted[rc.Change.Target.Key()] {
				c = c.with(rc.Change)
			}
		}
		if len(c.names) > 0 {
			slices.Sort(c.names)
			c.names = slices.Compact(c.names)
			changes = append(changes, c)
		}
	}
	return changes
}

// with returns the change with one record more.
func (c change) with(made ddns.Change) change {
	c.new = made.After.Content
	if old := addressBefore(made); c.old == "" && old.IsValid() {
		c.old = old.String()
	}
	c.names = append(c.names, made.Target.Name)
	return c
}

// published reports whether a receipt put another address at a name.
func published(rc ddns.Receipt) bool {
	c := rc.Change
	return rc.State == ddns.Confirmed && !c.Drill && c.After != nil && c.After.Address().IsValid() && addressBefore(c) != c.After.Address()
}

// addressBefore is the address that a record held; the zero Addr if there was
// no record, or a CNAME.
func addressBefore(c ddns.Change) netip.Addr {
	if c.Before == nil {
		return netip.Addr{}
	}
	return c.Before.Address()
}

// changesMost bounds the changes that wait for a command that is slow. The
// oldest is dropped: who acts on an address wants the newest.
const changesMost = 16

// mailbox is what waits to be told: the newest round, and the changes of it
// and of those before it.
type mailbox struct {
	round   ddns.Round
	at      time.Time // when the round was received
	changes []change
}

func (b *mailbox) empty() bool { return b.at.IsZero() }

// put takes in a round. The changes of a round that comes again replace what
// was known of them.
func (b *mailbox) put(round ddns.Round, at time.Time) {
	b.round, b.at = round, at
	b.changes = slices.DeleteFunc(b.changes, func(c change) bool { return c.round == round.ID })
	b.changes = append(b.changes, changesOf(round)...)
	if over := len(b.changes) - changesMost; over > 0 {
		b.changes = slices.Delete(b.changes, 0, over)
	}
}
