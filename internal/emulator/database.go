package emulator

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// startPostgres runs a real scratch cluster for a managed database. Where the
// wanted version and newer ones are missing, the newest that is installed runs
// in its place: the caller sees which from Running.Major.
func startPostgres(ctx context.Context, spec world.DatabaseSpec) (world.Running, error) {
	in, err := postgres.Find(ctx, postgres.FindOptions{Major: spec.Major, Programs: postgres.ServerPrograms, NeededBy: "the emulator's managed PostgreSQL"})
	if err != nil {
		newest, e := postgres.Find(ctx, postgres.FindOptions{Programs: postgres.ServerPrograms, NeededBy: "the emulator's managed PostgreSQL"})
		if e != nil {
			return world.Running{}, err
		}
		in = newest
	}
	// The server outlives the call that asked for it: Stop ends it, not ctx.
	c, err := postgres.StartScratch(context.WithoutCancel(ctx), postgres.ScratchOptions{
		Install: in, Major: in.Major, Listen: "127.0.0.1", User: "postgres", Password: rand.Text(),
	})
	if err != nil {
		return world.Running{}, errs.Wrap(err, errs.Failure, "start the managed database %s", spec.Name)
	}
	if err := createOwner(ctx, c, spec); err != nil {
		return world.Running{}, errs.Wrap(errors.Join(err, c.Stop(context.WithoutCancel(ctx))), errs.Failure, "prepare the managed database %s", spec.Name)
	}
	return world.Running{
		Host: "127.0.0.1", Port: c.Port(), Major: in.Major,
		Stop: func() error { return c.Stop(context.Background()) },
	}, nil
}

// createOwner makes the user and the database that the service hands out. As on
// the real service the user is no superuser. It may bypass row-level security,
// so that backups made with it see every row: what the real service allows is
// not documented, and `opsctl backup create` checks it wherever it runs.
func createOwner(ctx context.Context, c *postgres.Cluster, spec world.DatabaseSpec) error {
	conn, err := pgx.Connect(ctx, c.SocketURL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range []string{
		fmt.Sprintf("create role %s login createrole bypassrls password '%s'", postgres.QuoteIdent(spec.User), strings.ReplaceAll(spec.Password, "'", "''")),
		fmt.Sprintf("create database %s owner %s", postgres.QuoteIdent(spec.Database), postgres.QuoteIdent(spec.User)),
	} {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return err
		}
	}
	return nil
}
