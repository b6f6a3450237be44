package backup

// Columns that only some versions have are read through to_jsonb, so that one
// query serves every version.
const sqlServer = `
SELECT current_setting('server_version'), current_setting('server_version_num')::int,
       CASE WHEN has_function_privilege('pg_control_system()', 'EXECUTE')
            THEN (SELECT system_identifier::text FROM pg_control_system()) ELSE '' END,
       d.datname, pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,
       coalesce(to_jsonb(d)->>'datlocprovider', ''),
       coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', ''),
       coalesce(to_jsonb(d)->>'datcollversion', ''),
       pg_database_size(d.oid)
FROM pg_database d WHERE d.datname = current_database()`

const sqlSchemas = `SELECT n.nspname FROM pg_namespace n WHERE ` + userSchemas + ` ORDER BY 1`

// Columns stand in their order, but for tables that inherit: pg_dump may make
// these in another one.
const sqlTables = `
SELECT n.nspname, c.relname,
       CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned' ELSE 'matview' END,
       c.oid, c.relrowsecurity, c.relforcerowsecurity,
       coalesce(e.extcondition[array_position(e.extconfig, c.oid)], ''),
       coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
                                   || a.attnotnull || a.attidentity::text || a.attgenerated::text, ', '
                                   ORDER BY CASE WHEN NOT c.relispartition AND EXISTS (SELECT FROM pg_inherits i WHERE i.inhrelid = c.oid)
                                                 THEN a.attname END, a.attnum)
                 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
       CASE WHEN c.relkind = 'm' THEN c.relispopulated END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
     LEFT JOIN pg_extension e ON e.oid = d.refobjid
WHERE c.relkind IN ('r', 'p', 'm') AND c.relpersistence <> 't' AND ` + userSchemas + `
  AND (d.objid IS NULL OR c.oid = ANY (coalesce(e.extconfig, '{}')))
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C"`

const sqlExtensions = `
SELECT e.extname, e.extversion, n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
ORDER BY e.extname COLLATE "C"`

// The bootstrap superuser (10) is pinned: pg_shdepend does not record what it owns.
const sqlRoles = `
WITH RECURSIVE need(oid) AS (
  SELECT 10::oid
  UNION SELECT d.datdba FROM pg_database d WHERE d.datname = current_database()
  UNION SELECT s.refobjid FROM pg_shdepend s
        WHERE s.refclassid = 'pg_authid'::regclass
          AND s.dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION SELECT s.setrole FROM pg_db_role_setting s
        WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
  UNION SELECT m.roleid FROM need JOIN pg_auth_members m ON m.member = need.oid
)
SELECT r.rolname,
       array_remove(ARRAY[CASE WHEN r.rolsuper THEN 'superuser' END, CASE WHEN r.rolcreatedb THEN 'createdb' END,
         CASE WHEN r.rolcreaterole THEN 'createrole' END, CASE WHEN r.rolcanlogin THEN 'login' END,
         CASE WHEN r.rolreplication THEN 'replication' END, CASE WHEN r.rolbypassrls THEN 'bypassrls' END,
         CASE WHEN NOT r.rolinherit THEN 'noinherit' END], NULL),
       ARRAY(SELECT p.rolname::text FROM pg_auth_members m JOIN pg_roles p ON p.oid = m.roleid
             WHERE m.member = r.oid ORDER BY p.rolname COLLATE "C")
FROM pg_roles r WHERE r.oid IN (SELECT oid FROM need) AND r.rolname !~ '^pg_'
ORDER BY r.rolname COLLATE "C"`

const sqlPolicies = `
SELECT n.nspname, c.relname, p.polname, p.polcmd::text, p.polpermissive,
       ARRAY(SELECT CASE WHEN r = 0 THEN 'public' ELSE pg_get_userbyid(r)::text END FROM unnest(p.polroles) r ORDER BY 1),
       coalesce(pg_get_expr(p.polqual, p.polrelid), ''), coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '')
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE ` + userSchemas + `
ORDER BY n.nspname COLLATE "C", c.relname COLLATE "C", p.polname COLLATE "C"`

const sqlSettings = `
SELECT CASE WHEN s.setrole = 0 THEN '' ELSE pg_get_userbyid(s.setrole)::text END, split_part(c, '=', 1)
FROM pg_db_role_setting s CROSS JOIN unnest(s.setconfig) c
WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY 1, 2`

// sqlCatalog counts what users made; what an extension brought is its own.
const sqlCatalog = `
WITH own AS (
  SELECT 'pg_class'::regclass AS class, c.oid,
         CASE c.relkind WHEN 'i' THEN 'indexes' WHEN 'I' THEN 'indexes' WHEN 'S' THEN 'sequences'
                        WHEN 'v' THEN 'views' WHEN 'f' THEN 'foreign tables' WHEN 'c' THEN 'composite types' END AS kind, n.nspname
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('i', 'I', 'S', 'v', 'f', 'c')
  UNION ALL SELECT 'pg_constraint'::regclass, c.oid,
         CASE c.contype WHEN 'c' THEN 'check constraints' WHEN 'f' THEN 'foreign keys' WHEN 'p' THEN 'primary keys'
                        WHEN 'u' THEN 'unique constraints' WHEN 'x' THEN 'exclusion constraints' ELSE 'other constraints' END, n.nspname
    FROM pg_constraint c JOIN pg_namespace n ON n.oid = c.connamespace
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, 'functions', n.nspname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  UNION ALL SELECT 'pg_type'::regclass, t.oid, CASE t.typtype WHEN 'e' THEN 'enums' WHEN 'd' THEN 'domains' ELSE 'ranges' END, n.nspname
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype IN ('e', 'd', 'r')
  UNION ALL SELECT 'pg_trigger'::regclass, t.oid, 'triggers', n.nspname
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal
)
SELECT kind, count(*) FROM own n
WHERE ` + userSchemas + `
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = n.class AND d.objid = n.oid AND d.deptype = 'e')
GROUP BY kind
UNION ALL SELECT 'large objects', count(*) FROM pg_largeobject_metadata
UNION ALL SELECT 'event triggers', count(*) FROM pg_event_trigger t
  WHERE NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_event_trigger'::regclass AND d.objid = t.oid AND d.deptype = 'e')
UNION ALL SELECT 'publications', count(*) FROM pg_publication
ORDER BY 1`
