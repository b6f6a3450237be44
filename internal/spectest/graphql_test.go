package spectest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// notes is a testing.TB that keeps what is reported.
type notes struct {
	testing.TB
	list []string
}

func (n *notes) Errorf(format string, args ...any) {
	n.list = append(n.list, fmt.Sprintf(format, args...))
}
func (n *notes) Helper() {}

func railway(t *testing.T) (*GraphQL, *notes) {
	t.Helper()
	Require(t, RailwayFile)
	n := &notes{TB: t}
	return NewGraphQL(n, RailwayFile), n
}

func TestRequestsAreHeldAgainstTheSchema(t *testing.T) {
	for _, tt := range []struct {
		name, query string
		vars        map[string]any
		want        string // part of the report; empty: it fits
	}{
		{"a query", `{ me { id name workspaces { id } } }`, nil, ""},
		{"an unknown field", `{ me { id colour } }`, nil, "colour"},
		{"a missing argument", `{ project { id } }`, nil, "id"},
		{"a leaf with parts", `{ me { id { x } } }`, nil, "selection"},
		{"a subscription", `subscription($d: String!) { buildLogs(deploymentId: $d) { message attributes { key value } } }`, map[string]any{"d": "1"}, ""},
		{"an input object", `mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }`,
			map[string]any{"i": map[string]any{"projectId": "p", "source": map[string]any{"image": "a:b"}, "variables": map[string]any{"A": "1"}}}, ""},
		{"a required input field", `mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }`, map[string]any{"i": map[string]any{"name": "x"}}, "projectId"},
		{"an unknown input field", `mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }`, map[string]any{"i": map[string]any{"projectId": "p", "nope": 1}}, "nope"},
		{"an enum", `query($i: DeploymentListInput!) { deployments(input: $i) { edges { cursor } } }`,
			map[string]any{"i": map[string]any{"status": map[string]any{"in": []any{"SUCCESS", "CRASHED"}}}}, ""},
		{"an unknown enum value", `query($i: DeploymentListInput!) { deployments(input: $i) { edges { cursor } } }`,
			map[string]any{"i": map[string]any{"status": map[string]any{"in": []any{"FINE"}}}}, "FINE"},
		{"a fraction for an Int", `query($n: Int) { projects(first: $n) { edges { cursor } } }`, map[string]any{"n": 1.5}, "Int"},
		{"null for a list element", `query($i: DeploymentListInput!) { deployments(input: $i) { edges { cursor } } }`,
			map[string]any{"i": map[string]any{"status": map[string]any{"in": []any{nil}}}}, "null"},
		{"a missing variable", `query($p: String!) { project(id: $p) { id } }`, nil, "p must be defined"},
		{"a variable too many", `query($p: String!) { project(id: $p) { id } }`, map[string]any{"p": "1", "q": 2}, "q is not declared"},
		{"an unused variable", `query($p: String!) { me { id } }`, map[string]any{"p": "1"}, "never used"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, n := railway(t)
			op := v.Request(Operation{Query: tt.query, Variables: tt.vars})
			got := strings.Join(n.list, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
			if tt.want == "" && (op == nil || len(v.Seen()) != 1) {
				t.Errorf("operation %v, seen %v", op, v.Seen())
			}
		})
	}
}

func TestAnswersAreHeldAgainstTheSchema(t *testing.T) {
	const query = `query($all: Boolean = false) { d: deployment(id: "1") { ...F status createdAt canRollback instances { status } url @include(if: $all) } }
		fragment F on Deployment { id service { id } ... on Node { id } }`
	const fine = `"id":"1","service":{"id":"s"},"status":"SUCCESS","createdAt":"2026-11-24T10:00:00.5Z","canRollback":true,"instances":[{"status":"RUNNING"}]`
	change := func(old, new string) string {
		return `{"data":{"d":{` + strings.Replace(fine, old, new, 1) + `}}}`
	}
	for _, tt := range []struct{ name, answer, want string }{
		{"all of it", change("", ""), ""},
		{"another enum value", change(`"SUCCESS"`, `"FINE"`), "FINE"},
		{"null where it may not be", change(`"canRollback":true`, `"canRollback":null`), "is null"},
		{"another type", change(`true`, `"yes"`), "Boolean"},
		{"no list", change(`[{"status":"RUNNING"}]`, `{}`), "want a list"},
		{"no time", change(`2026-11-24T10:00:00.5Z`, `yesterday`), "DateTime"},
		{"a field is missing", change(`"id":"1",`, ``), "has no id"},
		{"a part of a field is missing", change(`{"id":"s"}`, `{}`), "has no id"},
		{"a field too many", change(`"id":"1"`, `"id":"1","more":1`), "not asked for"},
		{"an error", `{"errors":[{"message":"Not Authorized","extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":null}`, ""},
		{"an error without a text", `{"errors":[{"extensions":{}}],"data":null}`, "without a message"},
		{"nothing", `{}`, "neither"},
		{"no JSON", `<html>`, "not JSON"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, n := railway(t)
			v.Answer(v.Request(Operation{Query: query}), []byte(tt.answer))
			got := strings.Join(n.list, "\n")
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("reported %q, want %q", got, tt.want)
			}
		})
	}
}

func TestTransportChecksBothSides(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), "me") {
			t.Errorf("the body did not arrive: %q", body)
		}
		_, _ = io.WriteString(rw, `{"data":{"me":{"id":7}}}`)
	}))
	defer srv.Close()
	v, n := railway(t)
	c := &http.Client{Transport: v.Transport("/graphql/v2", nil)}
	for _, tt := range []struct {
		path, body string
		reports    int
	}{
		{"/graphql/v2", `{"query":"{ me { id } }"}`, 1},     // 7 is no ID of this API
		{"/graphql/v2", `{"query":"{ me { colour } }"}`, 1}, // the request; its answer cannot be judged
		{"/elsewhere", `{"query":"{ me { colour } }"}`, 0},
	} {
		n.list = nil
		resp, err := c.Post(srv.URL+tt.path, "application/json", strings.NewReader(tt.body))
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(answer) != `{"data":{"me":{"id":7}}}` {
			t.Errorf("the answer arrives as %q", answer)
		}
		if len(n.list) != tt.reports {
			t.Errorf("%s %s: reports %q, want %d", tt.path, tt.body, n.list, tt.reports)
		}
	}
}

func TestIntrospectionWithoutDataAroundIt(t *testing.T) {
	for _, doc := range []string{`{"__schema":%s}`, `{"data":{"__schema":%s}}`} {
		sdl, err := schemaLanguage(fmt.Appendf(nil, doc, `{"queryType":{"name":"Q"},"types":[
			{"kind":"OBJECT","name":"Q","fields":[{"name":"a","args":[{"name":"n","type":{"kind":"SCALAR","name":"Int"},"defaultValue":"50"}],"type":{"kind":"NON_NULL","ofType":{"kind":"LIST","ofType":{"kind":"SCALAR","name":"String"}}}}]},
			{"kind":"OBJECT","name":"__Type","fields":[]}]}`))
		if err != nil || !strings.Contains(sdl, "a(n: Int = 50): [String]!") || strings.Contains(sdl, "__Type") {
			t.Errorf("%s: %v\n%s", doc, err, sdl)
		}
	}
	if _, err := schemaLanguage([]byte(`{"data":{}}`)); err == nil {
		t.Error("a document without a schema is read")
	}
}
