package fly

import (
	"sync"
	"time"
)

// A run, from WhoAmI or Lock to the release of the lock, asks for the same things
// several times: whether the app exists, which machines it has, which releases. What
// was just read is good for some seconds of it, until this process changes it; what
// never changes in the life of an app (where it is reached, whose it is) for longer.
const (
	freshFor = 3 * time.Second
	knownFor = 10 * time.Minute
)

// kind is what a cached answer is about; a write makes a kind stale.
type kind string

const (
	kindMachines kind = "machines"
	kindSecrets  kind = "secrets"
	kindAbout    kind = "about" // the app's address and organization
	kindLedger   kind = "ledger"
	kindAddOns   kind = "add-ons"
	kindImage    kind = "image"
)

// lifetime is how long an answer of a kind is good.
func (k kind) lifetime() time.Duration {
	if k == kindAbout {
		return knownFor
	}
	return freshFor
}

type cacheKey struct {
	kind kind
	of   string // app, organization or reference
}

type cacheEntry struct {
	value any
	until time.Time
}

// cache keeps answers of the API for a short while. It is safe for concurrent use.
type cache struct {
	now func() time.Time

	mu      sync.Mutex
	running bool // a run is going on
	entries map[cacheKey]cacheEntry
	writes  map[kind]int // how often each kind was made stale
}

func newCache(now func() time.Time) *cache {
	return &cache{now: now, entries: map[cacheKey]cacheEntry{}, writes: map[kind]int{}}
}

// run begins a run, or ends it: nothing that was read before is used after.
func (c *cache) run(on bool) {
	c.forget(kindMachines, kindSecrets, kindLedger, kindAddOns, kindImage)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = on
}

// goOn begins a run if there is none: what was read in one that goes on is good still.
func (c *cache) goOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = true
}

// forget makes kinds stale.
func (c *cache) forget(kinds ...kind) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range kinds {
		c.writes[k]++
		for key := range c.entries {
			if key.kind == k {
				delete(c.entries, key)
			}
		}
	}
}

// put keeps an answer, unless something was written since its request was begun.
func (c *cache) put(k kind, of string, value any, begun int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.writes[k] == begun && (c.running || k == kindAbout) {
		c.entries[cacheKey{k, of}] = cacheEntry{value, c.now().Add(k.lifetime())}
	}
}

// begin is to be called before a request whose answer is to be put.
func (c *cache) begin(k kind) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.writes[k]
}

// get is a kept answer that is still good.
func get[T any](c *cache, k kind, of string) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[cacheKey{k, of}]
	if !ok || c.now().After(e.until) {
		var none T
		return none, false
	}
	value, ok := e.value.(T)
	return value, ok
}

// kept is a kept answer, or else a new one, which is kept.
func kept[T any](c *cache, k kind, of string, read func() (T, error)) (T, error) {
	if value, ok := get[T](c, k, of); ok {
		return value, nil
	}
	begun := c.begin(k)
	value, err := read()
	if err == nil {
		c.put(k, of, value, begun)
	}
	return value, err
}
