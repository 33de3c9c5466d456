package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
)

// doctorReport is what `cfddns doctor --output json` prints: the name that is
// worst off, and all names in one line each.
type doctorReport struct {
	doctor.Diagnosis
	Conditions []ddns.Condition `json:"conditions"` // of the running daemon
	Names      []doctorName     `json:"names"`
	Left       int              `json:"left"` // configured names that were not examined
}

type doctorName struct {
	Name    string `json:"name"`
	Summary string `json:"summary"`
	Exit    int    `json:"exit"`
}

// sayDoctor prints what was found, and ends with the exit code of the worst.
func (a *app) sayDoctor(exams []doctorExam, left int, night bool) error {
	worst := slices.MinFunc(exams, func(x, y doctorExam) int { return cmp.Compare(urgency(x.Exit), urgency(y.Exit)) })
	if a.json() {
		doc := doctorReport{Diagnosis: worst.Diagnosis, Left: left, Conditions: append([]ddns.Condition{}, worst.evidence.Daemon.Value.Conditions...)}
		for _, x := range exams {
			doc.Names = append(doc.Names, doctorName{x.Name, x.Summary, x.Exit})
		}
		if err := a.printJSON(doc); err != nil {
			return exit(ddns.ExitUnexpected, err)
		}
		return exit(worst.Exit, nil)
	}
	for i, x := range exams {
		if i > 0 {
			fmt.Fprintln(a.stdout)
		}
		if len(exams) > 1 {
			fmt.Fprintf(a.stdout, "%s\n", x.Name)
		}
		if len(exams) == 1 || x.Exit != doctor.ExitWell {
			a.sayFindings(x.Diagnosis)
		}
		if night {
			a.sayNight(x)
		}
		a.sayDiagnosis(x.Diagnosis)
	}
	if left > 0 {
		fmt.Fprintf(a.stdout, "\n%s not examined; name one: cfddns doctor NAME\n", counted(left, "more name"))
	}
	return exit(worst.Exit, nil)
}

// urgency orders exit codes: a culprit first.
func urgency(code int) int {
	return slices.Index([]int{doctor.ExitCulprit, doctor.ExitUnclear, doctor.ExitWell}, code)
}

// sayFindings prints a line for each suspect.
func (a *app) sayFindings(d doctor.Diagnosis) {
	for _, f := range d.Findings {
		fmt.Fprintf(a.stdout, "%s  %-10s  %s\n", a.paint(string(f.State), 12), f.Suspect, f.Evidence)
		if f.State == doctor.Guilty && (d.Culprit == nil || f.Suspect != d.Culprit.Suspect) {
			sayHint(a.stdout, "            also: "+f.Mend)
		}
	}
}

// sayDiagnosis prints who it was, and what mends it.
func (a *app) sayDiagnosis(d doctor.Diagnosis) {
	word := map[int]string{doctor.ExitWell: "well", doctor.ExitCulprit: "culprit", doctor.ExitUnclear: "unclear"}[d.Exit]
	who := ""
	if d.Culprit != nil {
		who = string(d.Culprit.Suspect) + ": "
	}
	fmt.Fprintf(a.stdout, "%s  %s%s\n", a.paint(word, 12), who, d.Summary)
	switch {
	case d.Mend == "":
	case d.Exit == doctor.ExitUnclear:
		fmt.Fprintf(a.stdout, "%s  %s\n", a.paint("decides", 12), d.Mend)
	default:
		fmt.Fprintf(a.stdout, "%s  %s\n", a.paint("mend", 12), d.Mend)
	}
}

// sayNight prints what Cloudflare remembers: each status, from when to when.
func (a *app) sayNight(x doctorExam) {
	if !x.evidence.Minutes.Known {
		fmt.Fprintf(a.stdout, "%s  what Cloudflare remembers could not be read: %s\n", a.paint("note", 12), x.evidence.Minutes.Why)
		return
	}
	if len(x.Past) == 0 {
		fmt.Fprintf(a.stdout, "%s  Cloudflare remembers no request for %s in that time\n", a.paint("note", 12), x.Name)
		return
	}
	first, last := x.Past[0].From, x.Past[0].To
	for _, s := range x.Past {
		if s.To.After(last) {
			last = s.To
		}
	}
	for _, s := range x.Past {
		fmt.Fprintf(a.stdout, "%3d  %s  %s to %s  %s  %s\n", s.Status, bar(s, first, last), s.From.Local().Format("15:04"), s.To.Local().Format("15:04"),
			counted(s.Requests, "request"), doctor.Night(s, x.evidence.Past))
	}
}

// barWidth is the width of a bar of time.
const barWidth = 40

// bar draws a stretch of time within the whole.
func bar(s doctor.Span, first, last time.Time) string {
	whole := max(last.Sub(first), time.Minute)
	place := func(t time.Time) int { return int(int64(barWidth) * int64(t.Sub(first)) / int64(whole)) }
	from := min(place(s.From), barWidth-1)
	width := max(1, min(place(s.To), barWidth)-from)
	return strings.Repeat("·", from) + strings.Repeat("█", width) + strings.Repeat("·", barWidth-from-width)
}
