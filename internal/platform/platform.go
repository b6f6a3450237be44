// Package platform is what opsctl knows of the places an app can run on: the
// words (app, instance, release, secret) and the small interfaces that an
// adapter implements. It knows no adapter.
package platform

import (
	"context"
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
	CreateApp(ctx context.Context, spec AppSpec) error

	// ResolveImage pins a reference to its digest; NotFound when the image is
	// not where the platform would look for it.
	ResolveImage(ctx context.Context, app, ref string) (Image, error)

	// StageSecrets sets (non-nil) and unsets (nil) secrets without restarting
	// anything: they take effect with the next RunTask or RollOut.
	StageSecrets(ctx context.Context, app string, changes map[string]*string) error

	// RunTask runs a command once in the image, with the app's secrets, and
	// waits for its end. A command that ends with a status other than 0 is no
	// error here: the result says so.
	RunTask(ctx context.Context, app string, task Task) (TaskResult, error)

	// RollOut replaces what runs by want, instance by instance as the strategy
	// says, and returns when every instance runs it and passes its checks. On
	// error the app may be left mixed: the caller decides to call Restore.
	RollOut(ctx context.Context, app string, want Release, report Report) error

	// Restore puts an earlier release back: image, variables and number of
	// instances; version 0 is what ran before opsctl. Secrets and data stay as
	// they are. timeout is what each instance has to pass its checks.
	Restore(ctx context.Context, app string, version int, timeout time.Duration, report Report) error

	// Remove destroys the app's instances, not the app: what is left to do when
	// a first deploy fails and there is nothing to restore.
	Remove(ctx context.Context, app string, report Report) error

	// Lock keeps other deploys of this app away until the lease is released or
	// its holder has been silent for a while. A held lock is a Conflict.
	Lock(ctx context.Context, app, holder string) (Lease, error)

	// BeginRelease opens an entry in the platform's release ledger and numbers it.
	BeginRelease(ctx context.Context, app string, r Release) (Release, error)

	// EndRelease closes the entry with its outcome.
	EndRelease(ctx context.Context, app string, r Release, status ReleaseStatus) error

	// Releases lists the app's releases, newest first, at most limit.
	Releases(ctx context.Context, app string, limit int) ([]Release, error)
}

// Logs is implemented by platforms whose application logs can be read.
type Logs interface {
	// Logs calls line for each line, oldest first, from the recent past on.
	// With follow it goes on until ctx ends, reconnecting without losing or
	// doubling a line.
	Logs(ctx context.Context, app string, q LogQuery, line func(LogLine) error) error
}

// Databases is implemented by platforms with a managed PostgreSQL.
type Databases interface {
	// FindPostgres returns the database by name; nil without error when there is none.
	FindPostgres(ctx context.Context, app, name string) (*Database, error)
	// CreatePostgres makes it and waits until it is ready.
	CreatePostgres(ctx context.Context, spec DatabaseSpec, report Report) (*Database, error)
}

// Registry is implemented by platforms that take images pushed by the user.
type Registry interface {
	// PushTarget is where an image of the app is pushed to, and with which credentials.
	PushTarget(ctx context.Context, app, tag string) (PushTarget, error)
}

// Variables is implemented by platforms from which the values of an app's
// variables can be read. It is the only way to a value. A platform whose secrets
// have no digests has to have it, and to give the values of an app that does not run.
type Variables interface {
	// ReadVariables returns the values that the app's next instance would see,
	// byte for byte: of its secrets, and of the plain variables of its release,
	// sorted by name; none that the platform or the image adds. A secret whose
	// value cannot be had, or is not the one that was set last, is in Unread with
	// the reason. An app that does not exist is NotFound; one of which nothing
	// can be read at the moment, such as one that does not run, a Failure.
	ReadVariables(ctx context.Context, app string) (*VariableSet, error)
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
	Token   string // kind of token, never its value: "personal", "deploy", "macaroon"
}

// AppSpec describes an app to create.
type AppSpec struct {
	Name string
	Org  string
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
	Release int      `json:"release"`
	Image   string   `json:"image"`
	Health  Health   `json:"health"`
	Failing []string `json:"failing,omitempty"` // output of the checks that fail
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
	ID        string            `json:"id,omitempty"`      // the platform's id of the ledger entry
	Version   int               `json:"version"`           // the platform's number
	Label     string            `json:"label,omitempty"`   // what the app itself reports as its release
	Image     string            `json:"image"`             // pinned where possible
	Port      int               `json:"port"`              // the app listens here
	Health    string            `json:"health"`            // path of the health check
	Env       map[string]string `json:"env,omitempty"`     // plain variables
	Instances int               `json:"instances"`         // how many
	Region    string            `json:"region,omitempty"`  // where
	Strategy  string            `json:"strategy"`          // rolling or immediate
	Timeout   time.Duration     `json:"-"`                 // for each instance to pass its checks
	Status    ReleaseStatus     `json:"status"`            // from the ledger
	Created   time.Time         `json:"created,omitzero"`  // from the ledger
	Author    string            `json:"author,omitempty"`  // from the ledger
	Message   string            `json:"message,omitempty"` // why it ended so
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
	ExitCode int
	OOM      bool
	Log      []string // the last lines it printed
}

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
