package backup

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestPoolersAreRefusedByName(t *testing.T) {
	for _, tt := range []struct{ url, want string }{
		{"postgres://u:secretpw@aws-0-eu.pooler.example.com:5432/db", "a pooler's host"},
		{"postgres://u:secretpw@db.example.com:6543/db", "port 6543"},
		{"postgres://u:secretpw@ep-cool-name-pooler.eu-central-1.example.com/db", "-pooler"},
		{"postgres://u:secretpw@db.example.com/db?pgbouncer=true&connection_limit=1", "pgbouncer=true"},
		{"postgres://u:secretpw@pgbouncer.internal/db", "pgbouncer"},
	} {
		_, err := parseSource(tt.url)
		if errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), tt.want) || !strings.Contains(errs.HintOf(err), "DIRECT_DATABASE_URL") {
			t.Errorf("%s: got %v", tt.want, err)
		}
		if err != nil && strings.Contains(err.Error()+errs.HintOf(err), "secretpw") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

func TestURLsThatCannotBeUsed(t *testing.T) {
	for _, url := range []string{"", "  ", "mysql://u:secretpw@h/db", "host=h password=secretpw", "postgres://u:secretpw@h:port/db", "postgres://u:secret%zzpw@h/db",
		"postgres://u:secretpw@h/db?sslmode=maybe", "postgres://u:x@h/db?sslpassword=secretpw", "prisma://accelerate.example.com/?api_key=secretpw"} {
		_, err := parseSource(url)
		if errs.CodeOf(err) != errs.Usage {
			t.Errorf("%q: got %v", url, err)
		}
		if err != nil && strings.Contains(err.Error()+errs.HintOf(err), "secretpw") {
			t.Errorf("the error has the password: %v", err)
		}
	}
}

// The programs get the connection in their environment; parameters of other
// drivers reach neither them nor the server.
func TestConnectionEnvironment(t *testing.T) {
	s, err := parseSource("postgresql://u%40x:p%2Fw%20d@db.example.com:5544/my%20db?schema=public&connection_limit=5&sslmode=require&options=-c%20geqo%3Doff")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"PGOPTIONS=-c geqo=off", "PGSSLMODE=require", "PGHOST=db.example.com", "PGPORT=5544", "PGUSER=u@x", "PGDATABASE=my db", "PGPASSWORD=p/w d"}
	if !slices.Equal(s.env, want) {
		t.Errorf("got %q", s.env)
	}
	for name := range s.config.RuntimeParams {
		if name == "schema" || name == "connection_limit" {
			t.Errorf("the server would be sent %s", name)
		}
	}
	for _, arg := range dumpArgs("snap") {
		if strings.Contains(arg, "p/w") || strings.Contains(arg, "db.example") {
			t.Errorf("argument %q", arg)
		}
	}
}

// pg_dump looks after its connection, and its arguments, which everybody on the
// machine can read, say nothing of the database.
func TestPgDumpsArguments(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	said := filepath.Join(t.TempDir(), "arguments")
	fakePgDump(t, `printf '%s\n' "$@" > `+said+`; exec "$REAL" "$@"`)
	f.create(t, url)
	args, err := os.ReadFile(said)
	if err != nil || !strings.Contains(string(args), "keepalives_idle=30 ") || !strings.Contains(string(args), "tcp_user_timeout=") {
		t.Errorf("arguments %s, %v", args, err)
	}
	for _, secret := range []string{"hunter2", "boss", "127.0.0.1"} {
		if strings.Contains(string(args), secret) {
			t.Errorf("%q stands in the arguments %s", secret, args)
		}
	}
}

// A pooler that its URL does not give away shows itself in the session.
func TestPoolersAreFoundByBehaviour(t *testing.T) {
	t.Run("refuses start-up parameters", func(t *testing.T) {
		url := fakeServer(t, func(b *pgproto3.Backend, _ pgproto3.FrontendMessage) error {
			b.Send(&pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: statement_timeout"})
			return b.Flush()
		})
		_, err := Create(t.Context(), newFixture(t).createOptions(url))
		if errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), "connection pooler") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("answers SHOW VERSION", func(t *testing.T) {
		url := fakeServer(t, func(b *pgproto3.Backend, m pgproto3.FrontendMessage) error {
			switch m.(type) {
			case *pgproto3.StartupMessage:
				b.Send(&pgproto3.AuthenticationOk{})
				b.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
				b.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
				b.Send(&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}})
			case *pgproto3.Query:
				b.Send(&pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("version"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
				b.Send(&pgproto3.DataRow{Values: [][]byte{[]byte("PgBouncer 1.25.0")}})
				b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SHOW")})
			default:
				return io.EOF
			}
			b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
			return b.Flush()
		})
		_, err := Create(t.Context(), newFixture(t).createOptions(url))
		if errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), "PgBouncer 1.25.0") {
			t.Errorf("got %v", err)
		}
	})
}

// fakeServer speaks PostgreSQL's protocol as far as answer does.
func fakeServer(t *testing.T, answer func(*pgproto3.Backend, pgproto3.FrontendMessage) error) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn, answer)
		}
	}()
	return "postgres://u:secretpw@" + l.Addr().String() + "/db?sslmode=disable"
}

func serve(conn net.Conn, answer func(*pgproto3.Backend, pgproto3.FrontendMessage) error) {
	defer func() { _ = conn.Close() }()
	b := pgproto3.NewBackend(conn, conn)
	start, err := b.ReceiveStartupMessage()
	if err != nil || answer(b, start) != nil {
		return
	}
	for {
		m, err := b.Receive()
		if err != nil || errors.Is(answer(b, m), io.EOF) {
			return
		}
	}
}
