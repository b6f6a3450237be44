package railway_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/railway"
)

const (
	askMe      = `{ me { id name email workspaces { id name } } }`
	askAPI     = `{ apiToken { workspaces { id name } } }`
	askProject = `{ projectToken { id name projectId environmentId displayToken createdAt project { id name } environment { id } } }`
)

// The three kinds of token are told apart by what they may ask.
func TestKindsOfToken(t *testing.T) {
	r := start(t, func(o *railway.Options) { o.ValidTokens, o.WorkspaceTokens = []string{"account"}, []string{"team"} })
	s := r.site()
	staging := s.text("environmentCreate.id", `mutation($i: EnvironmentCreateInput!) { environmentCreate(input: $i) { id name isEphemeral } }`, m{"i": m{"projectId": s.project, "name": "staging"}})
	token := s.text("projectTokenCreate", `mutation($i: ProjectTokenCreateInput!) { projectTokenCreate(input: $i) }`, m{"i": m{"projectId": s.project, "environmentId": s.env, "name": "ci"}})
	const no = "INTERNAL_SERVER_ERROR: Not Authorized"
	for _, tt := range []struct{ header, me, api, project string }{
		{"Authorization: Bearer account", "", "", "INTERNAL_SERVER_ERROR: Project Token not found"},
		{"Authorization: Bearer team", no, "", "INTERNAL_SERVER_ERROR: Project Token not found"},
		{"Project-Access-Token: " + token, no, no, ""},
		{"Project-Access-Token: nope", "INTERNAL_SERVER_ERROR: Project Token not found", "INTERNAL_SERVER_ERROR: Project Token not found", "INTERNAL_SERVER_ERROR: Project Token not found"},
		{"Authorization: Bearer " + token, no, no, no},
		{"Authorization: Bearer stranger", no, no, no},
		{"", no, no, no},
	} {
		t.Run(tt.header, func(t *testing.T) {
			c := r.as(tt.header)
			for query, want := range map[string]string{askMe: tt.me, askAPI: tt.api, askProject: tt.project} {
				if data, problem := c.ask(query, nil); problem != want || (want != "" && data != nil) {
					t.Errorf("%s: %q %v, want %q", query, problem, data, want)
				}
			}
		})
	}
	p := r.as("Project-Access-Token: " + token)
	if got := p.text("projectToken.environmentId", askProject, nil); got != s.env {
		t.Errorf("the token is for %s, want %s", got, s.env)
	}
	access := p.must("project.environments.edges", `query($id: String!) { project(id: $id) { name services { edges { node { id name } } } environments { edges { node { id canAccess serviceInstances { edges { node { id serviceName } } } } } } } }`, m{"id": s.project})
	if dig(access, "0.node.canAccess") != true || dig(access, "1.node.canAccess") != false {
		t.Errorf("environments %v", access)
	}
	// A project token is bound to one environment.
	for query, vars := range map[string]m{
		`query($e: String!) { environment(id: $e) { id } }`:                                                {"e": staging},
		`{ projects { edges { node { id } } } }`:                                                           nil,
		`mutation($p: String!) { environmentCreate(input: {projectId: $p, name: "third"}) { id } }`:        {"p": s.project},
		`query($p: String!, $e: String!) { variables(projectId: $p, environmentId: $e) }`:                  {"p": s.project, "e": staging},
		`mutation($s: String!, $e: String!) { serviceInstanceDeployV2(serviceId: $s, environmentId: $e) }`: {"s": s.service, "e": staging},
	} {
		p.refused("Not Authorized", query, vars)
	}
	p.must("variables", `query($p: String!, $e: String!) { variables(projectId: $p, environmentId: $e) }`, m{"p": s.project, "e": s.env})
}

func TestErrorsAndForms(t *testing.T) {
	r := start(t).unchecked()
	for _, tt := range []struct {
		body           string
		status         int
		code, contains string
	}{
		{`nonsense`, 400, "BAD_REQUEST", "POST body"},
		{`{"query":"{ me { "}`, 400, "GRAPHQL_PARSE_FAILED", "Syntax Error"},
		{`{"query":"{ me { colour } }"}`, 400, "GRAPHQL_VALIDATION_FAILED", `Cannot query field "colour" on type "User".`},
		{`{"query":"{ me }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "must have a selection"},
		{`{"query":"query A { me { id } } query B { me { id } }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "operation name"},
		{`{"query":"query($p: String!) { project(id: $p) { id } }"}`, 400, "BAD_USER_INPUT", "was not provided"},
		{`{"query":"{ me { ...Missing } }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "Unknown fragment"},
		{`{"query":"{ me { ...F } } fragment F on User { ...F }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "too deep"},
		{`{"query":"{ project(id: \"nope\") { id } }"}`, 200, "INTERNAL_SERVER_ERROR", "Project not found"},
		{`{"query":"{ deployments(input: {status: {successfulOnly: true}}) { edges { cursor } } }"}`, 200, "BAD_USER_INPUT", "successfulOnly"},
		{`{"query":"mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }","variables":{"i":{"colour":"red"}}}`, 200, "BAD_USER_INPUT", "colour"},
	} {
		status, header, answer := r.post("/graphql/v2", "application/json", []byte(tt.body))
		var out struct {
			Data   any
			Errors []struct {
				Message, TraceID string
				Extensions       struct{ Code string }
			}
		}
		if err := json.Unmarshal(answer, &out); err != nil || len(out.Errors) == 0 {
			t.Errorf("%s: %d %s", tt.body, status, answer)
			continue
		}
		e := out.Errors[0]
		if status != tt.status || e.Extensions.Code != tt.code || !strings.Contains(e.Message, tt.contains) || e.TraceID == "" || out.Data != nil {
			t.Errorf("%s: %d %s, want %d %s %q", tt.body, status, answer, tt.status, tt.code, tt.contains)
		}
		if header.Get("X-RateLimit-Remaining") == "" || header.Get("X-RateLimit-Limit") != "10000" {
			t.Errorf("%s: no rate limit in %v", tt.body, header)
		}
	}
	const q = `query($id: String!, $with: Boolean = false) { a: project(id: $id) { ...P ... on Node { id } description @include(if: $with) isPublic @skip(if: true) environments { edges { node { id } } } environments { edges { cursor node { name } } } } b: me { __typename } } fragment P on Project { name __typename }`
	s := start(t).site()
	data, problem := s.ask(q, m{"id": s.project})
	a, _ := data["a"].(m)
	if problem != "" || a["name"] != "shop" || a["__typename"] != "Project" || len(a) != 4 || dig(a, "environments.edges.0.node.name") != "production" || dig(a, "environments.edges.0.node.id") == nil {
		t.Errorf("%q %v", problem, data)
	}
}

func TestRateLimit(t *testing.T) {
	r := start(t, func(o *railway.Options) { o.RateLimit = 3 })
	for n := range 5 {
		status, header, _ := r.post("/graphql/v2", "application/json", []byte(`{"query":"{ me { id } }"}`))
		want := http.StatusOK
		if n >= 3 {
			want = http.StatusTooManyRequests
		}
		if status != want || (header.Get("Retry-After") != "") != (want != 200) {
			t.Errorf("request %d: %d %v", n, status, header)
		}
	}
	if status, _, _ := r.as("Authorization: Bearer another").post("/graphql/v2", "application/json", []byte(`{"query":"{ me { id } }"}`)); status != 200 {
		t.Errorf("another token is limited, too: %d", status)
	}
}

func TestVariables(t *testing.T) {
	s := start(t).site()
	id := s.release("ghcr.io/acme/shop:v1")
	s.ends(id, "SUCCESS")
	s.set(m{"A": "1", "B": "${{A}}-2", "C": "${{shared.S}} ${{ web.B }} ${{web.RAILWAY_SERVICE_NAME}} ${{nope.X}}", "LOOP": "${{LOOP}}"}, m{"skipDeploys": true})
	s.set(m{"S": "shared"}, m{"serviceId": nil, "skipDeploys": true})
	if n := len(s.list(m{})); n != 1 {
		t.Errorf("skipDeploys made %d deployments", n-1)
	}
	got := s.variables(false)
	if got["B"] != "1-2" || got["C"] != "shared 1-2 web " || got["RAILWAY_SERVICE_ID"] != s.service || got["RAILWAY_ENVIRONMENT_NAME"] != "production" || got["LOOP"] != "" {
		t.Errorf("rendered: %v", got)
	}
	if raw := s.variables(true); raw["B"] != "${{A}}-2" {
		t.Errorf("unrendered: %v", raw)
	}
	// Everything sent back with replace: what the platform gives is not made the user's own.
	delete(got, "A")
	s.set(got, m{"replace": true})
	s.ends(s.list(m{})[0], "SUCCESS")
	s.says("/env?name=B", "1-2")
	if after := s.variables(true); after["A"] != nil || after["B"] != "1-2" {
		t.Errorf("after replace: %v", after)
	}
	if n := len(s.list(m{})); n != 2 {
		t.Errorf("a change without skipDeploys made %d deployments, want 1", n-1)
	}
	const del = `mutation($i: VariableDeleteInput!) { variableDelete(input: $i) }`
	s.must("variableDelete", del, m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "name": "B"}})
	s.refused("not found", del, m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "name": "B"}})
	s.must("variableUpsert", `mutation($i: VariableUpsertInput!) { variableUpsert(input: $i) }`, m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "name": "SECRET", "value": "x", "skipDeploys": true}})
	s.refused("Invalid variable name", upsert, m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "variables": m{"1 A": "x"}}})
	if err := s.s.Seal("web", "production", "SECRET"); err != nil {
		t.Fatal(err)
	}
	id = s.deploy()
	s.ends(id, "SUCCESS")
	s.says("/env?name=SECRET", "x")
	vars := m{"p": s.project, "e": s.env, "s": s.service, "d": id}
	resolved := s.must("variablesForServiceDeployment", `query($p: String!, $e: String!, $s: String!) { variablesForServiceDeployment(projectId: $p, environmentId: $e, serviceId: $s) }`, m{"p": s.project, "e": s.env, "s": s.service}).(m)
	snapshot := s.must("deploymentSnapshot.variables", `query($d: String!) { deploymentSnapshot(deploymentId: $d) { id variables createdAt } }`, m{"d": vars["d"]}).(m)
	for what, set := range map[string]m{"variables": s.variables(false), "unrendered": s.variables(true), "for deployment": resolved, "snapshot": snapshot} {
		if set["SECRET"] != nil || set["RAILWAY_PROJECT_ID"] == nil && what != "unrendered" {
			t.Errorf("%s: %v", what, set)
		}
	}
	list := s.must("environment.variables.edges", `query($e: String!) { environment(id: $e) { variables { edges { node { id name isSealed references serviceId environmentId } } } } }`, m{"e": s.env}).([]any)
	if !slices.ContainsFunc(list, func(v any) bool { return dig(v, "node.name") == "SECRET" && dig(v, "node.isSealed") == true }) {
		t.Errorf("environment.variables: %v", list)
	}
}

func TestStagedChanges(t *testing.T) {
	s := start(t).site()
	const stage = `mutation($e: String!, $i: EnvironmentConfig!, $m: Boolean) { environmentStageChanges(environmentId: $e, input: $i, merge: $m) { id status patch createdAt updatedAt appliedAt environmentId } }`
	change := func(part m) m { return m{"services": m{s.service: part}} }
	s.must("environmentStageChanges", stage, m{"e": s.env, "i": change(m{"source": m{"image": "ghcr.io/acme/shop:v1"}, "variables": m{"K": m{"value": "staged"}}})})
	s.must("environmentStageChanges", stage, m{"e": s.env, "m": true, "i": change(m{"deploy": m{"healthcheckPath": "/health", "numReplicas": 2}})})
	s.refused("not found", stage, m{"e": s.env, "i": m{"services": m{"nope": m{}}}})
	if s.variables(false)["K"] != nil {
		t.Error("a staged variable is in force")
	}
	patch := s.must("environmentStagedChanges.patch", `query($e: String!) { environmentStagedChanges(environmentId: $e) { id status patch message } }`, m{"e": s.env})
	if dig(patch, "services."+s.service+".variables.K.value") != "staged" || dig(patch, "services."+s.service+".deploy.numReplicas") != 2.0 {
		t.Errorf("patch %v", patch)
	}
	const commit = `mutation($e: String!, $skip: Boolean) { environmentPatchCommitStaged(environmentId: $e, commitMessage: "go", skipDeploys: $skip) }`
	id := s.text("environmentPatchCommitStaged", commit, m{"e": s.env})
	s.ends(s.list(m{})[0], "SUCCESS")
	s.says("/env?name=K", "staged")
	if got := s.text("environmentPatch.status", `query($id: String!) { environmentPatch(id: $id) { status message appliedAt patch environment { name } } }`, m{"id": id}); got != "COMMITTED" {
		t.Errorf("the patch is %s", got)
	}
	s.refused("No patch", commit, m{"e": s.env})
	s.must("environmentPatchCommit", `mutation($e: String!, $p: EnvironmentConfig) { environmentPatchCommit(environmentId: $e, patch: $p, commitMessage: "one") }`, m{"e": s.env, "p": change(m{"variables": m{"K": nil, "L": m{"value": "1"}}})})
	s.ends(s.list(m{})[0], "SUCCESS")
	if v := s.variables(false); v["K"] != nil || v["L"] != "1" || len(s.list(m{})) != 2 {
		t.Errorf("after the commit: %v", v)
	}
	config := s.must("environment.config", `query($e: String!) { environment(id: $e) { configEtag unmergedChangesCount config(decryptVariables: true) } }`, m{"e": s.env})
	if dig(config, "services."+s.service+".deploy.healthcheckPath") != "/health" || dig(config, "services."+s.service+".variables.L.value") != "1" {
		t.Errorf("config %v", config)
	}
}

func TestEnvironmentsAndServices(t *testing.T) {
	s := start(t, func(o *railway.Options) { o.PageSize = 2 }).site()
	s.refused("already exists", `mutation($p: String!) { serviceCreate(input: {projectId: $p, name: "web"}) { id } }`, m{"p": s.project})
	s.set(m{"K": "1"}, m{"skipDeploys": true})
	s.ends(s.release("ghcr.io/acme/shop:v1"), "SUCCESS")
	s.must("serviceInstanceLimitsUpdate", `mutation($i: ServiceInstanceLimitsUpdateInput!) { serviceInstanceLimitsUpdate(input: $i) }`, m{"i": m{"serviceId": s.service, "environmentId": s.env, "vCPUs": 2, "memoryGB": 0.5}})
	limits := s.must("serviceInstanceLimits", `query($s: String!, $e: String!) { serviceInstanceLimits(serviceId: $s, environmentId: $e) serviceInstanceLimitOverride(serviceId: $s, environmentId: $e) serviceInstanceIsUpdatable(serviceId: $s, environmentId: $e) }`, m{"s": s.service, "e": s.env})
	if dig(limits, "containers.cpu") != 2.0 {
		t.Errorf("limits %v", limits)
	}
	fork := s.text("environmentCreate.id", `mutation($i: EnvironmentCreateInput!) { environmentCreate(input: $i) { id name sourceEnvironment { id } } }`, m{"i": m{"projectId": s.project, "name": "pr-1", "sourceEnvironmentId": s.env, "ephemeral": true, "skipInitialDeploys": true}})
	s.refused("already exists", `mutation($p: String!) { environmentCreate(input: {projectId: $p, name: "pr-1"}) { id } }`, m{"p": s.project})
	v := s.must("variables", `query($p: String!, $e: String!, $s: String) { variables(projectId: $p, environmentId: $e, serviceId: $s) }`, m{"p": s.project, "e": fork, "s": s.service}).(m)
	if v["K"] != "1" || v["RAILWAY_ENVIRONMENT_NAME"] != "pr-1" {
		t.Errorf("the copy has %v", v)
	}
	// A service with a source is deployed at once; serviceConnect deploys, too.
	api := s.text("serviceCreate.id", `mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }`, m{"i": m{"projectId": s.project, "name": "api", "source": m{"image": "ghcr.io/acme/shop:v1"}, "variables": m{"X": "1"}}})
	d := s.list(m{"serviceId": api})
	if len(d) != 1 {
		t.Fatalf("deployments of a new service: %v", d)
	}
	s.ends(d[0], "SUCCESS")
	s.must("serviceConnect.id", `mutation($s: String!, $i: ServiceConnectInput!) { serviceConnect(id: $s, input: $i) { id name } }`, m{"s": api, "i": m{"image": "ghcr.io/acme/shop:v2"}})
	s.ends(s.list(m{"serviceId": api})[0], "SUCCESS")
	s.must("serviceUpdate.name", `mutation($s: String!) { serviceUpdate(id: $s, input: {name: "backend"}) { name icon } }`, m{"s": api})
	names := s.must("project.services.edges", `query($p: String!) { project(id: $p) { services(first: 10) { edges { node { name createdAt projectId serviceInstances { edges { node { id environmentId numReplicas region } } } } } } baseEnvironment { name } workspace { id plan } } }`, m{"p": s.project}).([]any)
	if len(names) != 2 || dig(names[1], "node.name") != "backend" {
		t.Errorf("services %v", names)
	}
	s.must("serviceDelete", `mutation($s: String!) { serviceDelete(id: $s) }`, m{"s": api})
	s.refused("Service not found", `query($s: String!) { service(id: $s) { id } }`, m{"s": api})
	if s.world.App("api-production") != nil {
		t.Error("a deleted service still is in the world")
	}
	s.must("environmentDelete", `mutation($e: String!) { environmentDelete(id: $e) }`, m{"e": fork})
	for i := range 3 {
		s.must("projectCreate.id", `mutation($n: String!) { projectCreate(input: {name: $n}) { id } }`, m{"n": fmt.Sprint("p", i)})
	}
	first := s.must("projects", `{ projects(first: 50) { edges { cursor node { name } } pageInfo { hasNextPage endCursor } } }`, nil)
	if edges := dig(first, "edges").([]any); len(edges) != 2 || dig(first, "pageInfo.hasNextPage") != true {
		t.Errorf("projects %v", first)
	}
	s.must("projectDelete", `mutation($p: String!) { projectDelete(id: $p) }`, m{"p": s.project})
	if len(s.world.Apps()) != 0 {
		t.Errorf("apps are left: %v", s.world.Apps())
	}
}

func TestLagHidesWhatIsNew(t *testing.T) {
	r := start(t, func(o *railway.Options) { o.Lag = 150 * time.Millisecond })
	id := r.text("projectCreate.id", `mutation { projectCreate(input: {name: "shop"}) { id } }`, nil)
	const q = `query($p: String!) { project(id: $p) { id } }`
	r.refused("Project not found", q, m{"p": id})
	r.eventually("the project is seen", func() bool { _, problem := r.ask(q, m{"p": id}); return problem == "" })
}
