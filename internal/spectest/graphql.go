package spectest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// RailwayFile is Railway's schema, an introspection answer.
const RailwayFile = "railway.schema.json"

// The schemas that were loaded: Railway's alone has 600 types.
var loadedGraphQL = struct {
	sync.Mutex
	byPath map[string]*ast.Schema
}{byPath: map[string]*ast.Schema{}}

// GraphQL checks GraphQL exchanges with one schema. Where the schema is
// missing, it checks nothing.
type GraphQL struct {
	t      testing.TB
	schema *ast.Schema // nil: the reference is missing

	mu   sync.Mutex
	seen map[string]int
}

// NewGraphQL makes a validator from a file of the reference, such as
// RailwayFile, that reports through tb. It fails the test on a schema that
// does not load.
func NewGraphQL(tb testing.TB, file string) *GraphQL {
	tb.Helper()
	v := &GraphQL{t: tb, seen: map[string]int{}}
	if !Have(file) {
		return v
	}
	path := Path(file)
	loadedGraphQL.Lock()
	defer loadedGraphQL.Unlock()
	if v.schema = loadedGraphQL.byPath[path]; v.schema == nil {
		s, err := LoadGraphQL(path)
		if err != nil {
			tb.Fatalf("schema %s: %v", file, err)
		}
		loadedGraphQL.byPath[path], v.schema = s, s
	}
	return v
}

// Schema is the schema, nil when the reference is missing.
func (v *GraphQL) Schema() *ast.Schema { return v.schema }

// Seen counts the validated root fields: "query me", "mutation serviceCreate".
func (v *GraphQL) Seen() map[string]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return maps.Clone(v.seen)
}

// Operation is the content of a request, over HTTP or as the payload of a
// "subscribe" message of graphql-transport-ws.
type Operation struct {
	Query     string         `json:"query"`
	Name      string         `json:"operationName"`
	Variables map[string]any `json:"variables"`

	def *ast.OperationDefinition
}

// Request checks a document against the schema and its variables for their
// declared types, and reports what does not fit. The operation goes into
// Answer later; nil means that the document did not fit, or was not checked.
func (v *GraphQL) Request(op Operation) *Operation {
	v.t.Helper()
	if v.schema == nil {
		return nil
	}
	doc, errs := gqlparser.LoadQueryWithRules(v.schema, op.Query, rules.NewDefaultRules())
	if errs != nil {
		v.t.Errorf("graphql: the document does not fit the schema: %v\n%s", errs, op.Query)
		return nil
	}
	op.def = doc.Operations.ForName(op.Name)
	if op.def == nil && op.Name == "" && len(doc.Operations) == 1 {
		op.def = doc.Operations[0]
	}
	if op.def == nil {
		v.t.Errorf("graphql: no operation %q in the document", op.Name)
		return nil
	}
	for name := range op.Variables {
		if op.def.VariableDefinitions.ForName(name) == nil {
			v.t.Errorf("graphql: %s: the variable %s is not declared", op.def.Name, name)
		}
	}
	// The validator writes into what it checks: give it a copy. Numbers keep
	// their text, so that 1.5 is no Int.
	copied, err := decodeNumbers(op.Variables)
	if err != nil {
		v.t.Errorf("graphql: %s: %v", op.def.Name, err)
		return nil
	}
	if _, err := validator.VariableValues(v.schema, op.def, copied); err != nil {
		v.t.Errorf("graphql: %s: %v", describe(op.def), err)
		return nil
	}
	v.count(op.def)
	return &op
}

// RequestJSON is Request for the JSON of an operation.
func (v *GraphQL) RequestJSON(body []byte) *Operation {
	v.t.Helper()
	var op Operation
	if v.schema == nil {
		return nil
	}
	if err := json.Unmarshal(body, &op); err != nil {
		v.t.Errorf("graphql: the request is not JSON: %v: %s", err, clip(body))
		return nil
	}
	return v.Request(op)
}

func decodeNumbers(vars map[string]any) (map[string]any, error) {
	data, err := json.Marshal(vars)
	if err != nil {
		return nil, err
	}
	out := map[string]any{}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		return nil, err
	}
	return plainNumbers(out).(map[string]any), nil
}

// plainNumbers makes each number an int64 or, where it is none, a string that
// no Int accepts but a Float does: what the validator's rules tell apart.
func plainNumbers(val any) any {
	switch val := val.(type) {
	case map[string]any:
		for k, e := range val {
			val[k] = plainNumbers(e)
		}
	case []any:
		for i, e := range val {
			val[i] = plainNumbers(e)
		}
	case json.Number:
		if n, err := val.Int64(); err == nil {
			return n
		}
		return val.String()
	}
	return val
}

func (v *GraphQL) count(def *ast.OperationDefinition) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, s := range def.SelectionSet {
		if f, ok := s.(*ast.Field); ok {
			v.seen[string(def.Operation)+" "+f.Name]++
		}
	}
}

// describe names an operation by its root fields: many have no name.
func describe(def *ast.OperationDefinition) string {
	var names []string
	for _, s := range def.SelectionSet {
		if f, ok := s.(*ast.Field); ok {
			names = append(names, f.Name)
		}
	}
	return string(def.Operation) + " " + strings.Join(names, ", ")
}

// Transport is an http.RoundTripper that checks both sides of every POST to
// the path ("/graphql/v2"), and passes everything else on. next may be nil.
func (v *GraphQL) Transport(path string, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return graphQLTransport{v, path, next}
}

type graphQLTransport struct {
	v    *GraphQL
	path string
	next http.RoundTripper
}

// RoundTrip sends the request and checks it and its answer.
func (g graphQLTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || r.URL.Path != g.path || g.v.schema == nil {
		return g.next.RoundTrip(r)
	}
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	op := g.v.RequestJSON(body)
	resp, err := g.next.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err // what does not come from GraphQL has no form to hold
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		// A connection that broke: the caller meets the same error.
		resp.Body = io.NopCloser(io.MultiReader(bytes.NewReader(answer), errorReader{err}))
		return resp, nil //nolint:nilerr // it is in the body
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if op != nil {
		g.v.Answer(op, answer)
	}
	return resp, nil
}

type errorReader struct{ err error }

func (e errorReader) Read([]byte) (int, error) { return 0, e.err }

func clip(data []byte) string {
	if len(data) > 300 {
		return fmt.Sprintf("%s... (%d bytes)", data[:300], len(data))
	}
	return string(data)
}
