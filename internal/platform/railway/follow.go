package railway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The bounds of a deployment's phases before its health check, which has its
// own. Railway names none for the release command.
const (
	buildTimeout   = 45 * time.Minute
	commandTimeout = 60 * time.Minute
	checkGrace     = time.Minute // Railway notices the end of the health check's time itself
)

// A process that ended so often, or restarts for so many looks (and seconds at
// the least), is in a crash loop.
const (
	crashLimit   = 3
	restartLooks = 5
	restartTime  = 3 * time.Second
)

// lagRounds is how often a new deployment may be unknown to the part of the API
// that is asked.
const lagRounds = 10

// logTail is how many lines illustrate a failure.
const logTail = 20

// The steps of a deployment that tell something.
const (
	stepCommand = "PRE_DEPLOY_COMMAND"
	stepCreate  = "CREATE_CONTAINER"
	stepHealth  = "HEALTHCHECK"
)

// progressText asks how a deployment stands.
const progressText = `query($id: String!) {
	deployment(id: $id) {` + deploymentFields + ` diagnosis }
	deploymentEvents(id: $id, first: 100) { edges { node {` + eventFields + `} }` + pageInfo + `}
}`

const eventFields = " step createdAt completedAt payload { error reason detail skipped } "

type step struct {
	Step      string     `json:"step"`
	Created   time.Time  `json:"createdAt"`
	Completed *time.Time `json:"completedAt"`
	Payload   *struct {
		Error   string `json:"error"`
		Reason  string `json:"reason"`
		Detail  string `json:"detail"`
		Skipped bool   `json:"skipped"`
	} `json:"payload"`
}

// trouble is what a step says went wrong; "" when nothing did.
func (s step) trouble() string {
	if s.Payload == nil || s.Payload.Error == "" {
		return ""
	}
	text := s.Payload.Error
	for _, more := range []string{s.Payload.Reason, s.Payload.Detail} {
		if more != "" && !strings.Contains(text, more) {
			text += ": " + more
		}
	}
	return text
}

func (s step) skipped() bool { return s.Payload != nil && s.Payload.Skipped }

type progress struct {
	deployment

	steps []step
}

func (pr progress) step(name string) *step {
	for i := range pr.steps {
		if pr.steps[i].Step == name {
			return &pr.steps[i]
		}
	}
	return nil
}

// ended is what following a deployment came to.
type ended struct {
	progress
	task *platform.TaskResult
}

func (p *Platform) progress(ctx context.Context, id string) (progress, error) {
	var data struct {
		Deployment struct {
			deployment
			Diagnosis json.RawMessage `json:"diagnosis"`
		} `json:"deployment"`
		Events connection[step] `json:"deploymentEvents"`
	}
	if err := p.query(ctx, progressText, map[string]any{"id": id}, &data); err != nil {
		return progress{}, err
	}
	const text = "query($id: String!, $after: String) { deploymentEvents(id: $id, first: 100, after: $after) { edges { node {" + eventFields + "} }" + pageInfo + "} }"
	steps, err := more(ctx, p, data.Events, text, map[string]any{"id": id}, "deploymentEvents")
	return progress{data.Deployment.deployment, steps}, err
}

// follow looks at a deployment until it is over, its time is up, or its process
// has ended, which no waiting cures.
func (p *Platform) follow(ctx context.Context, v *view, id string, want platform.Release, report platform.Report) (ended, error) {
	watch := newWatch(p.o.Now(), want.Timeout, max(restartLooks*p.o.Poll, restartTime))
	var last progress
	for round := 0; ; round++ {
		now, err := p.progress(ctx, id)
		switch {
		case err != nil && ctx.Err() != nil:
			return p.finish(ctx, v, last, want, ctx.Err())
		case err != nil && !transient(err) && !(missing(err) && p.o.Now().Sub(watch.began) < lagTimeout) || err != nil && p.o.Now().Sub(watch.began) > buildTimeout:
			return p.finish(ctx, v, last, want, p.explain(err, "look at the deployment %s", id))
		case err == nil:
			last = now
			done, err := watch.look(p.o.Now(), now, report)
			if err != nil {
				if errors.Is(err, errGiveUp) {
					p.cancel(ctx, id)
				}
				return p.finish(ctx, v, last, want, err)
			}
			if done {
				out, err := p.finish(ctx, v, last, want, nil)
				if err == nil {
					p.awaitOverlap(ctx, v, id)
				}
				return out, err
			}
		}
		if err := p.pause(ctx, round); err != nil {
			return p.finish(ctx, v, last, want, err)
		}
	}
}

// errGiveUp marks an end that opsctl decided: the deployment goes on by itself.
var errGiveUp = errors.New("given up")

// watch remembers what was seen of a deployment.
type watch struct {
	began    time.Time
	checking time.Time // since when its instances are there
	command  time.Time // since when the release command runs
	said     string
	timeout  time.Duration
	patience time.Duration // with an instance that restarts

	exits map[string]int       // by instance: how often it was seen to begin to restart
	since map[string]time.Time // by instance: since when it restarts
}

func newWatch(now time.Time, timeout, patience time.Duration) *watch {
	return &watch{began: now, timeout: timeout, patience: patience, exits: map[string]int{}, since: map[string]time.Time{}}
}

// loops tells that an instance ends again and again. One restart is none: a
// database that is not there yet may be behind it.
func (w *watch) loops(now time.Time, id, status string) bool {
	if status != "RESTARTING" {
		delete(w.since, id)
		return false
	}
	if _, known := w.since[id]; !known {
		w.since[id] = now
		w.exits[id]++
	}
	return w.exits[id] >= crashLimit || now.Sub(w.since[id]) > w.patience
}

// look judges one answer: done, or an error when it will not come to a good end.
func (w *watch) look(now time.Time, pr progress, report platform.Report) (bool, error) {
	if state := phase(pr); state != w.said {
		w.said = state
		report("deployment %s: %s", pr.ID, state)
	}
	switch pr.Status {
	case statusSuccess, statusSleeping:
		return true, nil
	case statusFailed, statusCrashed, statusSkipped, statusRemoved, statusRemoving:
		return false, w.failure(pr)
	case statusApproval: // waiting does not help
		return false, errs.New(errs.Failure, "the deployment %s needs approval", pr.ID).
			WithHint("approve it in Railway's dashboard, then run the same command again")
	}
	for _, i := range pr.Instances {
		switch i.Status {
		case "CRASHED", "EXITED":
			return false, errors.Join(errs.New(errs.Failure, "the process of the new version has ended (%s)", strings.ToLower(i.Status)), errGiveUp)
		}
		if w.loops(now, i.ID, i.Status) {
			return false, errors.Join(errs.New(errs.Failure, "the process of the new version ends again and again"), errGiveUp)
		}
	}
	return false, w.late(now, pr)
}

// late is the error of a phase that takes too long.
func (w *watch) late(now time.Time, pr progress) error {
	command, create := pr.step(stepCommand), pr.step(stepCreate)
	running := command != nil && command.Completed == nil && !command.skipped()
	if running && w.command.IsZero() {
		w.command = now
	}
	there := pr.step(stepHealth) != nil || create != nil && create.Completed != nil || len(pr.Instances) > 0
	if there && !running && w.checking.IsZero() {
		w.checking = now
	}
	switch {
	case !w.checking.IsZero() && now.Sub(w.checking) > w.timeout+checkGrace:
		return errors.Join(errs.New(errs.Timeout, "the new version is not healthy after %s", w.timeout), errGiveUp)
	case running && now.Sub(w.command) > commandTimeout:
		return errors.Join(errs.New(errs.Timeout, "the release command has not ended after %s", commandTimeout), errGiveUp)
	case !running && w.checking.IsZero() && now.Sub(w.began) > buildTimeout+w.timeout:
		return errors.Join(errs.New(errs.Timeout, "the deployment is still %s after %s", pr.Status, now.Sub(w.began).Round(time.Second)), errGiveUp)
	}
	return nil
}

// failure is the error of a deployment that Railway itself has ended.
func (w *watch) failure(pr progress) error {
	switch pr.Status {
	case statusSkipped, statusRemoved, statusRemoving:
		return errs.New(errs.Conflict, "the deployment was %s by somebody, or superseded by another", strings.ToLower(pr.Status))
	}
	for _, s := range slices.Backward(pr.steps) {
		text := s.trouble()
		if text == "" {
			continue
		}
		code := errs.Failure
		if s.Step == stepHealth {
			code = errs.Timeout
		}
		return errs.New(code, "the deployment failed at %s: %s", stepName(s.Step), errs.Redact(text))
	}
	if h := pr.step(stepHealth); h != nil && pr.Status == statusFailed {
		return errs.New(errs.Timeout, "the new version did not become healthy within %s", w.timeout)
	}
	last := "begun"
	if n := len(pr.steps); n > 0 {
		last = stepName(pr.steps[n-1].Step)
	}
	return errs.New(errs.Failure, "the deployment is %s; the last step was %s", strings.ToLower(pr.Status), last)
}

// phase is what a deployment does at the moment.
func phase(pr progress) string {
	var open string
	for _, s := range pr.steps {
		if s.Completed == nil {
			open = stepName(s.Step)
		}
	}
	status := strings.ToLower(pr.Status)
	if open == "" || !unfinished(pr.Status) {
		return status
	}
	return status + ", " + open
}

func stepName(step string) string { return strings.ToLower(strings.ReplaceAll(step, "_", " ")) }

// cancel stops a deployment that opsctl has given up. It would go on by itself otherwise.
func (p *Platform) cancel(ctx context.Context, id string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer stop()
	// One that has ended meanwhile cannot be cancelled, which is as good.
	_ = p.mutate(ctx, "mutation($id: String!) { deploymentCancel(id: $id) }", map[string]any{"id": id}, nil, true)
}

// awaitOverlap waits until the old deployment has made way, as long as that is
// set to take. Who looks right after a roll-out shall not see both.
func (p *Platform) awaitOverlap(ctx context.Context, v *view, id string) {
	deadline := p.o.Now().Add(p.o.Overlap + p.o.Draining + 5*time.Second)
	for round := 0; p.o.Now().Before(deadline); round++ {
		now, err := p.lookAgain(ctx, v.app)
		if err == nil && !slices.ContainsFunc(now.active(), func(d deployment) bool { return d.ID != id && len(now.instances(d)) > 0 }) {
			return
		}
		if p.pause(ctx, round) != nil {
			return
		}
	}
}

// finish adds what is known of the release command, and the last lines of the
// log to an error.
func (p *Platform) finish(ctx context.Context, v *view, pr progress, want platform.Release, failed error) (ended, error) {
	out := ended{progress: pr}
	if len(want.Command) > 0 {
		out.task = p.taskResult(ctx, pr, failed)
	}
	if failed == nil || ctx.Err() != nil {
		return out, failed
	}
	var lines []string
	if out.task != nil && out.task.ExitCode != 0 {
		lines = out.task.Log
	} else {
		lines = p.lastLines(ctx, pr, nil)
	}
	e, ok := errors.AsType[*errs.Error](failed)
	if !ok {
		return out, failed
	}
	plain := *e
	if len(lines) > 0 {
		plain.Hint = strings.TrimSpace(plain.Hint + "\nits last lines:\n  " + strings.Join(lines, "\n  "))
	} else if plain.Hint == "" {
		plain.Hint = fmt.Sprintf("see the deployment %s of %q in Railway's dashboard", pr.ID, v.app)
	}
	return out, &plain
}
