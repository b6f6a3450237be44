package railway

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// healthHost is the Host header of the platform's health checks.
const healthHost = "healthcheck.railway.app"

// probeTimeout is how long one health check may take.
const probeTimeout = 5 * time.Second

// window is how long the new version has to become healthy.
func (r *rollout) window() time.Duration {
	n := r.d.Settings.HealthcheckTimeout
	if v, err := strconv.Atoi(r.d.Variables["RAILWAY_HEALTHCHECK_TIMEOUT_SEC"]); err == nil && n == 0 {
		n = v
	}
	if n == 0 {
		return defaultHealthTimeout
	}
	return seconds(n)
}

// health asks every replica until each has answered 200 once. It is asked at
// the deployment only, never later.
func (r *rollout) health(ctx context.Context) error {
	path := r.d.Settings.HealthcheckPath
	if path == "" {
		return nil
	}
	done := r.step(stepHealth)
	window := r.window()
	r.logf("====================\nStarting Healthcheck\n====================")
	r.logf("Path: %s", path)
	r.logf("Retry window: %s", window)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	start, healthy, last := time.Now(), map[string]bool{}, ""
	replicas := r.replicas()
	for attempt := 1; ; attempt++ {
		for _, m := range replicas {
			if exit, final := ended(m); final && exit.Code != 0 {
				r.errorf("Healthcheck failed! The process exited with code %d and is not restarted", exit.Code)
				done(eventPayload{Error: "Healthcheck failed", Reason: "crashed", Detail: fmt.Sprintf("Process exited with code %d", exit.Code), Attempt: attempt})
				return &failure{statusCrashed, "the process crashed"}
			}
			if !healthy[m.ID] {
				if last = probe(ctx, client, m, path); last == "" {
					healthy[m.ID] = true
				}
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if len(healthy) == len(replicas) {
			r.logf("[1/1] Healthcheck succeeded!")
			done(eventPayload{Attempt: attempt})
			return nil
		}
		left := window - time.Since(start)
		if left <= 0 {
			r.errorf("%d/%d replicas never became healthy!\nHealthcheck failed!", len(replicas)-len(healthy), len(replicas))
			done(eventPayload{Error: "Healthcheck failed", Reason: "timeout", Detail: last, Attempt: attempt})
			return &failure{statusFailed, "healthcheck failed"}
		}
		r.logf("Attempt #%d failed with %s. Continuing to retry for %s", attempt, last, left.Round(time.Second))
		if err := pause(ctx, min(r.s.opts.Probe*time.Duration(min(attempt, 10)), left)); err != nil {
			return err
		}
	}
}

// probe asks once; it returns what is wrong, or "".
func probe(ctx context.Context, client *http.Client, m *world.Machine, path string) string {
	addr := m.Snapshot().Addr
	if addr == "" {
		return "service unavailable"
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+path, nil)
	if err != nil {
		return err.Error()
	}
	req.Host = healthHost
	req.Header.Set("User-Agent", "RailwayHealthCheck/1.0")
	resp, err := client.Do(req)
	if err != nil {
		return "service unavailable"
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Sprintf("status %d", resp.StatusCode)
	}
	return ""
}
