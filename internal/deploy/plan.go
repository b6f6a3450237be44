// Package deploy brings an app from what runs to what is wanted: a plan (a pure
// function), small steps that carry it out, a health gate that decides, and
// compensations that put the previous version back when it decides against.
package deploy

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// Desired is what should run.
type Desired struct {
	App      string
	Release  platform.Release
	Command  []string                // the release command; empty for none
	Postgres *platform.DatabaseSpec  // nil when the app has no managed database
	Redis    *platform.CacheSpec     // nil when the app has no managed Redis
	Secrets  map[string]SecretChange // how they stand, by name; also those that wait for a roll-out and that nobody here wants
	Unset    []string                // secrets that were unset, and that instances may still have
}

// SecretChange says how a wanted secret stands against the platform's.
type SecretChange string

// The kinds of change. Unknown is a secret that is set, with a value that this
// machine has not set itself and so cannot compare.
const (
	SecretSame    SecretChange = "same"
	SecretNew     SecretChange = "new"
	SecretChanged SecretChange = "changed"
	SecretUnknown SecretChange = "unknown"
	SecretPending SecretChange = "pending" // set, by env push or a deploy that was not finished: an instance has yet to get it
)

// Observed is what runs.
type Observed struct {
	State       *platform.State // nil when there is no app yet
	HasPostgres bool
	HasRedis    bool
	Unfinished  bool // the current release was never finished: an earlier run was cut off
}

// Destroys tells whether carrying out the changes takes instances away.
func Destroys(changes []Change) bool {
	return slices.ContainsFunc(changes, func(c Change) bool {
		if c.Object != "release" || c.Field != "instances" {
			return false
		}
		old, _ := strconv.Atoi(c.Old)
		now, _ := strconv.Atoi(c.New)
		return now < old
	})
}

// Action is the kind of a change.
type Action string

// The actions.
const (
	Create  Action = "create"
	Update  Action = "update"
	Replace Action = "replace"
	Delete  Action = "delete"
)

// Change is one difference between what runs and what is wanted. Values of
// secrets are never in it.
type Change struct {
	Action Action `json:"action"`
	Object string `json:"object"` // app, database, redis, secret, variable, task, release
	Name   string `json:"name,omitempty"`
	Field  string `json:"field,omitempty"`
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Plan lists what a deploy would change, in the order in which it happens. An
// empty plan means that everything stands as wanted.
func Plan(want Desired, have Observed) []Change {
	var changes []Change
	if have.State == nil {
		changes = append(changes, Change{Action: Create, Object: "app", Name: want.App, Reason: "it does not exist"})
	}
	if want.Postgres != nil && !have.HasPostgres {
		changes = append(changes, Change{
			Action: Create, Object: "database", Name: want.Postgres.Name,
			New: "PostgreSQL " + strconv.Itoa(want.Postgres.Version) + ", " + want.Postgres.PoolMode + " pool", Reason: "it does not exist, or is not ready",
		})
	}
	if want.Redis != nil && !have.HasRedis {
		changes = append(changes, Change{Action: Create, Object: "redis", Name: want.Redis.Name, New: "Redis " + strconv.Itoa(want.Redis.Version), Reason: "it does not exist, or is not ready"})
	}
	changes = append(changes, planSecrets(want.Secrets)...)
	for _, name := range want.Unset {
		changes = append(changes, Change{Action: Delete, Object: "secret", Name: name, Reason: "it is unset, and instances may still have it"})
	}
	var current *platform.Release
	if have.State != nil {
		current = have.State.Current
	}
	release := planRelease(want, current)
	if len(release) == 0 && have.State != nil {
		release = planUnfinished(want, have, len(changes) > 0)
	}
	if len(release) > 0 && len(want.Command) > 0 {
		changes = append(changes, Change{Action: Create, Object: "task", Name: "release command", New: strings.Join(want.Command, " "), Reason: "before the new version takes traffic"})
	}
	return append(changes, release...)
}

// instances is how many run where, for people; a platform of one place has no regions.
func instances(r platform.Release) string {
	if r.Region == "" {
		return strconv.Itoa(r.Instances) + " ×"
	}
	return strconv.Itoa(r.Instances) + " × " + r.Region
}

func planSecrets(secrets map[string]SecretChange) []Change {
	var changes []Change
	for _, name := range slices.Sorted(maps.Keys(secrets)) {
		switch secrets[name] {
		case SecretNew:
			changes = append(changes, Change{Action: Create, Object: "secret", Name: name})
		case SecretChanged:
			changes = append(changes, Change{Action: Update, Object: "secret", Name: name, Reason: "its value changed"})
		case SecretPending:
			changes = append(changes, Change{Action: Update, Object: "secret", Name: name, Reason: "it is set, and not every instance has it yet"})
		case SecretUnknown:
			changes = append(changes, Change{Action: Update, Object: "secret", Name: name, Reason: "it was not set from this machine, so it cannot be compared"})
		}
	}
	return changes
}

func planRelease(want Desired, current *platform.Release) []Change {
	r := want.Release
	if current == nil {
		return []Change{{
			Action: Create, Object: "release", Field: "image", New: platform.ShortImage(r.Image),
			Reason: instances(r),
		}}
	}
	var changes []Change
	field := func(name, old, new string) {
		if old != new {
			changes = append(changes, Change{Action: Update, Object: "release", Field: name, Old: old, New: new})
		}
	}
	if !platform.SameImage(current.Image, r.Image) {
		field("image", platform.ShortImage(current.Image), platform.ShortImage(r.Image))
	}
	field("port", strconv.Itoa(current.Port), strconv.Itoa(r.Port))
	field("health", current.Health, r.Health)
	if r.Size != "" {
		field("size", current.Size, r.Size)
	}
	field("instances", strconv.Itoa(current.Instances), strconv.Itoa(r.Instances))
	for _, name := range slices.Sorted(maps.Keys(union(current.Env, r.Env))) {
		old, had := current.Env[name]
		now, wanted := r.Env[name]
		switch {
		case !had:
			changes = append(changes, Change{Action: Create, Object: "variable", Name: name, New: errs.Redact(now)})
		case !wanted: // what others set may be a secret in the wrong place
			changes = append(changes, Change{Action: Delete, Object: "variable", Name: name})
		case old != now:
			changes = append(changes, Change{Action: Update, Object: "variable", Name: name, Old: errs.Redact(old), New: errs.Redact(now)})
		}
	}
	return changes
}

// planUnfinished finds why an app that is configured as wanted needs a roll-out all the same.
func planUnfinished(want Desired, have Observed, staged bool) []Change {
	again := func(reason string) []Change {
		return []Change{{Action: Replace, Object: "release", Field: "image", New: platform.ShortImage(want.Release.Image), Reason: reason}}
	}
	switch {
	case have.State.Mixed:
		return again("the instances do not all run the same release")
	case slices.ContainsFunc(have.State.Instances, func(i platform.Instance) bool { return i.State != "" && i.State != platform.Started && !i.Idle }):
		return again("an instance is not started")
	case slices.ContainsFunc(have.State.Instances, func(i platform.Instance) bool { return i.Health == platform.Unhealthy }):
		return again("an instance does not pass its health check")
	case have.Unfinished:
		return again("the last deploy was cut off before it was finished")
	case staged:
		return again("so that the instances see the changes above")
	default:
		return nil
	}
}

func union(a, b map[string]string) map[string]string {
	out := maps.Clone(a)
	if out == nil {
		out = map[string]string{}
	}
	maps.Copy(out, b)
	return out
}
