package railway

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// pageInfo is asked with every list: one that is cut short without notice would
// have opsctl create what there is already.
const pageInfo = " pageInfo { hasNextPage endCursor } "

// lagTimeout is how long something that was made may take to show everywhere.
const lagTimeout = time.Minute

// more is a list with all of its pages, the first of which was read with
// something else. The document text asks for the page after $after, at path.
func more[T any](ctx context.Context, p *Platform, first connection[T], text string, vars map[string]any, path ...string) ([]T, error) {
	list, page := first.nodes(), first
	for page.PageInfo.HasNextPage {
		after := page.PageInfo.EndCursor
		if after == "" {
			return nil, errs.New(errs.Failure, "Railway's list of %s goes on and does not say how", path[len(path)-1])
		}
		vars := maps.Clone(vars)
		vars["after"] = after
		var data json.RawMessage
		if err := p.query(ctx, text, vars, &data); err != nil {
			return nil, err
		}
		for _, name := range path {
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(data, &fields); err != nil {
				return nil, errs.Wrap(err, errs.Failure, "understand Railway's list of %s", name)
			}
			data = fields[name]
		}
		page = connection[T]{}
		if err := json.Unmarshal(data, &page); err != nil {
			return nil, errs.Wrap(err, errs.Failure, "understand Railway's list of %s", path[len(path)-1])
		}
		if page.PageInfo.HasNextPage && page.PageInfo.EndCursor == after {
			return nil, errs.New(errs.Failure, "Railway's list of %s does not end", path[len(path)-1])
		}
		list = append(list, page.nodes()...)
	}
	return list, nil
}

// moreOf is more for a list of a project or an environment.
func moreOf[T any](ctx context.Context, p *Platform, first connection[T], root, id, field, nodeFields string) ([]T, error) {
	text := "query($id: String!, $after: String) { " + root + "(id: $id) { " + field + "(first: 100, after: $after) { edges { node {" + nodeFields + "} }" + pageInfo + "} } }"
	return more(ctx, p, first, text, map[string]any{"id": id}, root, field)
}

// complete reads the rest of a project's environments and services.
func (p *Platform) complete(ctx context.Context, node *projectNode) error {
	for field, list := range map[string]*connection[namedNode]{"environments": &node.Environments, "services": &node.Services} {
		if !list.PageInfo.HasNextPage {
			continue
		}
		all, err := moreOf(ctx, p, *list, "project", node.ID, field, " id name ")
		if err != nil {
			return p.explain(err, "list the %s of the project %q", field, node.Name)
		}
		*list = connectionOf(all)
	}
	return nil
}

func connectionOf[T any](list []T) connection[T] {
	var c connection[T]
	for _, n := range list {
		c.Edges = append(c.Edges, struct {
			Node T `json:"node"`
		}{n})
	}
	return c
}

// awaitShown looks for something that was made until it shows: reads may be
// behind. What says how it is called.
func (p *Platform) awaitShown(ctx context.Context, what string, look func() (bool, error)) error {
	deadline := p.o.Now().Add(lagTimeout)
	for round := 0; ; round++ {
		shown, err := look()
		switch {
		case shown:
			return nil
		case err != nil && !transient(err) && !missing(err) && errs.CodeOf(err) != errs.NotFound:
			return err
		case p.o.Now().After(deadline) && err != nil:
			return p.explain(err, "find %s, which was made", what)
		case p.o.Now().After(deadline):
			return errs.New(errs.Timeout, "%s was made and does not show after %s", what, lagTimeout).WithHint("run the same command again: it goes on with what is there")
		}
		if err := p.pause(ctx, round); err != nil {
			return err
		}
	}
}
