package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/examples"
	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
)

// newDemoAppCmd is the stand-in for the example app's image: what its server
// and its migrator would do, without Node.
func newDemoAppCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "app", Short: "Stand in for the example app's image", Hidden: true}
	cmd.AddCommand(
		&cobra.Command{Use: "serve", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return serveDemoApp(cmd.Context(), a) }},
		&cobra.Command{Use: "migrate", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error { return migrateDemoApp(cmd.Context(), a) }},
	)
	return cmd
}

// brokenTag marks the image whose server never becomes healthy.
const brokenTag = "-broken"

func serveDemoApp(ctx context.Context, a *app) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/health", func(w http.ResponseWriter, r *http.Request) { demoHealth(w, r, a) })
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{
		Addr: net.JoinHostPort("127.0.0.1", a.getenv("PORT")), Handler: mux,
		ReadHeaderTimeout: 5 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx },
	}
	stop := context.AfterFunc(ctx, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(end) // the process ends anyway
	})
	defer stop()
	fmt.Fprintf(a.io.Out, "listening on %s, image %s\n", server.Addr, demoImage(a))
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// demoHealth answers like the health route that opsctl init writes.
func demoHealth(w http.ResponseWriter, r *http.Request, a *app) {
	ctx, cancel := context.WithTimeout(r.Context(), 2*time.Second)
	defer cancel()
	began := time.Now()
	status, code := "pass", http.StatusOK
	if err := pingDatabase(ctx, a.getenv(deploy.PooledURL)); err != nil {
		status, code = "fail", http.StatusServiceUnavailable
	}
	if strings.Contains(demoImage(a), brokenTag) { // the bug of the second release
		status, code = "fail", http.StatusServiceUnavailable
	}
	w.Header().Set("Content-Type", "application/health+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{ // the client is gone if this fails
		"status": status, "releaseId": a.getenv("OPSCTL_RELEASE"),
		"checks": map[string]any{"postgres:responseTime": []map[string]any{{
			"componentType": "datastore", "status": status, "observedValue": time.Since(began).Milliseconds(), "observedUnit": "ms",
		}}},
	})
}

// pingDatabase asks the database for an answer; an app without one has nothing to ask.
func pingDatabase(ctx context.Context, url string) error {
	if url == "" {
		return nil
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, "select 1")
	return err
}

// migrateDemoApp applies the example's migrations as its migrate.mjs does: in
// order, each in a transaction, under an advisory lock, each once.
func migrateDemoApp(ctx context.Context, a *app) error {
	url := a.getenv(deploy.DirectURL)
	if url == "" {
		return errs.New(errs.Usage, "%s is not set", deploy.DirectURL)
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "select pg_advisory_lock(hashtext('migrations'))"); err != nil {
		return err
	}
	if _, err := conn.Exec(ctx, "create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())"); err != nil {
		return err
	}
	files := examples.Migrations()
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if err := applyMigration(ctx, a, conn, files, name); err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

func applyMigration(ctx context.Context, a *app, conn *pgx.Conn, files fs.FS, name string) error {
	src, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, "insert into schema_migrations (name) values ($1) on conflict do nothing", name)
		if err != nil || tag.RowsAffected() == 0 {
			return err
		}
		if _, err := tx.Conn().PgConn().Exec(ctx, string(src)).ReadAll(); err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.io.Out, "applied %s\n", name)
		return err
	})
}

// demoImage is the image that the process stands for: Fly.io tells its machines, and
// on the others the emulator does.
func demoImage(a *app) string {
	return cmp.Or(a.getenv("FLY_IMAGE_REF"), a.getenv("OPSCTL_EMULATOR_IMAGE"))
}
