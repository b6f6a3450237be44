package render

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
)

// apiError is an answer that is no success.
type apiError struct {
	status    int
	requestID string
	body      []byte
}

// Error is Render's own message. Answers of other shapes (of proxies, say) are not repeated.
func (e *apiError) Error() string {
	var b struct{ Message string }
	if json.Unmarshal(e.body, &b) == nil && b.Message != "" {
		return errs.Redact(b.Message)
	}
	return http.StatusText(e.status)
}

// detailed is an answer with its status and the request's id, for people.
type detailed struct {
	text  string
	cause error
}

func (e *detailed) Error() string { return e.text }
func (e *detailed) Unwrap() error { return e.cause }

// status is the HTTP status behind an error; 0 when there was no answer.
func status(err error) int {
	if e, ok := errors.AsType[*apiError](err); ok {
		return e.status
	}
	return 0
}

// requestID is Render's id of a request.
func requestID(h http.Header) string {
	if id := h.Get("Rndr-Id"); id != "" {
		return id
	}
	return httpx.RequestID(h)
}

// missing tells whether the thing does not exist, or not any more.
func missing(err error) bool {
	st := status(err)
	return st == http.StatusNotFound || st == http.StatusGone
}

const keyHint = "the key in RENDER_API_KEY was refused: make one under Account Settings, API Keys, at https://dashboard.render.com"

// explain turns an error of the API into one with a code, the request's id and a
// next step. The text says what was being done.
func explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	msg := fmt.Sprintf(format, args...)
	ae, ok := errors.AsType[*apiError](err)
	if !ok {
		return unreachable(err, msg)
	}
	detail := fmt.Sprintf("%s (HTTP %d", ae.Error(), ae.status)
	if ae.requestID != "" {
		detail += ", request " + ae.requestID
	}
	e := errs.Wrap(&detailed{detail + ")", ae}, httpx.CodeOf(ae.status), "%s", msg)
	switch {
	case ae.status == http.StatusUnauthorized:
		return e.WithHint("%s", keyHint)
	case ae.status == http.StatusForbidden:
		return e.WithHint("the key's user may not do this in that workspace: ask an admin of it, or choose another with RENDER_WORKSPACE")
	case ae.status == http.StatusPaymentRequired:
		return e.WithHint("the workspace has no payment card: add one at https://dashboard.render.com/billing")
	case ae.status == http.StatusTooManyRequests:
		return e.WithHint("Render limits the rate of requests (20 new services an hour, 10 deploys a minute of a service); wait and run the same command again")
	case ae.status >= http.StatusInternalServerError:
		return e.WithHint("Render has trouble, see https://status.render.com; run the same command again, it goes on where it stopped")
	}
	return e
}

// unreachable is a request that got no answer.
func unreachable(err error, msg string) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", msg, err)
	}
	return errs.Wrap(httpx.RedactError(err), errs.Failure, "%s", msg).
		WithHint("Render could not be reached: is there a network, and does RENDER_HOST point where it should? An emulator has to be running")
}

// transient tells whether waiting may cure an error, and whether a request that
// got it may nevertheless have been carried out: Render has trouble, limits the
// rate, or gave no answer.
func transient(err error) bool {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if e, ok := errors.AsType[*errs.Error](err); ok && e.Code != errs.Failure && e.Code != errs.Timeout {
		return false
	}
	st := status(err)
	return st == 0 || st == http.StatusRequestTimeout || st == http.StatusTooManyRequests || st >= http.StatusInternalServerError
}

// tries is how often a request that makes something is sent, when it is known
// each time that it did not.
const tries = 3

// once sends a request that must not be carried out twice. When its answer is
// lost, seen looks whether it was carried out; only when not it is sent again.
func (p *Platform) once(ctx context.Context, send func() error, seen func() (bool, error)) error {
	var err error
	for try := 1; ; try++ {
		if err = send(); err == nil || !transient(err) {
			return err
		}
		// What was made may take a moment to show.
		for range 3 {
			if serr := p.sleep(ctx, p.o.Poll/2); serr != nil {
				return serr
			}
			done, serr := seen()
			if done {
				return nil
			}
			if serr != nil && !transient(serr) {
				return serr
			}
		}
		if try == tries {
			return err
		}
	}
}
