package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cfddns/cfddns/ddns"
)

// A goodRow is what a round says of a name that is right, or of one change of it.
type goodRow struct {
	word, name, rest string
	under            clean // the lines below, which say what the row does not
	more             int   // names of which the same is said
}

// goodRows are the rows of a target that is right: one for each change.
func goodRows(o ddns.Outcome, dry bool, made []ddns.Receipt, proofs []ddns.Proof) (rows []goodRow) {
	row := goodRow{word: string(o.State), name: o.Target.Shown + " " + o.Target.Type}
	if dry && o.State == ddns.Changed {
		row.word = "would change"
	}
	proof := proofText(proofs)
	for _, rc := range made {
		c := rc.Change
		if c.Drill {
			continue
		}
		row.rest, row.under, proof = changeText(c)+proof, "", ""
		if why := unsaid(c); why != "" {
			row.under += cleanf("              %s\n", why)
		}
		if c.Before != nil && c.Op != ddns.Update {
			row.under += cleanf("              the record that stood there: %s\n", wholeText(*c.Before))
		}
		rows = append(rows, row)
	}
	if proof != "" || o.State == ddns.Right {
		row.rest, row.under = o.Address+proof, ""
		rows = append(rows, row)
	}
	return rows
}

// unsaid is what the reason of a change says and its row does not.
func unsaid(c ddns.Change) string {
	said := []string{fmt.Sprintf("%s has no %s record", c.Target.Shown, c.Target.Type)}
	if c.Before != nil && c.After != nil {
		said = append(said, fmt.Sprintf("holds %s, the home is at %s", c.Before.Content, c.After.Content))
	}
	reasons := strings.Split(c.Why, "; ")
	unsaid := slices.DeleteFunc(reasons, func(reason string) bool { return slices.Contains(said, reason) })
	return strings.Join(unsaid, "; ")
}

// sayGood prints rows. Where they are many, one stands for all of which the
// same is said; all prints each.
func (a *app) sayGood(rows []goodRow, all bool) {
	shown := rows
	if len(rows) > linesMost && !all {
		shown = nil
		at := map[goodRow]int{}
		for _, row := range rows {
			key := row
			key.name = ""
			if i, known := at[key]; known {
				shown[i].more++
				continue
			}
			at[key] = len(shown)
			shown = append(shown, row)
		}
	}
	for _, row := range shown {
		if row.more > 0 {
			row.name += fmt.Sprintf(" and %d more", row.more)
		}
		sayf(a.stdout, "%s  %s  %s\n%s", a.paint(row.word, 12), row.name, row.rest, row.under)
	}
	if len(shown) < len(rows) {
		sayf(a.stdout, "%s  %d in all; cfddns once --all shows each\n", a.paint(note, 12), len(rows))
	}
}
