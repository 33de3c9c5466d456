// Package doctor finds out who is to blame when a name does not work: it
// examines the parties between a visitor and the home one after the other,
// clears those that it can, and convicts one only on evidence of its own.
//
// It works in two halves. Gather (gather.go) asks everybody side by side,
// through small interfaces, and returns the Evidence (evidence.go): plain data
// in which every piece is known, or says why it is not. Judge (judge.go) turns
// the evidence into a Diagnosis. It is pure: no clock, no network; each suspect
// has a function of its own that reads like the rule it is.
//
// A wrong conviction is worse than none: it sends a tired person to the wrong
// place at night. So a conviction rests on what is known, never on what is
// missing, and less evidence can only lead to fewer convictions. A test holds
// every rule against that.
//
// Nothing here writes anything anywhere.
package doctor

import "time"

// Suspect is a party that a failing name may be the fault of.
type Suspect string

// The suspects, in the order in which they are examined: that in which a
// person suspects them.
const (
	Cloudflare Suspect = "cloudflare"
	Edge       Suspect = "edge"      // the messenger: what visitors are answered
	Origin     Suspect = "origin"    // the server at home, its certificate, its tunnel
	Client     Suspect = "client"    // whoever asks, when it is no browser
	Record     Suspect = "record"    // the record, its zone, and the way there from the registrar
	DDNSHost   Suspect = "ddns-host" // the dynamic DNS host that a CNAME hops over
	Router     Suspect = "router"    // the router, its firewall, and the provider's translation
	Resolvers  Suspect = "resolvers"
	Security   Suspect = "security" // Under Attack mode, WAF rules, bot products
	Token      Suspect = "token"
	Clock      Suspect = "clock"
	Self       Suspect = "cfddns"
)

// Suspects lists them in that order.
func Suspects() []Suspect {
	return []Suspect{Cloudflare, Edge, Origin, Client, Record, DDNSHost, Router, Resolvers, Security, Token, Clock, Self}
}

// State is what the evidence says of a suspect.
type State string

// The states, as in the JSON output.
const (
	Cleared    State = "cleared"
	Suspicious State = "suspicious" // something is odd, and it proves nothing
	Guilty     State = "guilty"     // something is wrong with it, whoever else is guilty too
	CannotTell State = "unknown"    // not examined, or not enough to say
)

// weight says what a guilty party does to visitors; the heaviest is the culprit.
type weight int

const (
	latent  weight = iota + 1 // visitors do not notice yet
	failing                   // it makes visitors fail, whether seen or not
	seen                      // it explains what was just answered
)

// Finding is what is said of one suspect.
type Finding struct {
	Suspect  Suspect `json:"suspect"`
	State    State   `json:"finding"`
	Evidence string  `json:"evidence"` // in one line
	Sentence string  `json:"sentence"` // what is wrong, if it is guilty, for a tired person
	Mend     string  `json:"remedy"`   // the command or the place that mends it
	Decides  string  `json:"decides"`  // what would decide, if it is suspicious of what visitors see

	weight weight
}

// Diagnosis is what the evidence adds up to.
type Diagnosis struct {
	Name     string    `json:"name"`
	Findings []Finding `json:"suspects"` // one for each suspect, in order
	// Culprits are all of whom visitors suffer, or soon will: the one that is
	// convicted first. None if nothing is wrong, or it cannot be told.
	Culprits []Suspect `json:"culprits"`
	Culprit  *Finding  `json:"culprit"` // the first of them; nil if there is none
	// Between are those that cannot be told apart, at most two.
	Between []Suspect `json:"between"`
	Summary string    `json:"sentence"` // one sentence
	Mend    string    `json:"remedy"`
	Answers []Count   `json:"answers"` // what visitors were answered just now
	Past    []Span    `json:"past"`    // what Cloudflare remembers, if it was asked
	Night   *Night    `json:"night"`   // who it was then; nil if nobody asked
	Exit    int       `json:"exit"`
}

// Count is how often one kind of answer came.
type Count struct {
	Answer string `json:"answer"` // "530 error 1016"
	Times  int    `json:"times"`
	Of     int    `json:"of"`
}

// Span is a stretch of time in which a status was answered.
type Span struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"` // the end of its last minute
	Status   int       `json:"status"`
	Requests int       `json:"requests"`
}

// The exit codes of the doctor.
const (
	ExitWell    = 0 // nothing is wrong
	ExitCulprit = 8
	ExitUnclear = 9 // something is wrong, and it cannot tell which
)
