package railway_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/spectest"
)

// Every other test validates its exchanges when the schema is there; this one
// says so when it is not.
func TestSchemaIsThere(t *testing.T) { spectest.Require(t, spectest.RailwayFile) }

func (r *rig) events(id string) map[string]any {
	r.t.Helper()
	edges := r.must("deploymentEvents.edges", `query($d: String!) { deploymentEvents(id: $d) { edges { cursor node { id step createdAt completedAt payload { error reason detail attempt maxAttempts skipped durationMs } } } pageInfo { hasNextPage } } }`, m{"d": id})
	out := map[string]any{}
	for _, e := range edges.([]any) {
		out[dig(e, "node.step").(string)] = dig(e, "node.payload")
	}
	return out
}

func TestALifeOfDeployments(t *testing.T) {
	s := start(t).site()
	s.update(m{"healthcheckPath": "/health", "healthcheckTimeout": 10, "numReplicas": 2, "preDeployCommand": []string{"echo migrating $GREETING"}})
	s.must("variableCollectionUpsert", `mutation($i: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $i) }`,
		m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "variables": m{"GREETING": "one"}, "skipDeploys": true}})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	if got := s.page("/"); got != "ghcr.io/acme/shop:v1" {
		t.Errorf("the app answers %q", got)
	}
	if n := len(s.world.App("web-production").Backends()); n != 2 {
		t.Errorf("%d replicas take traffic, want 2", n)
	}
	logs := s.lines("deploymentLogs", v1)
	if !slices.Contains(logs, "migrating one") || !slices.Contains(logs, "asked as healthcheck.railway.app") || !slices.Contains(logs, "structured") {
		t.Errorf("the deployment's log is %q", logs)
	}
	if ev := s.events(v1); ev["PRE_DEPLOY_COMMAND"] == nil || ev["HEALTHCHECK"] == nil || ev["CREATE_CONTAINER"] == nil {
		t.Errorf("events %v", ev)
	}
	if log := strings.Join(s.lines("buildLogs", v1), "\n"); !strings.Contains(log, "Healthcheck succeeded") {
		t.Errorf("the build log is %s", log)
	}

	// A version that never gets healthy, and one whose migration fails: the old one serves.
	for name, tt := range map[string]struct {
		change m
		step   string
		status string
		reason string
	}{
		"sick":                 {m{"source": m{"image": "ghcr.io/acme/shop:sick"}, "healthcheckTimeout": 1}, "HEALTHCHECK", "FAILED", "status 503"},
		"not quite 200":        {m{"source": m{"image": "ghcr.io/acme/shop:moved"}, "healthcheckTimeout": 1}, "HEALTHCHECK", "FAILED", "status 204"},
		"crash":                {m{"source": m{"image": "ghcr.io/acme/shop:crash"}, "restartPolicyMaxRetries": 1}, "HEALTHCHECK", "CRASHED", "exited with code 7"},
		"a migration":          {m{"source": m{"image": "ghcr.io/acme/shop:v2"}, "preDeployCommand": []string{"echo broken", "exit 3"}}, "PRE_DEPLOY_COMMAND", "FAILED", "exited with code 3"},
		"an image that is not": {m{"source": m{"image": "ghcr.io/acme/shop:nope"}}, "BUILD_IMAGE", "FAILED", "manifest unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			r := *s.rig
			r.t = t
			s := &site{&r, s.project, s.env, s.service}
			s.update(tt.change)
			id := s.deploy()
			s.ends(id, tt.status)
			if detail, _ := dig(s.events(id)[tt.step], "detail").(string); !strings.Contains(detail, tt.reason) {
				t.Errorf("events %v, want %s in %s", s.events(id), tt.reason, tt.step)
			}
			if got := s.page("/"); got != "ghcr.io/acme/shop:v1" || s.status(v1) != "SUCCESS" {
				t.Errorf("the old version answers %q and is %s", got, s.status(v1))
			}
			s.update(m{"source": m{"image": "ghcr.io/acme/shop:v1"}, "preDeployCommand": nil, "restartPolicyMaxRetries": nil, "healthcheckTimeout": 10})
		})
	}
}

const upsert = `mutation($i: VariableCollectionUpsertInput!) { variableCollectionUpsert(input: $i) }`

func (s *site) set(vars m, extra m) {
	s.t.Helper()
	in := m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "variables": vars}
	maps.Copy(in, extra)
	s.must("variableCollectionUpsert", upsert, m{"i": in})
}

func (s *site) variables(unrendered bool) m {
	s.t.Helper()
	return s.must("variables", `query($p: String!, $e: String!, $s: String, $u: Boolean) { variables(projectId: $p, environmentId: $e, serviceId: $s, unrendered: $u) }`,
		m{"p": s.project, "e": s.env, "s": s.service, "u": unrendered}).(m)
}

func TestRollbackRestoresImageVariablesAndSettings(t *testing.T) {
	s := start(t).site()
	s.set(m{"KEY": "one"}, m{"skipDeploys": true})
	s.update(m{"healthcheckPath": "/health"})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	s.refused("Cannot roll back", `mutation($id: String!) { deploymentRollback(id: $id) }`, m{"id": v1})
	s.set(m{"KEY": "two"}, m{"skipDeploys": true})
	s.update(m{"healthcheckPath": nil})
	v2 := s.release("ghcr.io/acme/shop:v2")
	s.ends(v2, "SUCCESS")
	s.ends(v1, "REMOVED")
	s.says("/env?name=KEY", "two")
	s.must("deploymentRollback", `mutation($id: String!) { deploymentRollback(id: $id) }`, m{"id": v1})
	list := s.list(m{})
	s.ends(list[0], "SUCCESS")
	s.ends(v2, "REMOVED")
	if list[0] == v1 || len(list) != 3 {
		t.Errorf("deployments %v", list)
	}
	s.says("/env?name=KEY", "one")
	s.says("/", "ghcr.io/acme/shop:v1")
	if s.variables(false)["KEY"] != "one" {
		t.Errorf("the service's variable is %v", s.variables(false)["KEY"])
	}
	if got := s.text("serviceInstance.healthcheckPath", `query($s: String!, $e: String!) { serviceInstance(serviceId: $s, environmentId: $e) { healthcheckPath source { image repo } latestDeployment { id } activeDeployments { id } builder restartPolicyType restartPolicyMaxRetries watchPatterns domains { serviceDomains { domain } } } }`, m{"s": s.service, "e": s.env}); got != "/health" {
		t.Errorf("healthcheckPath is %q", got)
	}
}

// list are a service's deployments, the newest first.
func (s *site) list(more m) []string {
	s.t.Helper()
	in := m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service}
	maps.Copy(in, more)
	var out []string
	var after any
	for {
		page := s.must("deployments", `query($i: DeploymentListInput!, $a: String) { deployments(input: $i, first: 2, after: $a) { edges { cursor node { id status createdAt meta canRollback url staticUrl } } pageInfo { hasNextPage hasPreviousPage endCursor startCursor } } }`, m{"i": in, "a": after})
		for _, e := range dig(page, "edges").([]any) {
			out = append(out, dig(e, "node.id").(string))
		}
		if dig(page, "pageInfo.hasNextPage") != true {
			return out
		}
		after = dig(page, "pageInfo.endCursor")
	}
}

func TestRedeployRestartStopCancelRemove(t *testing.T) {
	s := start(t).site()
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	s.set(m{"KEY": "new"}, m{"skipDeploys": true})
	again := s.text("deploymentRedeploy.id", `mutation($id: String!) { deploymentRedeploy(id: $id, usePreviousImageTag: true) { id status } }`, m{"id": v1})
	s.ends(again, "SUCCESS")
	s.says("/env?name=KEY", "new")
	for _, op := range []string{"deploymentRestart", "deploymentStop", "deploymentRestart"} {
		s.must(op, `mutation($id: String!) { `+op+`(id: $id) }`, m{"id": again})
	}
	s.eventually("it answers again", func() bool { return s.page("/") != "" })
	s.refused("not in progress", `mutation($id: String!) { deploymentCancel(id: $id) }`, m{"id": again})
	s.update(m{"preDeployCommand": "sleep 60"})
	slow := s.deploy()
	s.eventually("it deploys", func() bool { return s.status(slow) == "DEPLOYING" })
	s.must("deploymentCancel", `mutation($id: String!) { deploymentCancel(id: $id) }`, m{"id": slow})
	s.ends(slow, "REMOVED")
	if s.page("/") == "" || s.status(again) != "SUCCESS" {
		t.Error("a cancelled deployment took the old one with it")
	}
	s.must("deploymentRemove", `mutation($id: String!) { deploymentRemove(id: $id) }`, m{"id": again})
	s.ends(again, "REMOVED")
	if got := s.page("/"); got != "" {
		t.Errorf("a removed deployment answers %q", got)
	}
	if got := s.list(m{"status": m{"in": []string{"REMOVED"}}}); len(got) != 3 {
		t.Errorf("removed are %v", got)
	}
	if got := s.list(m{"status": m{"notIn": []string{"REMOVED"}}}); len(got) != 0 {
		t.Errorf("not removed are %v", got)
	}
}

func TestACrashAfterSuccessAndAnEndWithZero(t *testing.T) {
	s := start(t).site()
	s.update(m{"restartPolicyType": "NEVER"})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	s.eventually("it answers", func() bool { return s.page("/") != "" })
	s.page("/exit")
	s.eventually("it is CRASHED", func() bool { return s.status(v1) == "CRASHED" })
	s.must("deploymentRestart", `mutation($id: String!) { deploymentRestart(id: $id) }`, m{"id": v1})
	s.eventually("it is SUCCESS again", func() bool { return s.status(v1) == "SUCCESS" })
	done := s.release("ghcr.io/acme/shop:done")
	s.ends(done, "SUCCESS")
	s.eventually("its instance has exited", func() bool {
		return s.text("deployment.instances.0.status", `query($id: String!) { deployment(id: $id) { instances { status } } }`, m{"id": done}) == "EXITED"
	})
	if got := s.status(done); got != "SUCCESS" {
		t.Errorf("a process that ended with 0 is %s", got)
	}
}

func TestANewerDeploymentSupersedesOneUnderWay(t *testing.T) {
	s := start(t).site()
	s.update(m{"preDeployCommand": []string{"sleep 60"}, "source": m{"image": "ghcr.io/acme/shop:v1"}})
	first := s.deploy()
	s.update(m{"preDeployCommand": nil})
	second := s.deploy()
	s.ends(second, "SUCCESS")
	s.ends(first, "REMOVED")
}

func TestRegions(t *testing.T) {
	s := start(t).site()
	regions := s.must("regions", `{ regions { id name country location region deploymentConstraints { deprecationInfo { __typename } } } }`, nil).([]any)
	if len(regions) != 4 {
		t.Errorf("regions %v", regions)
	}
	s.update(m{"multiRegionConfig": m{"us-west2": m{"numReplicas": 2}, "europe-west4-drams3a": m{"numReplicas": 1}}})
	s.refused("not found", `mutation($s: String!, $i: ServiceInstanceUpdateInput!) { serviceInstanceUpdate(serviceId: $s, input: $i) }`, m{"s": s.service, "i": m{"multiRegionConfig": m{"moon": m{"numReplicas": 2}}}})
	id := s.release("ghcr.io/acme/shop:v1")
	s.ends(id, "SUCCESS")
	meta := s.must("deployment.meta.serviceManifest.deploy.multiRegionConfig", `query($id: String!) { deployment(id: $id) { meta } }`, m{"id": id}).(m)
	if dig(meta, "us-west2.numReplicas") != 2.0 || len(s.world.App("web-production").Backends()) != 3 {
		t.Errorf("multiRegionConfig %v", meta)
	}
}
