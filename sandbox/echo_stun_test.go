package sandbox

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/cfddns/cfddns/needs"
	"github.com/pion/stun/v3"
)

// bind asks a STUN server and returns the address it saw.
func bind(t *testing.T, server string) netip.Addr {
	t.Helper()
	a, err := tryBind(server, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryBind(server string, patience time.Duration) (netip.Addr, error) {
	conn, err := net.Dial("udp", server)
	if err != nil {
		return netip.Addr{}, err
	}
	defer conn.Close()
	request := stun.MustBuild(stun.TransactionID, stun.BindingRequest)
	if _, err := conn.Write(request.Raw); err != nil {
		return netip.Addr{}, err
	}
	conn.SetReadDeadline(time.Now().Add(patience))
	buf := make([]byte, 1500)
	n, err := conn.Read(buf)
	if err != nil {
		return netip.Addr{}, err
	}
	reply := &stun.Message{Raw: buf[:n]}
	if err := reply.Decode(); err != nil {
		return netip.Addr{}, err
	}
	var mapped stun.XORMappedAddress
	if err := mapped.GetFrom(reply); err != nil {
		return netip.Addr{}, err
	}
	if reply.TransactionID != request.TransactionID || mapped.Port != conn.LocalAddr().(*net.UDPAddr).Port {
		return netip.Addr{}, errors.New("the answer is to somebody else")
	}
	a, _ := netip.AddrFromSlice(mapped.IP)
	return a.Unmap(), nil
}

func TestFaultsOfASTUNServer(t *testing.T) {
	t.Parallel()
	s := settled(t, homeZone())
	server := s.places.find("echo:google", ipv4)
	s.AddFault(Fault{On: "echo:google", Do: "lie", Value: "9.8.7.6", Times: 1})
	if got := bind(t, server); got.String() != "9.8.7.6" {
		t.Errorf("lie: %s", got)
	}
	for _, do := range []string{"hang", "drop", "500"} {
		s.AddFault(Fault{On: "echo:google", Do: do, Times: 1})
		if got, err := tryBind(server, 150*time.Millisecond); err == nil {
			t.Errorf("%s: answered %s", do, got)
		}
		s.ClearFaults()
	}
	if got := bind(t, server); got != wan4 {
		t.Errorf("after the faults: %s", got)
	}
}

func TestCoturnsClientReadsTheSTUNServer(t *testing.T) {
	t.Parallel()
	program := needs.Program(t, "turnutils_stunclient")
	s := settled(t, homeZone())
	host, port, err := net.SplitHostPort(s.places.find("echo:google", ipv4))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, "-p", port, host).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "45.67.89.10") {
		t.Errorf("%v\n%s", err, out)
	}
}

// FuzzSTUNRequest feeds the STUN server what comes off the wire.
func FuzzSTUNRequest(f *testing.F) {
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest).Raw)
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingRequest, stun.NewSoftware("x"), stun.Fingerprint).Raw)
	f.Add(stun.MustBuild(stun.TransactionID, stun.BindingSuccess).Raw)
	s, err := newSandbox(homeZone())
	if err != nil {
		f.Fatal(err)
	}
	from := &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4000}
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := s.answerSTUN(packet, from, echo{name: "google"}, ipv4)
		if reply == nil {
			return
		}
		m := &stun.Message{Raw: reply}
		if err := m.Decode(); err != nil || m.Type != stun.BindingSuccess || !bytes.Equal(m.TransactionID[:], packet[8:20]) {
			t.Fatalf("%x answered %x: %v", packet, reply, err)
		}
	})
}
