package ddns_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"

	"github.com/cfddns/cfddns/ddns"
)

// otherwise is the error of a source that was heard from another address.
type otherwise struct {
	heard      netip.Addr
	translated bool
}

func (o otherwise) Error() string            { return "was heard as " + o.heard.String() }
func (o otherwise) HeardAddress() netip.Addr { return o.heard }
func (o otherwise) Translated() bool         { return o.translated }

func TestBehindNAT66AQuorumOnWhatWasHeardIsPublished(t *testing.T) {
	ours, theirs, third := netip.MustParseAddr("2a01:4f8::1"), netip.MustParseAddr("2a01:4f9::1"), netip.MustParseAddr("2a01:4f9::2")
	heard := otherwise{theirs, true}
	tests := []struct {
		name string
		says []any // an address, or an error
		want ddns.Agreement
		at   netip.Addr
	}{
		{"all hear the same other address", []any{heard, heard, heard, heard, heard}, ddns.Agreed, theirs},
		{"a quorum hears it, the rest is silent", []any{heard, heard, heard, errors.New("silent"), errors.New("silent")}, ddns.Agreed, theirs},
		{"too few hear it", []any{heard, heard, errors.New("silent"), errors.New("silent"), errors.New("silent")}, ddns.Unknown, netip.Addr{}},
		{"one source hears what it was asked from", []any{heard, heard, heard, heard, ours}, ddns.Unknown, netip.Addr{}},
		{"they hear different addresses", []any{heard, heard, otherwise{third, true}, otherwise{third, true}, heard}, ddns.Agreed, theirs},
		{"it may be a temporary address", []any{otherwise{theirs, false}, otherwise{theirs, false}, otherwise{theirs, false}}, ddns.Unknown, netip.Addr{}},
		{"it is no address of a home", []any{otherwise{netip.MustParseAddr("fd00::1"), true}, otherwise{netip.MustParseAddr("fd00::1"), true}, otherwise{netip.MustParseAddr("fd00::1"), true}}, ddns.Unknown, netip.Addr{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ddns.Roster{Family: ddns.IPv6}
			var said []ddns.Observation
			for i := range 5 {
				name := fmt.Sprint("operator", i)
				r.Members = append(r.Members, ddns.Source{Name: name, Operator: name, Class: ddns.Authenticated})
				if i >= len(tt.says) {
					continue
				}
				o := ddns.Observation{Source: name, Operator: name, Class: ddns.Authenticated, Family: ddns.IPv6}
				if a, ok := tt.says[i].(netip.Addr); ok {
					o.Address = a
				} else {
					o.Err = tt.says[i].(error)
				}
				said = append(said, o)
			}
			v := ddns.Vote(r, said)
			if v.State != tt.want || v.Address != tt.at || v.NAT66 != (tt.want == ddns.Agreed) {
				t.Errorf("got %s on %s (NAT66 %t): %s; want %s on %s", v.State, v.Address, v.NAT66, v.Why, tt.want, tt.at)
			}
		})
	}
}
