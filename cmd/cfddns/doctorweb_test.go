package main

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
)

// oneServer is a world in which everything is at one address of loopback.
type oneServer struct {
	to    string
	roots *x509.CertPool
}

func (w oneServer) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	return new(net.Dialer).DialContext(ctx, "tcp", w.to)
}
func (w oneServer) From(netip.Addr) ddns.World { return w }
func (w oneServer) Roots() *x509.CertPool      { return w.roots }

func TestWhatTheOriginAnswersDirectly(t *testing.T) {
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	secure := httptest.NewTLSServer(hello)
	t.Cleanup(secure.Close)
	plain := httptest.NewServer(hello)
	t.Cleanup(plain.Close)
	ended := make(chan struct{})
	hanging := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-ended }))
	t.Cleanup(func() { close(ended); hanging.Close() })
	trusted := x509.NewCertPool()
	trusted.AddCert(secure.Certificate())
	closed, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	tests := []struct {
		name string
		to   string
		page string
		root *x509.CertPool
		want doctor.Direct
	}{
		{"a good certificate", secure.Listener.Addr().String(), "https://example.com/", trusted, doctor.Direct{Status: 418, Named: true}},
		{"a certificate of nobody", secure.Listener.Addr().String(), "https://example.com/", x509.NewCertPool(), doctor.Direct{Status: 418, Certificate: doctor.SelfSigned, Named: true}},
		{"a certificate for another name", secure.Listener.Addr().String(), "https://www.example.net/", trusted, doctor.Direct{Status: 418, Certificate: doctor.OtherName}},
		{"a certificate of nobody for another name", secure.Listener.Addr().String(), "https://www.example.net/", x509.NewCertPool(), doctor.Direct{Status: 418, Certificate: doctor.OtherName}},
		{"nobody listens", closed.Addr().String(), "https://example.com/", trusted, doctor.Direct{Trouble: doctor.Refused}},
		{"no TLS", plain.Listener.Addr().String(), "https://example.com/", trusted, doctor.Direct{Trouble: doctor.BadTLS}},
		{"plain HTTP", plain.Listener.Addr().String(), "http://example.com/", trusted, doctor.Direct{Status: 418}},
		{"it takes the connection and does not answer", hanging.Listener.Addr().String(), "https://example.com/", trusted, doctor.Direct{Trouble: doctor.Waits}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			patience := time.Minute
			if tt.want.Trouble == doctor.Waits {
				patience = 2 * time.Second // that it takes the connection takes less, on a busy machine too
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			got, err := web{world: oneServer{tt.to, tt.root}}.Direct(ctx, tt.page, netip.MustParseAddr("45.67.89.10"))
			got.At, got.Why = netip.AddrPort{}, ""
			if err != nil || got != tt.want {
				t.Errorf("%+v, %v, want %+v", got, err, tt.want)
			}
		})
	}
}
