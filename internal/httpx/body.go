package httpx

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrTooLarge is wrapped by ReadBody's error when the body exceeds its limit.
var ErrTooLarge = errors.New("answer too large")

// ReadBody reads at most limit bytes of the answer and closes it. A longer
// body returns the first limit bytes and an error that wraps ErrTooLarge.
func ReadBody(resp *http.Response, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	cerr := resp.Body.Close()
	if err != nil {
		return data, fmt.Errorf("read the answer: %w", err)
	}
	if int64(len(data)) > limit {
		return data[:limit], fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	if cerr != nil {
		return data, fmt.Errorf("close the answer: %w", cerr)
	}
	return data, nil
}
