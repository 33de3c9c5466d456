package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/cfddns/cfddns/ddns"
	"github.com/cfddns/cfddns/ddns/doctor"
)

// web asks web servers for the doctor: the edge, and the origin without it.
type web struct {
	edge
	world ddns.World
}

// Direct implements doctor.Web: it asks the server at an address, with the name
// of the URL, and says what is wrong with its certificate. What comes is only
// counted, never believed: a server whose certificate is refused is asked
// again without that check, to see whether it is there at all.
func (w web) Direct(ctx context.Context, page string, at netip.Addr) (doctor.Direct, error) {
	to := netip.AddrPortFrom(at, portOf(page))
	d := doctor.Direct{At: to}
	var err error
	d.Status, d.Named, err = w.get(ctx, page, to, false)
	if d.Certificate = certificateTrouble(err); d.Certificate != doctor.Good {
		d.Status, d.Named, err = w.get(ctx, page, to, true)
	}
	switch {
	case errors.Is(err, errStays):
		return doctor.Direct{}, err
	case err != nil:
		d.Trouble, d.Why = troubleOfDial(err), err.Error()
	}
	return d, nil
}

// get asks once, over a connection of its own; named is true if the server's
// certificate is for the host of the URL.
func (w web) get(ctx context.Context, page string, to netip.AddrPort, unchecked bool) (status int, named bool, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, page, nil)
	if err != nil {
		return 0, false, err
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", userAgent())
	var connected atomic.Bool
	transport := &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{RootCAs: w.world.Roots(), MinVersion: tls.VersionTLS12, InsecureSkipVerify: unchecked},
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			conn, err := w.world.Dial(ctx, ddns.FamilyOf(to.Addr()).Network("tcp"), to.String())
			connected.Store(err == nil)
			return conn, err
		},
	}
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		if connected.Load() {
			err = &afterConnect{err}
		}
		return 0, false, err
	}
	defer response.Body.Close()
	_, _ = io.CopyN(io.Discard, response.Body, 4<<10)
	if state := response.TLS; state != nil && len(state.PeerCertificates) > 0 {
		named = state.PeerCertificates[0].VerifyHostname(request.URL.Hostname()) == nil
	}
	return response.StatusCode, named, nil
}

// afterConnect is an error of a server that took the connection.
type afterConnect struct{ err error }

// Error implements error.
func (e *afterConnect) Error() string { return e.err.Error() }

// Unwrap returns the cause.
func (e *afterConnect) Unwrap() error { return e.err }

// certificateTrouble says what is wrong with the certificate that an error is about.
func certificateTrouble(err error) doctor.Certificate {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return doctor.Expired
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return doctor.OtherName
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return doctor.SelfSigned
	}
	return doctor.Good
}

// troubleOfDial sorts why there was no answer.
func troubleOfDial(err error) doctor.Trouble {
	_, connected := errors.AsType[*afterConnect](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return doctor.Refused
	case connected && (noTLS || alert):
		return doctor.BadTLS
	case connected && errors.Is(err, context.DeadlineExceeded):
		return doctor.Waits
	case connected:
		return doctor.Broken
	default:
		return doctor.Silent
	}
}
