package backup

import (
	"context"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
)

// source is a checked connection URL.
type source struct {
	config *pgx.ConnConfig
	env    []string // how libpq's programs connect; holds the password
}

// libpqVariables are the URL parameters that the server's programs understand,
// with the environment variable that carries each. Everything else in a URL is
// for some other driver (schema, connection_limit, pgbouncer, ...) and is left out.
var libpqVariables = map[string]string{
	"application_name": "PGAPPNAME", "channel_binding": "PGCHANNELBINDING", "connect_timeout": "PGCONNECT_TIMEOUT",
	"gssencmode": "PGGSSENCMODE", "krbsrvname": "PGKRBSRVNAME", "options": "PGOPTIONS",
	"sslcert": "PGSSLCERT", "sslcrl": "PGSSLCRL", "sslkey": "PGSSLKEY", "sslmode": "PGSSLMODE",
	"sslrootcert": "PGSSLROOTCERT", "sslnegotiation": "PGSSLNEGOTIATION", "target_session_attrs": "PGTARGETSESSIONATTRS",
}

// kept are parameters of the URL that say where to connect, read by pgx.
var kept = []string{"host", "port", "user", "password", "dbname", "database"}

// parseSource checks the URL without connecting. Errors are usage errors and
// never show the URL, which holds the password.
func parseSource(raw string) (*source, error) {
	if strings.TrimSpace(raw) == "" {
		return nil, errs.New(errs.Usage, "the database URL is empty").
			WithHint("set DATABASE_URL, or DIRECT_DATABASE_URL where DATABASE_URL goes through a pooler")
	}
	u, err := url.Parse(strings.TrimSpace(raw))
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, errs.New(errs.Usage, "the database URL is not a postgres:// URL").
			WithHint("it looks like postgres://USER:PASSWORD@HOST:5432/DATABASE, with special characters of the password percent-encoded")
	}
	if err := refusePooler(u); err != nil {
		return nil, err
	}
	q := u.Query()
	var env []string
	for name := range q {
		variable, known := libpqVariables[name]
		switch {
		case name == "sslpassword":
			return nil, errs.New(errs.Usage, "the database URL has an sslpassword, which pg_dump can only be given in its arguments").
				WithHint("use a client key without a password, readable by you alone")
		case known:
			env = append(env, variable+"="+q.Get(name))
		case !slices.Contains(kept, name):
			q.Del(name)
		}
	}
	u.RawQuery = q.Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, errs.New(errs.Usage, "the database URL cannot be used: %s", errs.Redact(err.Error()))
	}
	slices.Sort(env)
	return &source{config: config, env: append(env, connectionEnv(config)...)}, nil
}

func connectionEnv(c *pgx.ConnConfig) []string {
	env := []string{
		"PGHOST=" + c.Host, "PGPORT=" + strconv.Itoa(int(c.Port)),
		"PGUSER=" + c.User, "PGDATABASE=" + c.Database,
	}
	if c.Password != "" {
		env = append(env, "PGPASSWORD="+c.Password)
	}
	return env
}

// refusePooler finds connection poolers by what their URLs look like: a dump
// needs one session for its whole length, which a transaction pooler does not give.
func refusePooler(u *url.URL) error {
	host := strings.ToLower(u.Hostname())
	var why, direct string
	switch {
	case u.Query().Get("pgbouncer") == "true":
		why, direct = "says pgbouncer=true", "the database's own URL, without a pooler"
	case u.Port() == "6543":
		why, direct = "has port 6543, a pooler's", "the same host with port 5432, or the direct connection string of the platform's dashboard"
	case strings.Contains(host, "-pooler."):
		why, direct = "has a host with -pooler", "the same host without -pooler"
	case strings.Contains(host, "pgbouncer"):
		why, direct = "has a host named pgbouncer", "the database's own host"
	case strings.Contains(host, ".pooler."):
		why, direct = "has a pooler's host", "the direct connection string of the platform's dashboard"
	default:
		return nil
	}
	return poolerError(why, direct)
}

func poolerError(why, direct string) error {
	return errs.New(errs.Usage, "the database URL goes through a connection pooler (it %s); a backup needs a direct connection", why).
		WithHint("use %s: set it as DIRECT_DATABASE_URL", direct)
}

// timeouts are session settings that would end a long dump. They go into the
// start-up message, which PgBouncer refuses: a pooler shows itself that way.
var timeouts = map[string]string{"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}

// connect opens the coordinating session.
func (s *source) connect(ctx context.Context) (*pgx.Conn, error) {
	c := s.config.Copy()
	maps.Copy(c.RuntimeParams, timeouts)
	c.RuntimeParams["application_name"] = "opsctl backup"
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = 30 * time.Second
	}
	// This session is idle while pg_dump works; the same values as in keepalives.
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}}).DialContext
	conn, err := pgx.ConnectConfig(ctx, c)
	if err != nil {
		return nil, s.connectError(ctx, err)
	}
	var version string
	if err := conn.QueryRow(ctx, "SHOW VERSION", pgx.QueryExecModeSimpleProtocol).Scan(&version); err == nil {
		_ = conn.Close(ctx)
		return nil, poolerError("answers SHOW VERSION with "+strconv.Quote(version), "the database's own URL")
	}
	return conn, nil
}

func (s *source) connectError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	text := errs.Redact(err.Error())
	if strings.Contains(text, "unsupported startup parameter") {
		return poolerError("refuses session settings as PgBouncer does", "the database's own URL")
	}
	code, hint := errs.Failure, "is the database up, and reachable from here? the URL's host is "+s.config.Host
	for _, refused := range []string{"SQLSTATE 28P01", "SQLSTATE 28000"} {
		if strings.Contains(text, refused) {
			code, hint = errs.Auth, "check user and password of the database URL"
		}
	}
	return errs.New(code, "connect to the database: %s", text).WithHint("%s", hint)
}

// childEnv is the environment of pg_dump and its like: the connection, and
// from ours only what finds programs and certificates.
func (s *source) childEnv() []string {
	env := []string{"LC_ALL=C", "PGAPPNAME=opsctl backup"}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "SYSTEMROOT"} {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	env = append(env, s.env...) // later ones win
	options := ""
	for _, e := range s.env {
		if value, ok := strings.CutPrefix(e, "PGOPTIONS="); ok {
			options = value
		}
	}
	return append(env, pinnedEnv(options)...)
}
