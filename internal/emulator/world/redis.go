package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// expireEvery is how often keys whose time is over are removed.
const expireEvery = 100 * time.Millisecond

// Redis is one server of the world that speaks the Redis protocol (RESP) on the
// loopback interface. It is in memory, without TLS, and needs its password
// (user "default").
type Redis struct {
	ID       string
	Name     string // for messages
	Password string
	Host     string
	Port     int

	w    *World
	srv  *miniredis.Miniredis
	once sync.Once
	end  chan struct{}
}

// NewRedis starts an empty server with a random password; Close or Stop ends it.
func (w *World) NewRedis(ctx context.Context, name string) (*Redis, error) {
	return w.startRedis(ctx, &Redis{ID: w.Hex(12), Name: name, Password: w.Hex(32)}, nil)
}

// startRedis starts r on its port, or on a free one when that is 0 or taken.
func (w *World) startRedis(ctx context.Context, r *Redis, data *redisData) (*Redis, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r.w, r.srv, r.end = w, miniredis.NewMiniRedis(), make(chan struct{})
	r.srv.RequireAuth(r.Password)
	if err := data.load(r.srv); err != nil {
		return nil, fmt.Errorf("fill the Redis server %s: %w", r.Name, err)
	}
	err := r.srv.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)))
	if err != nil && r.Port != 0 {
		err = r.srv.StartAddr("127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("start the Redis server %s: %w", r.Name, err)
	}
	r.Host = r.srv.Host()
	if r.Port, err = strconv.Atoi(r.srv.Port()); err != nil {
		r.srv.Close()
		return nil, err
	}
	w.mu.Lock()
	closed := w.closed
	if !closed {
		w.redis = append(w.redis, r)
	}
	w.mu.Unlock()
	if closed {
		r.srv.Close()
		return nil, errors.New("the emulator is shutting down")
	}
	go r.age()
	w.Logf("redis %s: ready at %s:%d", r.Name, r.Host, r.Port)
	return r, nil
}

// age lets time pass: the server has no clock of its own.
func (r *Redis) age() {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case now := <-tick.C:
			r.srv.FastForward(now.Sub(last))
			last = now
		case <-r.end:
			return
		}
	}
}

// Redis returns the server with that id, or nil.
func (w *World) Redis(id string) *Redis {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.redis {
		if r.ID == id {
			return r
		}
	}
	return nil
}

// Redises returns all running Redis servers, oldest first.
func (w *World) Redises() []*Redis {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.redis)
}

// Addr is where the server listens.
func (r *Redis) Addr() (host string, port int) { return r.Host, r.Port }

// URL is the connection URL, with the password: redis://default:PASSWORD@HOST:PORT.
func (r *Redis) URL() string {
	u := url.URL{Scheme: "redis", User: url.UserPassword("default", r.Password), Host: net.JoinHostPort(r.Host, strconv.Itoa(r.Port))}
	return u.String()
}

// Stop ends the server for good; its data is gone.
func (r *Redis) Stop() {
	r.once.Do(func() {
		close(r.end)
		r.srv.Close()
	})
	r.w.mu.Lock()
	defer r.w.mu.Unlock()
	for i, other := range r.w.redis {
		if other == r {
			r.w.redis = append(r.w.redis[:i:i], r.w.redis[i+1:]...)
			return
		}
	}
}
