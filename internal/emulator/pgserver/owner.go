package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

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

// exec runs statements as the superuser. They hold passwords, so an error says
// no more than the server's message, which repeats none of them.
func (s *Server) exec(ctx context.Context, statements ...string) error {
	conn, err := pgx.Connect(ctx, s.running().SocketURL("postgres"))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, sql := range append([]string{"set log_statement = 'none'"}, statements...) {
		if _, err := conn.Exec(ctx, sql); err != nil {
			return errors.New("prepare the user and the database: " + err.Error())
		}
	}
	return nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
