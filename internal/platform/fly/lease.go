package fly

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// leaseTTL is how long a machine stays locked after its holder died; leases
// are renewed three times as often.
const leaseTTL = 20 * time.Second

// leaseSet is a lease on every machine of an app.
type leaseSet struct {
	p      *Platform
	app    string
	holder string
	stop   context.CancelFunc
	done   chan struct{}
	once   sync.Once
}

// leaseAnswer is the envelope of the lease endpoint; the published schema shows
// the inner object alone, so both are read.
type leaseAnswer struct {
	Data struct {
		Nonce       string `json:"nonce"`
		Owner       string `json:"owner"`
		Description string `json:"description"`
		ExpiresAt   int64  `json:"expires_at"`
	} `json:"data"`
	Nonce string `json:"nonce"`
}

// Lock takes a lease on each machine. An app without machines has nothing to lock.
func (p *Platform) Lock(ctx context.Context, app, holder string) (platform.Lease, error) {
	machines, err := p.appMachines(ctx, app)
	if errs.CodeOf(err) == errs.NotFound {
		err = nil // a first deploy: the app is still to be made
	}
	if err != nil {
		return nil, err
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	set := &leaseSet{p: p, app: app, holder: holder, stop: stop, done: make(chan struct{})}
	for _, m := range machines {
		if err := p.acquire(ctx, app, m.ID, holder); err != nil {
			close(set.done)
			return nil, errors.Join(err, set.Release(context.WithoutCancel(ctx)))
		}
	}
	go set.renew(background)
	return set, nil
}

func (p *Platform) acquire(ctx context.Context, app, id, holder string) error {
	in := map[string]any{"ttl": int(leaseTTL.Seconds()), "description": holder}
	path := fmt.Sprintf("%s/lease?ttl=%d", machinePath(app, id), int(leaseTTL.Seconds()))
	var got leaseAnswer
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, path, in, &got, p.nonce(id))
	if status(err) == http.StatusConflict {
		return p.heldBy(ctx, app, id)
	}
	if err != nil {
		return explain(err, "lock machine %s", id)
	}
	nonce := got.Data.Nonce
	if nonce == "" {
		nonce = got.Nonce
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nonces[id] = nonce
	return nil
}

// heldBy says who holds the lease on a machine, as far as the API tells.
func (p *Platform) heldBy(ctx context.Context, app, id string) error {
	var got leaseAnswer
	by := "somebody else"
	if err := p.machinesCall(ctx, http.MethodGet, machinePath(app, id)+"/lease", nil, &got, nil); err == nil {
		if d := got.Data; d.Description != "" {
			by = d.Description
		} else if d.Owner != "" {
			by = d.Owner
		}
		if got.Data.ExpiresAt > 0 {
			by += ", until " + time.Unix(got.Data.ExpiresAt, 0).UTC().Format(time.RFC3339) + " unless renewed"
		}
	}
	return errs.New(errs.Conflict, "%q is locked by %s", app, by).
		WithHint("wait for that run to end; a dead one's lock ends by itself within %s", leaseTTL)
}

// renew keeps the leases until the set is released.
func (s *leaseSet) renew(ctx context.Context) {
	defer close(s.done)
	tick := time.NewTicker(leaseTTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			for id := range s.p.held() {
				// A lease that cannot be renewed shows at the next change of the machine, as a conflict.
				one, cancel := context.WithTimeout(ctx, leaseTTL/4)
				_ = s.p.acquire(one, s.app, id, s.holder)
				cancel()
			}
		}
	}
}

// held copies the map of nonces.
func (p *Platform) held() map[string]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make(map[string]string, len(p.nonces))
	maps.Copy(out, p.nonces)
	return out
}

// Release gives the leases back. Machines that are gone need nothing.
func (s *leaseSet) Release(ctx context.Context) error {
	var failed error
	s.once.Do(func() {
		s.stop()
		<-s.done
		for id := range s.p.held() {
			err := s.p.machinesCall(ctx, http.MethodDelete, machinePath(s.app, id)+"/lease", nil, new(json.RawMessage), s.p.nonce(id))
			if st := status(err); err != nil && st != http.StatusNotFound {
				failed = errors.Join(failed, explain(err, "unlock machine %s", id))
			}
			s.p.mu.Lock()
			delete(s.p.nonces, id)
			s.p.mu.Unlock()
		}
	})
	return failed
}
