package ddns

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestAClockThatIsWrongAgainIsToldAsItIsNow(t *testing.T) {
	r := &Runner{Built: start}
	past := r.assess(Round{Started: start.AddDate(-50, 0, 0)}, nil, nil)
	now := r.assess(Round{Started: start.AddDate(-20, 0, 0)}, past, nil)
	day := start.AddDate(-20, 0, 0).UTC().Format(time.DateOnly)
	if len(now) != 1 || !strings.Contains(now[0].Title, day) || !now[0].Since.Equal(past[0].Since) {
		t.Errorf("got %v, want the clock of %s, since %s", now, day, past[0].Since)
	}
}

func TestASourceRestsNoLongerThanADayWhateverItOrTheClockSays(t *testing.T) {
	for until, rests := range map[time.Duration]bool{-time.Second: false, 0: false, time.Hour: true, 24 * time.Hour: true, 25 * time.Hour: false, 1e5 * time.Hour: false} {
		if got := resting(map[string]time.Time{"one": start.Add(until)}, start)["one"]; got != rests {
			t.Errorf("for %s: %t, want %t", until, got, rests)
		}
	}
	v := Vote(five(), saying(five(), home))
	v.Observations[0].Err = &Error{Kind: Limited, RetryAfter: 1e5 * time.Hour}
	_, rest := rememberSources(Past{}, Round{Started: start, Verdicts: []Verdict{v}})
	if at := rest[v.Observations[0].Source]; !at.Equal(start.Add(24 * time.Hour)) {
		t.Errorf("it rests until %s", at)
	}
}

func TestAClockIsWrongWhenNobodysCertificateIsValid(t *testing.T) {
	outOfTime := func(of string) error {
		return fmt.Errorf("the answer: %w", &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Cert: &x509.Certificate{Raw: []byte(of)}}})
	}
	expired, another, portal := outOfTime("one"), outOfTime("two"), outOfTime("portal")
	foreign := &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}
	silent := errors.New("no answer within 3s")
	for name, c := range map[string]struct {
		errs  []error // of the five operators
		wrong bool
	}{
		"all are out of time":                   {[]error{expired, another, expired, expired, another}, true},
		"two are, the others silent":            {[]error{expired, silent, another, silent, silent}, true},
		"one is: it may be late":                {[]error{expired, silent, silent, silent, silent}, false},
		"two are, and another proves who he is": {[]error{expired, another, nil, silent, silent}, false},
		"a login page of its own time":          {[]error{portal, portal, portal, portal, portal}, false},
		"somebody answers in everybody's place": {[]error{foreign, foreign, foreign, foreign, foreign}, false},
		"nobody answers":                        {[]error{silent, silent, silent, silent, silent}, false},
		"all answer":                            {[]error{nil, nil, nil, nil, nil}, false},
	} {
		t.Run(name, func(t *testing.T) {
			v := Vote(five(), saying(five(), home, home, home, home, home))
			for i := range v.Observations {
				v.Observations[i].Class, v.Observations[i].Err = Authenticated, c.errs[i]
			}
			got := new(Runner).assess(Round{Started: start, Verdicts: []Verdict{v}, Holdings: []Holding{{Decision: Publish}}}, nil, nil)
			if hasCode(got, CodeClock) != c.wrong {
				t.Fatalf("got %v", got)
			}
			if c.wrong && (len(got) != 1 || got[0].Severity != Alarm || !strings.Contains(got[0].Title, "the clock says "+start.UTC().Format("2006-01-02"))) {
				t.Errorf("got %v, want the clock alone, with what it says", got)
			}
		})
	}
}
