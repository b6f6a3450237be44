package envcheck

import (
	"net"
	"net/url"
	"slices"
	"strings"
)

// urlRules checks what a URL points at.
func (c *checker) urlRules(it *Item, v *value) {
	if !strings.Contains(v.text, "://") {
		return
	}
	u, err := url.Parse(strings.TrimPrefix(v.text, "jdbc:"))
	if err != nil || u.Host == "" || u.Scheme == "file" {
		return
	}
	u.Scheme, _, _ = strings.Cut(u.Scheme, "+") // postgresql+asyncpg, as SQLAlchemy writes it
	if c.prod {
		c.reachable(it, v, u)
	}
	if u.Scheme == "postgres" || u.Scheme == "postgresql" {
		c.pooling(it, v, u)
	}
}

// reachable checks that a production URL leaves the developer's machine, and is encrypted where the network is public.
func (c *checker) reachable(it *Item, v *value, u *url.URL) {
	host := strings.ToLower(u.Hostname())
	_, allowed := it.Rule("allow-local")
	test := testedKey(it.Key) != ""
	switch {
	case test || allowed:
	case isLoopback(host) || strings.HasSuffix(host, ".local"):
		c.at(v, "local-host", Error, "points at this machine in "+c.opts.Env, "put in the address that the platform gives")
	case !strings.ContainsAny(host, ".:") && isNetworkScheme(u.Scheme) && !isRenderHost(host):
		c.at(v, "local-host", Error, "points at a host without a domain in "+c.opts.Env+", such as a compose service", "put in the address that the platform gives, or say # opsctl: allow-local")
	case u.Scheme == "http" && (IsPublicName(it.Key) || isAppURL(it.Key) && !isPrivate(host)):
		c.at(v, "insecure-url", Error, "is http:// in "+c.opts.Env, "use https://")
	case isPrivate(host):
	case u.Scheme == "redis":
		c.at(v, "tls", Warning, "sends Redis traffic over a public network without TLS", "use rediss://")
	case u.Scheme == "postgres" || u.Scheme == "postgresql":
		if !encrypted(u.Query()) {
			c.at(v, "tls", Warning, "may connect to PostgreSQL over a public network without TLS", "add ?sslmode=require, or verify-full with the server's certificate")
		}
	}
}

// isNetworkScheme reports a scheme whose host is a name to look up. That of s3://bucket,
// myapp://callback or docker://image is none, and has no dot for good reason.
func isNetworkScheme(scheme string) bool {
	return slices.Contains([]string{
		"http", "https", "ws", "wss", "postgres", "postgresql", "mysql", "mariadb", "sqlserver", "mssql", "mongodb", "redis", "rediss", "valkey", "valkeys",
		"amqp", "amqps", "nats", "kafka", "mqtt", "mqtts", "memcached", "clickhouse", "elasticsearch", "smtp", "smtps", "ldap", "ldaps",
		"ftp", "ftps", "sftp", "ssh", "grpc", "grpcs", "tcp", "tls", "udp",
	}, strings.ToLower(scheme))
}

// isAppURL reports the usual names for the address at which users reach the app.
func isAppURL(key string) bool {
	return slices.Contains([]string{"APP_URL", "SITE_URL", "BASE_URL", "PUBLIC_URL", "NEXTAUTH_URL", "AUTH_URL", "BETTER_AUTH_URL", "ORIGIN"}, key)
}

// encrypted reports whether a PostgreSQL URL insists on TLS, in libpq's spelling or in
// that of node-postgres and asyncpg (ssl=true, ssl=require).
func encrypted(q url.Values) bool {
	for _, mode := range []string{q.Get("sslmode"), q.Get("ssl")} {
		if slices.Contains([]string{"require", "verify-ca", "verify-full", "no-verify", "true", "1"}, mode) {
			return true
		}
	}
	return false
}

// isRenderHost reports whether a host is one of Render's private names, which have no domain.
func isRenderHost(host string) bool {
	for _, p := range []string{"dpg-", "red-", "srv-"} {
		if strings.HasPrefix(host, p) {
			return true
		}
	}
	return false
}

// isPrivate reports whether a host is on a platform's private network.
func isPrivate(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsPrivate() || ip.IsLoopback()
	}
	return !strings.Contains(host, ".") || isLoopback(host) || strings.HasSuffix(host, ".internal") ||
		strings.HasSuffix(host, ".flycast") || strings.HasSuffix(host, ".local")
}

// isPooled reports whether a PostgreSQL URL goes through a transaction pooler.
func isPooled(u *url.URL) bool {
	host := u.Hostname()
	return u.Port() == "6543" || strings.Contains(host, "-pooler.") || strings.Contains(host, ".pooler.") && !isSessionPooler(u) ||
		u.Query().Get("pgbouncer") == "true"
}

// isSessionPooler reports Supabase's pooler on PostgreSQL's own port, where a client
// keeps its connection: migrations may go there.
func isSessionPooler(u *url.URL) bool {
	return strings.Contains(u.Hostname(), ".pooler.supabase.") && (u.Port() == "" || u.Port() == "5432")
}

// isDirectName reports the usual names of the URL that goes around the pooler.
func isDirectName(key string) bool {
	for _, word := range []string{"DIRECT_", "_DIRECT", "MIGRATION", "MIGRATE", "UNPOOLED", "NON_POOLING"} {
		if strings.Contains(key, word) {
			return true
		}
	}
	return false
}

// pooling checks that migrations go to the database itself and the app to the pooler where the schema says so.
func (c *checker) pooling(it *Item, v *value, u *url.URL) {
	pooled := isPooled(u)
	_, wantPooled := it.Rule("pooled")
	_, wantDirect := it.Rule("direct")
	direct := wantDirect || it.HasTag("migrations") || isDirectName(it.Key)
	switch {
	case direct && pooled:
		c.at(v, "pooling", Error, "is for migrations but goes through a pooler", "use the direct URL (Supabase: port 5432; Neon: the host without -pooler)")
	case wantPooled && !pooled && c.prod:
		c.at(v, "pooling", Warning, "is meant to go through a pooler but does not look like it", "use the pooled URL (Supabase: port 6543; Neon: the host with -pooler)")
	case pooled && u.Query().Get("pgbouncer") != "true" && c.usesPrisma():
		c.at(v, "pooling", Warning, "goes through a pooler, and Prisma needs to know", `add ?pgbouncer=true, else "prepared statement already exists"`)
	case !pooled && isSessionPooler(u) && !direct:
		c.at(v, "pooling", Info, "uses Supabase's pooler in session mode (port 5432)", "use port 6543 for many short connections")
	}
}

// usesPrisma looks for Prisma in the project.
func (c *checker) usesPrisma() bool {
	if c.prisma == nil {
		_, err := c.opts.ReadFile(join(c.opts.Dir, "prisma/schema.prisma"))
		found := err == nil
		if pkg, err := c.opts.ReadFile(join(c.opts.Dir, "package.json")); err == nil && !found {
			found = strings.Contains(string(pkg), `"@prisma/client"`)
		}
		c.prisma = &found
	}
	return *c.prisma
}

// urlPassword reports a password that is not percent-encoded: programs then
// disagree about where the host begins.
func (c *checker) urlPassword(v *value) {
	off, char := badURLPassword(v.text)
	if off < 0 {
		return
	}
	at := *v
	if i := strings.Index(v.raw, v.text); i >= 0 && !strings.Contains(v.text, "\n") {
		at.pos.Col += length32(v.raw[:i]) + length32(v.text[:off])
	}
	c.at(&at, "url-password", Error, "has a "+char+" in its user name or password that is not percent-encoded", "write "+percent[char]+" for "+char)
}

// length32 is the length in characters.
func length32(s string) int { return len([]rune(s)) }

var percent = map[string]string{"@": "%40", "/": "%2F", "?": "%3F", "#": "%23", "%": "%25"}

// badURLPassword finds a character in a URL's user name or password that has
// to be percent-encoded; -1 when all is well.
func badURLPassword(v string) (int, string) {
	scheme, rest, ok := strings.Cut(v, "://")
	if !ok || strings.ContainsAny(scheme, " \t\n\"'") || scheme == "" {
		return -1, ""
	}
	start := len(scheme) + 3
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	at := strings.LastIndexByte(rest, '@')
	web := scheme == "http" || scheme == "https"
	if at > end { // an @ after the host's end: either in the path or in a broken password
		_, port, colon := strings.Cut(rest[:end], ":")
		if colon && (!web || strings.Trim(port, "0123456789") != "") && !strings.Contains(rest[:end], "@") {
			return start + end, rest[end : end+1]
		}
		at = strings.LastIndexByte(rest[:end], '@')
	}
	if at < 0 {
		return -1, ""
	}
	if i := strings.IndexByte(rest[:at], '@'); i >= 0 {
		return start + i, "@"
	}
	for i := 0; i < at; i++ {
		if rest[i] == '%' && (i+2 >= at || !isHex(rest[i+1]) || !isHex(rest[i+2])) {
			return start + i, "%"
		}
	}
	return -1, ""
}

func isHex(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
