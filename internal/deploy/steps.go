package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// imageStep is the step after which it is known whether anything is new.
const imageStep = "image"

// steps is the whole deploy on one page.
func (r *run) steps() []step {
	req := &r.p.Request
	return []step{
		r.hook(PreDeploy),
		{name: "app", skip: unless(r.p.Observed.State == nil || r.p.Observed.State.Current == nil, "exists"), run: r.createApp},
		{name: "database", skip: unless(req.Postgres != nil && !r.p.Observed.HasPostgres, r.whyNoDatabase()), run: r.createDatabase},
		{name: "redis", skip: unless(req.Redis != nil && !r.p.Observed.HasRedis, r.whyNoRedis()), run: r.createRedis},
		{name: imageStep, run: r.image},
		r.hook(PreRelease),
		{name: "release", skip: unless(r.keepsLedger(), "the platform keeps the list"), run: r.openRelease},
		{name: "secrets", skip: func() string { return r.whyNoSecrets() }, run: r.stageSecrets},
		{name: "migrate", skip: r.whyNoTask, run: r.releaseCommand},
		{name: "roll out", run: r.rollOut},
		{name: "health", skip: unless(req.Release.Health != "", "no health path"), run: r.gate},
		r.hook(Smoke),
		{name: "mark", run: r.mark},
	}
}

func unless(condition bool, reason string) func() string {
	return func() string {
		if condition {
			return ""
		}
		return reason
	}
}

func (r *run) createApp(ctx context.Context) (string, error) {
	return r.p.Request.App.Name, r.Platform.CreateApp(ctx, r.p.Request.App)
}

func (r *run) whyNoDatabase() string {
	if r.p.Request.Postgres == nil {
		return "none asked for"
	}
	return "exists"
}

func (r *run) createDatabase(ctx context.Context) (string, error) {
	databases, err := r.databases()
	if err != nil {
		return "", err
	}
	db, err := databases.CreatePostgres(ctx, *r.p.Request.Postgres, r.report("database"))
	if err != nil {
		return "", err
	}
	r.p.secrets[PooledURL], r.p.secrets[DirectURL] = db.Pooled, db.Direct
	r.learn()
	return fmt.Sprintf("%s (%s)", db.Name, db.ID), nil
}

// image resolves the given image, or builds and pushes one.
func (r *run) image(ctx context.Context) (string, error) {
	req := r.p.Request
	if src := req.Release.Source; src != nil {
		return src.Identity + ", built by " + r.Platform.Name(), nil
	}
	if req.Image == "" {
		registry, ok := r.Platform.(platform.Registry)
		if !ok || req.Build == nil {
			return "", errs.New(errs.Usage, "%s takes no image from here", r.Platform.Name()).WithHint("name one with --image")
		}
		target, err := registry.PushTarget(ctx, req.App.Name, "opsctl-"+r.id)
		if err != nil {
			return "", err
		}
		if err := req.Build(ctx, target, r.report("image")); err != nil {
			return "", err
		}
		r.p.Image = platform.Image{Ref: target.Ref}
	}
	if r.p.Image.Digest == "" {
		image, err := r.Platform.ResolveImage(ctx, req.App.Name, r.p.Image.Ref)
		if err != nil {
			return "", err
		}
		r.p.Image = image
		if guard := req.ImageGuard; guard != nil { // what could not be looked at before anything was made
			if err := guard(ctx, image); err != nil {
				return "", err
			}
		}
	}
	return platform.ShortImage(r.p.Image.Pinned()), nil
}

func (r *run) openRelease(ctx context.Context) (string, error) {
	opened, err := r.Platform.(platform.Ledger).BeginRelease(ctx, r.p.Request.App.Name, r.wanted())
	r.release = opened // also when only its status could not be set: it has to be closed then
	return opened.Version, err
}

func (r *run) keepsLedger() bool {
	_, ok := r.Platform.(platform.Ledger)
	return ok
}

// wanted is the release to roll out.
func (r *run) wanted() platform.Release {
	want := r.p.Request.Release
	want.Image, want.Label, want.Timeout = r.p.Image.Pinned(), r.id, r.p.Request.Gate.Timeout
	if _, ok := r.Platform.(platform.Tasks); !ok {
		want.Command = r.p.Request.Command
	}
	return want
}

func (r *run) whyNoTask() string {
	switch _, ok := r.Platform.(platform.Tasks); {
	case len(r.p.Request.Command) == 0:
		return "no release command"
	case !ok:
		return "the platform runs it during the roll-out"
	default:
		return ""
	}
}

// changedSecrets are the names of the secrets whose values are not known to be set.
// One that is set and waits for a roll-out is none of them.
func (r *run) changedSecrets() []string {
	var names []string
	for name, change := range r.p.prints.Compare(r.p.secrets, r.p.platformSecrets()) {
		if change != SecretSame && change != SecretPending {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (r *run) whyNoSecrets() string {
	if len(r.changedSecrets()) == 0 {
		return fmt.Sprintf("%d, unchanged", len(r.p.secrets))
	}
	return ""
}

func (r *run) stageSecrets(ctx context.Context) (string, error) {
	names := r.changedSecrets()
	changes := map[string]*string{}
	for _, name := range names {
		value := r.p.secrets[name]
		if value == "" { // an empty database URL would take the app down
			return "", errs.New(errs.Failure, "there is no value for %s yet", name).WithHint("run the same command again in a minute")
		}
		changes[name] = &value
	}
	if err := r.Platform.StageSecrets(ctx, r.p.Request.App.Name, changes); err != nil {
		return "", err
	}
	r.staged = names
	r.remember(ctx)
	return strings.Join(names, ", "), nil
}

func (r *run) releaseCommand(ctx context.Context) (string, error) {
	req := r.p.Request
	result, err := r.Platform.(platform.Tasks).RunTask(ctx, req.App.Name, platform.Task{
		Image: r.release.Image, Command: req.Command, Env: req.Release.Env, Region: req.Release.Region,
		Timeout: req.CommandTimeout, Release: r.release,
	})
	r.migrated = result.Started
	if err != nil {
		return "", r.withLines(err, result.Log)
	}
	if err := r.taskFailed(result); err != nil {
		return "", err
	}
	return strings.Join(req.Command, " "), nil
}

// taskFailed is the error of a release command that did not end well; nil when it did.
func (r *run) taskFailed(result platform.TaskResult) error {
	why := ""
	if result.OOM {
		why = ": it ran out of memory"
	}
	switch result.ExitCode {
	case 0:
		return nil
	case platform.ExitUnknown:
		return r.withLines(errs.New(errs.Failure, "the release command failed%s (%s does not tell its exit code)", why, r.Platform.Name()), result.Log)
	default:
		return r.withLines(errs.New(errs.Failure, "the release command ended with exit code %d%s", result.ExitCode, why), result.Log)
	}
}

// withLines adds the last lines of a program's output to an error's hint.
func (r *run) withLines(err error, lines []string) error {
	if len(lines) == 0 {
		return err
	}
	text := "it last printed:\n" + r.redact(r.printed.Redact(strings.Join(lines, "\n")))
	if hint := errs.HintOf(err); hint != "" {
		text = hint + "\n" + text
	}
	return errs.Wrap(err, errs.CodeOf(err), "").WithHint("%s", text)
}

func (r *run) rollOut(ctx context.Context) (string, error) {
	r.rolling = true
	if !r.keepsLedger() {
		r.release = r.wanted()
	}
	out, err := r.Platform.RollOut(ctx, r.p.Request.App.Name, r.release, r.report("roll out"))
	if out.Release.Version != "" {
		r.release.Version, r.release.ID = out.Release.Version, out.Release.ID
	}
	if task := out.Task; task != nil {
		r.migrated = task.Started
		if failed := r.taskFailed(*task); failed != nil {
			r.untouched = true
			return "", failed
		}
	}
	if err != nil {
		return "", err
	}
	return instances(r.release), nil
}

// mark makes the release official, in the ledger and on this machine.
func (r *run) mark(ctx context.Context) (string, error) {
	app := r.p.Request.App.Name
	// The release runs and is healthy: bookkeeping that fails is no reason to take it back.
	if book, ok := r.Platform.(platform.Ledger); ok {
		if err := book.EndRelease(ctx, app, r.release, platform.Complete); err != nil {
			r.emit("mark", Warned, r.redact(err.Error()), 0)
		}
	}
	if err := r.p.prints.Renewed(); err != nil {
		r.emit("secrets", Warned, r.redact(err.Error()), 0)
	}
	if state, err := r.Platform.Observe(ctx, app); err == nil {
		r.url = state.URL
	}
	return fmt.Sprintf("release %s is complete", r.release.Version), nil
}

// remember keeps the fingerprints of the secrets that this run has just set: what
// somebody else sets later is not ours. Without them the next comparison only knows
// less, so a failure is no reason to stop.
func (r *run) remember(ctx context.Context) {
	state, err := r.look(ctx, r.p.Request.App.Name, r.p.prints)
	if err == nil {
		values := map[string]string{}
		for _, name := range r.staged {
			values[name] = r.p.secrets[name]
		}
		err = r.p.prints.Save(values, state.Secrets)
	}
	if err != nil {
		r.emit("secrets", Warned, r.redact(err.Error()), 0)
	}
}

func (r *run) report(step string) platform.Report {
	return func(format string, args ...any) {
		r.emit(step, Progress, r.redact(fmt.Sprintf(format, args...)), 0)
	}
}
