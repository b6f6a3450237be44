package railway_test

import (
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/railway"
	"github.com/opsctl/opsctl/internal/emulator/world"
)

// Two versions are never on one volume: the old one stops first, and comes
// back when the new one fails.
func TestAVolumeMeansOneVersionAtATime(t *testing.T) {
	s := start(t).site()
	v := s.text("volumeCreate.id", `mutation($i: VolumeCreateInput!) { volumeCreate(input: $i) { id name projectId volumeInstances { edges { node { id mountPath } } } } }`, m{"i": m{"projectId": s.project, "environmentId": s.env, "serviceId": s.service, "mountPath": "/data"}})
	s.update(m{"healthcheckPath": "/health", "healthcheckTimeout": 1, "drainingSeconds": 5})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	if got := s.variable("RAILWAY_VOLUME_MOUNT_PATH"); got != "/data" {
		t.Errorf("the volume is at %s", got)
	}
	bad := s.release("ghcr.io/acme/shop:sick")
	s.eventually("the new one fails", func() bool { return s.status(bad) == "FAILED" })
	s.says("/", "ghcr.io/acme/shop:v1")
	if !slices.Contains(s.lines("deploymentLogs", v1), "bye") {
		t.Error("the old version was not stopped in its draining time")
	}
	if _, there := s.events(bad)["MIGRATE_VOLUMES"]; !there {
		t.Errorf("events %v", s.events(bad))
	}
	s.must("volumeInstanceUpdate", `mutation($v: String!, $i: VolumeInstanceUpdateInput!) { volumeInstanceUpdate(volumeId: $v, input: $i) }`, m{"v": v, "i": m{"mountPath": "/srv"}})
	s.must("volumeUpdate.name", `mutation($v: String!) { volumeUpdate(volumeId: $v, input: {name: "files"}) { name } }`, m{"v": v})
	s.must("volumeDelete", `mutation($v: String!) { volumeDelete(volumeId: $v) }`, m{"v": v})
}

// The old version keeps running for the overlap, without traffic.
func TestOverlap(t *testing.T) {
	s := start(t).site()
	s.update(m{"healthcheckPath": "/health", "overlapSeconds": 1})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	v2 := s.release("ghcr.io/acme/shop:v2")
	s.ends(v2, "SUCCESS")
	if got := s.page("/"); got != "ghcr.io/acme/shop:v2" {
		t.Errorf("the traffic goes to %q", got)
	}
	data := s.must("deployment", `query($d: String!) { deployment(id: $d) { status instances { status } } }`, m{"d": v1})
	if dig(data, "status") != "REMOVING" || dig(data, "instances.0.status") != "RUNNING" {
		t.Errorf("the old one: %v", data)
	}
	s.ends(v1, "REMOVED")
}

func TestRollbackPolicies(t *testing.T) {
	var ahead atomic.Int64
	opts := worldOptions(t)
	opts.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	w, err := world.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	s := over(t, w, func(o *railway.Options) { o.KeepConfigOnRollback, o.ImageRetention = true, time.Hour }).site()
	s.set(m{"KEY": "one"}, m{"skipDeploys": true})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	s.set(m{"KEY": "two"}, m{"skipDeploys": true})
	v2 := s.release("ghcr.io/acme/shop:v2")
	s.ends(v2, "SUCCESS")
	s.must("deploymentRollback", `mutation($id: String!) { deploymentRollback(id: $id) }`, m{"id": v1})
	s.ends(s.list(m{})[0], "SUCCESS")
	s.says("/env?name=KEY", "one")
	if got := s.variable("KEY"); got != "two" {
		t.Errorf("the service's own KEY is %q", got)
	}
	can := func() any {
		return dig(s.must("deployment", `query($d: String!) { deployment(id: $d) { canRollback canRedeploy } }`, m{"d": v2}), "canRollback")
	}
	if can() != true {
		t.Error("a fresh image is gone")
	}
	ahead.Store(int64(2 * time.Hour))
	if can() != false {
		t.Error("an old image is kept")
	}
	s.refused("Cannot roll back", `mutation($id: String!) { deploymentRollback(id: $id) }`, m{"id": v2})
}

func TestGivenProjectTokens(t *testing.T) {
	s := start(t, func(o *railway.Options) { o.ProjectTokens = map[string]string{"ci": "shop/production"} }).site()
	if got := s.as("Project-Access-Token: ci").text("projectToken.projectId", askProject, nil); got != s.project {
		t.Errorf("the token is for %s", got)
	}
	s.as("Authorization: Bearer ci").refused("Not Authorized", askMe, nil)
}

func TestPITROfACluster(t *testing.T) {
	needsPostgres(t)
	s := start(t).site()
	s.template("postgres", nil, nil)
	pg := s.named("Postgres")
	in := m{"i": m{"projectId": s.project, "environmentId": s.env, "rootServiceId": pg.service}}
	s.workflow(s.text("enablePitrForHaCluster.workflowId", `mutation($i: EnablePitrForHaClusterInput!) { enablePitrForHaCluster(input: $i) { projectId workflowId } }`, in))
	s.named("Postgres")
	if pg.variable("WAL_ARCHIVE_BUCKET") == "" {
		t.Error("nothing is archived")
	}
	s.workflow(s.text("disablePitrForHaCluster.workflowId", `mutation($i: DisablePitrForHaClusterInput!) { disablePitrForHaCluster(input: $i) { projectId workflowId } }`, in))
	s.named("Postgres")
	if pg.variables(true)["WAL_ARCHIVE_BUCKET"] != nil {
		t.Error("the archive's variables are left")
	}
	in["i"].(m)["rootServiceId"] = s.service
	s.refused("no Postgres", `mutation($i: EnablePitrForHaClusterInput!) { enablePitrForHaCluster(input: $i) { workflowId } }`, in)
}
