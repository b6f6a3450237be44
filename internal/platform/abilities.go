package platform

import (
	"context"
	"time"
)

// The optional abilities. A platform has one when its adapter implements the
// interface; Capabilities lists them all.

// Tasks is implemented by platforms on which opsctl runs the release command,
// as an instance of its own, before the roll-out. Elsewhere the platform runs it.
type Tasks interface {
	// RunTask runs a command once in the image, with the app's secrets, and
	// waits for its end. A command that ends with a status other than 0 is no
	// error here: the result says so.
	RunTask(ctx context.Context, app string, task Task) (TaskResult, error)
}

// Ledger is implemented by platforms whose list of releases is written by
// whoever deploys. Elsewhere the platform writes it.
type Ledger interface {
	// BeginRelease opens an entry and numbers it.
	BeginRelease(ctx context.Context, app string, r Release) (Release, error)
	// EndRelease closes the entry with its outcome.
	EndRelease(ctx context.Context, app string, r Release, status ReleaseStatus) error
}

// Foreseer is implemented by adapters that ask for several things at once when they
// know what is coming.
type Foreseer interface {
	// Expect tells which app and image ("" for none) will be asked about next. It asks nothing.
	Expect(app, image string)
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
	// CreatePostgres makes it and waits until it is ready. One of that name that
	// exists already is returned: a request whose answer was lost makes no second one.
	CreatePostgres(ctx context.Context, spec DatabaseSpec, report Report) (*Database, error)
}

// Caches is implemented by platforms with a managed Redis.
type Caches interface {
	// FindRedis returns the Redis by name; nil without error when there is none.
	FindRedis(ctx context.Context, app, name string) (*Cache, error)
	// CreateRedis makes it and waits until it is ready; see CreatePostgres.
	CreateRedis(ctx context.Context, spec CacheSpec, report Report) (*Cache, error)
}

// Registry is implemented by platforms that take images pushed by the user.
type Registry interface {
	// PushTarget is where an image of the app is pushed to, and with which credentials.
	PushTarget(ctx context.Context, app, tag string) (PushTarget, error)
}

// Builder is implemented by platforms that build from source themselves:
// RollOut takes a Release with a Source.
type Builder interface {
	// SourceKind is what they build from: SourceUpload or SourceGit.
	SourceKind() string
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

// Domains is implemented by platforms that serve an app under the user's own names.
type Domains interface {
	// Domains lists them, by name.
	Domains(ctx context.Context, app string) ([]Domain, error)
	// AddDomain adds a name; one that is there already is returned.
	AddDomain(ctx context.Context, app, name string) (Domain, error)
	// CheckDomain asks the platform to look at the DNS records again, and tells
	// how the domain stands; NotFound when the app does not have it.
	CheckDomain(ctx context.Context, app, name string) (Domain, error)
	// RemoveDomain takes a name away; NotFound when the app does not have it.
	RemoveDomain(ctx context.Context, app, name string) error
}

// Scaler is implemented by platforms on which running apps can be resized.
type Scaler interface {
	// Scale changes the number, size or region of the instances and waits until
	// they run. Zero fields stay as they are. A size or region that the platform
	// does not have, or cannot change, is a Usage error that names those it has.
	Scale(ctx context.Context, app string, to Scale, report Report) error
}

// NativeBackups is implemented by platforms that back up their databases themselves.
type NativeBackups interface {
	// Backups lists the platform's backups of a database, newest first.
	Backups(ctx context.Context, app, database string) ([]NativeBackup, error)
	// CreateBackup makes one and waits for it.
	CreateBackup(ctx context.Context, app, database string, report Report) (NativeBackup, error)
	// RecoveryWindow is the span of time to which the database can be restored.
	RecoveryWindow(ctx context.Context, app, database string) (Window, error)
	// RestoreDatabase makes a new database from a backup, or from a moment of the
	// window, and waits until it is ready. The source stays untouched.
	RestoreDatabase(ctx context.Context, spec RestoreSpec, report Report) (*Database, error)
}

// Cache is a managed Redis. The URL holds its password.
type Cache struct {
	ID, Name, Status string
	URL              string
}

// CacheSpec describes a managed Redis to create.
type CacheSpec struct {
	App, Org, Name string
	Version        int // major
	Region, Plan   string
}

// Domain is a name under which an app is reached.
type Domain struct {
	Name        string      `json:"name"`
	Ready       bool        `json:"ready"`       // the name points here and has a certificate
	Certificate string      `json:"certificate"` // the platform's word for its state
	Records     []DNSRecord `json:"records"`     // what has to stand in the DNS
	Problem     string      `json:"problem,omitempty"`
}

// DNSRecord is an entry that the owner of a name has to make.
type DNSRecord struct {
	Type  string `json:"type"` // A, AAAA, CNAME, TXT
	Name  string `json:"name"`
	Value string `json:"value"`
	Found bool   `json:"found"` // as far as the platform tells, it is there
}

// Scale is what to change of an app's instances.
type Scale struct {
	Instances int
	Size      string
	Region    string
}

// NativeBackup is a backup that the platform made.
type NativeBackup struct {
	ID      string    `json:"id"`
	Kind    string    `json:"kind"`   // the platform's word: full, volume, export
	Status  string    `json:"status"` // the platform's word
	Ready   bool      `json:"ready"`  // it can be restored
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
	Size    int64     `json:"size,omitempty"` // bytes; 0 when not known
}

// Window is a span of time to which a database can be restored.
type Window struct {
	From time.Time `json:"from,omitzero"` // zero: the platform does not say
	To   time.Time `json:"to,omitzero"`   // zero: now
	Note string    `json:"note,omitempty"`
}

// RestoreSpec says what to make a new database from: Backup, or else Time.
type RestoreSpec struct {
	App, Database string // the source
	Backup        string // id
	Time          time.Time
	Name          string // of the new database
}
