package railway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator/railway"
	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

func needsPostgres(t *testing.T) {
	t.Helper()
	if _, err := postgres.Find(t.Context(), postgres.FindOptions{Programs: []string{"initdb", "postgres", "pg_basebackup"}}); err != nil {
		t.Skip(err)
	}
}

// workflow waits for a workflow to end well.
func (r *rig) workflow(id string) {
	r.t.Helper()
	if problem := r.outcome(id); problem != "" {
		r.t.Fatalf("workflow %s: %s", id, problem)
	}
}

// outcome waits for a workflow and returns its error.
func (r *rig) outcome(id string) (problem string) {
	r.t.Helper()
	r.eventually("the workflow ends", func() bool {
		w := r.must("workflowStatus", `query($w: String!) { workflowStatus(workflowId: $w) { status error } }`, m{"w": id})
		problem, _ = dig(w, "error").(string)
		return dig(w, "status") != "Running"
	})
	return problem
}

// template deploys one; change may edit its serializedConfig as text.
func (s *site) template(code string, change func(string) string, extra m) {
	s.t.Helper()
	tpl := s.must("template", `query($c: String!) { template(code: $c) { id code name serializedConfig status } }`, m{"c": code})
	data, err := json.Marshal(dig(tpl, "serializedConfig"))
	if err != nil {
		s.t.Fatal(err)
	}
	if change != nil {
		data = []byte(change(string(data)))
	}
	in := m{"templateId": dig(tpl, "id"), "serializedConfig": json.RawMessage(data), "projectId": s.project, "environmentId": s.env}
	maps.Copy(in, extra)
	s.workflow(s.text("templateDeployV2.workflowId", `mutation($i: TemplateDeployV2Input!) { templateDeployV2(input: $i) { projectId workflowId } }`, m{"i": in}))
}

// named is a service of the project by name, once its deployment has succeeded.
func (s *site) named(name string) *site {
	s.t.Helper()
	c := *s
	c.service = ""
	for _, e := range s.must("project.services.edges", `query($p: String!) { project(id: $p) { services { edges { node { id name } } } } }`, m{"p": s.project}).([]any) {
		if dig(e, "node.name") == name {
			c.service = dig(e, "node.id").(string)
		}
	}
	if c.service == "" {
		s.t.Fatalf("no service %s", name)
	}
	s.ends(c.list(m{})[0], "SUCCESS")
	return &c
}

func (s *site) variable(name string) string {
	s.t.Helper()
	v, _ := s.variables(false)[name].(string)
	if v == "" {
		s.t.Fatalf("no %s", name)
	}
	return v
}

func (r *rig) sql(url, statement string) string {
	r.t.Helper()
	conn, err := pgx.Connect(r.ctx, url)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(r.ctx) }()
	var out string
	rows, err := conn.Query(r.ctx, statement, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		r.t.Fatal(err)
	}
	for rows.Next() {
		vals, err := rows.Values()
		if err != nil {
			r.t.Fatal(err)
		}
		out += fmt.Sprint(vals...)
	}
	if err := rows.Err(); err != nil {
		r.t.Fatalf("%s: %v", statement, err)
	}
	return out
}

// volume is the id of the volume instance that a service has mounted.
func (s *site) volume() string {
	s.t.Helper()
	for _, e := range s.must("environment.volumeInstances.edges", `query($e: String!) { environment(id: $e) { volumeInstances { edges { node { id volumeId serviceId mountPath state sizeMB currentSizeMB region volume { name } } } } } }`, m{"e": s.env}).([]any) {
		if dig(e, "node.serviceId") == s.service {
			return dig(e, "node.id").(string)
		}
	}
	s.t.Fatal("no volume")
	return ""
}

type backupInfo struct{ id, name, expires, schedule string }

func (s *site) backups(volume string) (out []backupInfo) {
	s.t.Helper()
	for _, b := range s.must("volumeInstanceBackupList", `query($v: String!) { volumeInstanceBackupList(volumeInstanceId: $v) { id name createdAt expiresAt usedMB referencedMB scheduleId externalId } }`, m{"v": volume}).([]any) {
		e, _ := dig(b, "expiresAt").(string)
		sch, _ := dig(b, "scheduleId").(string)
		out = append(out, backupInfo{dig(b, "id").(string), dig(b, "name").(string), e, sch})
	}
	return out
}

func TestPostgresTemplatePoolerBackupsAndRecovery(t *testing.T) {
	needsPostgres(t)
	s := start(t).site()
	s.template("postgres", func(c string) string { return strings.ReplaceAll(c, "postgres-ssl:17", "postgres-ssl:16") }, nil)
	pg := s.named("Postgres")
	direct, public := pg.variable("DATABASE_URL"), pg.variable("DATABASE_PUBLIC_URL")
	for _, u := range []string{direct, public} {
		if got := s.sql(u, "select current_user || '@' || current_database()"); got != "railway@railway" {
			t.Errorf("%s: %s", u, got)
		}
	}
	s.set(m{"DATABASE_URL": "${{Postgres.DATABASE_URL}}"}, m{"skipDeploys": true})
	s.ends(s.release("ghcr.io/acme/shop:v1"), "SUCCESS")
	s.says("/env?name=DATABASE_URL", direct)

	s.template("postgres-with-pgbouncer", nil, m{"existingRootServiceId": pg.service})
	pool := s.named("PgBouncer")
	pooled := pool.variable("DATABASE_URL")
	if pooled == direct || pool.variable("DATABASE_UNPOOLED_URL") != direct || pool.variable("POOL_MODE") != "transaction" {
		t.Errorf("pooled %s, direct %s", pooled, direct)
	}
	s.sql(pooled, "create table t (n int); insert into t values (1)")

	// Backups: by hand, by schedule, locked, deleted, restored.
	v := pg.volume()
	const create = `mutation($v: String!, $n: String) { volumeInstanceBackupCreate(volumeInstanceId: $v, name: $n) { workflowId } }`
	s.workflow(s.text("volumeInstanceBackupCreate.workflowId", create, m{"v": v, "n": "one"}))
	s.refused("not found", create, m{"v": s.must("volumeInstance.volumeId", `query($v: String!) { volumeInstance(id: $v) { volumeId } }`, m{"v": v})})
	s.must("volumeInstanceBackupScheduleUpdate", `mutation($v: String!, $k: [VolumeInstanceBackupScheduleKind!]!) { volumeInstanceBackupScheduleUpdate(volumeInstanceId: $v, kinds: $k) }`, m{"v": v, "k": []string{"DAILY"}})
	sched := s.must("volumeInstanceBackupScheduleList.0", `query($v: String!) { volumeInstanceBackupScheduleList(volumeInstanceId: $v) { id kind name cron retentionSeconds createdAt } }`, m{"v": v})
	if dig(sched, "kind") != "DAILY" || dig(sched, "retentionSeconds") != float64(6*24*3600) {
		t.Errorf("schedule %v", sched)
	}
	if err := s.s.RunSchedule(s.ctx, "DAILY"); err != nil {
		t.Fatal(err)
	}
	list := s.backups(v)
	if len(list) != 2 || list[0].expires == "" || list[0].schedule == "" || list[1].name != "one" || list[1].expires != "" {
		t.Fatalf("backups %+v", list)
	}
	s.must("volumeInstanceBackupLock", `mutation($v: String!, $b: String!) { volumeInstanceBackupLock(volumeInstanceId: $v, volumeInstanceBackupId: $b) }`, m{"v": v, "b": list[0].id})
	if s.backups(v)[0].expires != "" {
		t.Error("a locked backup expires")
	}
	s.workflow(s.text("volumeInstanceBackupDelete.workflowId", `mutation($v: String!, $b: String!) { volumeInstanceBackupDelete(volumeInstanceId: $v, volumeInstanceBackupId: $b) { workflowId } }`, m{"v": v, "b": list[0].id}))
	s.sql(direct, "insert into t values (2)")
	const restore = `mutation($v: String!, $b: String!) { volumeInstanceBackupRestore(volumeInstanceId: $v, volumeInstanceBackupId: $b) { workflowId } }`
	s.workflow(s.text("volumeInstanceBackupRestore.workflowId", restore, m{"v": v, "b": list[1].id}))
	if got := s.sql(direct, "select count(*) from t"); got != "2" {
		t.Errorf("a staged restore is in force: %s rows", got)
	}
	s.must("environmentPatchCommitStaged", `mutation($e: String!) { environmentPatchCommitStaged(environmentId: $e) }`, m{"e": s.env})
	s.named("Postgres")
	if got := s.sql(direct, "select count(*) from t"); got != "1" {
		t.Errorf("after the restore: %s rows", got)
	}

	// Recovery to a point in time makes a service beside it.
	v = pg.volume()
	const pitr = `mutation($v: String!, $t: DateTime!, $n: String) { volumeInstancePITRRestore(volumeInstanceId: $v, targetTimestamp: $t, newServiceName: $n) { workflowId } }`
	s.refused("not enabled", pitr, m{"v": v, "t": time.Now()})
	s.template("postgres-pitr", nil, m{"existingRootServiceId": pg.service})
	s.named("Postgres")
	s.sql(direct, "insert into t values (3)")
	time.Sleep(20 * time.Millisecond) // two commits are never at one moment
	at := time.Now()
	time.Sleep(20 * time.Millisecond)
	s.sql(direct, "drop table t")
	s.refused("restore window", pitr, m{"v": v, "t": at.Add(-time.Hour)})
	s.workflow(s.text("volumeInstancePITRRestore.workflowId", pitr, m{"v": v, "t": at.UTC().Format(time.RFC3339Nano), "n": "rescued"}))
	rescued := s.named("rescued")
	if got := s.sql(rescued.variable("DATABASE_URL"), "select count(*) from t"); got != "2" {
		t.Errorf("recovered: %s rows", got)
	}
	if rescued.variables(true)["WAL_ARCHIVE_BUCKET"] != nil || rescued.volume() == v {
		t.Error("the recovered service shares with its source")
	}
}

// An overlay may be staged first: then it comes with the commit.
func TestStagedTemplate(t *testing.T) {
	needsPostgres(t)
	s := start(t).site()
	s.template("postgres", nil, m{"stageOnly": true})
	pg := *s
	for _, e := range s.must("project.services.edges", `query($p: String!) { project(id: $p) { services { edges { node { id name templateId } } } } }`, m{"p": s.project}).([]any) {
		if dig(e, "node.name") == "Postgres" {
			pg.service = dig(e, "node.id").(string)
		}
	}
	if list := pg.list(m{}); len(list) != 0 {
		t.Errorf("staged, and deployed: %v", list)
	}
	s.must("environmentPatchCommitStaged", `mutation($e: String!) { environmentPatchCommitStaged(environmentId: $e) }`, m{"e": s.env})
	first := s.named("Postgres").variable("DATABASE_URL")
	s.template("postgres", nil, nil) // a second one gets a name of its own
	names := s.must("project.services.edges", `query($p: String!) { project(id: $p) { services { edges { node { name } } } } }`, m{"p": s.project}).([]any)
	second := dig(names[len(names)-1], "node.name").(string)
	if !strings.HasPrefix(second, "Postgres-") || s.named(second).variable("DATABASE_URL") == first {
		t.Errorf("services %v", names)
	}
}

// redis sends commands to a server and returns the last answer.
func (r *rig) redis(rawURL string, commands ...string) string {
	r.t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		r.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	password, _ := u.User.Password()
	in := bufio.NewReader(conn)
	answer := ""
	for _, c := range append([]string{"AUTH default " + password}, commands...) {
		words := strings.Fields(c)
		_, _ = fmt.Fprintf(conn, "*%d\r\n", len(words))
		for _, w := range words {
			_, _ = fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(w), w)
		}
		if answer, err = in.ReadString('\n'); err != nil || strings.HasPrefix(answer, "-") {
			r.t.Fatalf("%s: %q %v", c, answer, err)
		}
		if strings.HasPrefix(answer, "$") {
			answer, _ = in.ReadString('\n')
		}
	}
	return strings.TrimSpace(answer)
}

func TestRedisTemplate(t *testing.T) {
	s := start(t).site()
	s.template("redis", nil, nil)
	r := s.named("Redis")
	s.redis(r.variable("REDIS_URL"), "SET k v")
	if got := s.redis(r.variable("REDIS_PUBLIC_URL"), "GET k"); got != "v" {
		t.Errorf("k is %q", got)
	}
	s.ends(r.deploy(), "SUCCESS") // a redeploy keeps the data
	if got := s.redis(r.variable("REDIS_URL"), "GET k"); got != "v" {
		t.Errorf("after a redeploy k is %q", got)
	}
	s.must("serviceDelete", `mutation($s: String!) { serviceDelete(id: $s) }`, m{"s": r.service})
}

// A snapshot brings everything back in a new process: services, databases,
// variables, history.
func TestSnapshot(t *testing.T) {
	needsPostgres(t)
	opts := worldOptions(t)
	opts.Dir = t.TempDir()
	build := func() *world.World {
		w, err := world.New(opts)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	change := func(o *railway.Options) { o.Port = func() int { return 4280 } }
	s := over(t, build(), change).site()
	s.template("postgres", nil, nil)
	pg := s.named("Postgres")
	s.set(m{"DATABASE_URL": "${{Postgres.DATABASE_URL}}"}, m{"skipDeploys": true})
	s.must("serviceDomainCreate.id", `mutation($i: ServiceDomainCreateInput!) { serviceDomainCreate(input: $i) { id } }`, m{"i": m{"serviceId": s.service, "environmentId": s.env}})
	v1 := s.release("ghcr.io/acme/shop:v1")
	s.ends(v1, "SUCCESS")
	v2 := s.release("ghcr.io/acme/shop:v2")
	s.ends(v2, "SUCCESS")
	s.ends(v1, "REMOVED")
	s.sql(pg.variable("DATABASE_URL"), "create table t (n int); insert into t values (1)")
	s.update(m{"preDeployCommand": []string{"sleep 60"}})
	under := s.deploy()
	s.eventually("it is under way", func() bool { return s.status(under) == "DEPLOYING" })
	before := s.variables(false)
	worldDoc, err := s.world.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := s.s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.world.Close(); err != nil {
		t.Fatal(err)
	}

	w := build()
	if err := w.Restore(worldDoc); err != nil {
		t.Fatal(err)
	}
	again := over(t, w, change)
	if err := again.s.Restore(doc); err != nil {
		t.Fatal(err)
	}
	n := &site{again, s.project, s.env, s.service}
	if err := again.s.Restore(doc); err == nil {
		t.Error("a second Restore works")
	}
	n.says("/", "ghcr.io/acme/shop:v2")
	if after := n.variables(false); jsonNumber(after) != jsonNumber(before) {
		t.Errorf("variables\n%v, before\n%v", after, before)
	}
	npg := n.named("Postgres")
	n.eventually("the database is connected", func() bool {
		conn, err := pgx.Connect(n.ctx, npg.variable("DATABASE_URL"))
		if err != nil {
			return false
		}
		return conn.Close(n.ctx) == nil
	})
	if got := n.sql(npg.variable("DATABASE_URL"), "select count(*) from t"); got != "1" {
		t.Errorf("the database has %s rows", got)
	}
	if w.AppByHost("web-production.localhost") == nil {
		t.Error("the domain is gone")
	}
	if got := n.list(m{}); !slices.Equal(got, []string{under, v2, v1}) {
		t.Errorf("deployments %v, want %v", got, []string{under, v2, v1})
	}
	n.eventually("what was under way goes on", func() bool { return n.status(under) == "DEPLOYING" })
	n.must("deploymentCancel", `mutation($id: String!) { deploymentCancel(id: $id) }`, m{"id": under})
	n.must("deploymentRollback", `mutation($id: String!) { deploymentRollback(id: $id) }`, m{"id": v1})
	n.says("/", "ghcr.io/acme/shop:v1")
	n.ends(v2, "REMOVED")
}
