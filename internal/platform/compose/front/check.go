package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// The health check. The deploy decides how long to wait; these only decide how
// soon a change is seen.
const (
	checkFirst      = 200 * time.Millisecond // between checks of one that has never passed
	checkInterval   = 2 * time.Second
	checkTimeout    = 5 * time.Second
	failuresToLeave = 2 // in a row, until others are preferred
	maxOutput       = 120
)

// check is what is known of a target's health; the proxy's lock guards it.
type check struct {
	stop     context.CancelFunc
	done     bool
	passing  bool
	passed   bool // at least once
	failures int  // in a row, since it passed
	output   string
}

// watch checks a target until ctx ends.
func (p *proxy) watch(ctx context.Context, t Target) {
	client := &http.Client{
		Timeout:       checkTimeout,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	for {
		output, err := probe(ctx, client, t)
		if ctx.Err() != nil {
			return
		}
		wait := checkInterval
		p.mu.Lock()
		if c := p.checks[t]; c != nil {
			c.done, c.passing, c.output = true, err == nil, output
			if c.passing {
				c.passed, c.failures = true, 0
			} else {
				c.output = line(err.Error())
				if c.failures++; !c.passed {
					wait = checkFirst
				}
			}
		}
		p.mu.Unlock()
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func probe(ctx context.Context, client *http.Client, t Target) (string, error) {
	if t.Health == "" {
		conn, err := (&net.Dialer{Timeout: checkTimeout}).DialContext(ctx, "tcp", t.Address)
		if err != nil {
			return "", err
		}
		return "the port is open", conn.Close()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.Address+t.Health, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("User-Agent", "opsctl/health")
	req.Host = "localhost" // what apps that check the host let pass
	resp, err := client.Do(req)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			return "", fmt.Errorf("GET %s: %w", t.Health, op)
		}
		return "", err
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return "", fmt.Errorf("GET %s: HTTP %d", t.Health, resp.StatusCode)
	}
	return fmt.Sprintf("GET %s: HTTP %d", t.Health, resp.StatusCode), nil
}

// line is the first line of a text, kept short.
func line(s string) string {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "\n")
	if len(s) > maxOutput {
		s = strings.ToValidUTF8(s[:maxOutput], "") + "…"
	}
	return s
}
