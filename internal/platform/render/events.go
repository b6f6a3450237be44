package render

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

// cause is why something of a deploy ended, as Render's events tell.
type cause struct {
	NonZeroExit int  `json:"nonZeroExit"`
	EarlyExit   bool `json:"earlyExit"`
	Evicted     bool `json:"evicted"`
	OOMKilled   *struct {
		MemoryLimit string `json:"memoryLimit"`
	} `json:"oomKilled"`
	TimedOutSeconds int    `json:"timedOutSeconds"`
	TimedOutReason  string `json:"timedOutReason"`
	Unhealthy       string `json:"unhealthy"`
}

func (c *cause) String() string {
	switch {
	case c == nil:
		return ""
	case c.OOMKilled != nil:
		return "it was killed for lack of memory (limit " + c.OOMKilled.MemoryLimit + ")"
	case c.NonZeroExit != 0:
		return fmt.Sprintf("it ended with exit code %d", c.NonZeroExit)
	case c.Unhealthy != "":
		return "its health check failed: " + c.Unhealthy
	case c.TimedOutSeconds != 0:
		return strings.TrimSpace(fmt.Sprintf("it timed out after %d s %s", c.TimedOutSeconds, c.TimedOutReason))
	case c.EarlyExit:
		return "it ended early"
	case c.Evicted:
		return "it was evicted"
	}
	return ""
}

// event is one of a service's events, with the parts of its details that are used.
type event struct {
	ID      string    `json:"id"`
	Type    string    `json:"type"`
	At      time.Time `json:"timestamp"`
	Details struct {
		DeployID        string          `json:"deployId"`
		DeployStatus    string          `json:"deployStatus"`
		PreDeployStatus string          `json:"preDeployStatus"`
		InstanceID      string          `json:"instanceID"`
		Reason          json.RawMessage `json:"reason"`
	} `json:"details"`
}

// cause reads the reason, which is the cause itself or has it as its failure.
func (e event) cause() *cause {
	var outer struct {
		Failure *cause `json:"failure"`
		cause
	}
	if len(e.Details.Reason) == 0 || json.Unmarshal(e.Details.Reason, &outer) != nil {
		return nil
	}
	if outer.Failure != nil {
		return outer.Failure
	}
	return &outer.cause
}

// eventsSince are the events of a service after a moment; none when they cannot be
// had, since they only tell more of what is known already.
func (r *rollout) eventsSince(ctx context.Context, at time.Time) []event {
	query := url.Values{"startTime": {at.Add(-time.Second).UTC().Format(time.RFC3339)}}
	all, err := list[event](ctx, r.Platform, servicePath(r.svc.ID)+"/events", query, "event", 0)
	if err != nil {
		return nil
	}
	return all
}

// why is the reason for the end of a deploy, "" when Render tells none.
func (r *rollout) why(ctx context.Context, d deploy) string {
	for _, e := range r.eventsSince(ctx, d.CreatedAt) {
		if e.Details.DeployID == d.ID && e.Details.DeployStatus != "" {
			if s := e.cause().String(); s != "" {
				return s
			}
		}
	}
	return ""
}

// maxCrashes is how often new instances may fail before a deploy counts as
// failed: Render goes on trying for 15 minutes.
const maxCrashes = 2

// crashed tells why the instances of a deploy fail, when they do so again and again.
func (r *rollout) crashed(ctx context.Context, d deploy) string {
	n, why := 0, ""
	for _, e := range r.eventsSince(ctx, d.CreatedAt) {
		if e.Type != "server_failed" || slices.Contains(r.old, e.Details.InstanceID) {
			continue
		}
		if n++; why == "" {
			why = e.cause().String()
		}
	}
	if n < maxCrashes {
		return ""
	}
	if why == "" {
		why = fmt.Sprintf("it failed %d times", n)
	}
	return why
}

// task is what is known of the release command of a deploy; nil when there is
// none, or it has not run.
func (r *rollout) task(ctx context.Context, d deploy, ran bool) *platform.TaskResult {
	if len(r.want.Command) == 0 {
		return nil
	}
	result := &platform.TaskResult{ID: d.ID, Started: true}
	switch d.Status {
	case preFailed, preDeploying:
		result.ExitCode = platform.ExitUnknown
		for _, e := range r.eventsSince(ctx, d.CreatedAt) {
			if e.Details.DeployID != d.ID || e.Details.PreDeployStatus == "" {
				continue
			}
			if c := e.cause(); c != nil {
				result.OOM = c.OOMKilled != nil
				if c.NonZeroExit != 0 {
					result.ExitCode = c.NonZeroExit
				}
			}
		}
	case updating, live, deactivated, updateFailed: // it ended well, or these would not have been reached
	default:
		if !ran {
			return nil
		}
		result.ExitCode = platform.ExitUnknown // cancelled meanwhile
	}
	result.Log = r.linesOf(ctx, d)
	return result
}
