package health

import "time"

// State is the verdict on an answer, in the words of health+json.
type State string

// The states. Warn counts as healthy.
const (
	Pass State = "pass"
	Warn State = "warn"
	Fail State = "fail"
)

// Failure classifies why a probe failed, for decisions and for reports.
type Failure string

// The failures, in the order in which a probe can meet them.
const (
	FailCheck       Failure = "invalid_check"
	FailDNS         Failure = "dns"         // the resolver did not answer
	FailNoHost      Failure = "no_host"     // the name, or an address of the wanted family, does not exist
	FailRefused     Failure = "refused"     // nothing listens
	FailConnection  Failure = "connection"  // no route, reset, closed early
	FailTLS         Failure = "tls"         // handshake or certificate
	FailProtocol    Failure = "protocol"    // not HTTP, or beyond its bounds
	FailRedirect    Failure = "redirect"    // too many, or to a place that cannot be followed
	FailTimeout     Failure = "timeout"     // the check's time, or the budget, was over
	FailInterrupted Failure = "interrupted" // the caller's context ended
	FailStatus      Failure = "status"
	FailBody        Failure = "body" // the health body says fail, or a text is missing
	FailJSON        Failure = "json"
	FailRelease     Failure = "release"
	FailLatency     Failure = "latency"
	FailCertificate Failure = "certificate" // valid, but not for long enough
)

// Problem is one reason for a Fail or Warn.
type Problem struct {
	Failure Failure
	State   State // Fail or Warn
	Text    string
}

// Result is what one probe saw.
type Result struct {
	Name     string
	URL      string // as asked for, without user information and query values
	At       time.Time
	State    State
	Problems []Problem // failures first; empty when State is Pass

	Status      int    // HTTP status of the last answer, 0 when there was none
	HTTPVersion string // for example "HTTP/1.1"
	Remote      string // IP:port that was connected to
	Phases      Phases // of the last request
	Total       time.Duration
	Hops        []Hop // redirects before the last request
	TLS         *TLSInfo
	Body        *Body // nil when the body is not one of the health formats
	Bytes       int64 // of the body that were read
	Truncated   bool  // the body went on beyond the limit of 1 MiB
}

// Healthy says whether the answer is good enough: Pass or Warn.
func (r Result) Healthy() bool { return r.State == Pass || r.State == Warn }

// Reason is the first problem's text, or "".
func (r Result) Reason() string {
	if len(r.Problems) == 0 {
		return ""
	}
	return r.Problems[0].Text
}

// Failure is the first problem's class, or "".
func (r Result) Failure() Failure {
	if len(r.Problems) == 0 {
		return ""
	}
	return r.Problems[0].Failure
}

// Hop is a redirect.
type Hop struct {
	URL    string // that was asked
	Status int
	To     string // where it points
	Phases Phases
}

// Phases are the parts of one request. A phase that was not reached is 0; the
// one in which a request failed holds the time until then.
type Phases struct {
	DNS       time.Duration
	Connect   time.Duration
	TLS       time.Duration
	FirstByte time.Duration // from the connection being ready to the answer's first byte
	Transfer  time.Duration // the rest of the answer
}

// Sum is the duration of the request.
func (p Phases) Sum() time.Duration {
	return p.DNS + p.Connect + p.TLS + p.FirstByte + p.Transfer
}

// add records a problem and lets the state follow.
func (r *Result) add(state State, f Failure, text string) {
	p := Problem{Failure: f, State: state, Text: text}
	if state == Fail {
		// Failures stay in front of warnings, each in the order found.
		n := 0
		for n < len(r.Problems) && r.Problems[n].State == Fail {
			n++
		}
		r.Problems = append(r.Problems[:n], append([]Problem{p}, r.Problems[n:]...)...)
		r.State = Fail
		return
	}
	r.Problems = append(r.Problems, p)
	if r.State != Fail {
		r.State = Warn
	}
}
