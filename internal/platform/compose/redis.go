package compose

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"strconv"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The user of the official image, as which it runs when it is not told otherwise.
const (
	redisUser  = 999
	redisGroup = 1000
)

// FindRedis finds the app's Redis; one that is not ready has no address yet.
func (p *Platform) FindRedis(ctx context.Context, app, name string) (*platform.Cache, error) {
	now, err := p.look(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	m, err := parseManaged(now.dump.Files[servicesFile])
	if err != nil || m.Redis == nil || m.Redis.Name != name {
		return nil, err
	}
	for _, c := range now.containers {
		if c.service() == m.Redis.Service && c.role() != roleApp && c.role() != roleTask {
			cache := &platform.Cache{ID: c.name(), Name: name, Status: status(c)}
			if ready(c) {
				cache.URL = m.Redis.Direct
			}
			return cache, nil
		}
	}
	return &platform.Cache{Name: name, ID: serviceName(app, m.Redis.Service), Status: "missing"}, nil
}

// CreateRedis makes the server, or finds and starts it, and waits until it is ready.
// It is the compose file's where that has one.
func (p *Platform) CreateRedis(ctx context.Context, spec platform.CacheSpec, report platform.Report) (*platform.Cache, error) {
	app := spec.App
	if err := p.exists(ctx, app); err != nil {
		return nil, err
	}
	f, err := p.composeFile(app)
	if err != nil {
		return nil, err
	}
	m, err := p.manage(ctx, app, func(m *managed) error {
		if err := otherName(m.Redis, spec.Name); err != nil {
			return err
		}
		if m.Redis == nil {
			password := randomHex(24)
			m.Redis = &managedService{Name: spec.Name, Service: "redis", Password: password, Direct: redisURL("redis", password)}
			if f != nil && f.redis != nil {
				m.Redis = &managedService{Name: spec.Name, Service: f.redis.name, Direct: f.redisURL()}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	server := ownRedis(app, spec.Version, m.Redis.Password)
	if f != nil && f.redis != nil && m.Redis.Password == "" {
		server = f.redis
	}
	c, err := p.ensureService(ctx, app, server, report)
	if err != nil {
		return nil, err
	}
	if err := p.awaitService(ctx, c.name(), c.name(), "redis-cli", "ping"); err != nil {
		return nil, err
	}
	return &platform.Cache{ID: c.name(), Name: spec.Name, Status: "ready", URL: m.Redis.Direct}, nil
}

func redisURL(host, password string) string {
	u := url.URL{Scheme: "redis", Host: net.JoinHostPort(host, strconv.Itoa(6379))}
	if password != "" {
		u.User = url.UserPassword("default", password)
	}
	return u.String()
}

// redisURL is how the compose file's app reaches its Redis: as it says itself, or by
// the service's name.
func (f *composeFile) redisURL() string {
	if f.app != nil {
		if u, err := url.Parse(f.app.env["REDIS_URL"]); err == nil && u.Hostname() == f.redis.name {
			return f.app.env["REDIS_URL"]
		}
	}
	return redisURL(f.redis.name, f.redis.env["REDIS_PASSWORD"])
}

// ownRedis is the server when no compose file has one. Its password is in a file for
// its user alone: arguments are for everybody to see.
func ownRedis(app string, version int, password string) *service {
	data := readVolumeName(app, "redis-data")
	user := fmt.Sprintf("%d:%d", redisUser, redisGroup)
	return &service{
		name: "redis", image: fmt.Sprintf("redis:%d-alpine", cmp.Or(version, 7)), checked: true,
		env:     map[string]string{"REDISCLI_AUTH": password}, // for the check
		command: []string{"redis-server", "/etc/redis-opsctl.conf"},
		flags: []string{
			"--user", user, "--mount", "type=volume,target=/data,source=" + data.name, "--stop-timeout", "30",
			"--health-cmd", "redis-cli ping | grep -q PONG", "--health-interval", "2s", "--health-timeout", "5s", "--health-start-period", "3s", "--health-retries", "10",
		},
		files: []file{{
			path: "/etc/redis-opsctl.conf", mode: 0o400, uid: redisUser, gid: redisGroup,
			content: []byte("dir /data\nappendonly yes\nrequirepass " + password + "\n"),
		}},
		volumes: []volume{data},
	}
}
