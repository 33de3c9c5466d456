package ipsource

import (
	"context"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

func TestProbesAskByOnePacketAndOnlyWhomThePersonWouldAsk(t *testing.T) {
	own := "127.0.0.1:3478"
	for _, c := range []struct {
		name    string
		sources []Spec
		quorum  int
		want    string
	}{
		{"the default roster", nil, 0, "google cloudflare-dns cloudflare-stun"},
		{"Cloudflare alone", []Spec{{Name: "cloudflare"}}, 1, "cloudflare-dns cloudflare-stun"},
		{"no operator that serves by one packet", []Spec{{Name: "amazon"}, {Name: "akamai"}, {Name: "identme"}}, 0, ""},
		{"a server of one's own", []Spec{{STUN: own, Operator: "me"}, {HTTPS: "https://a.example/", Operator: "a"}, {HTTPS: "https://b.example/", Operator: "b"}}, 0, "127.0.0.1"},
		{"a server of one's own that is called Google's", []Spec{{STUN: own, Operator: "google"}, {HTTPS: "https://a.example/", Operator: "a"}, {HTTPS: "https://b.example/", Operator: "b"}}, 0, "127.0.0.1"},
		{"an interface", []Spec{{Interface: "lo"}}, 1, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := Config{Sources: c.sources, Quorum: c.quorum, Families: []ddns.Family{ddns.IPv4}}
			if _, err := config.Validate(); err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, s := range Probes(config, loopback{})[ddns.IPv4] {
				names = append(names, s.Name)
				if s.Class == ddns.Authenticated || s.Cost > 200 {
					t.Errorf("%s costs %d bytes over %s", s.Name, s.Cost, s.Transport)
				}
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("probes ask %q, want %q", got, c.want)
			}
		})
	}
}

// moving is a world in which a host has an address until it moves.
type moving struct {
	ddns.World
	at      string
	dialled *[]string
}

func (n moving) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	*n.dialled = append(*n.dialled, address)
	if strings.HasPrefix(address, "stun.") {
		address = n.at
	}
	return n.World.Dial(ctx, network, address)
}

func TestAProbeRemembersWhereItsServerIs(t *testing.T) {
	server := udpServer(t, func(r []byte) [][]byte {
		return [][]byte{binding(t, r, xorMapped("45.67.89.10"))}
	})
	var dialled []string
	google := Probes(Config{Families: []ddns.Family{ddns.IPv4}}, moving{loopback{}, server, &dialled})[ddns.IPv4][0]
	for range 3 {
		if got, err := google.Ask(t.Context(), ddns.IPv4); err != nil || got != home4 {
			t.Fatalf("got %v, %v", got, err)
		}
	}
	gone, enough := context.WithCancel(t.Context())
	enough()
	if _, err := google.Ask(gone, ddns.IPv4); err == nil {
		t.Error("it asked without time")
	}
	if _, err := google.Ask(t.Context(), ddns.IPv4); err != nil {
		t.Error(err)
	}
	const name = "stun.l.google.com:19302"
	if want := []string{name, server, server, server, name}; !slices.Equal(dialled, want) {
		t.Errorf("dialled %q, want %q: the name is asked for once, and again after a silence", dialled, want)
	}
}
