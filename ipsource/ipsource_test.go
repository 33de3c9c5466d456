package ipsource

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// oracle answers every question with one address, or fails.
type oracle struct {
	says netip.Addr
	err  error
	from *netip.Addr // where the last question came from
}

func (o oracle) ask(_ context.Context, world ddns.World, _ ddns.Family) (netip.Addr, error) {
	*o.from = world.(loopback).local
	return o.says, o.err
}

func TestIPv6IsAskedFromTheCandidateAndMustBeHeardAsIt(t *testing.T) {
	other := netip.MustParseAddr("2a01:4f8:1:2:dead:beef:1:1")
	broken := errors.New("no buffer space")
	for _, c := range []struct {
		name      string
		candidate netip.Addr
		trouble   error
		heard     netip.Addr
		says      string // empty: home6
		otherwise bool
	}{
		{"heard as asked", home6, nil, home6, "", false},
		{"heard as another", home6, nil, other, "asked from 2a01:4f8:1:2::10, was heard as 2a01:4f8:1:2:dead:beef:1:1: NAT66 or a temporary address", true},
		{"no candidate", netip.Addr{}, ErrNoCandidate, other, "was heard as 2a01:4f8:1:2:dead:beef:1:1, which is no lasting address", true},
		{"no IPv6", netip.Addr{}, broken, other, "no IPv6 here: no buffer space", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var from netip.Addr
			v := Config{Candidates: func() ([]netip.Addr, error) { return []netip.Addr{c.candidate}, c.trouble }}.vantage(loopback{})
			got, err := v.ask(t.Context(), oracle{says: c.heard, from: &from}, ddns.IPv6)
			if from != c.candidate {
				t.Errorf("asked from %s, want %s", from, c.candidate)
			}
			if c.says == "" {
				if got != home6 || err != nil {
					t.Errorf("got %v, %v", got, err)
				}
				return
			}
			wantError(t, got, err, c.says)
			var h interface{ HeardAddress() netip.Addr }
			if errors.As(err, &h) != c.otherwise || c.otherwise && h.HeardAddress() != c.heard {
				t.Errorf("error %v does not carry %s", err, c.heard)
			}
		})
	}
}

func TestAnInterfaceThatIsNotHereIsSaidToBe(t *testing.T) {
	const gone = "there is no interface eth99 here"
	for _, family := range ddns.Families {
		var from netip.Addr
		v := Config{Bind: "eth99"}.vantage(loopback{})
		got, err := v.ask(t.Context(), oracle{err: errors.New("no such device"), from: &from}, family)
		wantError(t, got, err, gone)
		got, err = ownInterface{name: "eth99"}.ask(t.Context(), nil, family)
		wantError(t, got, err, gone)
	}
}

func TestSilenceIsSaidToBeWhatItIs(t *testing.T) {
	var from netip.Addr
	v := Config{Candidates: func() ([]netip.Addr, error) { return nil, ErrNoCandidate }}.vantage(loopback{})
	got, err := v.ask(t.Context(), oracle{err: errors.New("silence"), from: &from}, ddns.IPv6)
	wantError(t, got, err, "no lasting global IPv6 address on the interface; asked all the same: silence")
	got, err = bounded(t.Context(), time.Hour, func(context.Context) (netip.Addr, error) {
		return netip.Addr{}, fmt.Errorf("a resolver, a moment ago: %w", context.DeadlineExceeded)
	})
	wantError(t, got, err, "a resolver, a moment ago: context deadline exceeded")
	if strings.Contains(err.Error(), "within") {
		t.Errorf("%v: nothing was waited for", err)
	}
}

func TestBindNamesWhereQuestionsComeFrom(t *testing.T) {
	nobody := func() ([]netip.Addr, error) { return nil, ErrNoCandidate }
	for _, c := range []struct {
		name, bind string
		candidates func() ([]netip.Addr, error)
		family     ddns.Family
		want       netip.Addr
	}{
		{"nothing, over IPv4", "", nobody, ddns.IPv4, netip.Addr{}},
		{"an interface, over IPv4, which is the world's to mind", "eth0", nobody, ddns.IPv4, netip.Addr{}},
		{"an IPv4 address, over IPv4", "192.168.1.7", nobody, ddns.IPv4, netip.MustParseAddr("192.168.1.7")},
		{"an IPv4 address, over IPv6", "192.168.1.7", func() ([]netip.Addr, error) { return []netip.Addr{home6}, nil }, ddns.IPv6, home6},
		{"an IPv6 address, over IPv6", home6.String(), nobody, ddns.IPv6, home6},
		{"an IPv6 address, over IPv4", home6.String(), nobody, ddns.IPv4, netip.Addr{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := netip.MustParseAddr("9.9.9.9")
			v := Config{Bind: c.bind, Candidates: c.candidates}.vantage(loopback{})
			v.ask(t.Context(), oracle{err: errors.New("silence"), from: &from}, c.family)
			if from != c.want {
				t.Errorf("asked from %s, want %s", from, c.want)
			}
		})
	}
}

func TestBoundedAddsItsOwnDeadlineToThatOfTheRound(t *testing.T) {
	hang := func(ctx context.Context) (netip.Addr, error) {
		<-ctx.Done()
		return netip.Addr{}, ctx.Err()
	}
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		got, err := bounded(t.Context(), 2*time.Second, hang)
		wantError(t, got, err, "no answer within 2s")
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("took %s", took)
		}
		round, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		got, err = bounded(round, 2*time.Second, hang)
		wantError(t, got, err, "no answer within 1s")
		ended, end := context.WithCancel(t.Context())
		end()
		got, err = bounded(ended, 2*time.Second, hang)
		wantError(t, got, err, "context canceled")
	})
}

func TestExchangeSendsALostDatagramAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		began := time.Now()
		var at []time.Duration
		go func() {
			buffer := make([]byte, 10)
			for {
				n, err := theirs.Read(buffer)
				if err != nil {
					return
				}
				at = append(at, time.Since(began))
				if len(at) == 3 {
					theirs.Write(append([]byte("re:"), buffer[:n]...))
				}
			}
		}()
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		belongs := func(b []byte) bool { return bytes.Equal(b, []byte("re:q")) }
		got, err := exchange(ctx, ours, []byte("q"), belongs)
		if err != nil || string(got) != "re:q" {
			t.Errorf("got %q, %v", got, err)
		}
		synctest.Wait()
		if len(at) != 3 || at[1] != 500*time.Millisecond || at[2] != time.Second {
			t.Errorf("sent at %v", at)
		}
	})
}

func TestExchangeEndsWithItsContextAndSendsNoMoreThanThrice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer ours.Close()
		defer theirs.Close()
		sent := 0
		go func() {
			for buffer := make([]byte, 10); ; sent++ {
				if _, err := theirs.Read(buffer); err != nil {
					return
				}
			}
		}()
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		_, err := exchange(ctx, ours, []byte("q"), func([]byte) bool { return true })
		synctest.Wait()
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != 5*time.Second || sent != 3 {
			t.Errorf("%v after %s, %d sent", err, time.Since(began), sent)
		}
	})
}
