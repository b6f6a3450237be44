package fly

import "context"

// RenewNow renews the leases of the lock that is held, as happens every few seconds.
func (p *Platform) RenewNow(ctx context.Context) {
	p.mu.Lock()
	set := p.lock
	p.mu.Unlock()
	if set != nil {
		set.renewAll(ctx)
	}
}
