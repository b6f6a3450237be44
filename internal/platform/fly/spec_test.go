package fly_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"
)

// validator is a transport that holds every request of the adapter against
// Fly's published schemas, when they are there: the OpenAPI document of the
// Machines API and the GraphQL schema. The emulator's own tests do the same
// with its answers.
type validator struct {
	t       *testing.T
	routers []routers.Router
	schema  *ast.Schema
}

func specs() string {
	if dir := os.Getenv("OPSCTL_REFERENCE"); dir != "" {
		return filepath.Join(dir, "specs")
	}
	return filepath.Join("..", "..", "..", "..", "shared", "specs")
}

func TestSchemasAreThere(t *testing.T) {
	if _, err := os.Stat(specs()); err != nil {
		t.Skip("no reference schemas, so no request is validated: set OPSCTL_REFERENCE to the folder that holds specs/")
	}
	if v := newValidator(t, "http://127.0.0.1:1"); len(v.routers) != 2 || v.schema == nil {
		t.Error("the schemas are there and were not read")
	}
}

func newValidator(t *testing.T, base string) *validator {
	t.Helper()
	v := &validator{t: t}
	if _, err := os.Stat(specs()); err != nil {
		return v
	}
	for _, name := range []string{"fly-machines.overlay-2026.openapi.json", "fly-machines.openapi.json"} {
		doc, err := openapi3.NewLoader().LoadFromFile(filepath.Join(specs(), name))
		if err != nil {
			t.Fatal(err)
		}
		doc.Servers = openapi3.Servers{{URL: base + "/v1"}}
		router, err := legacy.NewRouter(doc)
		if err != nil {
			t.Fatal(err)
		}
		v.routers = append(v.routers, router)
	}
	sdl, err := os.ReadFile(filepath.Join(specs(), "fly.schema.graphql"))
	if err != nil {
		t.Fatal(err)
	}
	if v.schema, err = gqlparser.LoadSchema(&ast.Source{Name: "fly", Input: string(sdl)}); err != nil {
		t.Fatal(err)
	}
	return v
}

func (v *validator) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
		_ = r.Body.Close()
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	switch {
	case v.schema == nil:
	case strings.HasPrefix(r.URL.Path, "/v1/"):
		v.rest(r, body)
	case r.URL.Path == "/graphql":
		v.graphql(body)
	}
	return http.DefaultTransport.RoundTrip(r)
}

// nullKey is how fly-go's own type, and so flyctl, writes an unset key that
// the schema does not call nullable.
var nullKey = regexp.MustCompile(`,?"force_instance_key":null`)

func (v *validator) rest(r *http.Request, body []byte) {
	body = nullKey.ReplaceAll(body, nil)
	for _, router := range v.routers {
		route, params, err := router.FindRoute(r)
		if err != nil {
			continue
		}
		copied := r.Clone(context.Background())
		copied.Body, copied.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		in := &openapi3filter.RequestValidationInput{
			Request: copied, PathParams: params, Route: route, QueryParams: r.URL.Query(),
			Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, ExcludeRequestBody: len(body) == 0},
		}
		if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
			v.t.Errorf("%s %s does not fit the schema: %v\n%s", r.Method, r.URL.Path, err, body)
		}
		return
	}
	v.t.Errorf("%s %s is in no schema", r.Method, r.URL.Path)
}

func (v *validator) graphql(body []byte) {
	var in struct {
		Query string `json:"query"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		v.t.Errorf("graphql: %v", err)
		return
	}
	if _, err := gqlparser.LoadQueryWithRules(v.schema, in.Query, rules.NewDefaultRules()); err != nil {
		v.t.Errorf("graphql: %v\n%s", err, in.Query)
	}
}
