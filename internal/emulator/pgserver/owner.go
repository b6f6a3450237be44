package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/postgres"
)

// createOwner makes the user and the database that the service hands out. As on
// the real services the user is no superuser. It may bypass row-level security,
// so that backups made with it see every row: what the real services allow is
// not documented, and `opsctl backup create` checks it wherever it runs.
func (s *Server) createOwner(ctx context.Context) error {
	user := postgres.QuoteIdent(s.spec.User)
	return s.exec(ctx,
		fmt.Sprintf("create role %s login createrole bypassrls password %s", user, literal(s.spec.Password)),
		fmt.Sprintf("create database %s owner %s", postgres.QuoteIdent(s.spec.Database), user),
	)
}

// resetOwner gives the user of a recovered server the password of this one.
func (s *Server) resetOwner(ctx context.Context) error {
	return s.exec(ctx, fmt.Sprintf("alter role %s password %s", postgres.QuoteIdent(s.spec.User), literal(s.spec.Password)))
}

// exec runs statements that hold passwords: an error says no more than the
// server's message, which repeats none of them.
func (s *Server) exec(ctx context.Context, statements ...string) error {
	for _, sql := range statements {
		if _, err := s.Query(ctx, "", sql); err != nil {
			return errors.New("prepare the user and the database: " + err.Error())
		}
	}
	return nil
}

// Query runs a statement as the superuser; it is not logged.
func (s *Server) Query(ctx context.Context, database, statement string) ([]string, error) {
	c := s.running()
	if c == nil {
		return nil, world.ErrDatabaseStopped
	}
	if database == "" {
		database = "postgres"
	}
	conn, err := pgx.Connect(ctx, c.SocketURL(database))
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if _, err := conn.Exec(ctx, "set log_statement = 'none'"); err != nil {
		return nil, err
	}
	results, err := conn.PgConn().Exec(ctx, statement).ReadAll() // as text, and outside a transaction
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range results {
		for _, row := range r.Rows {
			out = append(out, string(row[0]))
		}
	}
	return out, nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
