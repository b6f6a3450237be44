package compose

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// Files of an app's state, in its volume.
const (
	secretsFile  = "secrets.env"
	releasesFile = "releases.json"
	servicesFile = "services.json"
)

// putTries bounds how often a file that others write at the same time is written.
const putTries = 10

// seen is an app as it stands.
type seen struct {
	containers []container // all of the project's
	front      *container  // nil when it is gone
	dump       front.Dump
}

// look reads everything of an app; an error of code NotFound when there is none.
func (p *Platform) look(ctx context.Context, app string) (*seen, error) {
	if err := validApp(app); err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "")
	}
	var s seen
	var err error
	if s.containers, err = p.list(ctx, composeProject, app); err != nil {
		return nil, err
	}
	for i := range s.containers {
		if s.containers[i].name() == frontName(app) {
			s.front = &s.containers[i]
		}
	}
	if s.front == nil { // or else it stands for the app
		if err := p.exists(ctx, app); err != nil {
			return nil, err
		}
	}
	if s.dump, err = p.dump(ctx, app); err != nil {
		return nil, err
	}
	return &s, nil
}

// exists tells whether there is an app: its volume is what makes one.
func (p *Platform) exists(ctx context.Context, app string) error {
	out, err := p.engine.out(ctx, "volume", "inspect", "--format", `{{index .Labels "`+labelApp+`"}}`, volumeName(app))
	if gone(err) {
		return errs.New(errs.NotFound, "no app %q on this engine", app).WithHint("run: opsctl deploy")
	}
	if err != nil {
		return explain(err, "look for the app %q", app)
	}
	if got := strings.TrimSpace(string(out)); got != app {
		return errs.New(errs.Conflict, "the volume %s is not opsctl's", volumeName(app)).WithHint("choose another `app` for this environment in opsctl.yaml")
	}
	return nil
}

// inFront runs a command of the front: in its container where that runs, else in one
// for the moment, which sees the state but is no proxy.
func (p *Platform) inFront(ctx context.Context, app, stdin string, args ...string) ([]byte, error) {
	command := append([]string{"exec", "--interactive", frontName(app), front.Program, front.Command}, args...)
	out, err := p.engine.outOf(ctx, call{args: command, stdin: strings.NewReader(stdin)})
	if !gone(err) && !saidAny(err, "is restarting", "is paused", "can only create exec sessions on running containers", "container state improper") {
		return out, err
	}
	if err := p.exists(ctx, app); err != nil { // or the run would make the volume
		return nil, err
	}
	image, err := p.frontImage(ctx)
	if err != nil {
		return nil, err
	}
	command = append([]string{"run", "--rm", "--interactive", "--network", "none", "--volume", volumeName(app) + ":" + front.Dir, image}, args...)
	return p.engine.outOf(ctx, call{args: command, stdin: strings.NewReader(stdin)})
}

// proxyTries is how often a proxy is asked that has been started a moment ago.
const proxyTries = 50

// ofProxy runs a command that only the proxy itself can answer.
func (p *Platform) ofProxy(ctx context.Context, app, stdin string, args ...string) ([]byte, error) {
	for n := 1; ; n++ {
		out, err := p.inFront(ctx, app, stdin, args...)
		if n == proxyTries || !saidAny(err, front.NotServing) {
			return out, err
		}
		if err := p.o.Sleep(ctx, proxyWait); err != nil {
			return nil, err
		}
	}
}

// proxyWait is the time between two tries.
const proxyWait = 100 * time.Millisecond

func (p *Platform) dump(ctx context.Context, app string) (front.Dump, error) {
	var d front.Dump
	out, err := p.inFront(ctx, app, "", "dump")
	if err != nil {
		return d, explain(err, "read the state of %q", app)
	}
	if err := json.Unmarshal(out, &d); err != nil {
		return d, errs.Wrap(err, errs.Failure, "read the state of %q", app)
	}
	return d, nil
}

// change rewrites a file of the state. edit gets its content ("" for none), may be
// called again when somebody else has written meanwhile, and must change nothing else.
func (p *Platform) change(ctx context.Context, app, file string, edit func(string) (string, error)) error {
	for range putTries {
		d, err := p.dump(ctx, app)
		if err != nil {
			return err
		}
		have, exists := d.Files[file]
		want, err := edit(have)
		if err != nil || exists && want == have {
			return err
		}
		_, err = p.inFront(ctx, app, want, "put", file, front.Sum(have, exists))
		if exitOf(err) != front.ExitConflict {
			return explain(err, "write %s of %q", file, app)
		}
	}
	return errs.New(errs.Conflict, "%s of %q is written by others all the time", file, app).WithHint("run the same command again")
}
