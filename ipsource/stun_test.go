package ipsource

import (
	"context"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/needs"
	"github.com/pion/stun/v3"
)

// binding answers a request as a server does, after changes.
func binding(t testing.TB, request []byte, setters ...stun.Setter) []byte {
	t.Helper()
	asked := stun.Message{Raw: request}
	if err := asked.Decode(); err != nil {
		t.Error(err)
		return nil
	}
	m, err := stun.Build(append([]stun.Setter{stun.NewTransactionIDSetter(asked.TransactionID), stun.BindingSuccess}, setters...)...)
	if err != nil {
		t.Error(err)
		return nil
	}
	return m.Raw
}

func xorMapped(ip string) stun.Setter {
	return &stun.XORMappedAddress{IP: net.ParseIP(ip), Port: 40000}
}

func TestSTUNTakesXORMappedAddressAlone(t *testing.T) {
	other := stun.NewTransactionIDSetter([stun.TransactionIDSize]byte{1, 2, 3})
	for _, c := range []struct {
		name       string
		answers    func(request []byte) [][]byte
		says       string // empty: home4
		unanswered bool
	}{
		{"the address", func(r []byte) [][]byte { return [][]byte{binding(t, r, xorMapped("45.67.89.10"))} }, "", false},
		{"the address beside a rewritten MAPPED-ADDRESS", func(r []byte) [][]byte {
			return [][]byte{binding(t, r, &stun.MappedAddress{IP: net.IPv4(10, 0, 0, 7), Port: 1}, xorMapped("45.67.89.10"), stun.NewSoftware("x"))}
		}, "", false},
		{"a forged datagram, then the address", func(r []byte) [][]byte {
			return [][]byte{binding(t, r, other, xorMapped("45.67.89.99")), []byte("noise"), r, binding(t, r, xorMapped("45.67.89.10"))}
		}, "", false},
		{"a forged datagram alone", func(r []byte) [][]byte { return [][]byte{binding(t, r, other, xorMapped("45.67.89.99"))} }, "answers that fit no question of ours came (", true},
		{"MAPPED-ADDRESS alone", func(r []byte) [][]byte {
			return [][]byte{binding(t, r, &stun.MappedAddress{IP: net.IPv4(45, 67, 89, 10), Port: 1})}
		}, "without XOR-MAPPED-ADDRESS", false},
		{"an error", func(r []byte) [][]byte { return [][]byte{binding(t, r, stun.BindingError, stun.CodeUnauthorized)} }, "code 401", false},
		{"an error without a code", func(r []byte) [][]byte { return [][]byte{binding(t, r, stun.BindingError)} }, "no Binding success", false},
		{"the other family", func(r []byte) [][]byte { return [][]byte{binding(t, r, xorMapped("2a01:4f8::1"))} }, "an ipv6 address", false},
		{"its own address", func(r []byte) [][]byte { return [][]byte{binding(t, r, xorMapped("127.0.0.1"))} }, "its own address", false},
		{"silence", func([]byte) [][]byte { return nil }, "deadline exceeded", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := stunServer{address: udpServer(t, c.answers)}
			t.Parallel()
			wait := time.Minute
			if c.unanswered {
				wait = 2 * time.Second // long enough for what comes at once, on a busy machine too
			}
			got, err := server.ask(within(t, wait), loopback{}, ddns.IPv4)
			if c.says != "" {
				wantError(t, got, err, c.says)
			} else if got != home4 {
				t.Errorf("got %v, %v; want %s", got, err, home4)
			}
		})
	}
}

func TestSTUNAsksFromAFreshPortEachTime(t *testing.T) {
	ports := map[int]bool{}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 3 {
		ctx, enough := context.WithCancel(t.Context())
		var asking sync.WaitGroup
		asking.Go(func() { stunServer{address: conn.LocalAddr().String()}.ask(ctx, loopback{}, ddns.IPv4) })
		_, from, err := conn.ReadFromUDP(make([]byte, 100))
		enough()
		asking.Wait()
		if err != nil {
			t.Fatal(err)
		}
		ports[from.Port] = true
	}
	if len(ports) != 3 {
		t.Errorf("three questions came from %d ports", len(ports))
	}
}

func TestSTUNUnderstandsCoturn(t *testing.T) {
	free, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := free.LocalAddr().(*net.UDPAddr).Port
	free.Close()
	dir := t.TempDir()
	start(t, needs.Command(t, "turnserver", "-n", "--no-cli", "--no-tls", "--no-dtls", "--no-auth", "--stun-only", "--listening-ip=127.0.0.1",
		"--listening-port="+strconv.Itoa(port), "--simple-log", "--log-file="+dir+"/log", "--pidfile="+dir+"/pid"))

	server := stunServer{address: net.JoinHostPort("127.0.0.1", strconv.Itoa(port))}
	world := loopback{local: netipAddr("127.0.0.2")} // to tell us from the server
	eventually(t, func() error {
		got, err := server.ask(within(t, time.Second), world, ddns.IPv4)
		if err == nil && got != world.local {
			t.Fatalf("got %s, want %s", got, world.local)
		}
		return err
	})
}

func FuzzSTUN(f *testing.F) {
	request, err := stun.Build(stun.NewTransactionIDSetter([stun.TransactionIDSize]byte{9}), stun.BindingRequest)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(binding(f, request.Raw, xorMapped("45.67.89.10")))
	f.Add(binding(f, request.Raw, xorMapped("2a01:4f8::1"), stun.Fingerprint))
	f.Add(binding(f, request.Raw, stun.BindingError, stun.CodeUnauthorized))
	f.Add(request.Raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		mine := answersBinding(b, request.TransactionID)
		for _, family := range ddns.Families {
			address, err := parseBinding(b, family)
			if err != nil {
				if address.IsValid() {
					t.Fatalf("%x: both %s and %v", b, address, err)
				}
				continue
			}
			if ddns.FamilyOf(address) != family || b[0] != 1 || b[1] != 1 {
				t.Fatalf("%x: %s out of no Binding success", b, address)
			}
			if mine != (string(b[8:20]) == string(request.TransactionID[:])) {
				t.Fatalf("%x: belongs %t", b, mine)
			}
		}
	})
}
