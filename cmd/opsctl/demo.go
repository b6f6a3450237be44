package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newDemoCmd(a *app) *cobra.Command {
	var (
		keep bool
		dir  string
	)
	cmd := &cobra.Command{
		Use:     "demo",
		Short:   "Show everything on this machine, without an account",
		GroupID: "tool",
		Long: `Run opsctl's whole path in a temporary directory: files for a multi-tenant
Next.js app, its environment checked, a deploy with migrations to a local
emulator of Fly.io, a second deploy that fails its health check and is rolled
back, the same deploy to stand-ins of Railway and Render, a backup, the proof of the backup, and a damaged copy that is found out.

Everything is real but the app's image: no Docker is needed, so opsctl itself
stands in for it (a small server with the app's health route, and its
migrations on a real PostgreSQL). Each command is printed, to be repeated by hand.`,
		Example: `  opsctl demo
  opsctl demo --keep   # leave the files, to look around`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.global.DryRun {
				return errs.New(errs.Usage, "the demo changes nothing but its own directory, so it has no dry run").WithHint("run: opsctl demo")
			}
			d, err := newDemo(a, dir)
			if err != nil {
				return err
			}
			err = d.run(cmd.Context())
			return errors.Join(err, d.close(keep))
		},
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the directory in place")
	cmd.Flags().StringVar(&dir, "dir", "", "empty `directory` to work in (default: a temporary one)")
	cmd.AddCommand(newDemoAppCmd(a))
	return cmd
}

// demo is a run of the demonstration.
type demo struct {
	a        *app
	dir      string            // of everything
	app      string            // of the example app
	env      map[string]string // exported so far, for each command
	began    time.Time
	emulator *background
	summary  []string
}

func newDemo(a *app, dir string) (*demo, error) {
	var err error
	if dir == "" {
		dir, err = os.MkdirTemp("", "opsctl-demo-")
	} else {
		dir, err = emptyDir(dir)
	}
	if err != nil {
		return nil, err
	}
	d := &demo{a: a, dir: dir, app: filepath.Join(dir, "erp"), began: a.now()}
	// A home of its own: what the demo remembers must not mix with the user's deploys.
	d.env = map[string]string{
		"XDG_STATE_HOME": filepath.Join(dir, "state"), "XDG_CONFIG_HOME": filepath.Join(dir, "config"),
		"PATH": filepath.Join(dir, "bin") + string(os.PathListSeparator) + a.getenv("PATH"),
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, "bin"), 0o755); err != nil {
		return nil, err
	}
	return d, os.Symlink(self, filepath.Join(dir, "bin", "opsctl"))
}

func emptyDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		return "", errs.New(errs.Usage, "%s is not empty", dir).WithHint("name an empty or new directory with --dir")
	}
	return dir, err
}

// run goes through the chapters.
func (d *demo) run(ctx context.Context) error {
	d.say("opsctl demo in %s\n", d.dir)
	for i, chapter := range []struct {
		title string
		run   func(context.Context) error
	}{
		{"Files for a fresh repository", d.files},
		{"One contract for the environment", d.environment},
		{"A platform on this machine", d.startEmulator},
		{"Deploy: database, secrets, migrations, roll-out, health", d.firstDeploy},
		{"A release that does not become healthy is rolled back", d.badDeploy},
		{"The same app on Railway and on Render", d.elsewhere},
		{"A backup, and the proof that it is one", d.backup},
		{"A damaged copy is found out", d.damage},
	} {
		d.say("\n%s", ui.Bold(fmt.Sprintf("%d. %s", i+1, chapter.title)))
		if err := chapter.run(ctx); err != nil {
			return err
		}
	}
	d.say("\n%s", ui.Bold("What you saw"))
	for _, line := range d.summary {
		d.say("%s %s", ui.OK, line)
	}
	d.say("\n%s in all", ui.Duration(d.a.now().Sub(d.began)))
	return nil
}

func (d *demo) close(keep bool) error {
	var err error
	if d.emulator != nil {
		err = d.emulator.stop()
	}
	if keep {
		d.say("kept: %s (cd %s && . ../demo.env; the emulator was stopped, start it again with the command above)", d.dir, d.app)
		return err
	}
	return errors.Join(err, os.RemoveAll(d.dir))
}

func (d *demo) say(format string, args ...any) { fmt.Fprintf(d.a.io.Out, format+"\n", args...) }

func (d *demo) proved(line string) { d.summary = append(d.summary, line) }
