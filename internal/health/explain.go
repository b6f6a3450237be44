package health

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// explain turns the error of a request into a class and one sentence. read is
// how much of the body had arrived.
func explain(ctx context.Context, err error, at phase, timeout time.Duration, read int64) (Failure, string) {
	if ctx.Err() != nil {
		return explainEnd(ctx, at, timeout, read)
	}
	if f, text := explainTLS(err, at); f != "" {
		return f, text
	}
	if f, text := explainNetwork(err, at, read); f != "" {
		return f, text
	}
	text := clean(err.Error())
	switch {
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "response header list"):
		return FailProtocol, fmt.Sprintf("the answer's header is larger than %d KiB", maxHeader>>10)
	case strings.Contains(text, "malformed"), strings.Contains(text, "bad Content-Length"), strings.Contains(text, "unsupported transfer encoding"):
		return FailProtocol, "the answer is not HTTP: " + text
	}
	return FailConnection, text
}

func explainEnd(ctx context.Context, at phase, timeout time.Duration, read int64) (Failure, string) {
	during := at.String()
	if at == phaseTransfer && read > 0 {
		during += fmt.Sprintf(" (%d bytes so far)", read)
	}
	switch {
	case errors.Is(context.Cause(ctx), errProbeTime):
		return FailTimeout, fmt.Sprintf("timed out after %s while %s", timeout, during)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return FailTimeout, "ran out of time while " + during
	}
	return FailInterrupted, "interrupted while " + during
}

func explainTLS(err error, at phase) (Failure, string) {
	var (
		verify  *tls.CertificateVerificationError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		unknown x509.UnknownAuthorityError
		record  tls.RecordHeaderError
		alert   tls.AlertError
	)
	switch {
	case errors.As(err, &host):
		return FailTLS, fmt.Sprintf("the certificate is not for %s but for %s", host.Host, certNames(host.Certificate))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return FailTLS, clean("the certificate has expired or is not valid yet: " + invalid.Detail)
	case errors.As(err, &unknown):
		return FailTLS, "the certificate is signed by an unknown authority"
	case errors.As(err, &verify):
		return FailTLS, "the certificate is not valid: " + clean(verify.Err.Error())
	case errors.As(err, &record):
		return FailTLS, "the port does not speak TLS"
	case errors.As(err, &alert):
		return FailTLS, "the server refused the TLS handshake: " + clean(alert.Error())
	case at == phaseTLS && isClosed(err):
		return FailTLS, "the connection was closed in the TLS handshake"
	case at == phaseTLS:
		return FailTLS, "the TLS handshake failed: " + clean(err.Error())
	}
	return "", ""
}

func explainNetwork(err error, at phase, read int64) (Failure, string) {
	var (
		dns    *net.DNSError
		family *familyError
		op     *net.OpError
	)
	switch {
	case errors.As(err, &family):
		return FailNoHost, family.Error()
	case errors.As(err, &dns) && dns.IsNotFound:
		return FailNoHost, "no such host: " + clean(dns.Name)
	case errors.As(err, &dns):
		return FailDNS, fmt.Sprintf("the name %s could not be looked up: %s", clean(dns.Name), clean(dns.Err))
	case isErrno(err, syscall.ECONNREFUSED, 10061):
		if errors.As(err, &op) && op.Addr != nil {
			return FailRefused, "connection refused by " + op.Addr.String()
		}
		return FailRefused, "connection refused"
	case isErrno(err, syscall.EHOSTUNREACH, 10065), isErrno(err, syscall.ENETUNREACH, 10051):
		return FailConnection, "no route to the host"
	case isClosed(err) && at == phaseTransfer && read > 0:
		return FailConnection, fmt.Sprintf("the connection was closed in the middle of the body (%d bytes)", read)
	case isClosed(err):
		return FailConnection, "the connection was closed without an answer"
	}
	return "", ""
}

func certNames(c *x509.Certificate) string {
	switch {
	case c == nil:
		return "another name"
	case len(c.DNSNames) > 0:
		return clean(strings.Join(c.DNSNames, ", "))
	case len(c.IPAddresses) > 0:
		return clean(fmt.Sprint(c.IPAddresses))
	}
	return "no name at all"
}

func isClosed(err error) bool {
	// net/http has no name for the error of a server that was quicker to close than it to ask.
	return strings.Contains(err.Error(), "server closed idle connection") || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		isErrno(err, syscall.ECONNRESET, 10054) || isErrno(err, syscall.EPIPE, 10053)
}

// isErrno compares with a Unix error and with its Winsock number, which
// package syscall does not map.
func isErrno(err error, unix, winsock syscall.Errno) bool {
	var no syscall.Errno
	return errors.As(err, &no) && (no == unix || no == winsock)
}
