package fly

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/superfly/fly-go/flaps"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
)

// apiError is an answer of a direct call that is no success.
type apiError struct {
	status    int
	requestID string
	body      []byte
}

func (e *apiError) Error() string {
	var b struct{ Error, Message string }
	if json.Unmarshal(e.body, &b) == nil {
		if b.Message != "" {
			return b.Message
		}
		if b.Error != "" {
			return b.Error
		}
	}
	return http.StatusText(e.status)
}

// status is the HTTP status behind an error; 0 when there was no answer.
func status(err error) int {
	var direct *apiError
	var viaFlaps *flaps.FlapsError
	switch {
	case errors.As(err, &direct):
		return direct.status
	case errors.As(err, &viaFlaps):
		return viaFlaps.ResponseStatusCode
	default:
		return 0
	}
}

func requestID(err error) string {
	if direct, ok := errors.AsType[*apiError](err); ok {
		return direct.requestID
	}
	return flaps.GetErrorRequestID(err)
}

// tokenHint names both variables: the first one set wins, as in flyctl.
const tokenHint = "the token in FLY_ACCESS_TOKEN or FLY_API_TOKEN was refused: make a new one with `fly tokens create deploy`"

// explain turns an error of any of Fly's APIs into one with a code, the
// request id, and a next step. What says what was being done.
func explain(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*errs.Error](err); ok {
		return err
	}
	st := status(err)
	if st == 0 {
		return unreachable(err, format, args...)
	}
	msg := fmt.Sprintf(format, args...)
	detail := fmt.Sprintf("%s (HTTP %d", innermost(err), st)
	if id := requestID(err); id != "" {
		detail += ", request " + id
	}
	e := errs.Wrap(errors.New(detail+")"), httpx.CodeOf(st), "%s", msg)
	switch st {
	case http.StatusUnauthorized, http.StatusForbidden:
		return e.WithHint("%s", tokenHint)
	case http.StatusTooManyRequests:
		return e.WithHint("Fly.io limits the rate of requests; wait a minute and run the same command again")
	}
	if st >= http.StatusInternalServerError {
		return e.WithHint("Fly.io has trouble; run the same command again, it goes on where it stopped")
	}
	return e
}

// innermost is the API's own words, without fly-go's "failed to ..." around them.
func innermost(err error) string {
	if fe, ok := errors.AsType[*flaps.FlapsError](err); ok {
		return fe.Error()
	}
	if ae, ok := errors.AsType[*apiError](err); ok {
		return ae.Error()
	}
	return err.Error()
}

// unreachable is a request that got no answer.
func unreachable(err error, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %w", msg, err)
	}
	return errs.Wrap(httpx.RedactError(err), errs.Failure, "%s", msg).
		WithHint("Fly.io could not be reached: is there a network, and do the FLY_..._BASE_URL variables point where they should? An emulator has to be running")
}

// transient tells whether waiting may cure an error: the platform has trouble,
// limits the rate, or was not reached.
func transient(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	st := status(err)
	return st == 0 || st == http.StatusRequestTimeout || st == http.StatusTooManyRequests || st >= http.StatusInternalServerError
}
