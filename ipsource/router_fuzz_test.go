package ipsource

import (
	"net/netip"
	"net/url"
	"testing"
)

func FuzzNATPMP(f *testing.F) {
	f.Add(pmp(0, "45.67.89.10"))
	f.Add(pmp(3, "0.0.0.0"))
	f.Add(append([]byte{2, 128, 0, 1}, make([]byte, 20)...))
	f.Fuzz(func(t *testing.T, b []byte) { wantWAN(t, b)(parsePMP(b)) })
}

func FuzzSOAP(f *testing.F) {
	f.Add([]byte(soapAnswer("45.67.89.10")))
	f.Add([]byte(soapAnswer("")))
	f.Add([]byte("<!DOCTYPE a><a>&b;</a>"))
	f.Fuzz(func(t *testing.T, b []byte) { wantWAN(t, b)(parseExternalAddress(b)) })
}

// wantWAN fails if an answer gave an address that no line has.
func wantWAN(t *testing.T, b []byte) func(netip.Addr, error) {
	return func(a netip.Addr, err error) {
		if err == nil && (!a.Is4() || a.IsUnspecified() || a.IsLoopback() || a.IsMulticast()) || err != nil && a.IsValid() {
			t.Fatalf("%q: %v, %v", b, a, err)
		}
	}
}

func FuzzDescription(f *testing.F) {
	location, _ := url.Parse("http://192.168.1.1:5000/rootDesc.xml")
	f.Add([]byte(description("WANIPConnection:1 /a", "WANPPPConnection:1 http://192.168.1.1:5000/b")))
	f.Add([]byte(description("WANIPConnection:1 //elsewhere/")))
	f.Fuzz(func(t *testing.T, b []byte) {
		services, err := parseDescription(b, location)
		for _, s := range services {
			if s.control.Host != location.Host || s.control.Scheme != "http" {
				t.Fatalf("%q leads to %s", b, s.control)
			}
		}
		if err == nil && len(services) == 0 {
			t.Fatalf("%q: neither services nor an error", b)
		}
	})
}

func FuzzSearchAnswer(f *testing.F) {
	f.Add([]byte("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1:5000/rootDesc.xml\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\nLOCATION: http://192.168.1.1@evil/\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if u, err := parseSearchAnswer(b, gateway4); err == nil && (u.Hostname() != "192.168.1.1" || u.Scheme != "http") {
			t.Fatalf("%q leads to %s", b, u)
		}
	})
}
