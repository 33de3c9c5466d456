package ddns

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// Handshake makes an open connection one by TLS, on which the host has proved
// who it is. If it does not, the connection is closed, and the error is a
// *HandshakeError that says where it leads.
func Handshake(ctx context.Context, conn net.Conn, config *tls.Config) (*tls.Conn, error) {
	secure := tls.Client(conn, config)
	err := secure.HandshakeContext(ctx)
	if err == nil {
		return secure, nil
	}
	e := &HandshakeError{Host: config.ServerName, Err: err}
	if at, parseErr := netip.ParseAddrPort(conn.RemoteAddr().String()); parseErr == nil {
		e.At = at.Addr().Unmap()
	}
	_ = conn.Close() // the handshake has failed
	return nil, e
}

// HandshakeError says that a host did not prove who it is, and at which address:
// a resolver may have led to somebody else.
type HandshakeError struct {
	Host string
	At   netip.Addr // zero if it is not known
	Err  error
}

// Error implements error.
func (e *HandshakeError) Error() string { return e.where() + ": " + e.Err.Error() }

// where says who was asked at which address.
func (e *HandshakeError) where() string {
	is := NotPublic(e.At)
	switch {
	case !e.At.IsValid() || e.At.String() == e.Host:
		return e.Host
	case is != "":
		return fmt.Sprintf("%s resolves to %s, which is %s", e.Host, e.At, is)
	default:
		return fmt.Sprintf("%s at %s", e.Host, e.At)
	}
}

// Unwrap returns the cause.
func (e *HandshakeError) Unwrap() error { return e.Err }

// SomebodyElse reports whether an error says that another than the host answers
// at its address, or nobody does: its name may have been resolved wrongly.
func SomebodyElse(err error) bool {
	_, certificate := errors.AsType[*tls.CertificateVerificationError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	return certificate || noTLS || alert || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ENETUNREACH)
}
