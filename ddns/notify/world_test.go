package notify

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// loopback is the real network, with roots of its own.
type loopback struct{ roots *x509.CertPool }

func (loopback) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, address)
}
func (w loopback) From(netip.Addr) ddns.World { return w }
func (w loopback) Roots() *x509.CertPool      { return w.roots }

// logged is a log that can be read while it is written.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// summary is the line of a round in these tests.
func summary(r ddns.Round) string { return "round " + r.ID }

// shell is a command of these tests: a script, and a file that it may write to.
func shell(script, file string) []string { return []string{"/bin/sh", "-c", script, "sh", file} }

// messages are the documents that a command appended to a file.
func messages(t testing.TB, file string) (got []message) {
	t.Helper()
	content, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(bytes.NewReader(content)); d.More(); {
		var m message
		if err := d.Decode(&m); err != nil {
			t.Fatal(err, string(content))
		}
		got = append(got, m)
	}
	return got
}

// words shows messages shortly: "raised token-refused".
func words(got []message) []string {
	list := []string{}
	for _, m := range got {
		word := m.Event + " " + string(m.Condition.Code)
		if m.Condition.Name != "" {
			word += " " + m.Condition.Name
		}
		list = append(list, word)
	}
	return list
}

func fileIn(t testing.TB) string { return filepath.Join(t.TempDir(), "file") }

func raised(code ddns.Code, name string, since time.Time) ddns.Condition {
	return ddns.Condition{Code: code, Severity: ddns.Alarm, Name: name, Title: "title", Hint: "hint", Since: since}
}

// roundAt is a round with conditions, in which one source answered.
func roundAt(id string, at time.Time, conditions ...ddns.Condition) ddns.Round {
	return ddns.Round{ID: id, Started: at, Conditions: conditions,
		Verdicts: []ddns.Verdict{{Family: ddns.IPv4, Observations: []ddns.Observation{{Source: "amazon"}}}}}
}

var home = ddns.Target{Name: "home.example.com", Type: "A"}

// ended returns a round whose one target ended so.
func ended(id string, state ddns.TargetState) ddns.Round {
	r := roundAt(id, time.Now())
	r.Outcomes = []ddns.Outcome{{Target: home, State: state}}
	return r
}

// changed is a round that published an address.
func changed(id, before, after string) ddns.Round {
	r := ended(id, ddns.Changed)
	r.Receipts = []ddns.Receipt{receipt(home, before, after)}
	return r
}

func receipt(target ddns.Target, before, after string) ddns.Receipt {
	c := ddns.Change{Op: ddns.Create, Target: target, After: &ddns.Record{Name: target.Name, Type: target.Type, Content: after}}
	if before != "" {
		c.Op, c.Before = ddns.Update, &ddns.Record{Name: target.Name, Type: target.Type, Content: before}
	}
	return ddns.Receipt{Change: c, State: ddns.Confirmed}
}
