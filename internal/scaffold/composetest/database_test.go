package composetest

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/postgres"
)

// TestDatabaseIsSetUp runs the rendered SQL as the postgres image does, with psql on a
// real server, and signs in as the app does. The names are key words,
// PostgreSQL's own names, and ordinary ones.
func TestDatabaseIsSetUp(t *testing.T) {
	cluster, psql := startCluster(t)
	tests := []struct{ app, password, database string }{
		{"notes", "", "notes"},
		{"my-erp", "Local._~-1", "my_erp"},
		{"user", "", "user"},
		{"order", "", "order"},
		{"current-user", "", "current_user"},
		{"postgres", "", "app_postgres"},
		{"template0", "", "app_template0"},
		{"template1", "", "app_template1"},
		{"pg-tools", "", "app_pg_tools"},
		{"pgadmin", "", "pgadmin"},
		{"public", "", "app_public"},
		{"none", "", "app_none"},
		{"quoted", `it's"$HOME`, "quoted"}, // env check refuses it; it must not become SQL all the same
	}
	for _, tt := range tests {
		t.Run(tt.app, func(t *testing.T) {
			project := composeFor(t, tt.app, tt.password)
			password := *project.Services["postgres"].Environment["POSTGRES_PASSWORD"]
			file := filepath.Join(t.TempDir(), "10-app-role.sql")
			if err := os.WriteFile(file, []byte(project.Configs["app-role"].Content), 0o600); err != nil {
				t.Fatal(err)
			}
			err := execx.Run(t.Context(), execx.Cmd{
				Path: psql, Args: []string{"-v", "ON_ERROR_STOP=1", "--no-psqlrc", "--no-password", "--file", file, "--dbname", cluster.SocketURL("postgres")},
				Env: append(os.Environ(), "POSTGRES_PASSWORD="+password),
			})
			if err != nil {
				t.Fatalf("%v\n%s", err, project.Configs["app-role"].Content)
			}
			got := *project.Services["app"].Environment["DATABASE_URL"]
			if want := "postgresql://" + tt.database + ":" + password + "@postgres:5432/" + tt.database; got != want {
				t.Errorf("the app connects to %s, want %s", got, want)
			}
			signIn(t, cluster, tt.database, password)
		})
	}
}

func startCluster(t *testing.T) (cluster *postgres.Cluster, psql string) {
	t.Helper()
	in, err := postgres.Find(t.Context(), postgres.FindOptions{Major: 15, Programs: append(slices.Clone(postgres.ServerPrograms), "psql"), NeededBy: "this test"})
	if err != nil {
		t.Skip(err)
	}
	cluster, err = postgres.StartScratch(t.Context(), postgres.ScratchOptions{Install: in, Listen: "127.0.0.1", Password: "superuser"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cluster.Stop(context.Background()) })
	return cluster, in.Path("psql")
}

// composeFor renders and loads the compose file of an app with that name; the password
// is written to .env unless it is "".
func composeFor(t *testing.T, app, password string) *types.Project {
	t.Helper()
	dir := repo(t, "")
	initRepo(t, dir, app)
	env := ""
	if password != "" {
		env = "POSTGRES_PASSWORD='" + strings.ReplaceAll(password, "'", `\'`) + "'\n"
	}
	return load(t, dir, env)
}

// signIn connects as the app does, to both databases, and is no superuser there.
func signIn(t *testing.T, cluster *postgres.Cluster, database, password string) {
	t.Helper()
	u := url.URL{Scheme: "postgres", User: url.UserPassword(database, password), Host: "127.0.0.1:" + strconv.Itoa(cluster.Port())}
	for _, suffix := range []string{"", "_test"} {
		u.Path = "/" + database + suffix
		conn, err := pgx.Connect(t.Context(), u.String())
		if err != nil {
			t.Fatal(err)
		}
		var super bool
		if err := conn.QueryRow(t.Context(), "select rolsuper from pg_roles where rolname = current_user").Scan(&super); err != nil {
			t.Error(err)
		}
		if _, err := conn.Exec(t.Context(), "create table owned (id int)"); super || err != nil {
			t.Errorf("superuser %v; create table: %v", super, err)
		}
		if err := conn.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// TestPasswordIsOptionalEverywhere: what env check lets pass, compose starts with.
func TestPasswordIsOptionalEverywhere(t *testing.T) {
	dir := repo(t, "")
	initRepo(t, dir, "")
	for _, tt := range []struct {
		env  string
		fine bool
	}{
		{"", true},
		{"POSTGRES_PASSWORD=\n", true},
		{"POSTGRES_PASSWORD=a-Z0._~\n", true},
		{"POSTGRES_PASSWORD='p@ss'\n", false},
		{"POSTGRES_PASSWORD='p/ss'\n", false},
		{"POSTGRES_PASSWORD=\"it's\"\n", false},
		{"POSTGRES_PASSWORD='a b'\n", false},
	} {
		load(t, dir, tt.env)
		r, err := envcheck.Check(t.Context(), envcheck.Options{Dir: dir, Files: []string{".env"}})
		if err != nil {
			t.Fatal(err)
		}
		refused := slices.ContainsFunc(r.Findings, func(f envcheck.Finding) bool {
			return f.Key == "POSTGRES_PASSWORD" && f.Level == envcheck.Error
		})
		if refused == tt.fine {
			t.Errorf("%q: refused %v", tt.env, refused)
		}
	}
}
