package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// pushHome is where the records of these tests point.
const pushHome, pushHome6 = "45.67.89.10", "2a01:4f8:1:2::10"

const pushPassword = "correct horse"

// A house is the loop of a test: it answers every hint with one round.
type house struct {
	mu    sync.Mutex
	heard []ddns.Hint
	round ddns.Round
	err   error
	enter chan struct{} // if set, a hint waits for its closing
}

// HearOut implements hearer.
func (h *house) HearOut(ctx context.Context, hint ddns.Hint) (ddns.Round, error) {
	h.mu.Lock()
	h.heard = append(h.heard, hint)
	h.mu.Unlock()
	if h.enter != nil {
		select {
		case <-h.enter:
		case <-ctx.Done():
			return ddns.Round{}, ctx.Err()
		}
	}
	return h.round, h.err
}

// pushTargets are the names that are kept.
func pushTargets() []ddns.Target {
	return []ddns.Target{{Name: "both.example.com", Type: "A"}, {Name: "both.example.com", Type: "AAAA"},
		{Name: "home.example.com", Type: "A"}, {Name: "xn--hs-xka.example.com", Type: "A"}}
}

// pushedRound is a round in which every target ended in a state.
func pushedRound(id string, state ddns.TargetState) ddns.Round {
	r := ddns.Round{ID: id}
	for _, t := range pushTargets() {
		o := ddns.Outcome{Target: t, State: state, Address: pushHome}
		if t.Type == "AAAA" {
			o.Address = pushHome6
		}
		r.Outcomes = append(r.Outcomes, o)
	}
	return r
}

func newTestPushes(h hearer, log *slog.Logger) *pushes {
	p := newPushes(func() pushing {
		return pushing{user: "cfddns", password: ddns.NewSecret(pushPassword), targets: pushTargets()}
	}, h, log)
	p.delay = 0
	return p
}

// push makes a request as a router would, changed by edit.
func push(p http.Handler, query string, edit func(*http.Request)) (code int, body string) {
	r := httptest.NewRequest(http.MethodGet, "http://192.168.1.2:8245"+pushPath+"?"+query, nil)
	r.SetBasicAuth("cfddns", pushPassword)
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	p.ServeHTTP(w, r)
	return w.Code, strings.TrimSuffix(w.Body.String(), "\n")
}

func TestAPushIsAnswered(t *testing.T) {
	const home = "hostname=home.example.com"
	for name, row := range map[string]struct {
		query, want string
		state       ddns.TargetState
		err         error
	}{
		"good, if the round changed the record":                     {home + "&myip=45.67.89.10", "good 45.67.89.10", ddns.Changed, nil},
		"nochg, if it was right before":                             {home + "&myip=45.67.89.10", "nochg 45.67.89.10", ddns.Right, nil},
		"by what the record holds, whatever was pushed":             {home + "&myip=198.51.100.7", "nochg 45.67.89.10", ddns.Right, nil},
		"without an address":                                        {home, "nochg 45.67.89.10", ddns.Right, nil},
		"911, if the sources do not agree":                          {home, "911", ddns.Held, nil},
		"911, if Cloudflare refused":                                {home, "911", ddns.Refused, nil},
		"911, if Cloudflare is not reached":                         {home, "911", ddns.Unreached, nil},
		"911, if the nameservers say otherwise":                     {home, "911", ddns.Contradicted, nil},
		"911, if no round ended in time":                            {home, "911", ddns.Right, context.DeadlineExceeded},
		"nohost, for a name that is not kept":                       {"hostname=www.example.com", "nohost", ddns.Right, nil},
		"notfqdn, for what is no name":                              {"hostname=home", "notfqdn", ddns.Right, nil},
		"a line for each name":                                      {"hostname=www.example.com,home.example.com,home", "nohost\nnochg 45.67.89.10\nnotfqdn", ddns.Right, nil},
		"a line for each name that comes in a parameter of its own": {home + "&hostname=both.example.com&myip=45.67.89.10", "good 45.67.89.10\ngood 45.67.89.10", ddns.Changed, nil},
		"one line for all names, if none is given":                  {"myip=45.67.89.10", "good 45.67.89.10", ddns.Changed, nil},
		"for both families, if both are pushed":                     {"hostname=both.example.com&myip=45.67.89.10,2a01:4f8:1:2::10", "good 45.67.89.10,2a01:4f8:1:2::10", ddns.Changed, nil},
		"for both families, if the second has its own parameter":    {"hostname=both.example.com&myip=45.67.89.10&myipv6=2a01:4f8:1:2::10", "good 45.67.89.10,2a01:4f8:1:2::10", ddns.Changed, nil},
		"for the family that is pushed":                             {"hostname=both.example.com&myip=2a01:4f8:1:2::99", "good 2a01:4f8:1:2::10", ddns.Changed, nil},
		"for the families that are kept, if another is pushed":      {home + "&myip=2a01:4f8:1:2::99", "nochg 45.67.89.10", ddns.Right, nil},
		"however the name is written":                               {"hostname=HOME.example.com.", "nochg 45.67.89.10", ddns.Right, nil},
		"for an internationalised name as it is read":               {"hostname=h%C3%BCs.example.com", "nochg 45.67.89.10", ddns.Right, nil},
		"for an internationalised name as it is sent":               {"hostname=xn--hs-xka.example.com", "nochg 45.67.89.10", ddns.Right, nil},
		"though a parameter is empty":                               {home + "&myip=45.67.89.10&myipv6=&wildcard=NOCHG&mx", "nochg 45.67.89.10", ddns.Right, nil},
		"though an address is none":                                 {home + "&myip=<ipaddr>", "nochg 45.67.89.10", ddns.Right, nil},
		"though the query is torn":                                  {home + "&myip=%zz;", "nochg 45.67.89.10", ddns.Right, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := &house{round: pushedRound("1", row.state), err: row.err}
			code, body := push(newTestPushes(h, slog.New(slog.DiscardHandler)), row.query, nil)
			if code != http.StatusOK || body != row.want {
				t.Errorf("got %d %q, want %q", code, body, row.want)
			}
			if known := row.want != "nohost" && row.want != "notfqdn"; known != (len(h.heard) == 1) {
				t.Errorf("%d hints", len(h.heard))
			}
		})
	}
}

func TestAPushIsGoodOnceForEachChange(t *testing.T) {
	h := &house{}
	p := newTestPushes(h, slog.New(slog.DiscardHandler))
	elsewhere := func(r ddns.Round) ddns.Round {
		for i := range r.Outcomes {
			r.Outcomes[i].Address = "45.67.90.77"
		}
		return r
	}
	for _, step := range []struct {
		what  string
		round ddns.Round
		want  string
	}{
		{"nothing changed, at first", pushedRound("1", ddns.Right), "nochg " + pushHome},
		{"the round of the push changed it", elsewhere(pushedRound("2", ddns.Changed)), "good 45.67.90.77"},
		{"the same round again, since the hint was no news", elsewhere(pushedRound("2", ddns.Changed)), "nochg 45.67.90.77"},
		{"another event had changed it already", pushedRound("4", ddns.Right), "good " + pushHome},
		{"and nothing since", pushedRound("5", ddns.Right), "nochg " + pushHome},
		{"trouble", elsewhere(pushedRound("6", ddns.Unreached)), "911"},
		{"which passed", pushedRound("7", ddns.Right), "nochg " + pushHome},
		{"somebody had moved it, and it was put back", pushedRound("8", ddns.Changed), "good " + pushHome},
	} {
		h.round = step.round
		if _, body := push(p, "hostname=home.example.com", nil); body != step.want {
			t.Errorf("%s: got %q, want %q", step.what, body, step.want)
		}
	}
}

func TestAPushIsAHint(t *testing.T) {
	for name, row := range map[string]struct {
		query, says, address string
	}{
		"with the address on the router's WAN side":    {"myip=45.67.89.10", "45.67.89.10", "45.67.89.10"},
		"with the first IPv4 address of several":       {"myip=2a01:4f8:1:2::1,45.67.89.10,45.67.89.11", "2a01:4f8:1:2::1, 45.67.89.10, 45.67.89.11", "45.67.89.10"},
		"with an IPv4 address in IPv6 clothes":         {"myip=::ffff:45.67.89.10", "45.67.89.10", "45.67.89.10"},
		"without an address, for IPv6 alone":           {"myip=2a01:4f8:1:2::1", "2a01:4f8:1:2::1", ""},
		"without an address at which no home can be":   {"myip=192.168.178.1", "192.168.178.1", ""},
		"without an address that a provider's NAT has": {"myip=100.72.0.5", "100.72.0.5", ""},
		"without any":                {"", "something changed", ""},
		"without what is no address": {"myip=dynamic,fe80::1%25eth0,2a01:4f8:1:2::/56", "something changed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := &house{round: pushedRound("1", ddns.Right)}
			push(newTestPushes(h, slog.New(slog.DiscardHandler)), row.query, nil)
			want := ddns.Hint{Trigger: ddns.ByEvent, From: "the router, pushing as cfddns", Says: row.says}
			if row.address != "" {
				want.Address, want.Witness = netip.MustParseAddr(row.address), true
			}
			if len(h.heard) != 1 || h.heard[0].From != want.From || h.heard[0].Says != want.Says || h.heard[0].Address != want.Address ||
				h.heard[0].Witness != want.Witness || h.heard[0].Trigger != want.Trigger {
				t.Errorf("got %+v, want %+v", h.heard, want)
			}
		})
	}
}

func TestWhoeverMayNotPushStartsNothing(t *testing.T) {
	header := func(key, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(key, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	login := func(user, password string) func(*http.Request) {
		return func(r *http.Request) { r.SetBasicAuth(user, password) }
	}
	for name, row := range map[string]struct {
		edit func(*http.Request)
		code int
		body string
	}{
		"who has no password":                     {func(r *http.Request) { r.Header.Del("Authorization") }, 401, "badauth"},
		"who has another password":                {login("cfddns", "correct house"), 401, "badauth"},
		"who has the beginning of the password":   {login("cfddns", "correct"), 401, "badauth"},
		"who has an empty password":               {login("cfddns", ""), 401, "badauth"},
		"who has another name":                    {login("admin", pushPassword), 401, "badauth"},
		"whose login is torn":                     {header("Authorization", "Basic !"), 401, "badauth"},
		"who posts":                               {func(r *http.Request) { r.Method = http.MethodPost }, 405, "badagent"},
		"who asks for the head alone":             {func(r *http.Request) { r.Method = http.MethodHead }, 405, "badagent"},
		"who asks for something else":             {func(r *http.Request) { r.URL.Path = "/" }, 404, "there is nothing but /nic/update"},
		"a page in a browser":                     {header("Origin", "https://evil.example"), 403, "badagent"},
		"a page that hides its origin":            {header("Origin", "null"), 403, "badagent"},
		"an image in a page":                      {header("Sec-Fetch-Site", "cross-site"), 403, "badagent"},
		"who calls us by a name of his":           {host("rebind.evil.example"), 403, "badagent"},
		"who calls us by a name of his, and port": {host("rebind.evil.example:8245"), 403, "badagent"},
		"who calls us by a name that ends alike":  {host("evilfritz.box"), 403, "badagent"},
	} {
		t.Run(name, func(t *testing.T) {
			h := &house{round: pushedRound("1", ddns.Right)}
			code, body := push(newTestPushes(h, slog.New(slog.DiscardHandler)), "hostname=home.example.com", row.edit)
			if code != row.code || body != row.body || len(h.heard) > 0 {
				t.Errorf("got %d %q and %d hints, want %d %q and none", code, body, len(h.heard), row.code, row.body)
			}
		})
	}
}

func TestThisMachineMayBeCalled(t *testing.T) {
	for _, host := range []string{"192.168.1.2:8245", "192.168.1.2", "[fd00::2]:8245", "[fd00::2]", "localhost:8245", "nas", "nas:8245",
		"nas.local", "nas.LAN:8245", "nas.home.arpa.", "cfddns.internal", "nas.home", "nas.localdomain:8245", "nas.fritz.box:8245", "home.example.com", ""} {
		t.Run(host, func(t *testing.T) {
			h := &house{round: pushedRound("1", ddns.Right)}
			edit := func(r *http.Request) { r.Host = host; r.Header.Set("Sec-Fetch-Site", "none") }
			if code, body := push(newTestPushes(h, slog.New(slog.DiscardHandler)), "hostname=home.example.com", edit); code != 200 {
				t.Errorf("got %d %q", code, body)
			}
		})
	}
}

func TestAPasswordThatIsNotSetLetsNobodyIn(t *testing.T) {
	r := httptest.NewRequest(http.MethodGet, pushPath, nil)
	r.SetBasicAuth("", "")
	if (pushing{}).lets(r) {
		t.Error("an empty password was taken")
	}
}

func TestAWrongPasswordWaitsAndTheRightOneDoesNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPushes(&house{round: pushedRound("1", ddns.Right)}, slog.New(slog.DiscardHandler))
		p.delay = wrongDelay
		began := time.Now()
		push(p, "", func(r *http.Request) { r.SetBasicAuth("cfddns", "wrong") })
		if took := time.Since(began); took != wrongDelay {
			t.Errorf("a wrong password was answered after %s", took)
		}
		began = time.Now()
		push(p, "", nil)
		push(p, "", func(r *http.Request) { r.Header.Del("Authorization") })
		if took := time.Since(began); took != 0 {
			t.Errorf("the right one, and none, were answered after %s", took)
		}
	})
}

func TestAPushIsAnsweredBeforeTheRouterGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &house{enter: make(chan struct{})}
		began := time.Now()
		code, body := push(newTestPushes(h, slog.New(slog.DiscardHandler)), "", nil)
		if took := time.Since(began); code != 200 || body != "911" || took > 28*time.Second {
			t.Errorf("got %d %q after %s", code, body, took)
		}
	})
}

func TestTheLogShowsNoPasswordAndIsNotFilled(t *testing.T) {
	var said bytes.Buffer
	p := newTestPushes(&house{round: pushedRound("1", ddns.Changed), err: errors.New("x")}, slog.New(slog.NewTextHandler(&said, nil)))
	wrong := func(r *http.Request) { r.SetBasicAuth("cfddns", "wrong-guess") }
	for range 50 {
		push(p, "hostname="+strings.Repeat("x", 9000)+"&myip="+strings.Repeat("y", 9000), nil)
		push(p, "", wrong)
		push(p, "", func(r *http.Request) { r.Host = strings.Repeat("z.", 9000) })
	}
	push(p, "myip=45.67.89.10", nil)
	for _, secret := range []string{pushPassword, "wrong-guess"} {
		if strings.Contains(said.String(), secret) {
			t.Errorf("the log shows %q", secret)
		}
	}
	if n := strings.Count(said.String(), "refused"); n != 2 { // for two reasons
		t.Errorf("%d refusals are logged loudly in an instant", n)
	}
	if said.Len() > 2000 {
		t.Errorf("%d bytes of log", said.Len())
	}
}

// A change that was answered 911, since the other family was not right yet, is
// still to be told.
func TestWhatA911DidNotTellIsToldLater(t *testing.T) {
	h := &house{}
	p := newTestPushes(h, slog.New(slog.DiscardHandler))
	before, half := pushedRound("1", ddns.Right), pushedRound("2", ddns.Changed)
	before.Outcomes[0].Address = "45.67.90.77"
	half.Outcomes[1].State = ddns.Unreached // the AAAA record
	for _, step := range []struct {
		round ddns.Round
		want  string
	}{
		{before, "nochg 45.67.90.77," + pushHome6},
		{half, pushTrouble},
		{pushedRound("3", ddns.Right), "good " + pushHome + "," + pushHome6},
		{pushedRound("4", ddns.Right), "nochg " + pushHome + "," + pushHome6},
	} {
		h.round = step.round
		if _, body := push(p, "hostname=both.example.com", nil); body != step.want {
			t.Errorf("after round %s: got %q, want %q", step.round.ID, body, step.want)
		}
	}
}

// FuzzPush: whatever is asked, each name gets one line, and the answer and the
// hint hold no address but those of the records and those that were pushed.
func FuzzPush(f *testing.F) {
	for _, query := range []string{"", "hostname=home.example.com&myip=45.67.89.10", "hostname=a,b,,c&hostname=%00", "myip=::1,1.2.3.4,fe80::1%25x", "myip=%zz&hostname=%", "system=dyndns&hostname=home.example.com&wildcard=OFF"} {
		f.Add(query)
	}
	f.Fuzz(func(t *testing.T, query string) {
		q := parsePush(query, pushTargets())
		if len(q.names) == 0 || len(q.names) > pushNames || len(q.addresses) > pushAddresses || len(q.ignored) > pushAddresses {
			t.Fatalf("%+v", q)
		}
		h := q.hint("cfddns")
		if h.Address.IsValid() != h.Witness || h.Address.IsValid() && ddns.Sane(h.Address, ddns.IPv4) != nil {
			t.Fatalf("hint %+v", h)
		}
		p := newTestPushes(&house{}, slog.New(slog.DiscardHandler))
		for _, line := range q.lines(func(targets []ddns.Target) string {
			return p.answer(pushedRound("1", ddns.Right), targets, q.addresses)
		}) {
			switch line {
			case pushNoHost, pushNotFQDN, "nochg " + pushHome, "nochg " + pushHome6, "nochg " + pushHome + "," + pushHome6, "nochg " + pushHome6 + "," + pushHome:
			default:
				t.Fatalf("answer %q to %q", line, query)
			}
		}
	})
}
