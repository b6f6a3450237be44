package railway_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/railway"
)

func silent(string, ...any) {}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
}

func release(server *emulator.Server, image string) platform.Release {
	return platform.Release{
		Image: server.Host() + "/" + image, Port: 3000, Health: "/api/health", Instances: 1, Strategy: "rolling", Label: "r-" + image,
		Timeout: 20 * time.Second, Env: map[string]string{"COLOR": "blue"},
	}
}

// fault injects one; the request is a field of a GraphQL document.
func fault(t *testing.T, server *emulator.Server, spec string) {
	t.Helper()
	f, err := emulator.ParseFault(spec)
	must(t, err)
	server.AddFaults(f)
}

// ask sends a document of the test's own, as somebody else would.
func ask(t *testing.T, server *emulator.Server, text string, vars map[string]any, out any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": text, "variables": vars})
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.RailwayURL()+"/graphql/v2", bytes.NewReader(body))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+server.Env()["RAILWAY_API_TOKEN"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	var envelope struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	must(t, json.NewDecoder(resp.Body).Decode(&envelope))
	if len(envelope.Errors) > 0 {
		t.Fatalf("%s: %s", text, envelope.Errors[0].Message)
	}
	if out != nil {
		must(t, json.Unmarshal(envelope.Data, out))
	}
}

type listed struct {
	Edges []struct {
		Node struct {
			ID, Name               string
			Environments, Services *listed
		}
	}
}

// world is what there is on the platform.
func world(t *testing.T, server *emulator.Server) *listed {
	t.Helper()
	var data struct{ Projects listed }
	ask(t, server, "{ projects { edges { node { id name environments { edges { node { id name } } } services { edges { node { id name } } } } } } }", nil, &data)
	return &data.Projects
}

func (l *listed) names() []string {
	var out []string
	for _, e := range l.Edges {
		out = append(out, e.Node.Name)
	}
	slices.Sort(out)
	return out
}

// What a deploy asks before it finds that nothing is to be done.
func TestNoChangeCostsAtMostSixRequests(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.NoPostgres = true })
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	_, err := p.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	_, err = p.CreateRedis(t.Context(), platform.CacheSpec{App: "shop", Name: "shop-redis"}, silent)
	must(t, err)
	var requests atomic.Int32
	fresh := client(t, server, func(o *railway.Options) { o.HTTP.OnExchange = func(httpx.Exchange) { requests.Add(1) } })
	_, err = fresh.WhoAmI(t.Context())
	must(t, err)
	_, err = fresh.Observe(t.Context(), "shop")
	must(t, err)
	_, err = fresh.ResolveImage(t.Context(), "shop", server.Host()+"/suite:1")
	must(t, err)
	_, err = fresh.FindPostgres(t.Context(), "shop", "shop-db")
	must(t, err)
	redis, err := fresh.FindRedis(t.Context(), "shop", "shop-redis")
	must(t, err)
	_, err = fresh.Releases(t.Context(), "shop", 10)
	must(t, err)
	_, err = fresh.ReadVariables(t.Context(), "shop")
	must(t, err)
	if n := requests.Load(); n > 6 || redis == nil || redis.URL == "" {
		t.Errorf("%d requests, redis %v", n, redis != nil)
	}
}

// Two environments of one project have the same services, and nothing else in common.
func TestTwoEnvironments(t *testing.T) {
	server := start(t, nil)
	at := func(environment string) *railway.Platform {
		return client(t, server, func(o *railway.Options) { o.Project, o.Environment = "acme-shop", environment })
	}
	one, two := at("production"), at("staging")
	value := map[string]string{}
	for name, p := range map[string]*railway.Platform{"production": one, "staging": two} {
		must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "web"}))
		must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "web"}))
		secret := "of-" + name
		must(t, p.StageSecrets(t.Context(), "web", map[string]*string{"WHO": &secret}))
		_, err := p.RollOut(t.Context(), "web", release(server, "suite:1"), silent)
		must(t, err)
		set, err := p.ReadVariables(t.Context(), "web")
		must(t, err)
		for _, v := range set.Values {
			value[name+" "+v.Name] = v.Value
		}
	}
	if value["production WHO"] != "of-production" || value["staging WHO"] != "of-staging" || len(value) != 4 {
		t.Errorf("values %q", value)
	}
	all := world(t, server)
	if got := all.names(); !slices.Equal(got, []string{"acme-shop"}) {
		t.Fatalf("projects %q", got)
	}
	node := all.Edges[0].Node
	if e, s := node.Environments.names(), node.Services.names(); !slices.Equal(e, []string{"production", "staging"}) || !slices.Equal(s, []string{"web"}) {
		t.Errorf("environments %q, services %q", e, s)
	}
}

// Each creation is carried out once, although its answer is lost.
func TestLostAnswersMakeNothingTwice(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.NoPostgres = true })
	for _, field := range []string{"projectCreate", "environmentCreate", "serviceCreate", "serviceDomainCreate", "templateDeployV2", "customDomainCreate", "serviceInstanceDeployV2", "deploymentRollback"} {
		fault(t, server, "POST /graphql/v2#"+field+"=reset,count=1,late")
	}
	p := client(t, server, func(o *railway.Options) { o.Project = "shop" })
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "web"}))
	_, err := p.CreateRedis(t.Context(), platform.CacheSpec{App: "web", Name: "web-redis"}, silent)
	must(t, err)
	_, err = p.AddDomain(t.Context(), "web", "erp.example.com")
	must(t, err)
	first, err := p.RollOut(t.Context(), "web", release(server, "suite:1"), silent)
	must(t, err)
	_, err = p.RollOut(t.Context(), "web", release(server, "suite:2"), silent)
	must(t, err)
	_, err = p.Restore(t.Context(), "web", first.Release, silent)
	must(t, err)
	must(t, client(t, server, func(o *railway.Options) { o.Project, o.Environment = "shop", "staging" }).CreateApp(t.Context(), platform.AppSpec{Name: "web"}))
	all := world(t, server)
	node := all.Edges[0].Node
	if got := append(append(all.names(), node.Environments.names()...), node.Services.names()...); !slices.Equal(got, []string{"shop", "production", "staging", "web", "web-redis"}) {
		t.Errorf("there are %q", got)
	}
	list, err := p.Releases(t.Context(), "web", 20)
	must(t, err)
	domains, err := p.Domains(t.Context(), "web")
	must(t, err)
	if len(list) != 3 || !list[0].Restored || len(domains) != 1 {
		t.Errorf("%d releases, %d domains: %+v", len(list), len(domains), list)
	}
}

func source(t *testing.T, files map[string]string) *platform.Source {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	archive := tar.NewWriter(zip)
	for name, text := range files {
		must(t, archive.WriteHeader(&tar.Header{Name: "./" + name, Mode: 0o644, Size: int64(len(text))}))
		_, err := archive.Write([]byte(text))
		must(t, err)
	}
	must(t, archive.Close())
	must(t, zip.Close())
	return &platform.Source{Identity: "upload:sha256:1234", Dockerfile: "Dockerfile", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }}
}

func TestABuildFromSource(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	r := release(server, "")
	r.Source = source(t, map[string]string{"Dockerfile": "FROM scratch\n", "main.go": "package main\n"})
	r.Image = r.Source.Identity
	done, err := p.RollOut(t.Context(), "shop", r, silent)
	must(t, err)
	state, err := p.Observe(t.Context(), "shop")
	must(t, err)
	if c := state.Current; c == nil || c.Version != done.Release.Version || c.Image != r.Image || c.Port != 3000 || len(state.Instances) != 1 {
		t.Fatalf("current %+v", c)
	}
	// It is built on, scaled without a build, and put back.
	image, err := p.RollOut(t.Context(), "shop", release(server, "suite:2"), silent)
	must(t, err)
	back, err := p.Restore(t.Context(), "shop", done.Release, silent)
	must(t, err)
	must(t, p.Scale(t.Context(), "shop", platform.Scale{Instances: 2}, silent))
	if state, err = p.Observe(t.Context(), "shop"); err != nil || state.Current.Image != r.Image || len(state.Instances) != 2 || back.Version == image.Release.Version {
		t.Errorf("put back and scaled: %+v, %v", state, err)
	}
}

// What is unset stays with nobody's staged changes, and is unset all the same.
func TestUnsetBesideStagedChangesOfOthers(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	value := "x"
	must(t, p.StageSecrets(t.Context(), "shop", map[string]*string{"A": &value, "B": &value, "C": &value}))
	node := world(t, server).Edges[0].Node
	environment, service := node.Environments.Edges[0].Node.ID, node.Services.Edges[0].Node.ID
	ask(t, server, "mutation($e: String!, $p: EnvironmentConfig!) { environmentStageChanges(environmentId: $e, input: $p, merge: true) { id } }",
		map[string]any{"e": environment, "p": map[string]any{"services": map[string]any{service: map[string]any{"deploy": map[string]any{"startCommand": "other"}}}}}, nil)
	must(t, p.StageSecrets(t.Context(), "shop", map[string]*string{"B": nil}))
	var left struct {
		Staged struct{ Patch map[string]any } `json:"environmentStagedChanges"`
	}
	ask(t, server, "query($e: String!) { environmentStagedChanges(environmentId: $e) { patch } }", map[string]any{"e": environment}, &left)
	state, err := p.Observe(t.Context(), "shop")
	must(t, err)
	var names []string
	for _, s := range state.Secrets {
		names = append(names, s.Name)
	}
	if !slices.Equal(names, []string{"A", "C"}) || len(left.Staged.Patch) == 0 {
		t.Errorf("secrets %q, staged %v", names, left.Staged.Patch)
	}
	must(t, p.StageSecrets(t.Context(), "shop", map[string]*string{"GONE": nil})) // not there: nothing to do
}

// A backup of a volume can be restored in place only, which RestoreDatabase must not do.
func TestAVolumeBackupIsNotRestoredInPlace(t *testing.T) {
	p := client(t, start(t, nil), nil)
	_, err := p.RestoreDatabase(t.Context(), platform.RestoreSpec{App: "shop", Database: "shop-db", Backup: "b-1", Name: "then"}, silent)
	if errs.ExitCode(err) != 2 || !strings.Contains(errs.HintOf(err), "--to TIME") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

// A deployment that somebody began in the dashboard keeps opsctl out.
func TestSomebodyElsesDeploymentIsAConflict(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	_, err := p.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	node := world(t, server).Edges[0].Node
	ids := map[string]any{"e": node.Environments.Edges[0].Node.ID, "s": node.Services.Edges[0].Node.ID}
	ask(t, server, "mutation($e: String!, $s: String!, $i: ServiceInstanceUpdateInput!) { serviceInstanceUpdate(environmentId: $e, serviceId: $s, input: $i) }",
		map[string]any{"e": ids["e"], "s": ids["s"], "i": map[string]any{"source": map[string]any{"image": server.Host() + "/suite:sick"}, "healthcheckTimeout": 30}}, nil)
	ask(t, server, "mutation($e: String!, $s: String!) { serviceInstanceDeployV2(environmentId: $e, serviceId: $s) }", ids, nil)
	_, err = p.Lock(t.Context(), "shop", "me@here")
	if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "is under way") || errs.HintOf(err) == "" {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

// A version that ends at once ends the roll-out, long before its time is up, and
// says what it printed.
func TestACrashEndsTheRollOutEarly(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	one, err := p.RollOut(t.Context(), "shop", release(server, "suite:1"), silent)
	must(t, err)
	crash := release(server, "suite:crash")
	crash.Timeout = 10 * time.Minute
	began := time.Now()
	out, err := p.RollOut(t.Context(), "shop", crash, silent)
	if errs.CodeOf(err) != errs.Failure || !strings.Contains(errs.HintOf(err), "boom") || time.Since(began) > time.Minute || out.Release.Version == "" {
		t.Errorf("%v after %s, %s", err, time.Since(began), errs.HintOf(err))
	}
	state, err := p.Observe(t.Context(), "shop")
	must(t, err)
	if state.Current.Version != one.Release.Version || state.Mixed {
		t.Errorf("current %+v", state.Current)
	}
}

// Somebody else's service that arrives at the same time is not taken for the
// one that a template makes, however late that one shows.
func TestAStrangersServiceIsNotRenamed(t *testing.T) {
	server := start(t, func(o *emulator.Options) { o.NoPostgres = true })
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	node := world(t, server).Edges[0].Node
	add := func(string, ...any) { // right before the template is deployed
		ask(t, server, "mutation($i: ServiceCreateInput!) { serviceCreate(input: $i) { id } }", map[string]any{"i": map[string]any{"projectId": node.ID, "name": "theirs"}}, nil)
	}
	_, err := p.CreateRedis(t.Context(), platform.CacheSpec{App: "shop", Name: "shop-redis"}, add)
	must(t, err)
	if got := world(t, server).Edges[0].Node.Services.names(); !slices.Equal(got, []string{"shop", "shop-redis", "theirs"}) {
		t.Errorf("services %q", got)
	}
}

// What is live is no failure because it cannot be written down; the next run
// finds out what it was.
func TestWhatCannotBeWrittenDownIsReconstructed(t *testing.T) {
	server := start(t, nil)
	p := client(t, server, nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: "shop"}))
	var said []string
	broken := func(format string, args ...any) {
		if len(said) == 0 { // the deployment has begun
			fault(t, server, "POST /graphql/v2#variableCollectionUpsert=500")
		}
		said = append(said, fmt.Sprintf(format, args...))
	}
	want := release(server, "suite:1")
	done, err := p.RollOut(t.Context(), "shop", want, broken)
	if err != nil || !strings.Contains(strings.Join(said, "\n"), "could not be written down") {
		t.Fatalf("%v, %q", err, said)
	}
	state, err := client(t, server, nil).Observe(t.Context(), "shop")
	must(t, err)
	if c := state.Current; c == nil || c.Version != done.Release.Version || c.Label != want.Label || c.Env["COLOR"] != "blue" {
		t.Errorf("current %+v", c)
	}
}
