package main

import (
	"cmp"
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
func (a *app) sayDoctor(exams []doctorExam, left int) error {
	for i := range exams {
		a.pasteable(&exams[i].Diagnosis)
	}
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
			sayf(a.stdout, "\n")
		}
		if len(exams) > 1 {
			sayf(a.stdout, "%s\n", x.Name)
		}
		if len(exams) == 1 || x.Exit != doctor.ExitWell {
			a.sayFindings(x.Diagnosis)
		}
		a.sayNight(x.Diagnosis, x.evidence.At.Location())
		a.sayDiagnosis(x.Diagnosis)
	}
	if left > 0 {
		sayf(a.stdout, "\n%s not examined; name one: %s\n", counted(left, "more name"),
			verbatim(a.command("doctor", "NAME")))
	}
	return exit(worst.Exit, nil)
}

// pasteable makes the commands of a diagnosis work where they are read.
func (a *app) pasteable(d *doctor.Diagnosis) {
	d.Mend = a.pasted(d.Mend)
	for i := range d.Findings {
		d.Findings[i].Mend, d.Findings[i].Decides = a.pasted(d.Findings[i].Mend), a.pasted(d.Findings[i].Decides)
	}
	if d.Culprit != nil {
		d.Culprit.Mend = d.Mend
	}
}

// urgency orders exit codes: a culprit first.
func urgency(code int) int {
	return slices.Index([]int{doctor.ExitCulprit, doctor.ExitUnclear, doctor.ExitWell}, code)
}

// spoken are the states as a person reads them.
func spoken(s doctor.State) string {
	if s == doctor.CannotTell {
		return "cannot tell"
	}
	return string(s)
}

// evidenceEnd is where a line of evidence ends, whatever the terminal has room for.
const evidenceEnd = 100

// sayFindings prints what is known of each suspect.
func (a *app) sayFindings(d doctor.Diagnosis) {
	t := table{head: make([]string, 3)}
	for _, f := range d.Findings {
		t.add(a.paint(spoken(f.State), 12), clean(padded(visible(string(f.Suspect), ""), 10)), f.Evidence)
	}
	_, rows := t.lines(min(cmp.Or(widthOf(a.stdout), evidenceEnd), evidenceEnd))
	for _, row := range rows {
		sayf(a.stdout, "%s\n", row)
	}
}

// sayDiagnosis prints who it was, and what mends it; then who else is guilty.
func (a *app) sayDiagnosis(d doctor.Diagnosis) {
	word := map[int]string{doctor.ExitWell: "well", doctor.ExitCulprit: "culprit", doctor.ExitUnclear: "unclear"}[d.Exit]
	mend := map[int]string{doctor.ExitCulprit: "mend", doctor.ExitUnclear: "decides"}[d.Exit]
	if d.Culprit != nil {
		d.Summary = string(d.Culprit.Suspect) + ": " + d.Summary
	}
	sayf(a.stdout, "%s  %s\n", a.paint(word, 12), d.Summary)
	if d.Mend != "" {
		sayf(a.stdout, "%s  %s\n", a.paint(mend, 12), d.Mend)
	}
	for _, f := range d.Findings {
		if f.State == doctor.Guilty && (d.Culprit == nil || f.Suspect != d.Culprit.Suspect) {
			sayf(a.stdout, "%s  %s: %s\n%s  %s\n", a.paint("also", 12), f.Suspect, f.Sentence,
				a.paint("mend", 12), f.Mend)
		}
	}
}

// sayNight prints what Cloudflare remembers, each status from when to when, and
// who it was.
func (a *app) sayNight(d doctor.Diagnosis, zone *time.Location) {
	if d.Night == nil {
		return
	}
	length := 40
	if columns := widthOf(a.stdout); columns > 0 && columns < evidenceEnd {
		length = 20
	}
	for _, s := range d.Past {
		first, last := d.Past[0].From, slices.MaxFunc(d.Past, func(x, y doctor.Span) int { return x.To.Compare(y.To) }).To
		sayf(a.stdout, "%3d  %s  %s to %s  %s  %s\n", s.Status, bar(s, first, last, length),
			s.From.In(zone).Format("15:04"), s.To.In(zone).Format("15:04"),
			counted(s.Requests, "request"), doctor.Meaning(s.Status))
	}
	who := ""
	if d.Night.Suspect != "" {
		who = string(d.Night.Suspect) + ": "
	}
	sayf(a.stdout, "%s  %s%s\n", a.paint("then", 12), who, d.Night.Sentence)
}

// bar draws a stretch of time within the whole.
func bar(s doctor.Span, first, last time.Time, length int) string {
	whole := max(last.Sub(first), time.Minute)
	place := func(t time.Time) int { return int(int64(length) * int64(t.Sub(first)) / int64(whole)) }
	from := min(place(s.From), length-1)
	width := max(1, min(place(s.To), length)-from)
	return strings.Repeat("·", from) + strings.Repeat("█", width) + strings.Repeat("·", length-from-width)
}
