package health

import (
	"math"
	"time"
)

// Schema names the JSON form of Report. Members may be added within it.
const Schema = "opsctl.health/v1"

// Report is the JSON form of results. Durations are milliseconds, moments RFC 3339.
type Report struct {
	Schema  string         `json:"schema"`
	Healthy bool           `json:"healthy"`
	Results []ReportResult `json:"results"`
}

// ReportResult is the JSON form of a Result.
type ReportResult struct {
	Name        string          `json:"name"`
	URL         string          `json:"url"`
	At          time.Time       `json:"at"`
	State       State           `json:"state"`
	Reason      string          `json:"reason,omitempty"`
	Failure     Failure         `json:"failure,omitempty"`
	Problems    []ReportProblem `json:"problems,omitempty"`
	Status      int             `json:"status,omitempty"`
	HTTPVersion string          `json:"http_version,omitempty"`
	Remote      string          `json:"remote,omitempty"`
	DurationMS  float64         `json:"duration_ms"`
	PhasesMS    ReportPhases    `json:"phases_ms"`
	Redirects   []ReportHop     `json:"redirects,omitempty"`
	TLS         *ReportTLS      `json:"tls,omitempty"`
	Body        *ReportBody     `json:"body,omitempty"`
	Bytes       int64           `json:"bytes"`
	Truncated   bool            `json:"truncated,omitempty"`
	Wait        *ReportWait     `json:"wait,omitempty"`
}

// ReportProblem is the JSON form of a Problem.
type ReportProblem struct {
	State   State   `json:"state"`
	Failure Failure `json:"failure"`
	Text    string  `json:"text"`
}

// ReportPhases is the JSON form of Phases.
type ReportPhases struct {
	DNS       float64 `json:"dns"`
	Connect   float64 `json:"connect"`
	TLS       float64 `json:"tls"`
	FirstByte float64 `json:"first_byte"`
	Transfer  float64 `json:"transfer"`
}

// ReportHop is the JSON form of a Hop.
type ReportHop struct {
	URL        string  `json:"url"`
	Status     int     `json:"status"`
	To         string  `json:"to"`
	DurationMS float64 `json:"duration_ms"`
}

// ReportTLS is the JSON form of TLSInfo.
type ReportTLS struct {
	Version  string    `json:"version,omitempty"`
	Verified bool      `json:"verified"`
	Names    []string  `json:"names,omitempty"`
	Issuer   string    `json:"issuer"`
	Expires  time.Time `json:"expires"`
	Expiring string    `json:"expiring"`
	DaysLeft int       `json:"days_left"`
}

// ReportBody is the JSON form of Body.
type ReportBody struct {
	Dialect    Dialect           `json:"dialect"`
	Status     State             `json:"status"`
	Raw        string            `json:"raw"`
	Version    string            `json:"version,omitempty"`
	ReleaseID  string            `json:"release_id,omitempty"`
	Output     string            `json:"output,omitempty"`
	Components []ReportComponent `json:"components,omitempty"`
}

// ReportComponent is the JSON form of a Component.
type ReportComponent struct {
	Name   string `json:"name"`
	Status State  `json:"status,omitempty"`
	Output string `json:"output,omitempty"`
}

// ReportWait is the JSON form of what WaitResult adds to its last Result.
type ReportWait struct {
	Outcome   Outcome `json:"outcome"`
	Attempts  int     `json:"attempts"`
	InARow    int     `json:"in_a_row"`
	Needed    int     `json:"needed"`
	ElapsedMS float64 `json:"elapsed_ms"`
	Reason    string  `json:"reason,omitempty"`
}

// NewReport makes the report of ProbeAll's results.
func NewReport(results []Result) Report {
	r := Report{Schema: Schema, Healthy: true, Results: make([]ReportResult, len(results))}
	for i, res := range results {
		r.Healthy = r.Healthy && res.Healthy()
		r.Results[i] = reportResult(res)
	}
	return r
}

// NewWaitReport makes the report of WaitAll's results.
func NewWaitReport(waits []WaitResult) Report {
	r := Report{Schema: Schema, Healthy: true, Results: make([]ReportResult, len(waits))}
	for i, w := range waits {
		r.Healthy = r.Healthy && w.Outcome == Healthy
		r.Results[i] = reportResult(w.Last)
		r.Results[i].Wait = &ReportWait{
			Outcome: w.Outcome, Attempts: w.Attempts, InARow: w.InARow, Needed: w.Needed, ElapsedMS: ms(w.Elapsed), Reason: w.Reason,
		}
	}
	return r
}

func reportResult(res Result) ReportResult {
	out := ReportResult{
		Name: res.Name, URL: res.URL, At: res.At, State: res.State, Reason: res.Reason(), Failure: res.Failure(),
		Status: res.Status, HTTPVersion: res.HTTPVersion, Remote: res.Remote, DurationMS: ms(res.Total),
		PhasesMS: ReportPhases{ms(res.Phases.DNS), ms(res.Phases.Connect), ms(res.Phases.TLS), ms(res.Phases.FirstByte), ms(res.Phases.Transfer)},
		Bytes:    res.Bytes, Truncated: res.Truncated,
	}
	for _, p := range res.Problems {
		out.Problems = append(out.Problems, ReportProblem{p.State, p.Failure, p.Text})
	}
	for _, h := range res.Hops {
		out.Redirects = append(out.Redirects, ReportHop{h.URL, h.Status, h.To, ms(h.Phases.Sum())})
	}
	if t := res.TLS; t != nil {
		out.TLS = &ReportTLS{t.Version, t.Verified, t.Names, t.Issuer, t.Expires, t.Expiring, t.DaysLeft}
	}
	if b := res.Body; b != nil {
		out.Body = &ReportBody{Dialect: b.Dialect, Status: b.Status, Raw: b.Raw, Version: b.Version, ReleaseID: b.ReleaseID, Output: b.Output}
		for _, c := range b.Components {
			out.Body.Components = append(out.Body.Components, ReportComponent(c))
		}
	}
	return out
}

// ms is milliseconds, rounded to microseconds.
func ms(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}
