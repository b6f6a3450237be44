package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/ui"
)

// sh prints a command and runs it as it is printed, in the app's directory. It
// fails unless the exit status is the expected one.
func (d *demo) sh(ctx context.Context, wantExit int, command string) error {
	d.say("%s %s", ui.Cyan("$"), command)
	cmd := execx.Cmd{Path: "/bin/sh", Args: []string{"-c", command}, Dir: d.app, Env: d.environ()}
	cmd.Stdout, cmd.Stderr = d.a.io.Raw()
	err := execx.Run(ctx, cmd)
	got := 0
	if failed, ok := errors.AsType[*execx.Error](err); ok {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if got = failed.Exit; got < 0 {
			return err
		}
	} else if err != nil {
		return err
	}
	if got != wantExit {
		return errs.New(errs.Failure, "the demo expected exit status %d of %q and got %d", wantExit, command, got)
	}
	if wantExit != 0 {
		d.say("%s", ui.Faint(fmt.Sprintf("(exit status %d, as it should be)", got)))
	}
	return nil
}

// export prints and sets variables for all later commands.
func (d *demo) export(vars map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		d.env[name] = vars[name]
		d.say("%s export %s=%s", ui.Cyan("$"), name, d.a.redact.Redact(vars[name]))
	}
	return d.writeEnv()
}

// writeEnv keeps all variables in demo.env, for repeating commands by hand.
func (d *demo) writeEnv() error {
	var b bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(d.env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(d.env[name], "'", `'\''`))
	}
	return os.WriteFile(filepath.Join(d.dir, "demo.env"), b.Bytes(), 0o600)
}

// environ is the parent's environment without what could lead the demo
// somewhere else: credentials, opsctl's own settings, proxies' base URLs.
func (d *demo) environ() []string {
	var env []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		switch {
		case strings.HasPrefix(name, "OPSCTL_") && name != "OPSCTL_PG_BINDIR" && name != "OPSCTL_COLOR",
			strings.HasPrefix(name, "FLY_"), strings.HasPrefix(name, "PG"), strings.HasSuffix(name, "DATABASE_URL"), name == "NODE_ENV":
			continue
		}
		if _, ours := d.env[name]; !ours {
			env = append(env, kv)
		}
	}
	for name, value := range d.env {
		env = append(env, name+"="+value)
	}
	return env
}

// background is a program that runs beside the demo.
type background struct {
	process *execx.Process
	done    chan struct{} // closed when it has ended
	err     error         // valid after done
}

// start prints and starts a program in the background; its output goes to a log file.
func (d *demo) start(ctx context.Context, shown, log string, args ...string) (*background, error) {
	d.say("%s %s &", ui.Cyan("$"), shown)
	f, err := os.Create(filepath.Join(d.dir, log))
	if err != nil {
		return nil, err
	}
	// It ends with the demo's own clean-up, not with the context: machines are stopped in order.
	p, err := execx.Start(context.WithoutCancel(ctx), execx.Cmd{
		Path: filepath.Join(d.dir, "bin", "opsctl"), Args: args, Dir: d.app, Env: d.environ(), Stdout: f, Stderr: f,
	})
	if err != nil {
		_ = f.Close() // a log that nobody reads any more
		return nil, err
	}
	b := &background{process: p, done: make(chan struct{})}
	go func() {
		b.err = p.Wait()
		close(b.done)
		_ = f.Close() // a log that nobody reads any more
	}()
	return b, nil
}

// stop ends the program and waits for it.
func (b *background) stop() error {
	if err := b.process.Terminate(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-b.done: // it was asked to stop, so its status says nothing
		return nil
	case <-time.After(30 * time.Second):
		return errs.New(errs.Timeout, "the emulator did not stop")
	}
}
