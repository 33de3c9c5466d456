package ddns

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"time"
)

// Report is a round as one JSON document: what `--output json` prints, the
// journal keeps, and the daemon answers. Its keys are a promise to scripts.
type Report struct {
	ID         string          `json:"id"`
	Started    time.Time       `json:"started"`
	TookMS     int64           `json:"took_ms"`
	Trigger    Trigger         `json:"trigger"`
	Hints      []HintReport    `json:"hints"` // that led to it
	Verdicts   []VerdictReport `json:"verdicts"`
	WAN        WANReport       `json:"wan"`
	Hold       []HoldReport    `json:"hold"`
	Targets    []TargetReport  `json:"targets"`
	Changes    []ChangeReport  `json:"changes"`
	Proofs     []ProofReport   `json:"proofs"`
	WaysIn     []WayInReport   `json:"ways_in"`
	Conditions []Condition     `json:"conditions"`
	GapS       float64         `json:"gap_s"`
	APICalls   int64           `json:"api_calls"`
	Exit       int             `json:"exit"`
}

// HintReport is a hint in JSON.
type HintReport struct {
	From string `json:"from"`
	Says string `json:"says"`
}

// VerdictReport is a verdict in JSON.
type VerdictReport struct {
	Family       string              `json:"family"`
	State        string              `json:"state"`
	Address      string              `json:"address"`
	Why          string              `json:"why"`
	Observations []ObservationReport `json:"observations"`
}

// ObservationReport is an observation in JSON.
type ObservationReport struct {
	Source   string `json:"source"`
	Operator string `json:"operator"`
	Address  string `json:"address"`
	TookMS   int64  `json:"took_ms"`
	Error    string `json:"error"`
}

// WANReport is what is known of the router's other side, in JSON.
type WANReport struct {
	NAT     string `json:"nat"` // unknown, single, double, carrier, ds-lite, elsewhere
	Address string `json:"address"`
	Why     string `json:"why"`
}

// HoldReport is a holding in JSON.
type HoldReport struct {
	Family   string `json:"family"`
	Decision string `json:"decision"`
	Why      string `json:"why"`
}

// TargetReport is an outcome in JSON.
type TargetReport struct {
	Zone  string      `json:"zone"`
	Name  string      `json:"name"`
	Type  string      `json:"type"`
	State TargetState `json:"state"`
	Why   string      `json:"why"`
}

// WayInReport is how a way in stands, in JSON.
type WayInReport struct {
	Name  string      `json:"name"`
	Zone  string      `json:"zone"`
	State TargetState `json:"state"`
	Why   string      `json:"why"`
}

// ChangeReport is a change and its receipt in JSON. Before and After are whole
// records, so that nothing that was replaced or deleted is lost.
type ChangeReport struct {
	Op      Op            `json:"op"`
	Zone    string        `json:"zone"`
	Name    string        `json:"name"`
	Type    string        `json:"type"`
	Before  *RecordReport `json:"before"`
	After   *RecordReport `json:"after"`
	Why     string        `json:"why"`
	Receipt ReceiptState  `json:"receipt"`
	Error   string        `json:"error"`
}

// RecordReport is a record in JSON.
type RecordReport struct {
	ID      string   `json:"id,omitempty"`
	Type    string   `json:"type"`
	Content string   `json:"content"`
	Proxied bool     `json:"proxied"`
	TTL     int      `json:"ttl"`
	Comment string   `json:"comment"`
	Tags    []string `json:"tags"`
	// Settings as Cloudflare sent them; left out where there are none.
	Settings json.RawMessage `json:"settings,omitempty"`
}

// ProofReport is a proof in JSON.
type ProofReport struct {
	Name    string       `json:"name"`
	Type    string       `json:"type"`
	By      string       `json:"by"`
	Outcome ProofOutcome `json:"outcome"`
	Answer  string       `json:"answer"`
	Why     string       `json:"why"`
}

// Report turns the round into its JSON document. Lists are never null.
func (r Round) Report() Report {
	doc := Report{ID: r.ID, Started: r.Started.UTC().Truncate(time.Millisecond), TookMS: r.Took.Milliseconds(), Trigger: r.Trigger, Hints: []HintReport{},
		Verdicts: VerdictReports(r.Verdicts), WAN: r.WAN.Report(), Hold: []HoldReport{}, Targets: []TargetReport{}, Changes: []ChangeReport{}, Proofs: []ProofReport{}, WaysIn: []WayInReport{},
		Conditions: []Condition{}, GapS: r.Gap.Seconds(), APICalls: r.Calls, Exit: r.Exit()}
	for _, c := range r.Conditions {
		c.Since, c.Title, c.Hint = c.Since.UTC().Truncate(time.Second), brief(c.Title), brief(c.Hint)
		doc.Conditions = append(doc.Conditions, c)
	}
	for _, h := range r.Hints {
		doc.Hints = append(doc.Hints, HintReport{From: h.From, Says: brief(h.Says)})
	}
	for i, h := range r.Holdings {
		decision := h.Decision
		if h.ProxiedWait { // for some names; each target says which
			decision = Wait
		}
		doc.Hold = append(doc.Hold, HoldReport{Family: h.Family.String(), Decision: decision.String(),
			Why: brief(h.Why)})
		if h.Guard == VetoGuard {
			doc.Verdicts[i].State = Split.String() // a change under veto is a split to whoever reads
		}
	}
	for _, o := range r.Outcomes {
		doc.Targets = append(doc.Targets, TargetReport{Zone: o.Zone, Name: o.Target.Name, Type: o.Target.Type,
			State: o.State, Why: brief(o.Why)})
	}
	for _, rc := range r.Receipts {
		doc.Changes = append(doc.Changes, rc.report())
	}
	for _, o := range r.WaysIn {
		doc.WaysIn = append(doc.WaysIn, WayInReport{Name: o.Name, Zone: o.Zone, State: o.State, Why: brief(o.Why)})
	}
	for _, p := range r.Proofs {
		doc.Proofs = append(doc.Proofs, ProofReport{Name: p.Target.Name, Type: p.Target.Type, By: p.By,
			Outcome: p.Outcome, Answer: brief(p.Answer), Why: brief(p.Why)})
	}
	return doc
}

// VerdictReports turns verdicts into JSON documents.
func VerdictReports(verdicts []Verdict) []VerdictReport {
	docs := []VerdictReport{}
	for _, v := range verdicts {
		doc := VerdictReport{Family: v.Family.String(), State: v.State.String(), Address: addressText(v.Address),
			Why: brief(v.Why), Observations: []ObservationReport{}}
		for _, o := range v.Observations {
			said := ObservationReport{Source: o.Source, Operator: o.Operator, Address: addressText(o.Address), TookMS: o.Took.Milliseconds()}
			if o.Err != nil {
				said.Error = brief(o.Err.Error())
			}
			doc.Observations = append(doc.Observations, said)
		}
		docs = append(docs, doc)
	}
	return docs
}

// Report turns what is known of the WAN side into its JSON document.
func (w WAN) Report() WANReport {
	return WANReport{NAT: cmp.Or(string(w.NAT), "unknown"), Address: addressText(w.Address), Why: brief(w.Why)}
}

func (rc Receipt) report() ChangeReport {
	c := rc.Change
	doc := ChangeReport{Op: c.Op, Zone: c.Zone.Name, Name: c.Target.Name, Type: c.Target.Type,
		Before: c.Before.report(), After: c.After.report(), Why: brief(c.Why), Receipt: rc.State}
	if rc.Err != nil {
		doc.Error = brief(rc.Err.Error())
	}
	return doc
}

func (r *Record) report() *RecordReport {
	if r == nil {
		return nil
	}
	return &RecordReport{ID: r.ID, Type: r.Type, Content: r.Content, Proxied: r.Proxied, TTL: r.TTL, Comment: r.Comment, Tags: append([]string{}, r.Tags...), Settings: r.Settings}
}

// addressText is an address as text; no address is "".
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
