package backup

import (
	"encoding/json"
	"strings"
	"testing"
)

// shop is a small multi-tenant schema with the things that backups trip over.
const shop = `
CREATE EXTENSION IF NOT EXISTS pgcrypto;
CREATE TYPE state AS ENUM ('new', 'paid');
CREATE TABLE tenants (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE orders (
  id bigserial PRIMARY KEY, tenant int NOT NULL REFERENCES tenants, state state NOT NULL DEFAULT 'new',
  kind varchar(20) NOT NULL CHECK (kind IN ('web', 'shop''s', 'phone')), net numeric(10,2),
  gross numeric GENERATED ALWAYS AS (net * 1.19) STORED, doc jsonb, raw bytea, tags text[], at timestamptz DEFAULT now());
CREATE INDEX ON orders (lower(kind)) WHERE state <> 'paid';
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE orders FORCE ROW LEVEL SECURITY;
CREATE POLICY "by tenant" ON orders USING (tenant = current_setting('app.tenant')::int);
CREATE TABLE empty (id int, note text DEFAULT 'a::text (b)');
CREATE VIEW paid AS SELECT o.id, t.name FROM orders o JOIN tenants t ON t.id = o.tenant WHERE o.kind IN ('web', 'phone');
CREATE MATERIALIZED VIEW per_tenant AS SELECT tenant, count(*) FROM orders GROUP BY tenant;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.at := now(); RETURN NEW; END $$;
CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW WHEN (OLD.kind IS DISTINCT FROM NEW.kind) EXECUTE FUNCTION touch();
INSERT INTO tenants (name) SELECT 'tenant ' || i FROM generate_series(1, 10) i;
INSERT INTO orders (tenant, kind, net, doc, raw, tags)
  SELECT 1 + i % 10, (ARRAY['web', 'shop''s', 'phone'])[1 + i % 3], i / 7.0, jsonb_build_object('i', i, 'text', E'line\nbreak\t' || i),
         decode(md5(i::text), 'hex'), ARRAY['a b', NULL, E'\\x' || i] FROM generate_series(1, 1000) i;
SELECT lo_from_bytea(0, decode(repeat('00ff', 5000), 'hex'));
COMMENT ON TABLE orders IS 'it''s "odd"';
GRANT SELECT ON tenants TO PUBLIC;
`

func TestABackupIsProven(t *testing.T) {
	f := newFixture(t)
	url := database(t, "shop")
	exec(t, url, shop, `CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; CREATE FOREIGN TABLE far (x text) SERVER files OPTIONS (program 'echo 1')`)
	exec(t, url, `ALTER DATABASE shop SET app.jwt_secret = 'very-secret-value'`, `ALTER DATABASE shop SET work_mem = '8MB'`)
	m := f.create(t, url)
	totals := m.Totals()
	if totals.Tables != 3 || totals.Rows != 1010 || m.LargeObjects.Rows != 1 {
		t.Errorf("totals %+v, large objects %+v", totals, m.LargeObjects)
	}
	v := f.verify(t, Latest)
	proven(t, v)
	for _, want := range []string{"1 materialised view", "generated columns of 1 table", "1 foreign table", "attributes and passwords of roles"} {
		if !strings.Contains(strings.Join(v.Notes, "\n"), want) {
			t.Errorf("no note on %s in %q", want, v.Notes)
		}
	}

	list, err := List(t.Context(), f.store)
	if err != nil || len(list) != 1 || list[0].ID != m.ID || list[0].Verdict == nil || !list[0].Verdict.Proven {
		t.Fatalf("list: %+v, %v", list, err)
	}
	data, err := readAll(t.Context(), f.store, m.ID+"/"+manifestName)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "very-secret-value", "AGE-SECRET"} {
		if strings.Contains(string(data), secret) {
			t.Errorf("the manifest has the secret %q", secret)
		}
	}
	if events, _ := json.Marshal(f.events); strings.Contains(string(events), "hunter2") {
		t.Error("an event has the password")
	}
}
