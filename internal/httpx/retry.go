package httpx

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"
)

// Transport is an http.RoundTripper that repeats failed attempts.
//
// What is repeated: requests that may safely be sent twice (GET, HEAD,
// OPTIONS, TRACE, PUT, DELETE, those with an Idempotency-Key header and those
// marked by WithRetryable) on network errors and on 408, 425, 429, 500, 502,
// 503 and 504; all others only when the server cannot have acted on them: on
// 425, on 429, on 503 with Retry-After, and on errors before anything was sent.
//
// When it gives up on a status, the last answer is returned untouched.
type Transport struct{ o Options }

type ctxKey int

const (
	retryableKey ctxKey = iota
	noRetryKey
)

// WithRetryable marks requests of this context as safe to send twice,
// whatever their method is.
func WithRetryable(ctx context.Context) context.Context {
	return context.WithValue(ctx, retryableKey, true)
}

// WithoutRetry makes requests of this context single attempts.
func WithoutRetry(ctx context.Context) context.Context {
	return context.WithValue(ctx, noRetryKey, true)
}

// RoundTrip implements http.RoundTripper.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	req, canRepeat, err := prepare(req, t.o.UserAgent)
	if err != nil {
		return nil, err
	}
	safe := safeToRepeat(req)
	start := t.o.Now()
	for attempt := 1; ; attempt++ {
		resp, sent, err := t.attempt(req, attempt)
		again := canRepeat && attempt < t.o.MaxAttempts && shouldRetry(req, resp, err, safe, sent)
		if !again {
			return resp, err
		}
		wait, asked := t.wait(resp, attempt)
		if !t.fits(req.Context(), start, wait) {
			return resp, err
		}
		t.reportRetry(req, resp, err, attempt, wait, asked)
		what := describe(resp, err)
		discard(resp)
		if serr := t.o.Sleep(req.Context(), wait); serr != nil {
			return nil, fmt.Errorf("%s; stopped while waiting to try again: %w", what, serr)
		}
		if req, err = rewind(req); err != nil {
			return nil, err
		}
	}
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the pool.
func (t *Transport) CloseIdleConnections() {
	if c, ok := t.o.Base.(interface{ CloseIdleConnections() }); ok {
		c.CloseIdleConnections()
	}
}

// progress says how far an attempt got.
type progress struct {
	started bool // a connection was asked for; false means the request itself is wrong
	wrote   bool // some of the request may have reached the server
}

func (t *Transport) attempt(req *http.Request, n int) (*http.Response, progress, error) {
	var started, wrote atomic.Bool
	trace := &httptrace.ClientTrace{
		GetConn:      func(string) { started.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Store(true) },
	}
	begin := t.o.Now()
	resp, err := t.o.Base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if t.o.OnExchange != nil {
		x := Exchange{Attempt: n, Method: req.Method, URL: RedactURL(req.URL), Err: err, Duration: t.o.Now().Sub(begin)}
		if resp != nil {
			x.Status, x.RequestID = resp.StatusCode, RequestID(resp.Header)
		}
		t.o.OnExchange(x)
	}
	if resp != nil {
		// The trace belongs to this attempt; callers see the request they made.
		resp.Request = req
	}
	return resp, progress{started.Load(), wrote.Load()}, err
}

func (t *Transport) reportRetry(req *http.Request, resp *http.Response, err error, attempt int, wait time.Duration, asked bool) {
	if t.o.OnRetry == nil {
		return
	}
	ev := Retry{Attempt: attempt, Method: req.Method, URL: RedactURL(req.URL), Err: err, Wait: wait, Asked: asked}
	if resp != nil {
		ev.Status, ev.RequestID = resp.StatusCode, RequestID(resp.Header)
	}
	t.o.OnRetry(ev)
}

// fits says whether a further attempt after wait is inside both budgets. When
// the caller's deadline comes first, the answer at hand tells more than a
// "deadline exceeded" later would.
func (t *Transport) fits(ctx context.Context, start time.Time, wait time.Duration) bool {
	wake := t.o.Now().Add(wait)
	if wake.Sub(start) > t.o.MaxElapsed {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || wake.Before(deadline)
}

func shouldRetry(req *http.Request, resp *http.Response, err error, safe bool, p progress) bool {
	if req.Context().Err() != nil || req.Context().Value(noRetryKey) != nil {
		return false
	}
	if err != nil {
		return p.started && !permanent(err) && (safe || !p.wrote)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusTooEarly:
		return true // refused before it was acted on
	case http.StatusServiceUnavailable:
		return safe || resp.Header.Get("Retry-After") != ""
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return safe
	default:
		return false
	}
}

// permanent says whether a network error will be the same next time: an
// untrusted certificate, no TLS on the port, a name that does not exist.
func permanent(err error) bool {
	var (
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
		alert  tls.AlertError
		dns    *net.DNSError
	)
	switch {
	case errors.As(err, &cert), errors.As(err, &record), errors.As(err, &alert):
		return true
	case errors.As(err, &dns):
		return dns.IsNotFound
	}
	return false
}

func safeToRepeat(req *http.Request) bool {
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return req.Context().Value(retryableKey) != nil || req.Header.Get("Idempotency-Key") != ""
}

// prepare copies the request, adds the user agent and makes the body
// repeatable where it can. It reports whether the request can be sent twice.
func prepare(req *http.Request, agent string) (*http.Request, bool, error) {
	r := req.Clone(req.Context())
	if agent != "" && r.Header.Get("User-Agent") == "" {
		r.Header.Set("User-Agent", agent)
	}
	if r.Body == nil || r.Body == http.NoBody || r.GetBody != nil {
		return r, true, nil
	}
	if r.ContentLength <= 0 || r.ContentLength > maxBuffered {
		return r, false, nil // a stream: it can be sent only once
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, maxBuffered+1))
	cerr := r.Body.Close()
	if err = errors.Join(err, cerr); err != nil {
		return nil, false, fmt.Errorf("read the request body: %w", err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
	r.Body, err = r.GetBody()
	return r, true, err
}

// rewind copies the request with a fresh body.
func rewind(req *http.Request) (*http.Request, error) {
	r := req.Clone(req.Context())
	if r.GetBody == nil {
		return r, nil
	}
	body, err := r.GetBody()
	if err != nil {
		return nil, fmt.Errorf("repeat the request body: %w", err)
	}
	r.Body = body
	return r, nil
}

func describe(resp *http.Response, err error) string {
	if err != nil {
		return err.Error()
	}
	return "the server answered " + resp.Status
}

// discard reads a little of the body, so that the connection can be used
// again, and closes it.
func discard(resp *http.Response) {
	if resp == nil {
		return
	}
	_, _ = io.CopyN(io.Discard, resp.Body, 64<<10) // best effort: the answer is being dropped
	_ = resp.Body.Close()
}
