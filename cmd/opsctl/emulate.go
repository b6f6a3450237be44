package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
	"github.com/opsctl/opsctl/internal/ui"
)

// emulateOptions are the flags of `opsctl emulate`.
type emulateOptions struct {
	listen   string
	exec     string
	dir      string
	images   []string
	latency  time.Duration
	faults   []string
	stateDir string
	envFile  string
	orgs     []string
	token    string // of the emulator only; it opens nothing else
}

// emulateReady is the answer of `opsctl emulate --json`, printed when it accepts requests.
type emulateReady struct {
	Schema   string            `json:"schema"` // opsctl.emulate/v1
	URL      string            `json:"url"`
	Registry string            `json:"registry"`
	Env      map[string]string `json:"env"`
}

func newEmulateCmd(a *app) *cobra.Command {
	var o emulateOptions
	cmd := &cobra.Command{
		Use:     "emulate",
		Short:   "Run a platform on this machine, to try deployments on",
		GroupID: "tool",
		Long: `Run a stand-in for Fly.io on this machine: its APIs, an image registry, managed
PostgreSQL (a real, temporary server) and machines that are real processes.

It prints the variables that point opsctl and Fly's own client at it, then runs
until Ctrl-C, which stops everything it started and forgets all state.

--exec says what a machine runs in place of its image. It is split into words
(quotes count) and not given to a shell; PORT is where it has to listen, and
FLY_IMAGE_REF says which image it stands for. Release commands run as they are.
Without --exec a machine is a placeholder that answers every request with 200.

An app answers at http://APP.localhost:PORT. The pooled address of a database is
the database itself: there is no pooler. A fault is METHOD PATH=ACTION, where *
in the path is one segment, or any rest at the end; ACTION is a status (503,
503x2 for twice, 429:7 for Retry-After), reset, hang or slow:2s; after a comma
come count=N, skip=N, retry-after=N, latency=TIME and late (do it, lose the answer).

Exit status: 2 wrong usage, 1 could not start, 130 stopped by a signal.`,
		Example: `  opsctl emulate --seed-image shop:v1 --exec "node server.js"
  opsctl emulate --env-file emulator.env & . ./emulator.env
  opsctl emulate --latency 200ms --fault "POST /v1/apps/*/machines*=429:1,count=2"
  opsctl emulate --listen 127.0.0.1:0 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEmulate(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", "127.0.0.1:4280", "`address` to serve on; port 0 takes a free one")
	f.StringVar(&o.exec, "exec", "", "`command` that every machine runs in place of its image")
	f.StringVar(&o.dir, "dir", "", "`directory` that the processes run in (default: here with --exec)")
	f.StringArrayVar(&o.images, "seed-image", nil, "make an image `NAME:TAG` exist from the start (repeatable)")
	f.DurationVar(&o.latency, "latency", 0, "delay every answer of the APIs")
	f.StringArrayVar(&o.faults, "fault", nil, "inject trouble, as `\"METHOD PATH=ACTION\"` (repeatable)")
	f.StringVar(&o.stateDir, "state-dir", "", "`directory` for the machines' files (default: a temporary one)")
	f.StringVar(&o.envFile, "env-file", "", "write the variables to a `file` instead of stdout")
	f.StringVar(&o.token, "token", "", "accept only this made-up `token` (default: any)")
	f.StringArrayVar(&o.orgs, "org", []string{"personal"}, "`slug` of an organization that exists (repeatable)")
	return cmd
}

func runEmulate(ctx context.Context, a *app, o emulateOptions) error {
	opts, err := o.options()
	if err != nil {
		return err
	}
	var mu sync.Mutex // the emulator logs from many goroutines
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if !a.global.Quiet {
			ui.Line(a.io.Err, a.redact.Redact(fmt.Sprintf(format, args...)))
		}
	}
	opts.Log = func(line string) { say("%s", line) }
	if a.global.Verbose {
		opts.OnRequest = func(r emulator.Request) {
			say("%s %s %d %s %s", r.Method, r.Path, r.Status, r.Duration.Round(time.Millisecond), r.ID)
		}
	}
	if o.token != "" {
		opts.ValidTokens = []string{o.token}
	}
	postgres.Sweep(ctx, "") // servers that a killed emulator left
	s, err := emulator.New(opts)
	if err != nil {
		return errs.Wrap(err, errs.Failure, "start the emulator").WithHint("--listen 127.0.0.1:0 takes a free port")
	}
	s.Start()
	err = announce(a, o, s)
	if err == nil {
		say("emulator: ready at %s, apps at %s; Ctrl-C stops it", s.URL(), s.AppURL("APP"))
		<-ctx.Done()
		say("emulator: stopping")
		err = silent(errs.Interrupted)
	}
	if e := s.Close(); e != nil {
		return errs.Wrap(e, errs.Failure, "stop the emulator")
	}
	return err
}

// options turns the flags into what the emulator takes.
func (o emulateOptions) options() (emulator.Options, error) {
	opts := emulator.Options{
		Listen: o.listen, Dir: o.dir, StateDir: o.stateDir, SeedImages: o.images, Latency: o.latency, Orgs: o.orgs,
	}
	var err error
	if opts.Exec, err = splitWords(o.exec); err != nil {
		return opts, errs.Wrap(err, errs.Usage, "--exec")
	}
	for _, spec := range o.faults {
		f, err := emulator.ParseFault(spec)
		if err != nil {
			return opts, errs.Wrap(err, errs.Usage, "").WithHint("see opsctl emulate --help")
		}
		opts.Faults = append(opts.Faults, f)
	}
	if len(opts.Exec) > 0 && opts.Dir == "" {
		opts.Dir = "."
	}
	for _, dir := range []*string{&opts.Dir, &opts.StateDir} {
		if *dir == "" {
			continue
		}
		if *dir, err = filepath.Abs(*dir); err != nil {
			return opts, err
		}
	}
	if len(opts.Exec) > 0 {
		program := opts.Exec[0]
		if strings.Contains(program, "/") && !filepath.IsAbs(program) {
			program = filepath.Join(opts.Dir, program)
		}
		if _, err := exec.LookPath(program); err != nil {
			return opts, errs.New(errs.Usage, "--exec: no program %q", opts.Exec[0]).WithHint("it is looked for in --dir and on PATH, and is not given to a shell")
		}
	}
	if opts.Dir != "" {
		if st, err := os.Stat(opts.Dir); err != nil || !st.IsDir() {
			return opts, errs.New(errs.Usage, "--dir %s is not a directory", o.dir)
		}
	}
	if opts.StateDir != "" {
		if err := os.MkdirAll(opts.StateDir, 0o700); err != nil {
			return opts, errs.Wrap(err, errs.Failure, "make --state-dir")
		}
	}
	return opts, nil
}

// announce tells how to reach the emulator.
func announce(a *app, o emulateOptions, s *emulator.Server) error {
	env := s.Env()
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, env[name])
	}
	if o.envFile != "" {
		// Whole or not at all: others wait for this file.
		if err := atomicfile.Write(o.envFile, []byte(b.String()), 0o600); err != nil {
			return errs.Wrap(err, errs.Failure, "write --env-file")
		}
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, emulateReady{Schema: "opsctl.emulate/v1", URL: s.URL(), Registry: s.Host(), Env: env})
	}
	if o.envFile == "" {
		_, err := fmt.Fprint(a.io.Out, b.String())
		return err
	}
	return nil
}

// splitWords splits a command line at blanks; single and double quotes and
// backslashes keep them, as in a shell, and nothing else is special.
func splitWords(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord, quote, escaped := false, rune(0), false
	for _, c := range s {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, inWord = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote == 0 && (c == '\'' || c == '"'):
			quote, inWord = c, true
		case quote == 0 && strings.ContainsRune(" \t\n", c):
			if inWord {
				words = append(words, word.String())
				word.Reset()
				inWord = false
			}
		default:
			word.WriteRune(c)
			inWord = true
		}
	}
	if quote != 0 || escaped {
		return nil, fmt.Errorf("unfinished quote in %q", s)
	}
	if inWord {
		words = append(words, word.String())
	}
	return words, nil
}
