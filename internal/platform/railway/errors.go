package railway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
)

// gqlError is one entry of errors in an answer.
type gqlError struct {
	Message    string `json:"message"`
	Path       []any  `json:"path"`
	TraceID    string `json:"traceId"`
	Extensions struct {
		Code          string `json:"code"`
		WorkspaceName string `json:"workspaceName"`
	} `json:"extensions"`
}

// apiError is an answer that is no success. Railway says most with status 200.
type apiError struct {
	status  int
	request string
	errors  []gqlError
	text    string // of an answer that is not GraphQL
}

func (e *apiError) Error() string {
	if len(e.errors) > 0 {
		return e.errors[0].Message
	}
	if e.text != "" {
		return e.text
	}
	return http.StatusText(e.status)
}

// says tells whether any of the messages has one of the words, or a code is one of them.
func (e *apiError) says(words ...string) bool {
	return slices.ContainsFunc(e.errors, func(g gqlError) bool {
		return slices.ContainsFunc(words, func(w string) bool {
			return strings.Contains(strings.ToLower(g.Message), strings.ToLower(w)) || g.Extensions.Code == w
		})
	})
}

// field is the field of the document that the first error is about; "" when it does not say.
func (e *apiError) field() string {
	if len(e.errors) == 0 || len(e.errors[0].Path) == 0 {
		return ""
	}
	name, _ := e.errors[0].Path[0].(string)
	return name
}

func asAPI(err error) (*apiError, bool) { return errors.AsType[*apiError](err) }

// refused tells that the credentials do not reach so far.
func refused(err error) bool {
	e, ok := asAPI(err)
	return ok && (e.says("not authorized", "project token not found", "unauthorized", "UNAUTHENTICATED", "UNAUTHORIZED", "FORBIDDEN", "two factor authentication required") ||
		len(e.errors) == 0 && httpx.CodeOf(e.status) == errs.Auth)
}

// missing tells that what was asked for does not exist.
func missing(err error) bool {
	e, ok := asAPI(err)
	return ok && (e.says("not found", "does not exist", "NOT_FOUND") && !e.says("project token not found") || len(e.errors) == 0 && e.status == http.StatusNotFound)
}

// busy tells that the API had trouble of its own, which it says with status 200.
func busy(err error) bool {
	e, ok := asAPI(err)
	return ok && len(e.errors) > 0 && e.says("problem processing request", "INTERNAL_SERVER_ERROR", "internal server error")
}

// uncertain tells that a change may have been made although it looks failed:
// no answer, or one that says that the server had trouble.
func uncertain(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) {
		return false
	}
	if _, decided := errors.AsType[*errs.Error](err); decided {
		return false
	}
	e, ok := asAPI(err)
	return !ok || busy(err) || e.status >= http.StatusInternalServerError || e.status == http.StatusRequestTimeout
}

// transient tells whether waiting may cure an error.
func transient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	e, ok := asAPI(err)
	return uncertain(err) || ok && e.status == http.StatusTooManyRequests
}

// explain turns an error of the API into one with a code, the id of the request
// and a next step. What says what was being done.
func (p *Platform) explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	what := fmt.Sprintf(format, args...)
	e, ok := asAPI(err)
	if !ok {
		return unreachable(err, what)
	}
	detail := e.Error()
	if id := e.id(); id != "" {
		detail += " (request " + id + ")"
	}
	cause := errors.New(detail)
	switch {
	case e.says("two factor authentication required"):
		return errs.Wrap(cause, errs.Auth, "%s", what).WithHint("the workspace%s wants two-factor authentication: switch it on in your Railway account, then make a new token", named(e.errors[0].Extensions.WorkspaceName))
	case refused(err):
		return errs.Wrap(cause, errs.Auth, "%s", what).WithHint("%s", p.tokenHint())
	case missing(err):
		return errs.Wrap(cause, errs.NotFound, "%s", what)
	case e.status == http.StatusTooManyRequests || e.says("rate limit"):
		return errs.Wrap(cause, errs.Failure, "%s", what).WithHint("Railway limits the requests of an hour (100 on Free, 1000 on Hobby, 10000 on Pro); wait, and run the same command again")
	case len(e.errors) > 0 && !busy(err):
		return errs.Wrap(cause, errs.Failure, "%s", what)
	case busy(err) || e.status >= http.StatusInternalServerError:
		return errs.Wrap(cause, errs.Failure, "%s (HTTP %d)", what, e.status).WithHint("Railway has trouble; run the same command again, it goes on where it stopped")
	}
	return errs.Wrap(cause, httpx.CodeOf(e.status), "%s (HTTP %d)", what, e.status)
}

func (e *apiError) id() string {
	if len(e.errors) > 0 && e.errors[0].TraceID != "" {
		return e.errors[0].TraceID
	}
	return e.request
}

func named(name string) string {
	if name == "" {
		return ""
	}
	return " " + name
}

// unreachable is a request that got no answer.
func unreachable(err error, what string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return errs.Wrap(httpx.RedactError(err), errs.Failure, "%s", what).
		WithHint("Railway could not be reached: is there a network, and does %s point where it should? An emulator has to be running", envBase)
}
