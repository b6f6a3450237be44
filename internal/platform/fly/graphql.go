package fly

import (
	"context"
	"net/http"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
)

// query runs a GraphQL query, which changes nothing and so may be repeated. An
// error that is told with status 200 gets its code from extensions.code.
func (p *Platform) query(ctx context.Context, what, text string, vars map[string]any, out any) error {
	return explain(p.mutate(httpx.WithRetryable(ctx), what, text, vars, out), "%s", what)
}

// mutate runs a GraphQL document that changes something. An error of HTTP is left as
// it is, so that it can be told whether the answer was lost.
func (p *Platform) mutate(ctx context.Context, what, text string, vars map[string]any, out any) error {
	var answer struct {
		Data   any `json:"data"`
		Errors []struct {
			Message    string `json:"message"`
			Extensions struct {
				Code string `json:"code"`
			} `json:"extensions"`
		} `json:"errors"`
	}
	answer.Data = out
	in := map[string]any{"query": text, "variables": vars}
	if err := p.call(ctx, http.MethodPost, p.api+"/graphql", p.tokens.GraphQLHeader(), in, &answer, nil); err != nil {
		return err
	}
	if len(answer.Errors) == 0 {
		return nil
	}
	first := answer.Errors[0]
	switch first.Extensions.Code {
	case "NOT_FOUND":
		return errs.New(errs.NotFound, "%s: %s", what, first.Message)
	case "UNAUTHORIZED", "UNAUTHENTICATED", "FORBIDDEN":
		return errs.New(errs.Auth, "%s: %s", what, first.Message).WithHint("%s", tokenHint)
	default:
		return errs.New(errs.Failure, "%s: %s", what, first.Message)
	}
}
