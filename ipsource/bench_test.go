package ipsource

import (
	"testing"

	"github.com/cfddns/cfddns/ddns"
	"github.com/miekg/dns"
	"github.com/pion/stun/v3"
)

// What a source answers is read once in a round, on a small machine.
func BenchmarkAnswers(b *testing.B) {
	request, err := stun.Build(stun.NewTransactionIDSetter([stun.TransactionIDSize]byte{9}), stun.BindingRequest)
	if err != nil {
		b.Fatal(err)
	}
	bound := binding(b, request.Raw, xorMapped("45.67.89.10"), stun.Fingerprint)
	w := googleWhoami()
	asked := &dns.Msg{MsgHdr: dns.MsgHdr{Id: 4711}, Question: []dns.Question{{Name: w.name, Qtype: w.qtype, Qclass: w.class}}}
	packet, err := reply(asked, `TXT "45.67.89.10"`).Pack()
	if err != nil {
		b.Fatal(err)
	}
	trace, mapped, soap := []byte(traceOf("example.com", "45.67.89.10")), pmp(0, "45.67.89.10"), []byte(soapAnswer("45.67.89.10"))
	for _, c := range []struct {
		name string
		read func() error
	}{
		{"an address in plain text", func() error { _, err := parseEcho([]byte("45.67.89.10\n"), ddns.IPv4); return err }},
		{"a trace of Cloudflare's", func() error { _, err := parseTrace(trace, "example.com", ddns.IPv4); return err }},
		{"STUN", func() error { _, err := parseBinding(bound, ddns.IPv4); return err }},
		{"DNS", func() error { _, err := parseWhoami(packet, asked, true, ddns.IPv4); return err }},
		{"NAT-PMP", func() error { _, err := parsePMP(mapped); return err }},
		{"UPnP", func() error { _, err := parseExternalAddress(soap); return err }},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := c.read(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
