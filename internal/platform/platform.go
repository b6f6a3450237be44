// Package platform is what opsctl knows of the places an app can run on: the
// words (app, instance, release, secret) and the small interfaces that an
// adapter implements. It knows no adapter.
package platform

import (
	"context"
	"io"
	"strings"
	"time"
)

// Platform is what every adapter can do. Names of apps are the platform's own.
// Every method may return an *errs.Error: Auth when the credentials are missing
// or refused, NotFound when the app does not exist, Conflict when somebody else
// holds or changed it, Timeout, or Failure with the platform's request id.
type Platform interface {
	// Name is the adapter's name in opsctl.yaml.
	Name() string

	// WhoAmI says whose credentials these are. It fails with Auth.
	WhoAmI(ctx context.Context) (Identity, error)

	// Observe returns the app as it stands; an error of code NotFound when there is none.
	Observe(ctx context.Context, app string) (*State, error)

	// CreateApp makes the app, or returns without error when it exists already
	// and is accessible. A name that belongs to somebody else is a Conflict.
	// Where the platform makes an app only together with its first release, it
	// makes what it can, and Observe, StageSecrets and the like work from then on
	// within this process.
	CreateApp(ctx context.Context, spec AppSpec) error

	// ResolveImage pins a reference to its digest; NotFound when the image is
	// not where the platform would look for it.
	ResolveImage(ctx context.Context, app, ref string) (Image, error)

	// StageSecrets sets (non-nil) and unsets (nil) secrets without restarting
	// anything: they take effect with the next RunTask or RollOut.
	StageSecrets(ctx context.Context, app string, changes map[string]*string) error

	// RollOut replaces what runs by want, as the strategy says, and returns when
	// every instance runs it and passes its checks. Where the platform runs the
	// release command itself (it does not implement Tasks) that is a part of it.
	// On error the app may be left mixed or set up for the new release: the caller
	// decides to call Restore. The result tells what is known, also with an error.
	// A roll-out of the same release that an earlier, killed run began is taken up,
	// not begun a second time.
	RollOut(ctx context.Context, app string, want Release, report Report) (RolledOut, error)

	// Restore puts an earlier release back: image, variables, settings and number
	// of instances. to is from Releases or State.Current; its Version decides, ""
	// is what ran before opsctl. What runs it still is not restarted. Secrets and
	// data stay as they are, unless the platform's own roll-back takes secrets
	// back too (Facts says so). to.Timeout is what each instance has to pass its
	// checks. It returns the release that runs now, which may have a new Version.
	Restore(ctx context.Context, app string, to Release, report Report) (Release, error)

	// Remove destroys the app's instances, not the app: what is left to do when
	// a first deploy fails and there is nothing to restore.
	Remove(ctx context.Context, app string, report Report) error

	// Lock keeps other deploys of this app away until the lease is released or
	// its holder has been silent for a while. A held lock is a Conflict that
	// names the holder, also while a deploy that is not opsctl's is under way.
	Lock(ctx context.Context, app, holder string) (Lease, error)

	// LockedBy tells who holds the lock; nil when nobody does.
	LockedBy(ctx context.Context, app string) (*LockInfo, error)

	// BreakLock takes the lock away from whoever holds it. No lock is no error.
	BreakLock(ctx context.Context, app string) error

	// Releases lists the app's releases, newest first, at most limit.
	Releases(ctx context.Context, app string, limit int) ([]Release, error)
}

// Lease is a held lock.
type Lease interface {
	// Release gives the lock back; safe to call twice.
	Release(ctx context.Context) error
}

// Report tells about the progress of a long call; never nil.
type Report func(format string, args ...any)

// Identity is whose credentials are in use.
type Identity struct {
	Account string // e-mail or name
	Token   string // kind of token, never its value: "personal", "deploy", "project"
	Scope   string // what it may do, for people; "" where the platform does not say
}

// AppSpec describes an app to create.
type AppSpec struct {
	Name   string
	Org    string // organization or workspace; "" for the only one
	Region string
}

// LockInfo tells who holds an app's lock.
type LockInfo struct {
	Holder  string    `json:"holder"`           // who, where, why
	Since   time.Time `json:"since,omitzero"`   // zero where the platform does not say
	Expires time.Time `json:"expires,omitzero"` // unless renewed
}

// State is an app as the platform reports it.
type State struct {
	App       string
	URL       string     // where it is reached
	Instances []Instance // those of the app itself, without one-off tasks
	Current   *Release   // as configured on the instances; nil before the first deploy
	Mixed     bool       // the instances do not all run the same release
	Secrets   []Secret   // names and digests, sorted by name
}

// Instance is one running copy of the app.
type Instance struct {
	ID      string   `json:"id"`
	Region  string   `json:"region"`
	State   string   `json:"state"` // the platform's word; Started when it runs
	Release string   `json:"release"`
	Image   string   `json:"image"`
	Health  Health   `json:"health"`
	Failing []string `json:"failing,omitempty"` // output of the checks that fail
	// Idle: stopped by the platform while nobody asks, and started when somebody does.
	Idle bool `json:"idle,omitempty"`
	// Began is when it last got its release and its secrets; zero where the platform does not say.
	Began time.Time `json:"-"`
}

// Started is the state of an instance that runs.
const Started = "started"

// Health is the platform's own verdict on an instance.
type Health string

// The verdicts. Unknown means that the platform has no check or has not run it yet.
const (
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
	Unknown   Health = "unknown"
)

// Secret is how a secret stands on the platform, without its value.
type Secret struct {
	Name string
	// Digest is opaque, and another one when the value is. "" where the platform has
	// none: then ReadVariables gives the value, or says why not.
	Digest string
	// Pending: it was set after an instance that there is had begun, or there is no
	// instance. So a roll-out is due, whoever set it. False also where the platform
	// does not say when it was set.
	Pending bool
}

// VariableSet is what was read of an app's variables.
type VariableSet struct {
	Source string // where, for people: "machine 148e456b"
	Values []Variable
	Unread []Unread // secrets without a value
}

// Variable is a variable with its value.
type Variable struct {
	Name  string
	Value string
	Plain bool // of the release, no secret
}

// Unread is a secret whose value could not be read.
type Unread struct {
	Name   string
	Reason string
}

// Image is a container image pinned to its content.
type Image struct {
	Ref    string // as asked for
	Digest string // sha256:...
	Size   int64  // compressed bytes; 0 when not known
}

// Pinned is the reference that names exactly this content. A tag stays in it,
// for people; the digest decides.
func (i Image) Pinned() string {
	if i.Digest == "" {
		return i.Ref
	}
	ref, _, _ := strings.Cut(i.Ref, "@")
	return ref + "@" + i.Digest
}

// Release is one version of the app: what runs, and how.
type Release struct {
	ID string `json:"id,omitempty"` // of the ledger's entry, where it has one beside Version
	// Version is the platform's name of it: "12" on Fly.io, "dep-…" on Render. "" is
	// what ran before opsctl, or a release that is not begun.
	Version   string            `json:"version"`
	Label     string            `json:"label,omitempty"`    // what the app itself reports as its release
	Image     string            `json:"image"`              // pinned where possible; of a build from source Source.Identity
	Source    *Source           `json:"-"`                  // to build from; nil for an image
	Port      int               `json:"port"`               // the app listens here
	Health    string            `json:"health"`             // path of the health check
	Command   []string          `json:"command,omitempty"`  // release command, where the platform runs it; nil elsewhere
	Env       map[string]string `json:"env,omitempty"`      // plain variables
	Instances int               `json:"instances"`          // how many
	Size      string            `json:"size,omitempty"`     // the platform's word; "" leaves it
	Region    string            `json:"region,omitempty"`   // where
	Strategy  string            `json:"strategy"`           // one of Facts.Strategies
	Timeout   time.Duration     `json:"-"`                  // for each instance to pass its checks
	Status    ReleaseStatus     `json:"status"`             // from the ledger
	Created   time.Time         `json:"created,omitzero"`   // from the ledger
	Author    string            `json:"author,omitempty"`   // from the ledger
	Message   string            `json:"message,omitempty"`  // why it ended so
	Restored  bool              `json:"restored,omitempty"` // it put an earlier one back: the one before it in the ledger was left for that
}

// RolledOut is what a roll-out came to.
type RolledOut struct {
	Release Release     // with the Version it got
	Task    *TaskResult // of the release command, when the platform has run it; nil when it has not, or there is none
}

// What a platform builds from.
const (
	SourceUpload = "upload" // the build context, as a tar.gz
	SourceGit    = "git"    // a commit that the platform can fetch
)

// Source is what to build.
type Source struct {
	Identity string // "upload:sha256:…" or "git:COMMIT": the same means the same content
	Commit   string // full, of SourceGit
	Remote   string // URL of the repository, of SourceGit
	Branch   string // of SourceGit
	// Dockerfile and Context are relative to the repository's root (SourceGit) or to the
	// archive's (SourceUpload); "" is the platform's own choice.
	Dockerfile, Context string
	// Open gives the gzipped tar of SourceUpload, anew at each call.
	Open func() (io.ReadCloser, error)
}

// ReleaseStatus is how far a release came.
type ReleaseStatus string

// The statuses.
const (
	Running     ReleaseStatus = "running"
	Complete    ReleaseStatus = "complete"
	Failed      ReleaseStatus = "failed"
	Interrupted ReleaseStatus = "interrupted"
)

// Task is a command to run once.
type Task struct {
	Image   string
	Command []string
	Env     map[string]string
	Region  string
	Timeout time.Duration
	Release Release // which release it prepares
}

// TaskResult is how a task ended.
type TaskResult struct {
	ID       string
	Started  bool // it ran, so what it changes may be changed
	ExitCode int  // ExitUnknown where the platform does not tell more than that it failed
	OOM      bool
	Log      []string // the last lines it printed
}

// ExitUnknown is the exit code of a command that failed on a platform that does not tell it.
const ExitUnknown = -1

// LogQuery selects log lines.
type LogQuery struct {
	Instance string // "" for all
	Follow   bool
	Limit    int // the newest so many of the past; 0 means all that the platform keeps
}

// LogLine is one line of an app's output.
type LogLine struct {
	Time     time.Time `json:"time"`
	Instance string    `json:"instance"`
	Region   string    `json:"region,omitempty"`
	Level    string    `json:"level,omitempty"`
	Message  string    `json:"message"`
}

// DatabaseSpec describes a managed PostgreSQL to create.
type DatabaseSpec struct {
	App      string // the app it is for
	Org      string
	Name     string
	Version  int // major
	Region   string
	Plan     string
	PoolMode string // transaction or session
}

// Database is a managed PostgreSQL. The URLs hold its password.
type Database struct {
	ID     string
	Name   string
	Status string
	Region string
	Direct string // for migrations and backups
	Pooled string // for the app
}

// PushTarget is a registry to push to.
type PushTarget struct {
	Ref                string // where to, such as registry.example/app:tag
	Username, Password string
	Insecure           bool   // plain HTTP (the emulator)
	Architecture       string // what the platform's machines are, such as linux/amd64
}
