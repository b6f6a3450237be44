package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	port     int
	exec     string
	dir      string
	images   []string
	latency  time.Duration
	faults   []string
	lag      time.Duration
	pageSize int
	tokenTTL time.Duration
	deploy   time.Duration
	state    string
	envFile  string
	orgs     []string
	token    string // of the emulator only; it opens nothing else
}

// emulateReady is the answer of `opsctl emulate --json`: one line, printed when it accepts requests.
type emulateReady struct {
	emulator.Info
	URL string `json:"url"` // the same as fly, which came first
}

func newEmulateCmd(a *app) *cobra.Command {
	var o emulateOptions
	cmd := &cobra.Command{
		Use:     "emulate",
		Short:   "Run the platforms on this machine, to try deployments on",
		GroupID: "tool",
		Long: `Run stand-ins for Fly.io, Railway, Render and Sentry on this machine: their APIs,
an image registry, managed PostgreSQL and Redis (real servers) and machines that
are real processes.

Each platform has a port of its own: Fly and the registry --port, Railway the
one after it, then Render, then Sentry. It prints the variables that point opsctl
and the platforms' own clients there (so does "opsctl emulate env" while it runs),
then runs until Ctrl-C, which stops everything it started. Without --state it
forgets all; with it the next run goes on there and starts again what ran.

--exec says what a machine runs in place of its image. It is split into words
(quotes count) and not given to a shell; PORT is where it has to listen. Release
commands run as they are. Without --exec a machine is a placeholder that answers
every request with 200 and its identity.

An app answers at http://APP.localhost:PORT with its platform's port. A pooled
address of a database is a way to the database that pools nothing.

A fault is METHOD PATH=ACTION, where * in the path is one segment, or any rest at
the end, and PATH#NAME is a GraphQL request with that operation or field; ACTION
is a status (503, 503x2 for twice, 429:7 for Retry-After, 409 for a lease that is
held, 401 for a token that is over), reset, hang or slow:2s; after a comma come
count=N, skip=N, retry-after=N, latency=TIME and late (do it, lose the answer).

Exit status: 2 wrong usage, 1 could not start, 130 stopped by a signal.`,
		Example: `  opsctl emulate --seed-image shop:v1 --exec "node server.js"
  opsctl emulate --env-file emulator.env & . ./emulator.env
  opsctl emulate --state ~/.cache/emulator --lag 2s --page-size 2
  opsctl emulate --latency 200ms --fault "POST /v1/apps/*/machines*=429:1,count=2"
  opsctl emulate --fault "POST /graphql/v2#variableCollectionUpsert=503x1"
  opsctl emulate --port 0 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runEmulate(cmd.Context(), a, o) },
	}
	f := cmd.Flags()
	f.IntVar(&o.port, "port", emulatorPort, "first `port` to serve on; 0 takes free ones")
	f.StringVar(&o.listen, "listen", "", "`address` to serve on, in place of 127.0.0.1 and --port")
	cmd.MarkFlagsMutuallyExclusive("port", "listen")
	f.StringVar(&o.exec, "exec", "", "`command` that every machine runs in place of its image")
	f.StringVar(&o.dir, "dir", "", "`directory` that the processes run in (default: here with --exec)")
	f.StringArrayVar(&o.images, "seed-image", nil, "make an image `NAME:TAG` exist from the start (repeatable)")
	f.DurationVar(&o.latency, "latency", 0, "delay every answer of the APIs")
	f.StringArrayVar(&o.faults, "fault", nil, "inject trouble, as `\"METHOD PATH=ACTION\"` (repeatable)")
	f.DurationVar(&o.lag, "lag", 0, "hide what is new from reads for that `time`, as an eventually consistent API does")
	f.IntVar(&o.pageSize, "page-size", 0, "answer lists with at most that `number` of items a page")
	f.DurationVar(&o.tokenTTL, "token-ttl", 0, "let a token expire that `time` after its first use")
	f.DurationVar(&o.deploy, "deploy-timeout", 0, "give a deploy on Render that `time` to get healthy (default: 15 minutes, as there)")
	f.StringVar(&o.state, "state", "", "`directory` that keeps everything over a restart (default: a temporary one)")
	f.StringVar(&o.state, "state-dir", "", "the same as --state")
	_ = f.MarkHidden("state-dir") // its name before there was anything to keep
	f.StringVar(&o.envFile, "env-file", "", "write the variables to a `file` instead of stdout")
	f.StringVar(&o.token, "token", "", "accept only this made-up `token` (default: any)")
	f.StringArrayVar(&o.orgs, "org", []string{"personal"}, "`slug` of an organization that exists (repeatable)")
	cmd.AddCommand(newEmulateEnvCmd(a))
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
		return errs.Wrap(err, errs.Failure, "start the emulator").WithHint("%s", startHint(err, o.state))
	}
	s.Start()
	err = announce(a, o, s)
	if err == nil {
		at := s.Endpoints()
		say("emulator: ready at %s (fly), %s (railway), %s (render), %s (sentry), registry %s, apps at %s; Ctrl-C stops it",
			at.Fly, at.Railway, at.Render, at.Sentry, at.Registry, s.AppURL("APP"))
		<-ctx.Done()
		say("emulator: stopping")
		err = silent(errs.Interrupted)
	}
	if e := s.Close(); e != nil {
		return errs.Wrap(e, errs.Failure, "stop the emulator")
	}
	return err
}

// startHint says what to do about an emulator that does not start.
func startHint(err error, state string) string {
	if errors.Is(err, emulator.ErrState) {
		return "--state with another directory starts anew, and so does moving " + state + " away"
	}
	return "--port 0 takes free ports"
}

// options turns the flags into what the emulator takes.
func (o emulateOptions) options() (emulator.Options, error) {
	opts := emulator.Options{
		Listen: o.listen, Dir: o.dir, StateDir: o.state, SeedImages: o.images, Latency: o.latency, Orgs: o.orgs,
		Lag: o.lag, PageSize: o.pageSize, TokenTTL: o.tokenTTL, DeployTimeout: o.deploy,
	}
	if o.listen == "" {
		opts.Listen = net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port))
	}
	if o.port < 0 || o.port > 65535-emulator.Ports+1 {
		return opts, errs.New(errs.Usage, "--port %d: want 0, or the first of %d ports up to 65535", o.port, emulator.Ports)
	}
	if o.lag < 0 || o.pageSize < 0 || o.tokenTTL < 0 || o.latency < 0 || o.deploy < 0 {
		return opts, errs.New(errs.Usage, "--deploy-timeout, --lag, --latency, --page-size and --token-ttl cannot be negative")
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
	return opts, nil
}

// announce tells how to reach the emulator.
func announce(a *app, o emulateOptions, s *emulator.Server) error {
	lines := exports(s.Env())
	if o.envFile != "" {
		// Whole or not at all: others wait for this file.
		if err := atomicfile.Write(o.envFile, []byte(lines), 0o600); err != nil {
			return errs.Wrap(err, errs.Failure, "write --env-file")
		}
	}
	if a.global.JSON {
		return ui.Event(a.io.Out, emulateReady{Info: s.Info(), URL: s.URL()})
	}
	if o.envFile == "" {
		_, err := fmt.Fprint(a.io.Out, lines)
		return err
	}
	return nil
}
