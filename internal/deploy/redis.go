package deploy

import (
	"context"
	"fmt"
	"slices"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// RedisURL is the variable for the URL of the app's Redis.
const RedisURL = "REDIS_URL"

func (e *Engine) caches() (platform.Caches, error) {
	c, ok := e.Platform.(platform.Caches)
	if !ok {
		return nil, errs.New(errs.Usage, "%s has no managed Redis that opsctl can make", e.Platform.Name()).
			WithHint("take `redis` out of opsctl.yaml and set %s in the environment's env file", RedisURL)
	}
	return c, nil
}

// observeRedis finds the app's managed Redis, if it is to have one.
func (e *Engine) observeRedis(ctx context.Context, p *Prepared) error {
	spec := p.Request.Redis
	if spec == nil {
		return nil
	}
	caches, err := e.caches()
	if err != nil {
		return err
	}
	redis, err := caches.FindRedis(ctx, p.Request.App.Name, spec.Name)
	if err != nil {
		return err
	}
	if redis == nil && slices.ContainsFunc(p.platformSecrets(), func(s platform.Secret) bool { return s.Name == RedisURL }) {
		p.Request.Redis = nil // somebody has set another one
		return nil
	}
	p.Observed.HasRedis = redis != nil && redis.URL != ""
	p.secrets[RedisURL] = ""
	if redis != nil {
		p.secrets[RedisURL] = redis.URL
	}
	return nil
}

func (r *run) createRedis(ctx context.Context) (string, error) {
	caches, err := r.caches()
	if err != nil {
		return "", err
	}
	redis, err := caches.CreateRedis(ctx, *r.p.Request.Redis, r.report("redis"))
	if err != nil {
		return "", err
	}
	r.p.secrets[RedisURL] = redis.URL
	r.learn()
	return fmt.Sprintf("%s (%s)", redis.Name, redis.ID), nil
}

func (r *run) whyNoRedis() string {
	if r.p.Request.Redis == nil {
		return "none asked for"
	}
	return "exists"
}
