package cfclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"syscall"
	"time"

	"github.com/cfddns/cfddns/ddns"
)

// noAnswer sorts an exchange that ended without a whole answer. A write that
// certainly never left is as harmless as a reading.
func (c *Client) noAnswer(q question, x *exchange, err error) *ddns.Error {
	e := &ddns.Error{Kind: ddns.Unreachable, Op: q.op}
	if x.sent.Load() {
		e.Kind = silence(q)
	}
	if x.answer != nil {
		e.Status = x.answer.StatusCode
	}
	e.Hint, e.Err = explain(err)
	e.Err = c.scrub(e.Err)
	if lost := x.conn.Load().lostError(); lost != nil {
		e.Hint, e.Err = "", lost
	} else if errors.Is(err, context.DeadlineExceeded) {
		x.silent()
		e.Err = fmt.Errorf("%s within %v: %w", stage(x), time.Since(x.started).Round(time.Millisecond), context.DeadlineExceeded)
	}
	return e
}

// stage says how far an exchange came.
func stage(x *exchange) string {
	switch {
	case x.answer != nil:
		return "the answer did not end"
	case x.sent.Load():
		return "sent, and no answer"
	default:
		return "no connection"
	}
}

// explain says which of the many ways a connection failed, and what a person
// can do. The URL is taken out of the error: the operation is named already.
func explain(err error) (hint string, explained error) {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if text, hint := explainTLS(err); text != "" {
		return hint, fmt.Errorf("%s: %w", text, err)
	}
	var noHost *net.DNSError
	switch {
	case errors.As(err, &noHost) && noHost.IsNotFound:
		return "the system's resolver does not know the name: check the address, and any DNS filter in between", fmt.Errorf("no such host: %w", err)
	case errors.As(err, &noHost):
		return "check the system's resolver", fmt.Errorf("the name could not be resolved: %w", err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nothing listens there, or a firewall forbids the way out", fmt.Errorf("connection refused: %w", err)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "the line is down, or this machine lacks that family of addresses", fmt.Errorf("no route: %w", err)
	case errors.Is(err, errSilent):
		return "something on the line drops the greeting: check the MTU, and any firewall in between", err
	case errors.Is(err, context.Canceled):
		return "", fmt.Errorf("given up: %w", err)
	case errors.Is(err, errTooMuch):
		return hintTheirs, err
	case isTimeout(err):
		return "the line is down or very slow", fmt.Errorf("timeout: %w", err)
	}
	return "", fmt.Errorf("the connection broke: %w", err)
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// explainTLS knows the ways in which a server fails to prove who it is.
func explainTLS(err error) (text, hint string) {
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the server's certificate is expired or not yet valid", "check the clock of this machine (`date`); if it is right, something on the way intercepts TLS"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "the server's certificate is not trusted", "a proxy or virus scanner intercepts TLS (give its authority as tls_roots), or the package ca-certificates is missing"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the server's certificate is for another name", "something else answers in its place: a captive portal, a proxy, a DNS filter"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return "the server's certificate is not valid", "something on the way may intercept TLS"
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "the server does not speak TLS", "something else answers in its place: a captive portal, a proxy, a wrong port"
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return "the server ended the TLS handshake", ""
	}
	return "", ""
}
