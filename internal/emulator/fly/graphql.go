package fly

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// object is a value of a GraphQL object type. A field is a scalar, an
// *object, a []*object, or a resolver. Only the part of Fly's schema that
// clients were seen to use is here; any other field is an error that names it.
type object struct {
	typ    string
	fields map[string]any
}

// resolver computes a field from its arguments.
type resolver func(args map[string]any) (any, error)

// lazy computes a field that has no arguments, when it is asked for.
type lazy func() any

type gqlError struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path,omitempty"`
	Extensions map[string]any `json:"extensions,omitempty"`
}

// maxDepth and maxWork bound what one query may cost.
const (
	maxDepth = 60
	maxWork  = 50_000
)

// execution is one request being answered.
type execution struct {
	doc    *ast.QueryDocument
	vars   map[string]any
	errors []gqlError
	fatal  *gqlError // the query does not fit the schema: no data at all
	depth  int       // of nested objects and fragments
	work   int       // objects answered so far
}

func (s *Server) graphql(r *http.Request) (reply, error) {
	var in struct {
		Query     string         `json:"query"`
		Operation string         `json:"operationName"`
		Variables map[string]any `json:"variables"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil {
		msg := err.Error()
		if ge, ok := errors.AsType[*gqlerror.Error](err); ok {
			msg = ge.Message
		}
		return gqlFailure(gqlError{Message: "Parse error: " + msg, Extensions: map[string]any{"code": "parseError"}})
	}
	op := doc.Operations.ForName(in.Operation)
	if op == nil && len(doc.Operations) == 1 {
		op = doc.Operations[0]
	}
	if op == nil {
		return gqlFailure(gqlError{Message: "An operation name is required", Extensions: map[string]any{"code": "operationNotFound"}})
	}
	x := &execution{doc: doc, vars: map[string]any{}}
	for _, v := range op.VariableDefinitions {
		val, given := in.Variables[v.Variable]
		switch {
		case given:
			x.vars[v.Variable] = val
		case v.DefaultValue != nil:
			x.vars[v.Variable], _ = v.DefaultValue.Value(nil)
		}
		if x.vars[v.Variable] == nil && v.Type.NonNull {
			return gqlFailure(gqlError{Message: fmt.Sprintf("Variable $%s of type %s was provided invalid value", v.Variable, v.Type), Extensions: map[string]any{"code": "badUserInput"}})
		}
	}
	root := s.queries()
	if op.Operation == ast.Mutation {
		root = s.mutations()
	}
	s.mu.Lock()
	data := x.object(root, op.SelectionSet, nil)
	s.mu.Unlock()
	if x.fatal != nil {
		return gqlFailure(*x.fatal)
	}
	body := map[string]any{"data": data}
	if len(x.errors) > 0 {
		body["errors"] = x.errors
	}
	return ok(body)
}

func gqlFailure(e gqlError) (reply, error) { return ok(map[string]any{"errors": []gqlError{e}}) }

// object answers a selection on one object.
func (x *execution) object(o *object, sel ast.SelectionSet, path []any) map[string]any {
	out := map[string]any{}
	x.depth++
	x.work++
	defer func() { x.depth-- }()
	if x.depth > maxDepth || x.work > maxWork { // a fragment that contains itself ends here, too
		x.fail("Query is too deep or too large", "queryTooLarge", path)
		return nil
	}
	for _, s := range sel {
		switch s := s.(type) {
		case *ast.Field:
			if x.included(s.Directives) {
				v := x.field(o, s, append(slices.Clip(path), s.Alias))
				out[s.Alias] = merged(out[s.Alias], v)
			}
		case *ast.InlineFragment:
			if x.included(s.Directives) && o.is(s.TypeCondition) {
				merge(out, x.object(o, s.SelectionSet, path))
			}
		case *ast.FragmentSpread:
			f := x.doc.Fragments.ForName(s.Name)
			if f == nil {
				x.fail("Fragment "+s.Name+" was used, but not defined", "undefinedFragment", path)
			} else if x.included(s.Directives) && o.is(f.TypeCondition) {
				merge(out, x.object(o, f.SelectionSet, path))
			}
		}
		if x.fatal != nil {
			return nil
		}
	}
	return out
}

func merge(to, from map[string]any) {
	for k, v := range from {
		to[k] = merged(to[k], v)
	}
}

// merged joins two answers to the same field, which ask for different parts of it.
func merged(a, b any) any {
	switch a := a.(type) {
	case map[string]any:
		if b, same := b.(map[string]any); same {
			merge(a, b)
			return a
		}
	case []any:
		if b, same := b.([]any); same && len(a) == len(b) {
			for i := range a {
				a[i] = merged(a[i], b[i])
			}
			return a
		}
	}
	return b
}

// is reports whether a fragment on the type applies.
func (o *object) is(condition string) bool {
	return condition == "" || condition == o.typ || condition == "Node" || (condition == "Principal" && o.typ == "User")
}

func (x *execution) fail(message, code string, path []any) {
	if x.fatal == nil {
		x.fatal = &gqlError{Message: message, Path: path, Extensions: map[string]any{"code": code}}
	}
}

// included applies @skip and @include.
func (x *execution) included(ds ast.DirectiveList) bool {
	for _, d := range ds {
		if d.Name != "skip" && d.Name != "include" {
			continue
		}
		if arg := d.Arguments.ForName("if"); arg != nil {
			v, _ := arg.Value.Value(x.vars)
			if b, _ := v.(bool); b == (d.Name == "skip") {
				return false
			}
		}
	}
	return true
}

func (x *execution) field(o *object, f *ast.Field, path []any) any {
	if f.Name == "__typename" {
		return o.typ
	}
	v, found := o.fields[f.Name]
	if !found {
		x.fail(fmt.Sprintf("Field '%s' doesn't exist on type '%s'", f.Name, o.typ), "undefinedField", path)
		return nil
	}
	switch r := v.(type) {
	case lazy:
		v = r()
	case resolver:
		args := map[string]any{}
		for _, a := range f.Arguments {
			if val, err := a.Value.Value(x.vars); err == nil {
				args[a.Name] = val
			}
		}
		var err error
		if v, err = r(args); err != nil {
			x.errors = append(x.errors, gqlError{Message: err.Error(), Path: path, Extensions: map[string]any{"code": gqlCode(err)}})
			return nil
		}
	}
	switch v := v.(type) {
	case *object:
		if v == nil {
			return nil
		}
		return x.object(v, f.SelectionSet, path)
	case []*object:
		list := make([]any, 0, len(v))
		for i, o := range v {
			list = append(list, x.object(o, f.SelectionSet, append(slices.Clip(path), i)))
		}
		return list
	default:
		return v
	}
}

// gqlCode is the extensions.code that an error gets.
func gqlCode(err error) string {
	if e, ok := errors.AsType[*apiError](err); ok {
		switch e.code {
		case http.StatusNotFound:
			return "NOT_FOUND"
		case http.StatusUnauthorized, http.StatusForbidden:
			return "UNAUTHORIZED"
		}
	}
	return "UNPROCESSABLE"
}

// connection is the Relay list that most of Fly's lists are: typ is the name
// of the node's type.
func (s *Server) connection(typ string, nodes []*object) resolver {
	return func(args map[string]any) (any, error) {
		start := 0
		if after, _ := args["after"].(string); after != "" {
			for i, n := range nodes {
				if n.fields["id"] == after {
					start = i + 1
				}
			}
		}
		list := nodes[start:]
		limit := toInt(args["first"])
		if s.opts.PageSize > 0 && (limit == 0 || limit > s.opts.PageSize) {
			limit = s.opts.PageSize
		}
		more := false
		if limit > 0 && len(list) > limit {
			list, more = list[:limit], true
		}
		var end any
		if len(list) > 0 {
			end = list[len(list)-1].fields["id"]
		}
		info := &object{"PageInfo", map[string]any{"hasNextPage": more, "hasPreviousPage": start > 0, "endCursor": end, "startCursor": nil}}
		edges := lazy(func() any {
			out := make([]*object, 0, len(list))
			for _, n := range list {
				out = append(out, &object{typ + "Edge", map[string]any{"cursor": n.fields["id"], "node": n}})
			}
			return out
		})
		return &object{typ + "Connection", map[string]any{"nodes": list, "edges": edges, "pageInfo": info, "totalCount": len(nodes)}}, nil
	}
}

func toInt(v any) int {
	switch n := v.(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	case int:
		return n
	}
	return 0
}

func str(args map[string]any, key string) string {
	v, _ := args[key].(string)
	return strings.TrimSpace(v)
}
