package ddns

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ReceiptState is what became of a change.
type ReceiptState string

// The states of a receipt, as in the JSON output.
const (
	Confirmed     ReceiptState = "confirmed"
	RefusedChange ReceiptState = "refused"
	Doubtful      ReceiptState = "uncertain" // sent, and no trustworthy answer
	Planned       ReceiptState = "planned"   // not sent
)

// Receipt is what Cloudflare said of one change.
type Receipt struct {
	Change Change
	State  ReceiptState
	Err    error
}

// Rollback keeps records that are about to be replaced, where they survive a
// crash. It returns once they are on disk.
type Rollback interface {
	Keep(records []Record) (where string, err error)
	// Ready says, without writing, why Keep would not work; nil if it should.
	Ready() error
}

// Apply sends the changes, one batch a zone up to the plan's limit, zones side
// by side, as many at once as the API lets through. After a refused batch
// nothing more is sent to its zone; with halve, it is split until the refused
// record stands alone and all others are written. Nothing is ever sent twice.
func Apply(ctx context.Context, api API, rollback Rollback, changes []Change, found Found, halve bool) ([]Receipt, Found) {
	changes, all := keepHops(rollback, changes)
	var zones []string
	byZone := map[string][]Change{}
	for _, c := range changes {
		if byZone[c.Zone.ID] == nil {
			zones = append(zones, c.Zone.ID)
		}
		byZone[c.Zone.ID] = append(byZone[c.Zone.ID], c)
	}
	writers := make([]*writer, len(zones))
	var writing sync.WaitGroup
	for i, id := range zones {
		writers[i] = &writer{api: api, zone: byZone[id][0].Zone, halve: halve}
		writing.Go(func() { writers[i].write(ctx, units(byZone[id])) })
	}
	writing.Wait()
	for _, w := range writers {
		all = append(all, w.receipts...)
		found = found.wrote(w.zone.ID, w.result)
		if w.doubt {
			found = found.doubt(w.zone.ID)
		}
	}
	return all, found
}

// errNoRollback is the error of a run that has nowhere to keep old records.
var errNoRollback = errors.New("there is no place for a rollback file")

// keepHops puts the records that will be replaced into a rollback file, and
// returns the changes to send. Where no file can be written the names with a
// CNAME stay as they are; a receipt says why.
func keepHops(rollback Rollback, changes []Change) (send []Change, kept []Receipt) {
	var records []Record
	for _, c := range changes {
		if c.Op == Replace {
			records = append(records, *c.Before)
		}
	}
	if len(records) == 0 {
		return changes, nil
	}
	err := errNoRollback
	if rollback != nil {
		_, err = rollback.Keep(records)
	}
	if err == nil {
		return changes, nil
	}
	err = &Error{Kind: Rejected, Op: "keep the old CNAME", Hint: "set state: to a directory that can be written",
		Err: fmt.Errorf("%w; it stays as it is", err)}
	for _, c := range changes {
		if slices.ContainsFunc(records, func(r Record) bool { return r.Name == c.Target.Name }) {
			kept = append(kept, Receipt{Change: c, State: Planned, Err: err})
		} else {
			send = append(send, c)
		}
	}
	return send, kept
}

// units groups the changes of a zone: what becomes of one record, and what
// takes the place of one CNAME, belongs in one transaction.
func units(changes []Change) [][]Change {
	var grouped [][]Change
	for _, c := range changes {
		if n := len(grouped); n > 0 && together(grouped[n-1][0], c) {
			grouped[n-1] = append(grouped[n-1], c)
		} else {
			grouped = append(grouped, []Change{c})
		}
	}
	return grouped
}

// together reports whether a change must not be made without the first of a unit.
func together(first, c Change) bool {
	return first.Target.Key() == c.Target.Key() || first.Op == Replace && first.Target.Name == c.Target.Name
}

// writer sends the changes of one zone.
type writer struct {
	api      API
	zone     Zone
	halve    bool
	receipts []Receipt
	result   BatchResult // of all batches
	refused  int         // batches
	doubt    bool        // the zone must be read before anything is believed of it
}

// refusedMost is how many batches of a zone may be refused in one round while
// we look for the record that is refused: the limit on calls is shared with
// the dashboard. What is then left is looked through in later rounds.
const refusedMost = 40

// write sends the units in batches of the plan's limit. After an answer that
// did not come nothing more is sent: what is true must be read first.
func (w *writer) write(ctx context.Context, rest [][]Change) {
	for len(rest) > 0 {
		n, size := 0, 0
		for n < len(rest) && (n == 0 || size+sizeOf(rest[n]) <= w.zone.BatchLimit()) {
			size += sizeOf(rest[n])
			n++
		}
		err := w.send(ctx, rest[:n])
		rest = rest[n:]
		if err != nil {
			w.receipts = append(w.receipts, receipts(slices.Concat(rest...), Planned, err)...)
			return
		}
	}
}

// sizeOf counts the changes of a batch that a unit needs.
func sizeOf(unit []Change) int { return batchOf(unit).Size() }

// send sends one batch, and its halves if it is refused. An error means that
// sending more makes no sense now.
func (w *writer) send(ctx context.Context, part [][]Change) error {
	changes := slices.Concat(part...)
	result, err := w.api.Batch(ctx, w.zone, batchOf(changes))
	switch {
	case err == nil:
		w.result = w.result.and(result)
		w.receipts = append(w.receipts, receipts(changes, Confirmed, nil)...)
		return nil
	case KindOf(err) == Uncertain:
		w.doubt = true
		w.receipts = append(w.receipts, receipts(changes, Doubtful, err)...)
		return err
	case mayHalve(err):
		return w.split(ctx, part, err)
	case forbidden(err):
		w.receipts = append(w.receipts, receipts(changes, RefusedChange, err)...)
		return err
	default:
		w.receipts = append(w.receipts, receipts(changes, Planned, err)...)
		return err
	}
}

// and is what two batches confirmed.
func (b BatchResult) and(more BatchResult) BatchResult {
	return BatchResult{append(b.Deleted, more.Deleted...), append(b.Patched, more.Patched...), append(b.Posted, more.Posted...)}
}

// split deals with a refused batch.
func (w *writer) split(ctx context.Context, part [][]Change, refusal error) error {
	w.doubt = true
	w.refused++
	half := len(part) / 2
	switch {
	case half == 0 || !w.halve:
		w.receipts = append(w.receipts, receipts(slices.Concat(part...), RefusedChange, refusal)...)
		if w.halve {
			return nil
		}
		return refusal
	case w.refused >= refusedMost:
		w.receipts = append(w.receipts, receipts(slices.Concat(part...), Planned, refusal)...)
		return refusal
	}
	if err := w.send(ctx, part[:half]); err != nil {
		w.receipts = append(w.receipts, receipts(slices.Concat(part[half:]...), Planned, err)...)
		return err
	}
	return w.send(ctx, part[half:])
}

func receipts(changes []Change, state ReceiptState, err error) []Receipt {
	made := make([]Receipt, len(changes))
	for i, c := range changes {
		made[i] = Receipt{Change: c, State: state, Err: err}
	}
	return made
}

// batchOf turns changes into what one call carries.
func batchOf(changes []Change) (b Batch) {
	for _, c := range changes {
		if c.Op == Delete || c.Op == Replace {
			b.Deletes = append(b.Deletes, c.Before.ID)
		}
		if c.Op == Update {
			b.Patches = append(b.Patches, c.Patch)
		}
		if c.Op == Create || c.Op == Replace {
			b.Posts = append(b.Posts, *c.After)
		}
	}
	return b
}

// settleDoubt reads the zones of uncertain changes and says what became of
// each: a change that is seen there was made, whatever the answer was.
func settleDoubt(made []Receipt, found Found) []Receipt {
	made = slices.Clone(made)
	for i, r := range made {
		if r.State != Doubtful {
			continue
		}
		z, ok := found.zoneOf(r.Change.Target.Name)
		if ok && !z.ReadAt.IsZero() && found.Failed[z.Zone.Name] == nil && isMade(r.Change, z) {
			made[i] = Receipt{Change: r.Change, State: Confirmed}
		}
	}
	return made
}

// isMade reports whether the records show the change.
func isMade(c Change, z ZoneFacts) bool {
	if c.Drill {
		return false // it changes nothing that could be seen
	}
	records := z.at(c.Target.Name)
	if c.Before != nil && c.Op != Update && hasID(records, c.Before.ID) {
		return false
	}
	if c.After == nil {
		return true
	}
	return slices.ContainsFunc(records, func(r Record) bool {
		same := c.Op != Update || r.ID == c.Before.ID
		return same && r.Type == c.After.Type && r.holds(*c.After) && r.Comment == c.After.Comment &&
			r.Proxied == c.After.Proxied && (r.TTL == c.After.TTL || r.Proxied)
	})
}

// holds reports whether two records hold the same, however it is spelled.
func (r Record) holds(other Record) bool {
	if r.Address().IsValid() || other.Address().IsValid() {
		return r.Address() == other.Address()
	}
	return pointsTo(r) == pointsTo(other)
}
