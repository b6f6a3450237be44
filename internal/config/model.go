// Package config reads opsctl.yaml and everything that overrides it.
//
// The project file is decoded strictly, with positions in its errors, and never
// passes through viper as a whole, which lower-cases the keys of maps. viper
// layers the scalar settings: flag > OPSCTL_* > opsctl.yaml > user file > default.
package config

import (
	"fmt"
	"time"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v3"
)

// FileName is the project file's name.
const FileName = "opsctl.yaml"

// DefaultEnv is the environment that commands work on unless told otherwise.
const DefaultEnv = "production"

// Project is opsctl.yaml with its defaults filled in.
type Project struct {
	Path string `yaml:"-" json:"-"` // the file; "" when there is none

	Version      int                    `yaml:"version" jsonschema:"enum=1" jsonschema_description:"Version of this file's format; always 1."`
	App          string                 `yaml:"app,omitempty" jsonschema:"pattern=^[a-z][a-z0-9-]*$" jsonschema_description:"Name of the app: lower-case letters, digits and dashes."`
	Stack        string                 `yaml:"stack,omitempty" jsonschema:"enum=nextjs,enum=node,enum=go,enum=django,enum=fastapi,enum=docker" jsonschema_description:"What kind of app it is, as opsctl init found it."`
	Build        Build                  `yaml:"build,omitempty"`
	Web          Web                    `yaml:"web,omitempty"`
	Release      Release                `yaml:"release,omitempty"`
	Deploy       Deploy                 `yaml:"deploy,omitempty"`
	Env          Env                    `yaml:"env,omitempty"`
	Postgres     *Postgres              `yaml:"postgres,omitempty" jsonschema_description:"A managed PostgreSQL; leave it out when the app has none or brings its own."`
	Redis        *Redis                 `yaml:"redis,omitempty" jsonschema_description:"A managed Redis; leave it out when the app has none or brings its own."`
	Environments map[string]Environment `yaml:"environments,omitempty" jsonschema_description:"Where the app runs, by name."`
	Backup       Backup                 `yaml:"backup,omitempty"`
	Alerts       []Alert                `yaml:"alerts,omitempty" jsonschema_description:"Who is told when something fails."`
	Sentry       Sentry                 `yaml:"sentry,omitempty"`
}

// Build says how the image is made.
type Build struct {
	Dockerfile string `yaml:"dockerfile,omitempty" jsonschema_description:"Dockerfile to build, relative to opsctl.yaml."`
	Context    string `yaml:"context,omitempty" jsonschema_description:"Build context, relative to opsctl.yaml."`
}

// Web says how the app is reached.
type Web struct {
	Port   int    `yaml:"port,omitempty" jsonschema:"minimum=1,maximum=65535" jsonschema_description:"Port the app listens on (it is given as PORT)."`
	Health string `yaml:"health,omitempty" jsonschema:"pattern=^/" jsonschema_description:"Path that answers 200 when the app and its services are well."`
}

// Release is what runs once before a new version takes traffic.
type Release struct {
	Command []string `yaml:"command,omitempty" jsonschema_description:"Program and arguments, run in the new image before the roll-out: the migrations."`
	Timeout Duration `yaml:"timeout,omitempty" jsonschema_description:"How long it may take."`
}

// Deploy tunes the health gate that decides whether a deploy stays.
type Deploy struct {
	HealthTimeout Duration `yaml:"health_timeout,omitempty" jsonschema_description:"How long the new version has to become healthy."`
	Consecutive   int      `yaml:"consecutive,omitempty" jsonschema:"minimum=1" jsonschema_description:"Healthy answers in a row that it takes."`
	Interval      Duration `yaml:"interval,omitempty" jsonschema_description:"Time between two probes."`
	// RequireBackup refuses a deploy when no verified backup is as young.
	RequireBackup Duration `yaml:"require_backup,omitempty" jsonschema_description:"Refuse to deploy unless a verified backup is at most so old, such as 24h."`
	HookTimeout   Duration `yaml:"hook_timeout,omitempty" jsonschema_description:"How long a program in .opsctl/hooks may take."`
}

// Env says where the environment's contract is.
type Env struct {
	Schema string `yaml:"schema,omitempty" jsonschema_description:"Schema of the environment (env-spec), relative to opsctl.yaml."`
}

// Postgres is the managed database that the app needs.
type Postgres struct {
	Version int    `yaml:"version,omitempty" jsonschema_description:"Major version."`
	Plan    string `yaml:"plan,omitempty" jsonschema_description:"The platform's plan name."`
	Pool    Pool   `yaml:"pool,omitempty"`
}

// Pool is the connection pooler in front of the database.
type Pool struct {
	Mode           string   `yaml:"mode,omitempty" jsonschema:"enum=transaction,enum=session" jsonschema_description:"When a connection goes back to the pool."`
	MaxConnections int      `yaml:"max_connections,omitempty" jsonschema:"minimum=1" jsonschema_description:"Connections that the app may hold in all."`
	ConnectTimeout Duration `yaml:"connect_timeout,omitempty"`
	IdleTimeout    Duration `yaml:"idle_timeout,omitempty"`
}

// Redis is the managed Redis that the app needs.
type Redis struct {
	Version int    `yaml:"version,omitempty" jsonschema_description:"Major version."`
	Plan    string `yaml:"plan,omitempty" jsonschema_description:"The platform's plan name."`
}

// Strategies are the values that environments.*.strategy takes. Which of them a
// platform has, its adapter says.
var Strategies = []string{"rolling", "immediate", "canary", "bluegreen"}

// Environment is one place where the app runs.
type Environment struct {
	Platform  string   `yaml:"platform,omitempty" jsonschema:"enum=fly,enum=railway,enum=render,enum=compose"`
	App       string   `yaml:"app,omitempty" jsonschema_description:"App's name on the platform (default: app for production, app-ENVIRONMENT elsewhere)."`
	Org       string   `yaml:"org,omitempty" jsonschema_description:"Organization or workspace on the platform."`
	Project   string   `yaml:"project,omitempty" jsonschema_description:"Project on Railway or Render that the app belongs to (default: app)."`
	Region    string   `yaml:"region,omitempty"`
	Instances int      `yaml:"instances,omitempty" jsonschema:"minimum=1"`
	Strategy  string   `yaml:"strategy,omitempty" jsonschema:"enum=rolling,enum=immediate,enum=canary,enum=bluegreen"`
	Size      string   `yaml:"size,omitempty" jsonschema_description:"Size of an instance, by the platform's name for it (opsctl platforms lists them)."`
	Domains   []string `yaml:"domains,omitempty"`
	EnvFile   string   `yaml:"env_file,omitempty" jsonschema_description:"dotenv file whose variables become the platform's secrets."`
	// Vars are plain, not secret, variables of this environment.
	Vars map[string]string `yaml:"vars,omitempty" jsonschema_description:"Plain variables; secrets belong into the env file or the platform."`
}

// Backup says what is backed up, where to, and how it is proven.
type Backup struct {
	Database   string    `yaml:"database,omitempty" jsonschema_description:"Name of the variable that holds the direct database URL."`
	Store      string    `yaml:"store,omitempty" jsonschema_description:"Where backups are kept: file:DIR."`
	Schedule   string    `yaml:"schedule,omitempty" jsonschema_description:"Cron expression, UTC."`
	Retention  Retention `yaml:"retention,omitempty"`
	Recipients []string  `yaml:"recipients,omitempty" jsonschema_description:"age public keys."`
	PITR       string    `yaml:"pitr,omitempty" jsonschema:"enum=auto,enum=provider,enum=wal,enum=none"`
	Verify     Verify    `yaml:"verify,omitempty"`
}

// Retention says how long backups are kept.
type Retention struct {
	Days    int `yaml:"days,omitempty" jsonschema:"minimum=1"`
	MinKeep int `yaml:"min_keep,omitempty" jsonschema:"minimum=1"`
}

// Verify says how backups are proven.
type Verify struct {
	Schedule string     `yaml:"schedule,omitempty"`
	Checks   []SQLCheck `yaml:"checks,omitempty"`
}

// SQLCheck is a question that the restored database must answer as expected.
type SQLCheck struct {
	Name   string `yaml:"name"`
	SQL    string `yaml:"sql"`
	Expect string `yaml:"expect" jsonschema_description:"A value, or a comparison such as > 0."`
}

// Alert is one receiver; exactly one field is set.
type Alert struct {
	Slack   string `yaml:"slack,omitempty" jsonschema_description:"Name of the variable that holds the Slack webhook URL."`
	Email   *Email `yaml:"email,omitempty"`
	Webhook string `yaml:"webhook,omitempty" jsonschema_description:"Name of the variable that holds the URL."`
}

// Email is an alert by e-mail.
type Email struct {
	To   string `yaml:"to"`
	SMTP string `yaml:"smtp" jsonschema_description:"Name of the variable that holds the SMTP URL."`
}

// Sentry names the app's project at Sentry.
type Sentry struct {
	Org     string `yaml:"org,omitempty"`
	Project string `yaml:"project,omitempty"`
	DSN     string `yaml:"dsn,omitempty" jsonschema_description:"Name of the variable that holds the DSN."`
}

// Duration is a time.Duration written as 30s, 5m or 1h30m.
type Duration time.Duration

// UnmarshalYAML reads a Go duration string.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as 30s or 5m", n.Value)
	}
	*d = Duration(v)
	return nil
}

// MarshalYAML writes the duration as text.
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }

// MarshalText writes the duration as text, for JSON.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }

// D is the duration as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// JSONSchema describes the type to the schema generator.
func (Duration) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: `^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$`, Description: "A duration such as 30s or 5m."}
}

// Default is a project with every default and nothing of the user's.
func Default() *Project {
	return &Project{
		Version: 1,
		Build:   Build{Dockerfile: "Dockerfile", Context: "."},
		Web:     Web{Port: 3000, Health: "/api/health"},
		Release: Release{Timeout: Duration(5 * time.Minute)},
		Deploy:  Deploy{HealthTimeout: Duration(3 * time.Minute), Consecutive: 3, Interval: Duration(2 * time.Second), HookTimeout: Duration(5 * time.Minute)},
		Env:     Env{Schema: ".env.schema"},
		Backup: Backup{
			Database: "DATABASE_URL", Schedule: "0 3 * * *", PITR: "auto",
			Retention: Retention{Days: 30, MinKeep: 7},
			Verify:    Verify{Schedule: "0 4 1 * *"},
		},
	}
}

// fillDefaults completes the parts that exist only when the user wrote them.
func (p *Project) fillDefaults() {
	if p.Postgres != nil {
		pg := p.Postgres
		setDefault(&pg.Version, 16)
		setDefault(&pg.Plan, "basic")
		setDefault(&pg.Pool.Mode, "transaction")
		setDefault(&pg.Pool.MaxConnections, 100)
		setDefault(&pg.Pool.ConnectTimeout, Duration(30*time.Second))
		setDefault(&pg.Pool.IdleTimeout, Duration(5*time.Minute))
	}
	if p.Redis != nil {
		setDefault(&p.Redis.Version, 7)
	}
	for name, e := range p.Environments {
		setDefault(&e.Instances, 1)
		setDefault(&e.Strategy, "rolling")
		setDefault(&e.EnvFile, ".env."+name)
		setDefault(&e.Project, p.App)
		if name == DefaultEnv || e.Platform == "railway" { // there the environment tells them apart
			setDefault(&e.App, p.App)
		} else {
			setDefault(&e.App, p.App+"-"+name)
		}
		p.Environments[name] = e
	}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
