package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/postgres"
)

// Facts is what the server itself says of a database in one snapshot, apart
// from and in addition to what the archive holds.
type Facts struct {
	Server     Server           `json:"server"`
	Database   Database         `json:"database"`
	Schemas    []string         `json:"schemas"`
	Tables     []Table          `json:"tables"`
	Extensions []Extension      `json:"extensions"`
	Roles      []Role           `json:"roles"`
	Policies   []Policy         `json:"policies"`
	Settings   []Setting        `json:"settings"`
	Catalog    map[string]int64 `json:"catalog"` // how many objects of each kind the catalog has
}

// Server identifies the source server.
type Server struct {
	Version          string `json:"version"`
	Number           int    `json:"number"`                      // server_version_num
	SystemIdentifier string `json:"system_identifier,omitempty"` // where the user may see it
}

// Major is 15, 16, ...
func (s Server) Major() int { return s.Number / 10000 }

// Database describes the source database.
type Database struct {
	Name             string `json:"name"`
	Owner            string `json:"owner"`
	Encoding         string `json:"encoding"`
	Collate          string `json:"collate"`
	Ctype            string `json:"ctype"`
	Provider         string `json:"provider,omitempty"` // c (libc), i (icu), b (builtin)
	Locale           string `json:"locale,omitempty"`   // of icu and builtin
	CollationVersion string `json:"collation_version,omitempty"`
	Bytes            int64  `json:"bytes"` // pg_database_size
}

// Table is a table, a partitioned table or a materialised view.
type Table struct {
	Schema  string `json:"schema"`
	Name    string `json:"name"`
	Kind    string `json:"kind"` // table, partitioned, matview
	Rows    int64  `json:"rows"` // of a table
	Bytes   int64  `json:"bytes"`
	Hash    string `json:"hash,omitempty"`         // of the rows, archive.Sum
	Columns string `json:"columns"`                // hash of names, types, nullability, identity
	RLS     bool   `json:"rls,omitempty"`          // row-level security is on
	Forced  bool   `json:"rls_forced,omitempty"`   // also for the owner
	Filled  *bool  `json:"is_populated,omitempty"` // of a materialised view

	oid       uint32
	condition string // of an extension's configuration table
}

func (t Table) key() string { return ident(t.Schema, t.Name) }

// Extension is an installed extension.
type Extension struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Schema  string `json:"schema"`
}

// Role is a role that owns something in the database, has privileges or
// policies there, or that such a role is a member of.
type Role struct {
	Name       string   `json:"name"`
	Attributes []string `json:"attributes,omitempty"` // superuser, login, bypassrls, ...
	MemberOf   []string `json:"member_of,omitempty"`
}

// Policy is a row-level-security policy; its expressions are in Hash.
type Policy struct {
	Schema     string   `json:"schema"`
	Table      string   `json:"table"`
	Name       string   `json:"name"`
	Command    string   `json:"command"`
	Permissive bool     `json:"permissive"`
	Roles      []string `json:"roles"`
	Hash       string   `json:"hash"`
}

// Setting is the name of a database setting; the value is only in the
// encrypted dump, since people keep secrets there (app.jwt_secret).
type Setting struct {
	Role string `json:"role,omitempty"`
	Name string `json:"name"`
}

// collect reads the facts in the connection's transaction. Counting rows is
// the slow part; count false leaves it out.
func collect(ctx context.Context, conn *pgx.Conn, count bool) (*Facts, error) {
	f := &Facts{Catalog: map[string]int64{}}
	steps := []struct {
		name string
		run  func() error
	}{
		{"server", func() error { return f.server(ctx, conn) }},
		{"schemas", func() error { return list(ctx, conn, sqlSchemas, &f.Schemas, scanString) }},
		{"tables", func() error { return list(ctx, conn, sqlTables, &f.Tables, scanTable) }},
		{"extensions", func() error {
			return list(ctx, conn, sqlExtensions, &f.Extensions, pgx.RowToStructByPos[Extension])
		}},
		{"roles", func() error { return list(ctx, conn, sqlRoles, &f.Roles, pgx.RowToStructByPos[Role]) }},
		{"policies", func() error { return list(ctx, conn, sqlPolicies, &f.Policies, scanPolicy) }},
		{"settings", func() error { return list(ctx, conn, sqlSettings, &f.Settings, pgx.RowToStructByPos[Setting]) }},
		{"catalog", func() error { return f.catalog(ctx, conn) }},
	}
	for _, s := range steps {
		if err := s.run(); err != nil {
			return nil, fmt.Errorf("read the catalog (%s): %w", s.name, err)
		}
	}
	if !count {
		return f, nil
	}
	return f, f.count(ctx, conn)
}

// list collects a query's rows; an empty result is an empty, not a nil, slice,
// so that it is [] in JSON.
func list[T any](ctx context.Context, conn *pgx.Conn, sql string, into *[]T, scan pgx.RowToFunc[T]) error {
	rows, err := conn.Query(ctx, sql)
	if err != nil {
		return err
	}
	*into, err = pgx.CollectRows(rows, scan)
	if *into == nil {
		*into = []T{}
	}
	return err
}

func scanString(row pgx.CollectableRow) (s string, err error) { return s, row.Scan(&s) }

func scanTable(row pgx.CollectableRow) (Table, error) {
	var t Table
	var columns string
	err := row.Scan(&t.Schema, &t.Name, &t.Kind, &t.oid, &t.RLS, &t.Forced, &t.condition, &columns, &t.Filled)
	t.Columns = shortHash(columns)
	return t, err
}

func scanPolicy(row pgx.CollectableRow) (Policy, error) {
	var p Policy
	var using, check string
	err := row.Scan(&p.Schema, &p.Table, &p.Name, &p.Command, &p.Permissive, &p.Roles, &using, &check)
	p.Hash = shortHash(loosen(using) + "\x00" + loosen(check))
	return p, err
}

func (f *Facts) server(ctx context.Context, conn *pgx.Conn) error {
	d := &f.Database
	return conn.QueryRow(ctx, sqlServer).Scan(&f.Server.Version, &f.Server.Number, &f.Server.SystemIdentifier,
		&d.Name, &d.Owner, &d.Encoding, &d.Collate, &d.Ctype, &d.Provider, &d.Locale, &d.CollationVersion, &d.Bytes)
}

func (f *Facts) catalog(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, sqlCatalog)
	if err != nil {
		return err
	}
	var kind string
	var n int64
	_, err = pgx.ForEachRow(rows, []any{&kind, &n}, func() error {
		f.Catalog[kind] = n
		return nil
	})
	return err
}

// count counts the rows of every table that pg_dump dumps rows of.
func (f *Facts) count(ctx context.Context, conn *pgx.Conn) error {
	for i := range f.Tables {
		t := &f.Tables[i]
		if t.Kind != "table" {
			continue
		}
		sql := "SELECT count(*) FROM ONLY " + postgres.QuoteIdent(t.Schema) + "." + postgres.QuoteIdent(t.Name) + " " + t.condition
		if err := conn.QueryRow(ctx, sql).Scan(&t.Rows); err != nil {
			return fmt.Errorf("count the rows of %s: %w", t.key(), err)
		}
	}
	return nil
}

// shortHash is 64 bits of SHA-256: it tells definitions apart, no more.
func shortHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:8])
}

// fullHash is SHA-256 in hex.
func fullHash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
