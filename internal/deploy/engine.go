package deploy

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"github.com/opsctl/opsctl/internal/health"
	"github.com/opsctl/opsctl/internal/platform"
)

// DirectURL is the variable for the database's direct URL, which migrations and
// backups use; DATABASE_URL holds the pooled one.
const (
	PooledURL = "DATABASE_URL"
	DirectURL = "DIRECT_DATABASE_URL"
)

// Engine deploys to one platform.
type Engine struct {
	Platform    platform.Platform
	StateDir    string // local state of the app: journal, lock, fingerprints
	Holder      string // who deploys, for locks and the journal
	Environment string // of opsctl.yaml, for hooks
	Hooks       Hooks  // may be nil
	Prober      *health.Prober
	Event       func(Event) // may be nil

	Now   func() time.Time                                 // nil: time.Now
	NewID func() string                                    // id of a run; nil: time and random
	Sleep func(ctx context.Context, d time.Duration) error // nil: real
}

// Request is a deploy to make.
type Request struct {
	App     platform.AppSpec
	Release platform.Release // what should run; the image and the numbers are filled in
	Image   string           // reference to deploy; "" calls Source or Build
	// Source describes what a platform.Builder is to build. Nil when --image is required.
	Source func(ctx context.Context, kind string) (*platform.Source, error)
	// Build makes an image and pushes it to the target. Nil when --image is required.
	Build          func(ctx context.Context, target platform.PushTarget, report platform.Report) error
	Command        []string // release command; empty for none
	CommandTimeout time.Duration
	Postgres       *platform.DatabaseSpec // nil for none
	Redis          *platform.CacheSpec    // nil for none
	Secrets        map[string]string
	// Preflight checks what only the caller can, given the names of all
	// variables that the app would see. May be nil.
	Preflight func(ctx context.Context, names []string) error
	// ImageGuard refuses an image that is not what runs now, such as one of another
	// architecture. May be nil.
	ImageGuard func(ctx context.Context, image platform.Image) error
	// BackupGate refuses to go on to the release command without a backup. Called
	// before anything is changed, and only when something is to be changed. May be nil.
	// url is that of the app's database, "" when it is not known yet.
	BackupGate func(ctx context.Context, url string) (detail string, err error)
	// Public tells whether a variable is put into what browsers load when the image is
	// built. May be nil.
	Public func(name string) bool
	// Fixed refuses to make the plan again under the lock: it is carried out as it is, or not.
	Fixed   bool
	Account string // whose credentials they have to be; "" for those of the last time
	Gate    Gate
}

// Gate is what decides whether a deploy stays.
type Gate struct {
	Timeout     time.Duration
	Interval    time.Duration
	Consecutive int
}

// Prepared is a request with what was found and what would be done.
type Prepared struct {
	Request  Request
	Identity platform.Identity
	Observed Observed
	Image    platform.Image // resolved; only the reference when the app does not exist yet or the image is to be built
	Changes  []Change
	Notes    []string // what of the request is not done, and why
	CutOff   *Run     // an earlier run on this machine that was killed
	Running  *Run     // a run on this machine that is going on: Apply will refuse

	restorable bool             // instances ran, so there is something to put back
	previous   platform.Release // to put back on failure; of Version "" what ran before opsctl
	desired    Desired
	secrets    map[string]string // with the managed database's URLs
	prints     *Fingerprints
}

// Result is how a deploy or rollback ended.
type Result struct {
	Run      string   `json:"run"`
	Command  string   `json:"command"` // deploy or rollback
	Outcome  Outcome  `json:"outcome"`
	App      string   `json:"app"`
	URL      string   `json:"url,omitempty"`
	Image    string   `json:"image,omitempty"`
	Release  string   `json:"release,omitempty"`
	Previous string   `json:"previous,omitempty"`
	Changes  []Change `json:"changes"`
	Kept     []string `json:"kept,omitempty"` // what a failed deploy could not undo
	Took     string   `json:"took"`
}

func (e *Engine) emit(step string, s Status, detail string, took time.Duration) {
	if e.Event != nil {
		e.Event(Event{Step: step, Status: s, Detail: detail, Took: took})
	}
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

func (e *Engine) newID() string {
	if e.NewID != nil {
		return e.NewID()
	}
	b := make([]byte, 3)
	_, _ = rand.Read(b) // never fails
	return e.now().UTC().Format("20060102-150405-") + hex.EncodeToString(b)
}

func (e *Engine) sleep(ctx context.Context, d time.Duration) error {
	if e.Sleep != nil {
		return e.Sleep(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
