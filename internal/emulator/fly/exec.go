package fly

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// defaultExec and maxExec bound a command; the real API gives up in the same range.
const (
	defaultExec = 30 * time.Second
	maxExec     = 60 * time.Second
)

// execMachine runs a command in a machine. An end with a status other than 0 is
// no failure of the call: the answer is 200 and says so.
func (s *Server) execMachine(r *http.Request) (reply, error) {
	var in struct {
		Command   []string `json:"command"`
		Cmd       string   `json:"cmd"` // the deprecated form, which flyctl still sends
		Stdin     string   `json:"stdin"`
		Timeout   int      `json:"timeout"` // seconds
		Container string   `json:"container"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	argv := in.Command
	if len(argv) == 0 {
		var ok bool
		if argv, ok = words(in.Cmd); !ok {
			return reply{}, fail(http.StatusBadRequest, "invalid cmd: unbalanced quotes")
		}
	}
	if len(argv) == 0 || argv[0] == "" {
		return reply{}, fail(http.StatusBadRequest, "a command is required")
	}
	if in.Timeout < 0 {
		return reply{}, fail(http.StatusBadRequest, "invalid timeout")
	}
	s.mu.Lock()
	_, m, err := s.machine(r)
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	timeout := defaultExec
	if in.Timeout > 0 {
		timeout = min(time.Duration(in.Timeout)*time.Second, maxExec)
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	res, err := m.m.Exec(ctx, argv, in.Stdin)
	switch {
	case errors.Is(err, world.ErrNotRunning):
		return reply{}, fail(http.StatusPreconditionFailed, "failed_precondition: unable to exec, machine is not started")
	case ctx.Err() != nil:
		return reply{}, fail(http.StatusRequestTimeout, "deadline_exceeded: the command did not end in time")
	case err != nil:
		return reply{}, fail(http.StatusInternalServerError, "unable to exec: "+err.Error())
	}
	return ok(map[string]any{"exit_code": res.Code, "exit_signal": res.Signal, "stdout": res.Stdout, "stderr": res.Stderr})
}

// words splits a command line at blanks, outside quotes, as shells do.
func words(line string) (out []string, ok bool) {
	var word strings.Builder
	quote, open := rune(0), false
	escaped := false
	for _, c := range line {
		switch {
		case escaped:
			word.WriteRune(c)
			escaped = false
		case c == '\\' && quote != '\'':
			escaped, open = true, true
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteRune(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case c == ' ' || c == '\t' || c == '\n':
			if open {
				out = append(out, word.String())
				word.Reset()
			}
			open = false
		default:
			word.WriteRune(c)
			open = true
		}
	}
	if open {
		out = append(out, word.String())
	}
	return out, quote == 0 && !escaped
}
