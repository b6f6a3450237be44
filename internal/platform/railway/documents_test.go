package railway

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/spectest"
)

// sink is an adapter whose requests are checked against the schema, and answered
// by nothing at all.
func sink(t *testing.T, answer string) (*Platform, *spectest.GraphQL) {
	t.Helper()
	check := spectest.NewGraphQL(t, spectest.RailwayFile)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if r.URL.Path == graphqlPath {
			check.RequestJSON(body)
		}
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	env := map[string]string{envAPIToken: "t", envBase: server.URL}
	now := time.Now() // each pause is as long as it says
	p, err := New(t.Context(), Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl/test", MaxAttempts: 1},
		Now:    func() time.Time { return now },
		Sleep:  func(ctx context.Context, d time.Duration) error { now = now.Add(d); return ctx.Err() },
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, check
}

// Each document that the adapter can send fits Railway's schema, variables included.
func TestDocumentsFitTheSchema(t *testing.T) {
	spectest.Require(t, spectest.RailwayFile)
	p, check := sink(t, `{"data":{"apiToken":{},"domains":{},"environment":{},"v0":{},"templateDeployV2":{}}}`)
	ctx := t.Context()
	l := &place{workspace: "w", project: namedNode{ID: "p", Name: "shop"}, environment: namedNode{ID: "e", Name: "production"}, services: []namedNode{{ID: "s", Name: "shop"}}}
	p.places["shop"] = l
	p.identity = &identity{kind: accountToken, workspaces: []workspace{{ID: "w"}}}
	v := &view{place: l, app: "shop", service: "s", record: parseRecord("")}
	want := platform.Release{Image: "shop:1", Port: 3000, Health: "/up", Command: []string{"a"}, Instances: 2, Region: "us-west2", Size: "2cpu-4gb", Env: map[string]string{"A": "b"}}
	silent := func(string, ...any) {}
	data := &dataService{neighbour: neighbour{ID: "d", Name: "db"}, volume: &volumeInstance{ID: "v"}}
	// What they answer is of no interest here: nothing, mostly.
	for name, call := range map[string]func(){
		"account":     func() { _, _ = p.probeAccount(ctx) },
		"workspace":   func() { _, _ = p.probeWorkspace(ctx) },
		"token":       func() { _, _ = p.probeProject(ctx) },
		"projects":    func() { _, _ = p.listProjects(ctx, "w") },
		"project":     func() { _, _ = p.readProject(ctx, "p") },
		"create":      func() { _, _ = p.createProject(ctx, p.identity, platform.AppSpec{Name: "new"}) },
		"environment": func() { _, _ = p.createEnvironment(ctx, p.identity, projectNode{namedNode: l.project}) },
		"service":     func() { _, _, _ = p.ensureService(ctx, l, "other") },
		"join":        func() { _ = p.joinEnvironment(ctx, l, "shop") },
		"domain":      func() { _ = p.ensureDomain(ctx, v) },
		"look":        func() { _, _ = p.lookAgain(ctx, "shop") },
		"set":         func() { _ = p.set(ctx, v, map[string]string{"A": "b"}) },
		"staged":      func() { _, _ = p.nothingStaged(ctx, v, nil) },
		"patch":       func() { _ = p.unsetByPatch(ctx, v, []string{"A"}) },
		"applied":     func() { short, stop := context.WithCancel(ctx); stop(); _ = p.awaitPatch(short, "p") },
		"replace":     func() { _ = p.unsetByReplace(ctx, v, []string{"A"}) },
		"prepare":     func() { _, _ = p.prepare(ctx, v, want) },
		"deploy":      func() { _, _ = p.deploy(ctx, v) },
		"progress":    func() { _, _ = p.progress(ctx, "d") },
		"cancel":      func() { p.cancel(ctx, "d") },
		"tail":        func() { p.lastLines(ctx, progress{deployment: deployment{ID: "d"}}, nil) },
		"tail of app": func() {
			p.lastLines(ctx, progress{deployment: deployment{ID: "d"}, steps: []step{{Step: stepCreate}}}, nil)
		},
		"put back": func() {
			_ = p.putBack(ctx, v, "d", want)
			v.record.Releases["d"] = entry{}
			_ = p.putBack(ctx, v, "d", want)
		},
		"roll back":  func() { _, _ = p.rollBack(ctx, v, deployment{ID: "d", CanReturn: true}, want, silent) },
		"limit":      func() { _ = p.limit(ctx, v, "1cpu-1gb") },
		"resize":     func() { _, _ = p.resize(ctx, v, platform.Release{Image: "upload:x"}); _, _ = p.resize(ctx, v, want) },
		"regions":    func() { _, _ = p.regionNamed(ctx, v, "nowhere") },
		"domains":    func() { _, _ = p.customDomains(ctx, v) },
		"one domain": func() { _, _ = p.domainNow(ctx, v, &customDomain{ID: "x"}) },
		"add domain": func() { p.views["shop"] = v; v.at = time.Now(); _, _ = p.AddDomain(ctx, "shop", "a.example") },
		"logs":       func() { _, _ = p.linesAround(ctx, v, time.Now(), 1, 1) },
		"data":       func() { _, _ = p.readData(ctx, l, []neighbour{{ID: "d"}}) },
		"pages": func() {
			node, page := projectNode{}, connection[neighbour]{}
			node.Services.PageInfo.HasNextPage, node.Services.PageInfo.EndCursor = true, "c"
			node.Environments, page.PageInfo = node.Services, node.Services.PageInfo
			_ = p.complete(ctx, &node)
			_, _ = moreOf(ctx, p, page, "environment", "e", "serviceInstances", neighbourFields)
			_, _ = moreOf(ctx, p, page, "environment", "e", "variables", variableFields)
			_, _ = moreOf(ctx, p, page, "environment", "e", "volumeInstances", volumeFields)
		},
		"neighbours": func() { _, _ = p.neighbours(ctx, "nobody", l) },
		"template":   func() { _, _ = p.template(ctx, "postgres") },
		"apply": func() {
			_ = p.apply(ctx, l, &template{id: "t", config: map[string]any{}}, "d", func() (bool, error) { return true, nil })
		},
		"workflow": func() { short, stop := context.WithCancel(ctx); stop(); _ = p.awaitWorkflow(short, "w") },
		"backups":  func() { _, _, _ = p.volumeBackups(ctx, data) },
		"restore": func() {
			_ = p.restoreTo(ctx, l, data, platform.RestoreSpec{App: "shop", Database: "db", Name: "then", Time: time.Now()})
		},
	} {
		t.Run(name, func(*testing.T) { call() })
	}
	check.Request(spectest.Operation{Query: logsSubscription, Variables: map[string]any{"environment": "e"}})
	for _, field := range []string{"mutation templateDeployV2", "mutation volumeInstancePITRRestore", "mutation deploymentRollback", "query environmentLogs"} {
		if check.Seen()[field] == 0 {
			t.Errorf("%s was not sent: %s", field, strings.TrimSpace(field))
		}
	}
}
