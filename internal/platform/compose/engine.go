package compose

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// engine runs the command line of Docker or Podman.
type engine struct {
	bin    string
	run    func(ctx context.Context, c execx.Cmd) error
	lookup func(string) (string, bool)
}

// call is one command.
type call struct {
	args   []string
	env    []string // beside the process's own: values that must not stand in args
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

func (e engine) do(ctx context.Context, c call) error {
	env := c.env
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST"} {
		if v, ok := e.lookup(name); ok { // those of Lookup may differ from the process's
			env = append(env, name+"="+v)
		}
	}
	return e.run(ctx, execx.Cmd{Path: e.bin, Args: c.args, Env: osEnviron(env), Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr})
}

// out returns what a command prints.
func (e engine) out(ctx context.Context, args ...string) ([]byte, error) {
	return e.outOf(ctx, call{args: args})
}

func (e engine) outOf(ctx context.Context, c call) ([]byte, error) {
	var out bytes.Buffer
	c.stdout = &out
	err := e.do(ctx, c)
	return out.Bytes(), err
}

// quiet runs a command whose output says nothing.
func (e engine) quiet(ctx context.Context, args ...string) error {
	return e.do(ctx, call{args: args})
}

// said is what the engine's command line wrote on standard error.
func said(err error) string {
	if e, ok := errors.AsType[*execx.Error](err); ok {
		return e.Stderr
	}
	return ""
}

func exitOf(err error) int {
	if e, ok := errors.AsType[*execx.Error](err); ok {
		return e.Exit
	}
	return 0
}

func saidAny(err error, words ...string) bool {
	text := strings.ToLower(said(err))
	for _, w := range words {
		if strings.Contains(text, w) {
			return true
		}
	}
	return false
}

// gone is that what a command was for does not exist. Docker and Podman word it
// in several ways.
func gone(err error) bool {
	return saidAny(err, "no such container", "no such object", "no such volume", "no such network", "no such image",
		"no container with name", "no volume with name", "network not found", "image not known", "is not running")
}

// taken is that the name is another container's.
func taken(err error) bool { return saidAny(err, "is already in use", "already exists") }

// explain gives an error of the command line a code and a next step. The format
// says what was being done.
func explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return errs.Wrap(err, errs.CodeOf(err), format, args...)
	}
	why := errors.New(cmp.Or(reason(said(err)), err.Error()))
	e := errs.Wrap(why, errs.Failure, format, args...)
	switch {
	case saidAny(err, "permission denied while trying to connect", "permission denied (publickey", "dial unix") && saidAny(err, "permission denied"):
		e.Code = errs.Auth
		return e.WithHint("your user may not use the engine: have it added to the group docker and sign in again, or point DOCKER_HOST at an engine of yours")
	case saidAny(err, "cannot connect to the docker daemon", "is the docker daemon running", "connection refused", "cannot connect to podman", "error during connect"):
		return e.WithHint("is the engine running, and does DOCKER_HOST or the Docker context name the right one?")
	case saidAny(err, "port is already allocated", "address already in use"):
		e.Code = errs.Conflict
		return e.WithHint("something else listens there: stop it (a `docker compose up` of the same app, for instance), or publish the app at another port")
	case saidAny(err, "no space left on device"):
		return e.WithHint("the engine's disk is full: see `docker system df`")
	}
	return e
}

// reason is the engine's own words without its prefixes.
func reason(text string) string {
	if i := strings.LastIndex(text, "Error response from daemon: "); i >= 0 {
		text = text[i+len("Error response from daemon: "):]
	}
	text = strings.TrimPrefix(strings.TrimSpace(text), "Error: ")
	text, _, _ = strings.Cut(text, "\nSee ")
	text, _, _ = strings.Cut(text, "\nerrors pretty printing info") // docker info says both
	return strings.TrimSpace(text)
}

// engineInfo is what the engine says of itself.
type engineInfo struct {
	Title   string // Docker or Podman
	Version string
	Host    string
	Arch    string // as Go names it
	Logs    string // the logging driver
}

// about asks the engine once.
func (p *Platform) about(ctx context.Context) (engineInfo, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.info != nil {
		return *p.info, nil
	}
	out, err := p.engine.out(ctx, "info", "--format", "{{json .}}")
	if err != nil {
		return engineInfo{}, explain(err, "ask the container engine who it is")
	}
	var got struct {
		ServerVersion, Name, Architecture, LoggingDriver, OSType string

		ServerErrors []string
		// Podman's
		Host *struct {
			Arch, Hostname, LogDriver string
		} `json:"host"`
		Version *struct{ Version string } `json:"version"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		return engineInfo{}, errs.Wrap(err, errs.Failure, "read what the container engine says of itself")
	}
	info := engineInfo{Title: "Docker", Version: got.ServerVersion, Host: got.Name, Arch: goArch(got.Architecture), Logs: got.LoggingDriver}
	if got.Host != nil && got.Version != nil {
		info = engineInfo{Title: "Podman", Version: got.Version.Version, Host: got.Host.Hostname, Arch: goArch(got.Host.Arch), Logs: got.Host.LogDriver}
	}
	if info.Version == "" {
		return info, explain(&execx.Error{Program: p.engine.bin, Exit: 1, Stderr: strings.Join(got.ServerErrors, "; "), Cause: errors.New("it gives no version")}, "ask the container engine who it is")
	}
	if got.OSType != "" && got.OSType != "linux" {
		return info, errs.New(errs.Failure, "the engine on %s runs %s containers, and opsctl needs Linux ones", info.Host, got.OSType)
	}
	p.info = &info
	return info, nil
}

func goArch(machine string) string {
	switch machine {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	case "armv7l", "armv6l":
		return "arm"
	default:
		return machine
	}
}
