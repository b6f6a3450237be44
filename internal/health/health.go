// Package health asks a running app how it is: one request to one address,
// measured by phase, judged against what is expected, with the health formats
// of the field understood (IETF health+json, Spring Boot, MicroProfile).
//
// It is the engine of `opsctl health` and the gate of a deploy. It tests what
// it is told to test: one address an attempt, no proxy, no connection reuse, no
// silent retry. Waiting for an app to become healthy is Prober.Wait.
package health

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// Defaults of Check, and the bounds that keep a hostile server from hurting.
const (
	DefaultTimeout      = 10 * time.Second
	DefaultMaxRedirects = 10

	maxBody   = 1 << 20  // bytes of the answer that are read
	maxHeader = 64 << 10 // bytes of header that are accepted
)

// Check is one thing to ask, and what a good answer is.
type Check struct {
	Name   string      // shown in reports; the URL when empty
	URL    string      // http or https
	Method string      // GET when empty
	Header http.Header // sent as given; Authorization and Cookie only to the first host
	Host   string      // Host header and TLS server name when they differ from the URL's
	// DialAddr is the host:port to connect to in place of the URL's, for
	// example one machine behind a router. Host header and TLS name stay.
	DialAddr     string
	Family       Family        // which of a name's addresses to use
	Timeout      time.Duration // for everything, redirects and body included; 0 means DefaultTimeout
	MaxRedirects int           // 0 means DefaultMaxRedirects, negative means none are followed
	Expect       Expect
}

// Expect is what makes an answer good. Empty parts are not asserted, except
// that the status must be 200-299 and a health body must not say "fail".
type Expect struct {
	Status       []StatusRange
	JSON         []JSONAssert
	BodyContains string        // looked for in the first MiB
	MaxLatency   time.Duration // for the whole probe
	// Release is the commit or version that must be the one that answers: the
	// body's releaseId or version. Of commit ids, 7 or more digits are enough.
	Release string
	TLSDays int // days that every certificate of the chain must still be valid
}

// Family selects an IP version.
type Family int

// The families.
const (
	AnyFamily Family = 0
	IPv4      Family = 4
	IPv6      Family = 6
)

// Resolver looks up the addresses of a name; *net.Resolver is one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Prober runs checks. The zero value works and is safe for concurrent use.
type Prober struct {
	UserAgent string           // "opsctl-health" when empty
	Resolver  Resolver         // the system's when nil
	RootCAs   *x509.CertPool   // the system's when nil
	Now       func() time.Time // for the moment of a probe and the days left of a certificate; time.Now when nil

	slots chan []byte // the buffers that the large bodies of ProbeAll share; nil means no bound
}

func (p *Prober) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

func (p *Prober) resolver() Resolver {
	if p.Resolver != nil {
		return p.Resolver
	}
	return net.DefaultResolver
}

// Validate says what is wrong with the check itself, as a usage error.
func (c Check) Validate() error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return errs.New(errs.Usage, "invalid URL %q", errs.Redact(c.URL)).WithHint("write it as https://host/path")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return errs.New(errs.Usage, "cannot probe %q: not an http or https URL", errs.Redact(c.URL)).
			WithHint("write it as https://host/path")
	}
	if c.DialAddr != "" {
		if _, _, err := net.SplitHostPort(c.DialAddr); err != nil {
			return errs.New(errs.Usage, "invalid dial address %q", c.DialAddr).WithHint("write it as host:port")
		}
	}
	if !slices.Contains([]Family{AnyFamily, IPv4, IPv6}, c.Family) {
		return errs.New(errs.Usage, "unknown IP family %d", c.Family).WithHint("use 4 or 6")
	}
	for _, a := range c.Expect.JSON {
		if _, err := ParsePath(a.Path); err != nil {
			return err
		}
	}
	return nil
}

func (c Check) name() string {
	if c.Name != "" {
		return c.Name
	}
	return shownURL(c.URL)
}

func (c Check) timeout() time.Duration {
	if c.Timeout > 0 {
		return c.Timeout
	}
	return DefaultTimeout
}

func (c Check) method() string {
	if c.Method != "" {
		return strings.ToUpper(c.Method)
	}
	return http.MethodGet
}

func (c Check) maxRedirects() int {
	if c.MaxRedirects == 0 {
		return DefaultMaxRedirects
	}
	return max(0, c.MaxRedirects)
}

// shownURL is the URL without its user information and query values: both
// may hold a token.
func shownURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return errs.Redact(raw)
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	return u.String()
}
