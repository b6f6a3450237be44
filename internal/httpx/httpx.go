// Package httpx makes the HTTP client that opsctl uses for every API: with
// timeouts, retries that honour what the server asks for, a user agent, and a
// tracing hook that cannot leak credentials.
//
// Probing (package health) deliberately does not use it: a probe must show
// the first answer, not the third.
package httpx

import (
	"context"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// The defaults of Options.
const (
	DefaultMaxAttempts   = 5
	DefaultMaxElapsed    = 2 * time.Minute
	DefaultHeaderTimeout = 90 * time.Second // Fly's machine wait call blocks for up to 60 s
	DefaultMinBackoff    = 250 * time.Millisecond
	DefaultMaxBackoff    = 10 * time.Second

	dialTimeout  = 10 * time.Second
	maxRedirects = 10
	// maxBuffered bounds the request bodies that are kept in memory so that
	// they can be sent again.
	maxBuffered = 1 << 20
)

// Options configures New and NewTransport. The zero value is usable.
type Options struct {
	UserAgent     string        // sent when a request has none, for example "opsctl/1.6.0"
	MaxAttempts   int           // including the first; 1 turns retries off; 0 means DefaultMaxAttempts
	MaxElapsed    time.Duration // no new attempt starts later than this after the first; 0 means DefaultMaxElapsed
	HeaderTimeout time.Duration // from the request being sent to the first byte of the answer; 0 means DefaultHeaderTimeout
	MinBackoff    time.Duration // the first wait when the server names none; doubles each time
	MaxBackoff    time.Duration // the longest wait of opsctl's own choosing

	// Base sends one attempt; nil means a pooled *http.Transport.
	// HeaderTimeout applies only to that default.
	Base http.RoundTripper

	OnRetry    func(Retry)    // called before each wait; may be nil
	OnExchange func(Exchange) // called after each attempt; may be nil

	Now   func() time.Time                                 // nil means time.Now
	Sleep func(ctx context.Context, d time.Duration) error // nil sleeps for real; returns the context's error when it ends first
	Rand  func() float64                                   // in [0,1); nil means math/rand
}

// Retry describes an attempt that failed and will be repeated.
type Retry struct {
	Attempt   int    // the attempt that failed; the first is 1
	Method    string //
	URL       string // redacted
	Status    int    // 0 when Err is set
	Err       error  // what went wrong when there was no answer
	Wait      time.Duration
	Asked     bool   // the server named the wait (Retry-After or a rate-limit header)
	RequestID string // the server's id of the failed request, if it sent one
}

// Exchange describes one attempt, without credentials, cookies or bodies.
type Exchange struct {
	Attempt   int
	Method    string
	URL       string // redacted
	Status    int    // 0 when Err is set
	Err       error
	Duration  time.Duration // until the answer's headers
	RequestID string
}

// New returns a client on top of NewTransport. It follows up to ten redirects
// but never one from https to http. It sets no overall timeout, since answers
// may stream: bound calls by their context.
func New(o Options) *http.Client {
	return &http.Client{Transport: NewTransport(o), CheckRedirect: checkRedirect}
}

// NewTransport returns the retrying transport, for libraries that build their
// own client around one.
func NewTransport(o Options) *Transport {
	if o.MaxAttempts == 0 {
		o.MaxAttempts = DefaultMaxAttempts
	}
	o.MaxElapsed = orDefault(o.MaxElapsed, DefaultMaxElapsed)
	o.HeaderTimeout = orDefault(o.HeaderTimeout, DefaultHeaderTimeout)
	o.MinBackoff = orDefault(o.MinBackoff, DefaultMinBackoff)
	o.MaxBackoff = orDefault(o.MaxBackoff, DefaultMaxBackoff)
	if o.Base == nil {
		o.Base = baseTransport(o.HeaderTimeout)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Sleep == nil {
		o.Sleep = sleep
	}
	if o.Rand == nil {
		o.Rand = rand.Float64
	}
	return &Transport{o: o}
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

func baseTransport(headerTimeout time.Duration) *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConns:          50,
		MaxIdleConnsPerHost:   8,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   dialTimeout,
		ExpectContinueTimeout: time.Second,
		ResponseHeaderTimeout: headerTimeout,
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
		return nil
	}
}

func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return errs.New(errs.Failure, "stopped after %d redirects", maxRedirects)
	}
	if prev := via[len(via)-1].URL; prev.Scheme == "https" && req.URL.Scheme != "https" {
		return errs.New(errs.Failure, "refused the redirect from https to %s://%s", req.URL.Scheme, req.URL.Host).
			WithHint("set the base URL to the address that answers without a redirect")
	}
	return nil
}

// CodeOf is the error class of an HTTP status that an API answered with:
// 401 and 403 are Auth, 404 and 410 NotFound, 409, 412 and 423 Conflict, 408
// and 504 Timeout, everything else Failure.
func CodeOf(status int) errs.Code {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return errs.Auth
	case http.StatusNotFound, http.StatusGone:
		return errs.NotFound
	case http.StatusConflict, http.StatusPreconditionFailed, http.StatusLocked:
		return errs.Conflict
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return errs.Timeout
	default:
		return errs.Failure
	}
}

// requestIDs are the headers in which the platforms, Sentry, S3 and the
// proxies in front of them name a request; the most specific first.
var requestIDs = []string{"Fly-Request-Id", "X-Request-Id", "Request-Id", "X-Railway-Request-Id", "Rndr-Id", "X-Amz-Request-Id", "Cf-Ray"}

// RequestID is the server's id of the request, or "" when it sent none.
func RequestID(h http.Header) string {
	for _, name := range requestIDs {
		if v := h.Get(name); v != "" {
			return v
		}
	}
	return ""
}

// RedactError returns err with the address in a *url.Error, which net/http
// puts there in clear, redacted. Other errors are returned as they are.
func RedactError(err error) error {
	ue, ok := err.(*url.Error) //nolint:errorlint // only the outermost one can be replaced
	if !ok {
		return err
	}
	u, perr := url.Parse(ue.URL)
	if perr != nil {
		return &url.Error{Op: ue.Op, URL: "***", Err: ue.Err}
	}
	return &url.Error{Op: ue.Op, URL: RedactURL(u), Err: ue.Err}
}
