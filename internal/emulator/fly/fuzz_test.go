package fly

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Any config is either refused or becomes a spec that the world can run.
func FuzzParseConfig(f *testing.F) {
	f.Add(`{"image":"shop:v1","services":[{"internal_port":3000,"autostop":"off","checks":[{"type":"http","path":"/h","interval":"10s","timeout":2000000000,"headers":[{"name":"a","values":["b"]}]}]}]}`)
	f.Add(`{"image":"a","checks":{"x":{"port":1,"type":"tcp"}},"stop_config":{"signal":"SIGINT","timeout":""},"restart":{"policy":"always"}}`)
	f.Add(`{"image":"a","env":null,"init":{"exec":["a"],"cmd":["b"]}}`)
	f.Add(`null`)
	s := New(Options{})
	a := &app{name: "shop"}
	f.Fuzz(func(t *testing.T, raw string) {
		c, doc, err := parseConfig(json.RawMessage(raw))
		if err != nil {
			return
		}
		if c.Image == "" || doc == nil {
			t.Fatalf("accepted %s without an image", raw)
		}
		spec := s.spec(a, &machine{id: "0123456789abcd", config: c, doc: doc})
		if spec.Restart == "" || spec.MaxRetries == 0 || spec.Env["FLY_IMAGE_REF"] != c.Image {
			t.Errorf("spec %+v of %s", spec, raw)
		}
		names := map[string]bool{}
		for _, ck := range spec.Checks {
			if ck.Gate && names[ck.Name] {
				t.Errorf("two checks are called %s in %s", ck.Name, raw)
			}
			names[ck.Name] = true
		}
		if _, err := json.Marshal(compat(doc)); err != nil {
			t.Error(err)
		}
	})
}

// Any GraphQL text gets an answer with data or errors, always with status 200.
func FuzzGraphQL(f *testing.F) {
	f.Add(`query($n: String!) { app(name: $n) { id ...F } } fragment F on App { machines { nodes { id config } } }`, `{"n":"shop"}`)
	f.Add(`{ viewer { ... on User { email } ... on Macaroon { email } } apps(first: 1) { pageInfo { hasNextPage } } }`, `{}`)
	f.Add(`mutation { setSecrets(input: {appId: "shop", secrets: [{key: "A", value: "1"}]}) { app { name } } }`, `null`)
	f.Add(`fragment A on App { ...A } { app(name: "shop") { ...A } }`, `{}`)
	f.Add(`{ a: app(name: "shop") { id } a: app(name: "shop") { name } }`, `{}`)
	w, err := world.New(world.Options{Seed: 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = w.Close() })
	s := New(Options{World: w})
	if _, err := s.newApp("shop", "personal", "", ""); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, query, vars string) {
		if !json.Valid([]byte(vars)) {
			t.Skip()
		}
		body, _ := json.Marshal(map[string]any{"query": query, "variables": json.RawMessage(vars)})
		r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer x")
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		var out map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &out); err != nil {
			t.Fatalf("%q: %s", query, rec.Body)
		}
		if rec.Code != http.StatusOK && rec.Code != http.StatusBadRequest {
			t.Errorf("%q: status %d", query, rec.Code)
		}
		if rec.Code == http.StatusOK && out["data"] == nil && out["errors"] == nil {
			t.Errorf("%q: neither data nor errors: %s", query, rec.Body)
		}
	})
}
