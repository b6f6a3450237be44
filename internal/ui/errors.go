package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// errorJSON is the error on stderr in --json mode.
type errorJSON struct {
	Error struct {
		Code    errs.Code `json:"code"`
		Message string    `json:"message"`
		Hint    string    `json:"hint,omitempty"`
		Exit    int       `json:"exit"`
	} `json:"error"`
}

// PrintError is the one place that turns an error into text (or JSON) on stderr.
func (s *Streams) PrintError(err error, asJSON bool, redact func(string) string) {
	code := errs.CodeOf(err)
	message, hint := redact(strings.TrimSpace(err.Error())), redact(errs.HintOf(err))
	if code == errs.Interrupted {
		message = interrupted(err, redact)
	}
	if asJSON {
		var e errorJSON
		e.Error.Code, e.Error.Message, e.Error.Hint, e.Error.Exit = code, message, hint, errs.ExitCode(err)
		_ = json.NewEncoder(s.Err).Encode(e)
		return
	}
	fmt.Fprintf(s.Err, "%s %s\n", Red("error:"), message)
	for i, line := range strings.Split(hint, "\n") {
		switch {
		case line == "":
		case i == 0:
			fmt.Fprintf(s.Err, "%s %s\n", Cyan("hint:"), line)
		default:
			fmt.Fprintf(s.Err, "      %s\n", line)
		}
	}
}

// interrupted says what an interruption left, in one wording: the outermost
// error's own words, without those of what was cut off.
func interrupted(err error, redact func(string) string) string {
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Code == errs.Interrupted && e.Message != "" {
		return "interrupted: " + redact(e.Message)
	}
	return "interrupted"
}

// Warn prints a warning line on stderr.
func (s *Streams) Warn(format string, args ...any) {
	fmt.Fprintf(s.Err, "%s %s\n", Yellow("warning:"), fmt.Sprintf(format, args...))
}
