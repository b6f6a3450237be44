package railway

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/httpx"
)

// queryAttempts is how often a query is sent when the API says, with status
// 200, that it had trouble of its own.
const queryAttempts = 3

// connection is a list in the manner of Relay.
type connection[T any] struct {
	Edges []struct {
		Node T `json:"node"`
	} `json:"edges"`
	PageInfo struct {
		HasNextPage bool   `json:"hasNextPage"`
		EndCursor   string `json:"endCursor"`
	} `json:"pageInfo"`
}

func (c connection[T]) nodes() []T {
	out := make([]T, 0, len(c.Edges))
	for _, e := range c.Edges {
		out = append(out, e.Node)
	}
	return out
}

// query runs a document that changes nothing, and so may be repeated. The error
// is not explained yet: callers look at it first.
func (p *Platform) query(ctx context.Context, text string, vars map[string]any, out any) error {
	for attempt := 1; ; attempt++ {
		err := p.graphql(httpx.WithRetryable(ctx), text, vars, out)
		if attempt == queryAttempts || !busy(err) {
			return err
		}
		if serr := p.o.Sleep(ctx, p.o.Poll); serr != nil {
			return serr
		}
	}
}

// mutate runs a document that changes something. repeatable says that the
// same again is the same: then a lost answer is no harm.
func (p *Platform) mutate(ctx context.Context, text string, vars map[string]any, out any, repeatable bool) error {
	defer p.forget()
	if !repeatable {
		return p.graphql(ctx, text, vars, out)
	}
	return p.query(ctx, text, vars, out)
}

// graphql sends one document. Errors that come with status 200 are returned
// as gqlErrors, all others as statusError.
func (p *Platform) graphql(ctx context.Context, text string, vars map[string]any, out any) error {
	body, err := json.Marshal(map[string]any{"query": text, "variables": vars})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.base+graphqlPath, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = p.header()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := p.http.Do(req)
	if err != nil {
		return httpx.RedactError(err)
	}
	defer resp.Body.Close()
	p.note(resp.Header)
	answer, err := httpx.ReadBody(resp, maxAnswer)
	if err != nil {
		return err
	}
	var envelope struct {
		Data   json.RawMessage `json:"data"`
		Errors []gqlError      `json:"errors"`
	}
	jsonErr := json.Unmarshal(answer, &envelope)
	if len(envelope.Errors) > 0 {
		return &apiError{status: resp.StatusCode, request: httpx.RequestID(resp.Header), errors: envelope.Errors}
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return &apiError{status: resp.StatusCode, request: httpx.RequestID(resp.Header)}
	}
	if jsonErr != nil {
		return fmt.Errorf("understand Railway's answer: %w", jsonErr)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, out); err != nil {
		return fmt.Errorf("understand Railway's answer: %w", err)
	}
	return nil
}

// header has the credentials, and says who asks.
func (p *Platform) header() http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := http.Header{}
	if p.token.project {
		h.Set("Project-Access-Token", p.token.value)
	} else {
		h.Set("Authorization", "Bearer "+p.token.value)
	}
	h.Set("User-Agent", p.agent)
	h.Set("X-Source", p.agent)
	return h
}

// quota is what the API says is left of the hour's requests.
type quota struct {
	remaining int
	known     bool
}

func (p *Platform) note(h http.Header) {
	n, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.quota = quota{remaining: n, known: true}
}

// scarce is when polling has to slow down, so that the last requests of the
// hour are there for what matters.
const scarce = 30

// pause waits between two looks. It grows from Poll to three times that, and to
// ten times when few requests are left.
func (p *Platform) pause(ctx context.Context, round int) error {
	d := min(p.o.Poll+p.o.Poll*time.Duration(round)/5, 3*p.o.Poll)
	p.mu.Lock()
	few := p.quota.known && p.quota.remaining < scarce
	p.mu.Unlock()
	if few {
		d = 10 * p.o.Poll
	}
	return p.o.Sleep(ctx, d)
}
