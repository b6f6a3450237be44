package railway

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

// The variables that opsctl sets on a service for itself; none of them is a secret.
const (
	varState   = "OPSCTL_STATE"
	varLock    = "OPSCTL_LOCK" // of its own, so that who writes the state late cannot take it away
	varRelease = "OPSCTL_RELEASE"
	varPort    = "PORT"
)

// The bounds of OPSCTL_STATE: Railway limits the size of a variable, and people
// see it in the dashboard.
const (
	maxRecord   = 4 << 10
	maxReleases = 20
)

// record is what opsctl remembers of an app on the platform.
type record struct {
	V        int              `json:"v"`
	Lock     *lockRecord      `json:"-"`                // in OPSCTL_LOCK
	Staged   []string         `json:"staged,omitempty"` // secrets set since the last roll-out
	Next     *entry           `json:"next,omitempty"`   // the release being rolled out
	Releases map[string]entry `json:"releases,omitempty"`

	// Each set of variables once: releases of the same have the number of it. Only
	// while it is written or read.
	Sets []map[string]string `json:"sets,omitempty"`
}

type lockRecord struct {
	Holder  string    `json:"holder"`
	ID      string    `json:"id"` // tells two locks of one holder apart
	Since   time.Time `json:"since"`
	Expires time.Time `json:"expires"`
}

// entry is what was asked for of a release; its key is the id of the deployment.
type entry struct {
	At        int64             `json:"at"` // seconds since 1970
	Port      int               `json:"port,omitempty"`
	Health    string            `json:"health,omitempty"`
	Env       map[string]string `json:"-"`
	Set       int               `json:"set,omitempty"` // of record.Sets, from 1; 0: no variables
	Instances int               `json:"instances,omitempty"`
	Size      string            `json:"size,omitempty"`
	Region    string            `json:"region,omitempty"`
	Command   []string          `json:"command,omitempty"`
	Image     string            `json:"image,omitempty"`
	Label     string            `json:"label,omitempty"`
	Restored  bool              `json:"restored,omitempty"`
	Failed    bool              `json:"failed,omitempty"`
}

func parseRecord(text string) record {
	var r record
	// A value that is not ours, or of a newer opsctl, counts as nothing known.
	if json.Unmarshal([]byte(text), &r) != nil || r.V > 1 {
		r = record{}
	}
	r.V = 1
	r.unshare()
	if r.Releases == nil {
		r.Releases = map[string]entry{}
	}
	return r
}

// parseLock reads OPSCTL_LOCK; nil when nobody holds it.
func parseLock(text string) *lockRecord {
	var l lockRecord
	if json.Unmarshal([]byte(text), &l) != nil || l.ID == "" {
		return nil
	}
	return &l
}

// text is the variable's value: an empty object when nobody holds the lock,
// since Railway deploys when a variable is deleted.
func (l *lockRecord) text() string {
	if l == nil {
		return "{}"
	}
	text, err := json.Marshal(l)
	if err != nil {
		return "{}" // strings and times always encode
	}
	return string(text)
}

// text is the record within its bounds: the oldest releases go first.
func (r record) text() string {
	kept := maps.Clone(r.Releases)
	order := slices.SortedFunc(maps.Keys(kept), func(a, b string) int {
		return cmp.Or(cmp.Compare(kept[b].At, kept[a].At), cmp.Compare(b, a))
	})
	for _, id := range order[min(len(order), maxReleases):] {
		delete(kept, id)
	}
	order = order[:min(len(order), maxReleases)]
	r.Releases = kept
	for {
		text, err := json.Marshal(r.shared())
		if err != nil {
			return "{}" // strings, numbers and times always encode
		}
		if len(text) <= maxRecord || len(order) <= 1 {
			return string(text)
		}
		delete(kept, order[len(order)-1])
		order = order[:len(order)-1]
	}
}

// shared is the record with each set of variables once.
func (r record) shared() record {
	r.Sets = nil
	share := func(e entry) entry {
		e.Set = 0
		if len(e.Env) == 0 {
			return e
		}
		i := slices.IndexFunc(r.Sets, func(set map[string]string) bool { return maps.Equal(set, e.Env) })
		if i < 0 {
			i = len(r.Sets)
			r.Sets = append(r.Sets, e.Env)
		}
		e.Set = i + 1
		return e
	}
	if r.Next != nil {
		next := share(*r.Next)
		r.Next = &next
	}
	releases := make(map[string]entry, len(r.Releases))
	for _, id := range slices.Sorted(maps.Keys(r.Releases)) {
		releases[id] = share(r.Releases[id])
	}
	r.Releases = releases
	return r
}

// unshare gives each release its own set of variables.
func (r *record) unshare() {
	own := func(e entry) entry {
		if e.Set > 0 && e.Set <= len(r.Sets) {
			e.Env = maps.Clone(r.Sets[e.Set-1])
		}
		e.Set = 0
		return e
	}
	if r.Next != nil {
		next := own(*r.Next)
		r.Next = &next
	}
	for id, e := range r.Releases {
		r.Releases[id] = own(e)
	}
	r.Sets = nil
}

// newest is the entry that was made last; with the zero entry when there is none.
func (r record) newest() entry {
	var out entry
	if r.Next != nil {
		return *r.Next
	}
	for _, e := range r.Releases {
		if e.At >= out.At {
			out = e
		}
	}
	return out
}

func entryOf(r platform.Release, at time.Time) entry {
	return entry{
		At: at.Unix(), Port: r.Port, Health: r.Health, Env: r.Env, Instances: r.Instances, Size: r.Size,
		Region: r.Region, Command: r.Command, Image: r.Image, Label: r.Label,
	}
}

// release is the entry as a release of the platform's name.
func (e entry) release(version string) platform.Release {
	return platform.Release{
		ID: version, Version: version, Label: e.Label, Image: e.Image, Port: e.Port, Health: e.Health, Command: e.Command,
		Env: maps.Clone(e.Env), Instances: e.Instances, Size: e.Size, Region: e.Region, Strategy: strategyRolling, Restored: e.Restored,
	}
}

// hidden tells that a variable is opsctl's or the platform's, and no secret of the app.
func hidden(name string) bool {
	return name == varState || name == varLock || name == varRelease || name == varPort
}
