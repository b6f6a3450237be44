package emulator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// specFile is a published schema of a platform. They are not part of the tree.
func specFile(name string) string {
	dir := os.Getenv("OPSCTL_REFERENCE")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	return filepath.Join(dir, "specs", name)
}

func haveSpecs() bool {
	_, err := os.Stat(specFile("fly.schema.graphql"))
	return err == nil
}

// The schemas are read once: the GraphQL one alone has 11,000 lines.
var schemas = sync.OnceValues(func() (*schemaSet, error) {
	set := &schemaSet{}
	for _, name := range []string{"fly-machines.overlay-2026.openapi.json", "fly-machines.openapi.json"} {
		data, err := os.ReadFile(specFile(name))
		if err != nil {
			return nil, err
		}
		set.rest = append(set.rest, data)
	}
	sdl, err := os.ReadFile(specFile("fly.schema.graphql"))
	if err != nil {
		return nil, err
	}
	if set.graphql, err = gqlparser.LoadSchema(&ast.Source{Name: "fly", Input: string(sdl)}); err != nil {
		return nil, err
	}
	return set, nil
})

type schemaSet struct {
	rest    [][]byte
	graphql *ast.Schema
}

// Every other test validates its exchanges when the schemas are there; this
// one says so when they are not.
func TestSchemasAreThere(t *testing.T) {
	if !haveSpecs() {
		t.Skip("no reference schemas, so no exchange is validated: set OPSCTL_REFERENCE to the folder that holds specs/")
	}
	if _, err := schemas(); err != nil {
		t.Fatal(err)
	}
}

// validator is a transport that checks every exchange with the emulator
// against the published schemas: the OpenAPI documents of the Machines API
// (the newer one first) and the GraphQL schema.
type validator struct {
	t       *testing.T
	routers []routers.Router
	schema  *ast.Schema

	mu   sync.Mutex
	seen map[string]int // checked exchanges by "METHOD path-pattern" or GraphQL field
}

func newValidator(t *testing.T, base string) *validator {
	t.Helper()
	v := &validator{t: t, seen: map[string]int{}}
	if !haveSpecs() {
		return v
	}
	set, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	v.schema = set.graphql
	for _, data := range set.rest {
		doc, err := openapi3.NewLoader().LoadFromData(data)
		if err != nil {
			t.Fatal(err)
		}
		doc.Servers = openapi3.Servers{{URL: base + "/v1"}}
		r, err := legacy.NewRouter(doc)
		if err != nil {
			t.Fatal(err)
		}
		v.routers = append(v.routers, r)
	}
	return v
}

// RoundTrip sends the request and checks both sides.
func (v *validator) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(answer))
	if resp.Header.Get("fly-request-id") == "" {
		v.t.Errorf("%s %s: no fly-request-id", r.Method, r.URL.Path)
	}
	switch {
	case v.schema == nil:
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		v.rest(r, body, resp, answer)
	case r.URL.Path == "/graphql":
		v.graphql(body, answer)
	}
	return resp, nil
}

func (v *validator) rest(r *http.Request, body []byte, resp *http.Response, answer []byte) {
	for _, router := range v.routers {
		route, params, err := router.FindRoute(r)
		if err != nil {
			continue
		}
		v.count(r.Method + " " + route.Path)
		req := r.Clone(context.Background())
		req.Body = io.NopCloser(bytes.NewReader(body))
		in := &openapi3filter.RequestValidationInput{
			Request: req, PathParams: params, Route: route, QueryParams: r.URL.Query(),
			Options: &openapi3filter.Options{IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc},
		}
		if envelope(route.Path) {
			return // the real form differs from the document
		}
		out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: resp.StatusCode, Header: resp.Header, Options: in.Options}
		if resp.StatusCode >= 400 {
			// The documents list few of the errors that occur: check the form alone.
			var e struct {
				Error string `json:"error"`
			}
			if json.Unmarshal(answer, &e) != nil || e.Error == "" {
				v.t.Errorf("%s %s: %d without an error text: %s", r.Method, r.URL.Path, resp.StatusCode, answer)
			}
			return
		}
		out.SetBodyBytes(answer)
		if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
			v.t.Errorf("%s %s: the answer does not fit the schema: %v", r.Method, r.URL.Path, err)
		}
		return
	}
	if !strings.Contains(r.URL.Path, "/extend") {
		v.t.Errorf("%s %s is in no schema", r.Method, r.URL.Path)
	}
}

// envelope are the endpoints whose answers are no longer what the document of 2024
// says: the lease (see the guide), and exec, which gives an object (flydv1.ExecResponse
// in today's document) where it was the bare output.
func envelope(path string) bool {
	return strings.HasSuffix(path, "/lease") || strings.HasSuffix(path, "/exec")
}

func (v *validator) count(what string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.seen[what]++
}

func (v *validator) graphql(body, answer []byte) {
	var in struct {
		Query     string         `json:"query"`
		Variables map[string]any `json:"variables"`
	}
	var out struct {
		Data   map[string]any   `json:"data"`
		Errors []map[string]any `json:"errors"`
	}
	if json.Unmarshal(body, &in) != nil || json.Unmarshal(answer, &out) != nil {
		v.t.Errorf("graphql: not JSON: %s -> %s", body, answer)
		return
	}
	doc, errs := gqlparser.LoadQueryWithRules(v.schema, in.Query, rules.NewDefaultRules())
	if errs != nil {
		if len(out.Errors) == 0 {
			v.t.Errorf("graphql: the emulator answered a query that does not fit the schema: %v", errs)
		}
		return
	}
	for _, e := range out.Errors {
		if e["message"] == nil || e["extensions"] == nil {
			v.t.Errorf("graphql: error without message or extensions: %v", e)
		}
	}
	if len(out.Errors) > 0 {
		return
	}
	for _, op := range doc.Operations {
		v.selection(op.SelectionSet, out.Data, "")
	}
}

// selection checks an object against what was selected on it.
func (v *validator) selection(sel ast.SelectionSet, data map[string]any, path string) {
	for _, s := range sel {
		switch s := s.(type) {
		case *ast.Field:
			if s.Name == "__typename" {
				continue
			}
			if path == "" {
				v.count("graphql " + s.Name)
			}
			v.value(s.Definition.Type, s.SelectionSet, data[s.Alias], path+"."+s.Alias)
		case *ast.InlineFragment:
			if s.TypeCondition == "User" || s.TypeCondition == "" {
				v.selection(s.SelectionSet, data, path)
			}
		case *ast.FragmentSpread:
			v.selection(s.Definition.SelectionSet, data, path)
		}
	}
}

func (v *validator) value(typ *ast.Type, sel ast.SelectionSet, val any, path string) {
	if val == nil {
		if typ.NonNull {
			v.t.Errorf("graphql: %s is null, but its type is %s", path, typ)
		}
		return
	}
	if typ.Elem != nil {
		list, isList := val.([]any)
		if !isList {
			v.t.Errorf("graphql: %s is %T, want a list", path, val)
			return
		}
		for i, e := range list {
			v.value(typ.Elem, sel, e, fmt.Sprintf("%s[%d]", path, i))
		}
		return
	}
	def := v.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.Object, ast.Interface, ast.Union:
		obj, isObject := val.(map[string]any)
		if !isObject {
			v.t.Errorf("graphql: %s is %T, want an object", path, val)
			return
		}
		v.selection(sel, obj, path)
	case ast.Enum:
		if def.EnumValues.ForName(fmt.Sprint(val)) == nil {
			v.t.Errorf("graphql: %s is %v, which %s doesn't have", path, val, def.Name)
		}
	case ast.Scalar:
		if !scalarFits(def.Name, val) {
			v.t.Errorf("graphql: %s is %T, want a %s", path, val, def.Name)
		}
	}
}

func scalarFits(name string, val any) bool {
	switch name {
	case "Int", "Float":
		_, is := val.(float64)
		return is
	case "Boolean":
		_, is := val.(bool)
		return is
	case "String", "ID", "ISO8601DateTime", "BigInt":
		_, is := val.(string)
		return is
	}
	return true // JSON
}
