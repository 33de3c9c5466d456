package ddns

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// BackState is what the way back means for one record that stood before.
type BackState string

// The states of the way back.
const (
	BackStands BackState = "stands" // it is as it was, nothing is to be done
	BackReturn BackState = "return" // it is put back
	BackSkip   BackState = "skip"   // somebody changed the name since: it stays so
	BackUnread BackState = "unread" // its zone could not be read
)

// Back is the way back for one record.
type Back struct {
	Record  Record // as it stood
	State   BackState
	Why     string
	Err     error    // why it is unread
	Changes []Change // of one unit: all of them, or none
}

// PlanBack compares records as they stood before a migration with what stands
// now. A name goes back only if it holds what the migration put there: home
// addresses, or the name that its CNAME was pointed at (via, "" if none). What
// anybody else changed since is left so; but how an address of the home is
// proxied, cached and commented goes with it, since whoever kept the name may
// have set that. It is pure.
func PlanBack(before []Record, found Found, ours func(netip.Addr) bool, via string) []Back {
	backs := make([]Back, len(before))
	for i, r := range before {
		backs[i] = planBack(r, found, ours, via)
	}
	return backs
}

func planBack(r Record, found Found, ours func(netip.Addr) bool, via string) Back {
	b := Back{Record: r, State: BackSkip}
	z, ok := found.zoneOf(r.Name)
	if err := found.Missing[r.Name]; err != nil || !ok || found.Failed[z.Zone.Name] != nil {
		if b.State, b.Err = BackUnread, err; err == nil {
			b.Err = found.Failed[z.Zone.Name]
		}
		b.Why = "its zone could not be read"
		return b
	}
	t := Target{Name: r.Name, Shown: r.Name, Type: r.Type}
	if r.Address().IsValid() {
		return b.ofAddress(t, z, found, ours)
	}
	var gone []Change
	lost := ""
	for _, now := range z.at(r.Name) {
		switch {
		case !excludes(now.Type):
		case now.Type == r.Type && sameButID(now, r):
			b.State, b.Why = BackStands, "it stands as it stood before"
			return b
		case leftAlone(now.Comment):
			b.Why = fmt.Sprintf("its comment holds %s by now", markOff)
			return b
		case now.Type == "CNAME" && now.ID == r.ID && via != "" && pointsTo(now) == via && sameButContent(now, r):
			patch := Patch{ID: r.ID, Content: &r.Content}
			c := Change{Op: Update, Zone: z.Zone, Target: t, Before: &now, After: &r, Patch: patch,
				Why: "pointed back from " + via}
			if found.hidesAt(via) && !hides([]Record{r}, z.Zone) {
				c.Reveals, c.Why = true, c.Why+"; "+becomesPublic
			}
			b.State, b.Why, b.Changes = BackReturn, c.Why, []Change{c}
			return b
		case now.Address().IsValid() && ours(now.Address()):
			if now.Comment != r.Comment {
				lost = fmt.Sprintf("; the comment %q, written since, goes", now.Comment)
			}
			gone = append(gone, Change{Op: Delete, Zone: z.Zone, Target: t, Before: &now, Why: "makes room for the CNAME"})
		default:
			b.Why = fmt.Sprintf("somebody changed it since: %s %s stands there", now.Type, now.Content)
			return b
		}
	}
	if len(gone) == 0 {
		b.Why = "somebody deleted it since"
		return b
	}
	after := r
	after.ID = ""
	b.State, b.Why = BackReturn, "the CNAME to "+pointsTo(r)+" comes back"+lost
	b.Changes = Revealing(append(gone,
		Change{Op: Create, Zone: z.Zone, Target: t, After: &after, Why: b.Why}), found, nil)
	b.Why = b.Changes[len(gone)].Why
	return b
}

// ofAddress is the way back of an address record that was made to hold the home:
// every field that a migration writes is as it was.
func (b Back) ofAddress(t Target, z ZoneFacts, found Found, ours func(netip.Addr) bool) Back {
	r, records := b.Record, z.at(b.Record.Name)
	i := slices.IndexFunc(records, func(now Record) bool { return now.ID == r.ID })
	if i < 0 {
		b.Why = "somebody deleted it since"
		return b
	}
	now := records[i]
	switch {
	case sameButID(now, r):
		b.State, b.Why = BackStands, "it stands as it stood before"
	case leftAlone(now.Comment):
		b.Why = fmt.Sprintf("its comment holds %s by now", markOff)
	case !ours(now.Address()):
		b.Why = fmt.Sprintf("somebody changed it since: %s %s stands there", now.Type, now.Content)
	default:
		patch := Patch{ID: r.ID, Content: &r.Content, Proxied: &r.Proxied, TTL: &r.TTL, Comment: &r.Comment}
		b.Changes = Revealing([]Change{{Op: Update, Zone: z.Zone, Target: t, Before: &now, After: &r, Patch: patch,
			Why: "stands as it stood before"}}, found, nil)
		b.State, b.Why = BackReturn, b.Changes[0].Why
	}
	return b
}

// excludes reports whether a record of the type cannot stand beside a CNAME.
// MX, TXT and the like can, since Cloudflare flattens.
// https://developers.cloudflare.com/dns/cname-flattening/
func excludes(kind string) bool {
	return slices.Contains([]string{"A", "AAAA", "CNAME", "NS"}, kind)
}

// sameButID reports whether two records are one and the same but for when and
// by whom they were made.
func sameButID(a, b Record) bool {
	return pointsTo(a) == pointsTo(b) && sameButContent(a, b)
}

func sameButContent(a, b Record) bool {
	tags := func(r Record) []string { return slices.Sorted(slices.Values(r.Tags)) }
	return a.Proxied == b.Proxied && (a.TTL == b.TTL || a.Proxied) && a.Comment == b.Comment &&
		slices.Equal(tags(a), tags(b)) && sameJSON(a.Settings, b.Settings)
}

// sameJSON compares settings, however they are spaced.
func sameJSON(a, b json.RawMessage) bool {
	var one, other bytes.Buffer
	return bytes.Equal(a, b) || json.Compact(&one, a) == nil && json.Compact(&other, b) == nil && bytes.Equal(one.Bytes(), other.Bytes())
}

// Repointing is the CNAME of a hop pointed at another name of the account, by
// a PATCH of its content: nothing is deleted, so there is no gap.
func Repointing(a Alias, via string) Change {
	before, after := a.Record, a.Record
	after.Content = via
	t := Target{Name: before.Name, Shown: before.Name, Type: before.Type}
	return Change{Op: Update, Zone: a.Zone, Target: t, Before: &before, After: &after,
		Patch: Patch{ID: before.ID, Content: &after.Content}, Why: fmt.Sprintf("follows %s instead of %s", via, a.Host)}
}

// MayRepoint says why a hop must not be pointed at a name of the zone; nil if
// it may. It knows what a plan knows of whose a record is.
func MayRepoint(a Alias, to Zone, owner string) error {
	switch {
	case leftAlone(a.Record.Comment):
		return fmt.Errorf("its comment holds %s", markOff)
	case a.Record.keeper() != "":
		return fmt.Errorf("%s marks this record as its own", a.Record.keeper())
	case foreignMark(a.Record.Comment, owner) != "":
		return fmt.Errorf("it is marked %s", foreignMark(a.Record.Comment, owner))
	case a.Zone.AccountID != to.AccountID:
		// https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors/error-1014/
		return fmt.Errorf("%s is a zone of another account, and Cloudflare answers a CNAME across accounts with error 1014", to.Name)
	}
	return nil
}

// Orphans are names that were migrated once and that nobody keeps: a rollback
// file holds their CNAME, it is gone, a home address stands in its place, and
// no target names them. The targets that would keep them are returned, sorted.
func Orphans(before []Record, found Found, ours func(netip.Addr) bool, targets []Target, shown func(string) string) (orphans []Target) {
	kept := map[string]bool{}
	for _, t := range targets {
		kept[t.Key()] = true
	}
	for _, r := range before {
		z, ok := found.zoneOf(r.Name)
		if !ok || r.Type != "CNAME" || kept[r.Name] {
			continue
		}
		kept[r.Name] = true // several files may hold it
		for _, now := range z.at(r.Name) {
			if now.Address().IsValid() && ours(now.Address()) && !kept[now.Name+" "+now.Type] && !leftAlone(now.Comment) {
				orphans = append(orphans, Target{Name: r.Name, Shown: shown(r.Name), Type: now.Type})
			}
		}
	}
	return SortTargets(orphans)
}

// MailAt are the MX records, among those of the zones, that name one of the
// hops: the address of a mail server must not be a CNAME (RFC 2181, section
// 10.3), so that replacing it mends that.
func MailAt(mx []Record, name string) (mail []string) {
	for _, r := range mx {
		if r.Type == "MX" && strings.TrimSuffix(strings.ToLower(r.Content), ".") == name {
			mail = append(mail, r.Name)
		}
	}
	slices.Sort(mail)
	return slices.Compact(mail)
}
