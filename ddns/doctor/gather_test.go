package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// fake answers every probe in simulated time; with hangs nothing ever answers.
type fake struct {
	hangs bool
	page  func(n int) ddns.EdgeAnswer

	mu    sync.Mutex // guards the following
	looks []time.Time
	asked []netip.Addr
}

func (f *fake) wait(ctx context.Context) error {
	if f.hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return nil
}

func (f *fake) Ask(ctx context.Context, server, _, recordType string) (ddns.Answer, error) {
	a := ddns.Answer{Server: server, Authoritative: true, TTL: time.Minute}
	if recordType == "A" {
		a.Addresses = edgeAt
	}
	return a, f.wait(ctx)
}

func (f *fake) Resolve(ctx context.Context, server, name, recordType string) (ddns.Answer, error) {
	return f.Ask(ctx, server, name, recordType)
}

func (f *fake) Delegation(ctx context.Context, _, zone string) ([]string, error) {
	if zone != "example.com" {
		return nil, f.wait(ctx)
	}
	return []string{"ada.ns.cloudflare.com"}, f.wait(ctx)
}

func (f *fake) Lookup(ctx context.Context, family ddns.Family, host string) ([]netip.Addr, error) {
	if family == ddns.IPv6 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return edgeAt, f.wait(ctx)
}

func (f *fake) Look(ctx context.Context, url string, at netip.Addr) (ddns.EdgeAnswer, error) {
	if err := f.wait(ctx); err != nil {
		return ddns.EdgeAnswer{}, err
	}
	if url != "https://"+host+"/" {
		return page(200).Answer, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.looks, f.asked = append(f.looks, time.Now()), append(f.asked, at)
	return f.page(len(f.looks)), nil
}

func (f *fake) Direct(ctx context.Context, _ string, at netip.Addr) (Direct, error) {
	d := Direct{At: netip.AddrPortFrom(at, 443), Status: 200}
	if silence := f.wait(ctx); silence != nil {
		d.Status, d.Trouble, d.Why = 0, Silent, silence.Error()
	}
	return d, nil
}

func (f *fake) Zones(ctx context.Context) ([]ddns.Zone, error) {
	return []ddns.Zone{healthy(proxiedA).Zone.Value}, f.wait(ctx)
}

func (f *fake) Records(ctx context.Context, _ ddns.Zone, _ []string) (ddns.Listing, error) {
	return ddns.Listing{Records: healthy(proxiedA).Records.Value, Whole: true}, f.wait(ctx)
}

func (f *fake) SecurityLevel(ctx context.Context, _ ddns.Zone) (string, error) {
	return "medium", f.wait(ctx)
}

func (f *fake) SecurityEvents(ctx context.Context, _ ddns.Zone, _, _ time.Time, _ netip.Addr) ([]ddns.SecurityEvent, error) {
	return nil, f.wait(ctx)
}

func (f *fake) Minutes(ctx context.Context, _ ddns.Zone, _ string, _, _ time.Time) ([]ddns.MinuteStatus, error) {
	return nil, f.wait(ctx)
}

func (f *fake) WAN(ctx context.Context, _ func(ddns.WANFinding)) { _ = f.wait(ctx) }

func (f *fake) probes() Probes {
	return Probes{DNS: f, System: f, Web: f, API: f, History: f, WAN: f,
		Survey: func(ctx context.Context) []ddns.Verdict {
			if f.wait(ctx) != nil {
				return []ddns.Verdict{{Family: ddns.IPv4, State: ddns.Unknown, Why: "nobody answers"}}
			}
			return []ddns.Verdict{{Family: ddns.IPv4, State: ddns.Agreed, Address: homeAt}}
		},
		Incidents: func(ctx context.Context) ([]Incident, error) { return nil, f.wait(ctx) },
		Token: func(ctx context.Context, _ string) (TokenState, error) {
			return TokenState{Status: "active"}, f.wait(ctx)
		},
		Daemon: func(ctx context.Context) (Daemon, error) { return Daemon{}, f.wait(ctx) },
		Past:   func() (Past, error) { return Past{}, errors.New("no state directory") },
	}
}

func ask(f *fake) (Evidence, time.Duration) {
	began := time.Now()
	e := Gather(context.Background(), Question{Host: host, URL: "https://" + host + "/", Kept: []string{"A"}, Since: began.Add(-time.Hour), Clock: time.Now}, f.probes())
	return e, time.Since(began)
}

func TestWithEverythingHangingItEndsInTimeAndConvictsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, took := ask(&fake{hangs: true})
		if took > Patience {
			t.Errorf("it took %s", took)
		}
		if d := Judge(e); d.Culprit != nil || d.Exit != ExitUnclear || d.Mend == "" {
			t.Errorf("%+v", d)
		}
	})
}

func TestTheEdgeIsLookedAtTwelveTimesOverFiveSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{page: func(int) ddns.EdgeAnswer { return page(200).Answer }}
		e, took := ask(f)
		if len(f.looks) != mostLooks || took < 4*time.Second || took > DefaultSpread+time.Second {
			t.Errorf("%d looks over %s", len(f.looks), took)
		}
		for _, a := range edgeAt {
			if !slices.Contains(f.asked, a) {
				t.Errorf("%s was not asked", a)
			}
		}
		if d := Judge(e); d.Exit != ExitWell {
			t.Errorf("exit %d: %s %+v", d.Exit, d.Summary, d.Findings)
		}
	})
}

func TestAChallengeEndsTheLooking(t *testing.T) {
	for name, answer := range map[string]ddns.EdgeAnswer{
		"a challenge":         challenged().Answer,
		"a limit of requests": errorPage(1015).Answer,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fake{page: func(n int) ddns.EdgeAnswer {
				if n == 3 {
					return answer
				}
				return page(200).Answer
			}}
			if ask(f); len(f.looks) != 3 {
				t.Errorf("after %s the edge was asked again: %d looks", name, len(f.looks))
			}
		})
	}
}
