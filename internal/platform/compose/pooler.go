package compose

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The pooler, whatever its image: PgBouncer refuses to run as root, and its files are
// for this user alone.
const (
	poolerService = "pgbouncer"
	poolerPort    = 6432
	poolerUser    = 70
)

// ensurePooler makes PgBouncer before the server, and returns the pooled address. The
// compose file's own is used where it has one. Where the image cannot be had, the app
// is connected directly, which is said.
func (p *Platform) ensurePooler(ctx context.Context, spec platform.DatabaseSpec, f *composeFile, direct, server string, report platform.Report) (string, error) {
	to, err := url.Parse(direct)
	if err != nil {
		return "", errs.New(errs.Usage, "the database's address in the compose file is no URL")
	}
	var pooler *service
	port := poolerPort
	if f != nil && f.pooler != nil {
		pooler, port = f.pooler, f.poolerPort()
	} else if pooler, err = p.ownPooler(spec, to); err != nil {
		return "", err
	}
	if err := p.ensureImage(ctx, pooler.image, report); err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		report("no connection pooler: the image %s cannot be had (%v); the app is connected to the database directly", pooler.image, err)
		return direct, nil
	}
	c, err := p.ensureService(ctx, spec.App, pooler, report)
	if err != nil {
		return "", err
	}
	// pg_isready speaks the same protocol to a pooler.
	if err := p.awaitService(ctx, c.name(), server, "pg_isready", "--host="+pooler.name, "--port="+strconv.Itoa(port)); err != nil {
		return "", err
	}
	pooled := *to
	pooled.Host = net.JoinHostPort(pooler.name, strconv.Itoa(port))
	return pooled.String(), nil
}

// poolerPort is where the compose file's pooler listens: as the app's own address
// has it, or the container's port, or PgBouncer's.
func (f *composeFile) poolerPort() int {
	if f.app != nil {
		if u, err := url.Parse(f.app.env["DATABASE_URL"]); err == nil && u.Hostname() == f.pooler.name {
			if n, err := strconv.Atoi(cmp.Or(u.Port(), "5432")); err == nil {
				return n
			}
		}
	}
	for _, port := range f.pooler.ports {
		return int(port.Target)
	}
	return poolerPort
}

// ownPooler is PgBouncer with files of opsctl's: images differ in the variables they
// take, and all of them have the program.
func (p *Platform) ownPooler(spec platform.DatabaseSpec, to *url.URL) (*service, error) {
	password, _ := to.User.Password()
	if strings.ContainsAny(to.User.Username()+password, "\r\n") {
		return nil, errs.New(errs.Usage, "the database's user or password has a newline, which PgBouncer cannot read")
	}
	limit := cmp.Or(p.o.Pool.MaxConnections, 100)
	seconds := func(d, otherwise time.Duration) int { return max(1, int(cmp.Or(d, otherwise).Seconds())) }
	wait := seconds(p.o.Pool.ConnectTimeout, 30*time.Second)
	ini := fmt.Sprintf(`[databases]
* = host=%s port=%s

[pgbouncer]
listen_addr = 0.0.0.0
listen_port = %d
unix_socket_dir =
auth_type = scram-sha-256
auth_file = /etc/pgbouncer/userlist.txt
pool_mode = %s
max_client_conn = %d
default_pool_size = %d
server_connect_timeout = %d
query_wait_timeout = %d
server_idle_timeout = %d
ignore_startup_parameters = extra_float_digits
`, to.Hostname(), cmp.Or(to.Port(), "5432"), poolerPort, cmp.Or(spec.PoolMode, "transaction"), limit, max(1, limit/2),
		wait, wait, seconds(p.o.Pool.IdleTimeout, 5*time.Minute))
	user := strconv.Itoa(poolerUser)
	owned := func(path, content string) file {
		return file{path: path, content: []byte(content), mode: 0o400, uid: poolerUser, gid: poolerUser}
	}
	return &service{
		name: poolerService, image: p.o.PoolerImage, env: map[string]string{},
		flags:   []string{"--entrypoint", "pgbouncer", "--user", user + ":" + user, "--no-healthcheck", "--ulimit", "nofile=8192:8192"},
		command: []string{"/etc/pgbouncer/pgbouncer.ini"},
		files: []file{
			owned("/etc/pgbouncer/pgbouncer.ini", ini),
			owned("/etc/pgbouncer/userlist.txt", pgQuote(to.User.Username())+" "+pgQuote(password)+"\n"),
		},
	}, nil
}

// pgQuote is a string of PgBouncer's user list.
func pgQuote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
