// Package errs holds the one error type that opsctl shows to people and
// scripts, its exit codes, and the redaction of secrets in text.
//
// A package returns an *Error when it knows what the user can do next;
// everything else is wrapped with %w and becomes a plain failure (exit 1).
package errs

import (
	"context"
	"errors"
	"fmt"
)

// Code classifies an error. Each code has one exit status, which scripts rely on.
type Code string

// The codes, with the exit status each one leads to.
const (
	Failure     Code = "failure"      // 1: anything not below
	Usage       Code = "usage"        // 2: wrong arguments or invalid configuration
	CheckFailed Code = "check_failed" // 3: environment invalid, unhealthy, backup not proven, drift
	Auth        Code = "auth"         // 4: credentials missing or refused
	NotFound    Code = "not_found"    // 5: the named thing does not exist
	Conflict    Code = "conflict"     // 6: locked, or changed by somebody else
	Timeout     Code = "timeout"      // 7: gave up waiting
	RolledBack  Code = "rolled_back"  // 8: deploy failed, the previous version was restored
	Partial     Code = "partial"      // 9: some of it was done
	Interrupted Code = "interrupted"  // 130: Ctrl-C or SIGTERM
)

var exits = map[Code]int{
	Failure: 1, Usage: 2, CheckFailed: 3, Auth: 4, NotFound: 5, Conflict: 6,
	Timeout: 7, RolledBack: 8, Partial: 9, Interrupted: 130,
}

// Exit is the process exit status for the code; an unknown code is 1.
func (c Code) Exit() int {
	if n, ok := exits[c]; ok {
		return n
	}
	return 1
}

// Error is an error with a class and a next step.
type Error struct {
	Code    Code
	Message string // lower case, names the thing, no full stop
	Hint    string // what to do next; may span lines; may be empty
	Cause   error  // wrapped, may be nil; its text is appended to Message
}

// New makes an Error with a formatted message. A %w verb is not supported: use Wrap.
func New(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an Error around cause. The message says what was being done.
func Wrap(cause error, code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// WithHint sets the next step and returns the error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Error is the message, followed by the cause's text where there is one.
func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	if e.Message == "" {
		return e.Cause.Error()
	}
	return e.Message + ": " + e.Cause.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// CodeOf classifies any error: the outermost *Error decides, then context
// cancellation (Interrupted) and deadline (Timeout); all else is Failure.
func CodeOf(err error) Code {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.Canceled):
		return Interrupted
	case errors.Is(err, context.DeadlineExceeded):
		return Timeout
	default:
		return Failure
	}
}

// HintOf returns the hint of the outermost *Error that has one.
func HintOf(err error) string {
	for err != nil {
		var e *Error
		if !errors.As(err, &e) {
			return ""
		}
		if e.Hint != "" {
			return e.Hint
		}
		err = e.Cause
	}
	return ""
}

// ExitCode is the process exit status for err; 0 for nil.
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	return CodeOf(err).Exit()
}
