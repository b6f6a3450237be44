package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// Check statuses.
const (
	Passing  = "passing"
	Warning  = "warning"
	Critical = "critical"
)

// settle is how often a check that has never passed is tried, at most: a
// machine that is ready is found ready soon, whatever its interval.
const settle = 200 * time.Millisecond

// maxOutput is how much of an answer a check keeps.
const maxOutput = 512

// Check is a health check of a machine.
type Check struct {
	Name     string
	Type     string // "http" or "tcp"
	Port     int    // the app's configured port; 0 or Spec.Port means its real one
	Method   string
	Path     string
	TLS      bool
	SkipTLS  bool
	Headers  http.Header
	Interval time.Duration // 0: 15 s
	Timeout  time.Duration // 0: 2 s
	Grace    time.Duration // after a start, failures until then are warnings
	Gate     bool          // failing takes the machine out of the routing
}

// CheckStatus is a check's last result.
type CheckStatus struct {
	Name    string
	Status  string // passing, warning, critical
	Output  string
	Updated time.Time
}

// resetChecks forgets all results. Callers hold w.mu.
func (m *Machine) resetChecks(output string) {
	m.checks = nil
	for _, c := range m.spec.Checks {
		m.checks = append(m.checks, CheckStatus{Name: c.Name, Status: Critical, Output: output, Updated: m.w.Now()})
	}
}

// startChecks runs the checks of start number gen. Callers hold w.mu.
func (m *Machine) startChecks(gen int) {
	ctx, cancel := context.WithCancel(context.Background())
	m.stopCks = cancel
	m.resetChecks("waiting for the first result")
	for i, c := range m.spec.Checks {
		port := c.Port
		if port == 0 || port == m.spec.Port {
			port = m.port
		}
		m.w.loops.Add(1)
		go m.runCheck(ctx, gen, i, c, port)
	}
}

func (m *Machine) runCheck(ctx context.Context, gen, index int, c Check, port int) {
	defer m.w.loops.Done()
	interval, timeout := c.Interval, c.Timeout
	if interval <= 0 {
		interval = 15 * time.Second
	}
	if timeout <= 0 {
		timeout = 2 * time.Second
	}
	client := checkClient(c)
	defer client.CloseIdleConnections()
	start, passed := time.Now(), false
	for {
		tctx, cancel := context.WithTimeout(ctx, timeout)
		ok, output := c.run(tctx, client, port)
		cancel()
		if ctx.Err() != nil {
			return
		}
		passed = passed || ok
		status := Critical
		switch {
		case ok:
			status = Passing
		case !passed && time.Since(start) < c.Grace:
			status = Warning
		}
		m.checked(gen, index, status, output)
		pause := interval
		if !passed {
			pause = min(interval, settle)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

// checked stores a result if the machine hasn't been started again since.
func (m *Machine) checked(gen, index int, status, output string) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	if gen != m.gen || m.proc == nil || index >= len(m.checks) {
		return
	}
	c := &m.checks[index]
	changed := c.Status != status
	c.Status, c.Output, c.Updated = status, output, m.w.Now()
	if changed {
		m.w.touch()
		m.w.Logf("machine %s/%s: check %s is %s", m.App.Name, m.ID, c.Name, status)
	}
}

func checkClient(c Check) *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: c.SkipTLS}, //nolint:gosec // the app's own setting
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// run does the check once.
func (c Check) run(ctx context.Context, client *http.Client, port int) (ok bool, output string) {
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	if c.Type == "tcp" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return false, err.Error()
		}
		_ = conn.Close()
		return true, "Success"
	}
	method, scheme := c.Method, "http"
	if method == "" {
		method = http.MethodGet
	}
	if c.TLS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, strings.ToUpper(method), scheme+"://"+addr+"/"+strings.TrimPrefix(c.Path, "/"), nil)
	if err != nil {
		return false, err.Error()
	}
	req.Header.Set("User-Agent", "Consul Health Check")
	for k, vs := range c.Headers {
		req.Header[http.CanonicalHeaderKey(k)] = vs
		if strings.EqualFold(k, "host") && len(vs) > 0 {
			req.Host = vs[0]
		}
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxOutput))
	output = fmt.Sprintf("HTTP GET %s: %s Output: %s", req.URL.Path, resp.Status, strings.TrimSpace(string(body)))
	return resp.StatusCode >= 200 && resp.StatusCode < 300, output
}
