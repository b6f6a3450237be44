package spectest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const shop = `{
 "openapi": "3.0.3", "info": {"title": "shop", "version": "1"},
 "paths": {
  "/items/{id}": {
   "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
   "get": {
    "parameters": [{"name": "full", "in": "query", "schema": {"type": "boolean"}}],
    "responses": {
     "200": {"description": "ok", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/item"}}}},
     "404": {"description": "no", "content": {"application/json": {"schema": {"type": "object", "required": ["message"], "properties": {"message": {"type": "string"}}}}}},
     "202": {"description": "later"}
    }
   },
   "put": {
    "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/item"}}}},
    "responses": {"200": {"description": "ok"}}
   }
  }
 },
 "components": {"schemas": {"item": {"type": "object", "required": ["name"], "properties": {
   "name": {"type": "string"},
   "kind": {"oneOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"type": "object", "properties": {"b": {"type": "integer"}}}]},
   "tags": {"type": "object", "additionalProperties": {"type": "string"}},
   "parts": {"type": "array", "items": {"$ref": "#/components/schemas/item"}}
 }}}}
}`

// catcher is a test that only collects.
type catcher struct {
	testing.TB
	got []string
}

func (c *catcher) Helper()                   {}
func (c *catcher) Cleanup(func())            {}
func (c *catcher) Errorf(f string, a ...any) { c.got = append(c.got, fmt.Sprintf(f, a...)) }

func load(t *testing.T, options ...Option) *OpenAPI {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("OPSCTL_REFERENCE", dir)
	if err := os.MkdirAll(filepath.Join(dir, "specs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(Path("shop.json"), []byte(shop), 0o600); err != nil {
		t.Fatal(err)
	}
	api, err := LoadOpenAPI("shop.json", append([]Option{Base("/v1")}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	return api
}

func TestExchanges(t *testing.T) {
	tests := []struct {
		name, method, path, body string
		status                   int
		answer                   string
		want                     string // part of the only problem; empty: none
	}{
		{"good", "GET", "/v1/items/1?full=true", "", 200, `{"name":"n","kind":{"b":1},"tags":{"x":"y"},"parts":[{"name":"m"}]}`, ""},
		{"wrong type", "GET", "/v1/items/1", "", 200, `{"name":1}`, "the answer 200 does not fit"},
		{"missing", "GET", "/v1/items/1", "", 200, `{}`, `"name" is missing`},
		{"unknown field of the answer", "GET", "/v1/items/1", "", 200, `{"name":"n","parts":[{"name":"m","titel":1}]}`, "parts[0].titel"},
		{"unknown field of a choice", "GET", "/v1/items/1", "", 200, `{"name":"n","kind":{"c":1}}`, "kind.c"},
		{"unlisted status", "GET", "/v1/items/1", "", 204, ``, "status is not supported"},
		{"unlisted error", "GET", "/v1/items/1", "", 403, `{"message":"no"}`, ""},
		{"error of another form", "GET", "/v1/items/1", "", 403, `{"error":"no"}`, ""}, // two problems, see below
		{"proxy error", "GET", "/v1/items/1", "", 502, `<html>`, ""},
		{"body where none is", "GET", "/v1/items/1", "", 202, `{"id":1}`, "has a body, and the schema has none"},
		{"unknown path", "GET", "/v1/carts", "", 200, `{}`, "is not in shop.json"},
		{"other base", "GET", "/items/1", "", 200, `{"name":"n"}`, "is not in shop.json"},
		{"newer path", "POST", "/v1/items/1/sell", `{}`, 200, `{}`, ""},
		{"unknown query", "GET", "/v1/items/1?ful=true", "", 200, `{"name":"n"}`, `query parameter "ful"`},
		{"bad query", "GET", "/v1/items/1?full=7", "", 200, `{"name":"n"}`, "the request does not fit"},
		{"request body", "PUT", "/v1/items/a%2Fb", `{"name":"n"}`, 200, "", ""},
		{"bad request body", "PUT", "/v1/items/1", `{"name":7}`, 200, "", "the request does not fit"},
		{"unknown field of the request", "PUT", "/v1/items/1", `{"name":"n","knid":{}}`, 200, "", "the field knid"},
	}
	api := load(t, Newer("POST /items/{id}/sell"))
	for _, tt := range tests {
		for _, side := range []string{"transport", "handler"} {
			t.Run(tt.name+"/"+side, func(t *testing.T) {
				var h http.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					if data, _ := io.ReadAll(r.Body); string(data) != tt.body {
						t.Errorf("the server got %q", data)
					}
					rw.Header().Set("Content-Type", "application/json")
					rw.WriteHeader(tt.status)
					_, _ = io.WriteString(rw, tt.answer)
				})
				c := &catcher{TB: t}
				check := api.Check(c)
				client := http.DefaultClient
				if side == "handler" {
					h = check.Handler(h)
				} else {
					client = &http.Client{Transport: check.Transport(nil)}
				}
				srv := httptest.NewServer(h)
				defer srv.Close()
				req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.URL+tt.path, strings.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				if tt.body != "" {
					req.Header.Set("Content-Type", "application/json")
				}
				resp, err := client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				data, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(data) != tt.answer || resp.StatusCode != tt.status {
					t.Errorf("the client got %d %q", resp.StatusCode, data)
				}
				switch {
				case tt.name == "error of another form":
					if len(c.got) != 2 {
						t.Errorf("%q, want two problems", c.got)
					}
				case tt.want == "" && len(c.got) > 0:
					t.Errorf("%q, want no problem", c.got)
				case tt.want != "" && (len(c.got) != 1 || !strings.Contains(c.got[0], tt.want)):
					t.Errorf("%q, want %q alone", c.got, tt.want)
				}
			})
		}
	}
}

func TestRefusedRequestsMayBeBad(t *testing.T) {
	c := &catcher{TB: t}
	check := load(t).Check(c)
	check.Refused = true
	for status, want := range map[int]int{400: 0, 200: 1} {
		c.got = nil
		h := check.Handler(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(status) }))
		req := httptest.NewRequest(http.MethodPut, "/v1/items/1", strings.NewReader(`{}`))
		req.Header.Set("Content-Type", "application/json")
		h.ServeHTTP(httptest.NewRecorder(), req)
		bad := slices.DeleteFunc(c.got, func(s string) bool { return !strings.Contains(s, "the request") })
		if len(bad) != want {
			t.Errorf("answer %d: %q, want %d problems of the request", status, bad, want)
		}
	}
}

func TestWithoutTheReference(t *testing.T) {
	t.Setenv("OPSCTL_REFERENCE", t.TempDir())
	api, err := LoadRender()
	if err != ErrNoReference { //nolint:errorlint // exactly this
		t.Fatalf("%v", err)
	}
	c := &catcher{TB: t}
	api.Check(c).Handler(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/v9/x", nil))
	if len(c.got) > 0 {
		t.Errorf("%q", c.got)
	}
}

func TestRenderDocument(t *testing.T) {
	Require(t, RenderFile)
	api, err := LoadRender()
	if err != nil {
		t.Fatal(err)
	}
	for s := range allSchemas(api.doc) {
		if len(s.OneOf) > 0 {
			t.Error("a oneOf is left")
		}
	}
	if p := api.doc.Components.Schemas["postgresConnectionInfo"].Value.Properties; p["internalConnectionPoolString"] == nil {
		t.Error("the newer fields are missing")
	}
}
