package railway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"
)

// object is a value of a GraphQL object type. A field is a scalar, an
// *object, a []*object, a lazy or a resolver. Only a part of Railway's schema
// is here; any other field is an error that names it.
type object struct {
	typ    string
	fields map[string]any
}

// resolver computes a field from its arguments.
type resolver func(args arguments) (any, error)

// lazy computes a field that has no arguments, when it is asked for.
type lazy func() any

// maxDepth and maxWork bound what one query may cost.
const (
	maxDepth = 60
	maxWork  = 50_000
)

// The codes of extensions.code.
const (
	codeInternal   = "INTERNAL_SERVER_ERROR" // also "not found" and "not authorized"
	codeInput      = "BAD_USER_INPUT"
	codeParse      = "GRAPHQL_PARSE_FAILED"
	codeValidation = "GRAPHQL_VALIDATION_FAILED"
)

// apiError is the reason why a field has no value.
type apiError struct{ message, code string }

func (e *apiError) Error() string { return e.message }

// fail is an error of the platform's usual kind.
func fail(format string, args ...any) error {
	return &apiError{fmt.Sprintf(format, args...), codeInternal}
}

// invalid is an error in what the caller sent.
func invalid(format string, args ...any) error {
	return &apiError{fmt.Sprintf(format, args...), codeInput}
}

func notFound(what string) error { return fail("%s not found", what) }

// request is an operation as clients send it.
type request struct {
	Query     string         `json:"query"`
	Operation string         `json:"operationName"`
	Variables map[string]any `json:"variables"`
}

// answer is what a client gets back.
type answer struct {
	Data   any              `json:"data"`
	Errors []map[string]any `json:"errors,omitempty"`
}

// malformed is a document that does not fit the schema: no field was executed.
type malformed struct{ message, code string }

func (e *malformed) Error() string { return e.message }

// execution is one operation being answered.
type execution struct {
	s      *Server
	doc    *ast.QueryDocument
	op     *ast.OperationDefinition
	vars   map[string]any
	errors []map[string]any
	fatal  *malformed
	depth  int // of nested objects and fragments
	work   int // objects answered so far
}

func (s *Server) graphql(rw http.ResponseWriter, r *http.Request, c *caller) {
	var in request
	data, err := io.ReadAll(io.LimitReader(r.Body, 16<<20))
	if err != nil || json.Unmarshal(data, &in) != nil || in.Query == "" {
		s.refuse(rw, &malformed{"POST body missing, invalid Content-Type, or JSON object has no keys.", "BAD_REQUEST"})
		return
	}
	x, err := s.prepare(in)
	if err != nil {
		s.refuse(rw, err)
		return
	}
	root := &object{}
	switch x.op.Operation {
	case ast.Query:
		root = s.queries(c)
	case ast.Mutation:
		root = s.mutations(c)
	case ast.Subscription:
		s.refuse(rw, &malformed{"Subscriptions are spoken over a WebSocket", codeValidation})
		return
	}
	s.mu.Lock()
	out, err := x.run(root)
	s.mu.Unlock()
	if err != nil {
		s.refuse(rw, err)
		return
	}
	writeJSON(rw, http.StatusOK, out)
}

// refuse answers 400: nothing was executed.
func (s *Server) refuse(rw http.ResponseWriter, err error) {
	code := codeValidation
	if m, ok := errors.AsType[*malformed](err); ok {
		code = m.code
	}
	writeJSON(rw, http.StatusBadRequest, map[string]any{"errors": []any{s.errorDoc(err.Error(), code, nil)}})
}

func (s *Server) errorDoc(message, code string, path []any) map[string]any {
	e := map[string]any{"message": message, "extensions": map[string]any{"code": code}, "traceId": s.w.Hex(19)}
	if path != nil {
		e["path"] = path
	}
	return e
}

// prepare parses an operation and takes its variables.
func (s *Server) prepare(in request) (*execution, error) {
	doc, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil {
		msg := err.Error()
		if ge, ok := errors.AsType[*gqlerror.Error](err); ok {
			msg = ge.Message
		}
		return nil, &malformed{"Syntax Error: " + msg, codeParse}
	}
	op := doc.Operations.ForName(in.Operation)
	if op == nil && in.Operation == "" && len(doc.Operations) == 1 {
		op = doc.Operations[0]
	}
	if op == nil {
		return nil, &malformed{"Must provide operation name if query contains multiple operations.", codeValidation}
	}
	x := &execution{s: s, doc: doc, op: op, vars: map[string]any{}}
	for _, v := range op.VariableDefinitions {
		val, given := in.Variables[v.Variable]
		switch {
		case given:
			x.vars[v.Variable] = val
		case v.DefaultValue != nil:
			x.vars[v.Variable], _ = v.DefaultValue.Value(nil)
		}
		if x.vars[v.Variable] == nil && v.Type.NonNull {
			return nil, &malformed{fmt.Sprintf(`Variable "$%s" of required type "%s" was not provided.`, v.Variable, v.Type), codeInput}
		}
	}
	return x, nil
}

// run answers the operation. Callers hold s.mu. A field of the root that
// fails leaves no data at all: nearly all of them may not be null.
func (x *execution) run(root *object) (answer, error) {
	x.errors, x.depth, x.work = nil, 0, 0
	data := x.object(root, x.op.SelectionSet, nil)
	if x.fatal != nil {
		return answer{}, x.fatal
	}
	if len(x.errors) > 0 {
		return answer{Errors: x.errors}, nil
	}
	return answer{Data: data}, nil
}

// object answers a selection on one object.
func (x *execution) object(o *object, sel ast.SelectionSet, path []any) map[string]any {
	out := map[string]any{}
	x.depth++
	x.work++
	defer func() { x.depth-- }()
	if x.depth > maxDepth || x.work > maxWork { // a fragment that contains itself ends here, too
		x.malformed("Query is too deep or too large")
		return nil
	}
	for _, s := range sel {
		switch s := s.(type) {
		case *ast.Field:
			if x.included(s.Directives) {
				out[s.Alias] = merged(out[s.Alias], x.field(o, s, append(slices.Clip(path), s.Alias)))
			}
		case *ast.InlineFragment:
			if x.included(s.Directives) && o.is(s.TypeCondition) {
				merge(out, x.object(o, s.SelectionSet, path))
			}
		case *ast.FragmentSpread:
			f := x.doc.Fragments.ForName(s.Name)
			if f == nil {
				x.malformed(fmt.Sprintf("Unknown fragment %q.", s.Name))
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

func (x *execution) malformed(message string) {
	if x.fatal == nil {
		x.fatal = &malformed{message, codeValidation}
	}
}

func (x *execution) field(o *object, f *ast.Field, path []any) any {
	if f.Name == "__typename" {
		return o.typ
	}
	v, found := o.fields[f.Name]
	if !found {
		x.malformed(fmt.Sprintf("Cannot query field %q on type %q.", f.Name, o.typ))
		return nil
	}
	switch r := v.(type) {
	case lazy:
		v = r()
	case resolver:
		args := arguments{}
		for _, a := range f.Arguments {
			if val, err := a.Value.Value(x.vars); err == nil {
				args[a.Name] = val
			}
		}
		var err error
		if v, err = r(args); err != nil {
			code := codeInternal
			if e, ok := errors.AsType[*apiError](err); ok {
				code = e.code
			}
			x.errors = append(x.errors, x.s.errorDoc(err.Error(), code, path))
			return nil
		}
	}
	return x.value(v, f, path)
}

func (x *execution) value(v any, f *ast.Field, path []any) any {
	switch v := v.(type) {
	case *object:
		if v == nil {
			return nil
		}
		if len(f.SelectionSet) == 0 {
			x.malformed(fmt.Sprintf("Field %q of type %q must have a selection of subfields.", f.Name, v.typ))
			return nil
		}
		return x.object(v, f.SelectionSet, path)
	case []*object:
		list := make([]any, 0, len(v))
		for i, o := range v {
			list = append(list, x.value(o, f, append(slices.Clip(path), i)))
		}
		return list
	}
	return v
}

// is reports whether a fragment on the type applies.
func (o *object) is(condition string) bool {
	return condition == "" || condition == o.typ || condition == "Node" || (condition == "Domain" && (o.typ == "ServiceDomain" || o.typ == "CustomDomain"))
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
			out := maps.Clone(a)
			merge(out, b)
			return out
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
