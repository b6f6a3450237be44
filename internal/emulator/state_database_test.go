package emulator_test

import (
	"testing"

	"github.com/opsctl/opsctl/internal/emulator"
)

// A managed database and a Redis outlive the emulator, with their content.
func TestDatabasesOutliveTheEmulator(t *testing.T) {
	needPostgres(t)
	dir := t.TempDir()
	options := func(o *emulator.Options) { o.NoPostgres, o.StateDir = false, dir }
	s := start(t, options)
	c := connect(t, s)
	m := newMPG(c, "/v1/postgres", map[string]any{"org_slug": "personal", "name": "shop-db", "plan": "launch", "region": "fra"})
	m.sql("create table t (v text)")
	m.sql("insert into t values ('a')")
	m.post(202, "POST", "/backups", map[string]any{"type": "full"})
	eventually(t, "the backup is complete", func() bool { return m.list("/backups")[0].(map[string]any)["status"] == "completed" })
	m.sql("insert into t values ('b')")
	data, code := c.query(`mutation { createAddOn(input: {organizationId: "org-personal", name: "cache", planId: "plan-payg", type: upstash_redis}) { addOn { publicUrl } } }`, nil)
	if code != "" {
		t.Fatalf("createAddOn: %v %s", data, code)
	}
	address := data["createAddOn"].(map[string]any)["addOn"].(map[string]any)["publicUrl"].(string)
	if _, err := redis(address, []string{"SET", "k", "v"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	again := connect(t, start(t, options))
	back := &mpg{again, m.path}
	if got := back.sql(rowsOfT); got != "a,b" {
		t.Errorf("after the restart %q", got)
	}
	backup := back.list("/backups")[0].(map[string]any)["id"]
	restored := newMPG(again, m.path+"/restore", map[string]any{"backup_id": backup, "name": "old"})
	if got := restored.sql(rowsOfT); got != "a" {
		t.Errorf("from the backup before the restart %q", got)
	}
	if got, err := redis(address, []string{"GET", "k"}); err != nil || got[1] != "v" {
		t.Errorf("redis: %v %v", got, err)
	}
	for _, m := range []*mpg{back, restored} {
		m.post(202, "DELETE", "", nil)
	}
}
