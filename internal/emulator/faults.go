package emulator

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Fault is trouble for requests that match. Exactly one fault is applied to a
// request, the first in order that matches and isn't used up.
type Fault struct {
	// Method is GET, POST, ...; empty or "*" means any.
	Method string `json:"method,omitempty"`
	// Path is a pattern: * stands for one path segment, or at the end for any rest.
	Path string `json:"path"`
	// Operation narrows it to GraphQL requests with that operation name, or
	// with that field at the root of the query; empty means any request.
	Operation string `json:"operation,omitempty"`
	// Status is the answer's status; 0 leaves the real answer (see Latency).
	Status int `json:"status,omitempty"`
	// RetryAfter is the answer's Retry-After header in seconds; 0 sends none.
	RetryAfter int `json:"retry_after,omitempty"`
	// Skip lets that many matching requests pass first.
	Skip int `json:"skip,omitempty"`
	// Count is how many requests are hit after that; 0 means all.
	Count int `json:"count,omitempty"`
	// Latency is waited before anything else.
	Latency time.Duration `json:"latency,omitempty"`
	// Drop closes the connection without an answer.
	Drop bool `json:"drop,omitempty"`
	// Hang never answers; it ends when the client or the emulator does.
	Hang bool `json:"hang,omitempty"`
	// Late carries the request out before the fault: the work is done and only the answer is lost.
	Late bool `json:"late,omitempty"`
}

// String is the fault in the form that ParseFault reads.
func (f *Fault) String() string {
	var b strings.Builder
	method := f.Method
	if method == "" {
		method = "*"
	}
	fmt.Fprintf(&b, "%s %s", method, f.Path)
	if f.Operation != "" {
		fmt.Fprintf(&b, "#%s", f.Operation)
	}
	b.WriteByte('=')
	switch {
	case f.Drop:
		b.WriteString("reset")
	case f.Hang:
		b.WriteString("hang")
	case f.Status > 0:
		b.WriteString(strconv.Itoa(f.Status))
	default:
		b.WriteString("slow")
	}
	for _, p := range []struct {
		key string
		n   int
	}{{"retry-after", f.RetryAfter}, {"skip", f.Skip}, {"count", f.Count}} {
		if p.n > 0 {
			fmt.Fprintf(&b, ",%s=%d", p.key, p.n)
		}
	}
	if f.Latency > 0 {
		fmt.Fprintf(&b, ",latency=%s", f.Latency)
	}
	if f.Late {
		b.WriteString(",late")
	}
	return b.String()
}

// ParseFault reads "METHOD PATH[#OPERATION]=ACTION[,OPTION...]". OPERATION is
// the name of a GraphQL operation, or of a field that it asks the root for. ACTION is a status
// ("503"), a status and how often ("503x2"), a status and its Retry-After in
// seconds ("429:7"), "reset", "hang", or "slow:2s" (also "slow,latency=2s").
// OPTIONs are retry-after=SECONDS, count=N, skip=N, latency=DURATION and late.
func ParseFault(spec string) (Fault, error) {
	var f Fault
	i := strings.LastIndexByte(spec, ' ')
	bad := func(format string, args ...any) (Fault, error) {
		return Fault{}, fmt.Errorf("fault %q: %s", spec, fmt.Sprintf(format, args...))
	}
	if i >= 0 {
		f.Method = strings.ToUpper(strings.TrimSpace(spec[:i]))
		spec = spec[i+1:]
	}
	path, rest, found := strings.Cut(spec, "=")
	if !found || !strings.HasPrefix(path, "/") || strings.ContainsAny(f.Method, " /=,") {
		return bad("want METHOD PATH=ACTION, such as \"POST /v1/apps/*/machines*=503,count=2\"")
	}
	if f.Method == "*" {
		f.Method = ""
	}
	path, operation, named := strings.Cut(path, "#")
	if named && !isName(operation) {
		return bad("%q is not the name of a GraphQL operation or field", operation)
	}
	f.Path, f.Operation = path, operation
	words := strings.Split(rest, ",")
	if err := f.action(words[0]); err != nil {
		return bad("%v", err)
	}
	for _, w := range words[1:] {
		if err := f.option(w); err != nil {
			return bad("%v", err)
		}
	}
	if f.Status == 0 && !f.Drop && !f.Hang && f.Latency == 0 {
		return bad("slow needs a time, such as slow:2s")
	}
	return f, nil
}

func (f *Fault) action(word string) error {
	switch {
	case word == "reset":
		f.Drop = true
		return nil
	case word == "hang":
		f.Hang = true
		return nil
	case word == "slow":
		return nil
	case strings.HasPrefix(word, "slow:"):
		return f.option("latency=" + strings.TrimPrefix(word, "slow:"))
	}
	status := word
	if s, n, found := strings.Cut(word, "x"); found {
		status = s
		if err := f.option("count=" + n); err != nil {
			return err
		}
	} else if s, n, found := strings.Cut(word, ":"); found {
		status = s
		if err := f.option("retry-after=" + n); err != nil {
			return err
		}
	}
	n, err := strconv.Atoi(status)
	if err != nil || n < 400 || n > 599 {
		return fmt.Errorf("action %q is not a status of 400 to 599, reset, hang or slow:TIME", word)
	}
	f.Status = n
	return nil
}

func (f *Fault) option(word string) error {
	key, val, _ := strings.Cut(word, "=")
	if key == "late" && val == "" {
		f.Late = true
		return nil
	}
	if key == "latency" {
		d, err := time.ParseDuration(val)
		if err != nil || d <= 0 {
			return fmt.Errorf("latency %q is not a time such as 200ms", val)
		}
		f.Latency = d
		return nil
	}
	n, err := strconv.Atoi(val)
	if err != nil || n < 1 || n > 1<<20 {
		return fmt.Errorf("option %q: %q is not a positive number", key, val)
	}
	switch key {
	case "retry-after":
		f.RetryAfter = n
	case "count":
		f.Count = n
	case "skip":
		f.Skip = n
	default:
		return fmt.Errorf("unknown option %q", key)
	}
	return nil
}

// isName reports whether s is a name in GraphQL.
func isName(s string) bool {
	for i, c := range s {
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// matches reports whether a request is one of those; operations are the names
// of a GraphQL request.
func (f *Fault) matches(method, path string, operations []string) bool {
	if f.Operation != "" && !slices.Contains(operations, f.Operation) {
		return false
	}
	if f.Method != "" && f.Method != "*" && !strings.EqualFold(f.Method, method) {
		return false
	}
	pattern := f.Path
	if rest, found := strings.CutSuffix(pattern, "*"); found {
		n := strings.Count(rest, "/")
		segs := strings.SplitN(path, "/", n+1)
		if len(segs) < n+1 {
			return false
		}
		want := strings.Split(rest, "/")
		for i, w := range want[:n] {
			if !segment(w, segs[i]) {
				return false
			}
		}
		return strings.HasPrefix(segs[n], want[n])
	}
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !segment(want[i], have[i]) {
			return false
		}
	}
	return true
}

func segment(pattern, s string) bool { return pattern == s || (pattern == "*" && s != "") }

// faults is the table of those in force.
type faults struct {
	mu      sync.Mutex
	latency time.Duration
	list    []*activeFault
}

type activeFault struct {
	Fault
	seen int
	hits int
}

func (fs *faults) add(list ...Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range list {
		fs.list = append(fs.list, &activeFault{Fault: f})
	}
}

func (fs *faults) clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list, fs.latency = nil, 0
}

// next picks the fault for a request, or nil, and the time to wait first.
func (fs *faults) next(method, path string, operations []string) (*Fault, time.Duration) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, f := range fs.list {
		if !f.matches(method, path, operations) || (f.Count > 0 && f.hits >= f.Count) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip {
			continue
		}
		f.hits++
		c := f.Fault
		return &c, fs.latency + f.Latency
	}
	return nil, fs.latency
}
