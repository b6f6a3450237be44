package render

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
)

// Variables of opsctl's own; they are no part of a release, and no secrets.
const (
	stateName   = "OPSCTL_STATE"
	lockName    = "OPSCTL_LOCK"
	releaseName = "OPSCTL_RELEASE"
	portName    = "PORT"
)

func internal(name string) bool {
	return name == stateName || name == lockName || name == releaseName || name == portName
}

const (
	// maxState bounds the ledger: it is a variable, in the environment of the app.
	maxState = 4 << 10
	// maxKept is how many releases it remembers at most; the oldest are forgotten first.
	maxKept = 20
)

// ledger is what opsctl writes down about an app where Render has no place for
// it: in one plain variable, as JSON. There is no secret in it. A text that is
// not understood counts as empty: Render's own list of deploys goes on.
type ledger struct {
	V int `json:"v"`
	// Staged are the names of the secrets set since the last roll-out began.
	Staged []string `json:"staged,omitempty"`
	// Conf is what the service is set up for. Its Version is "" from then until its
	// deploy is known: a deploy under way is opsctl's when it is after Conf.At.
	Conf *entry `json:"conf,omitempty"`
	// Releases are the deploys that opsctl made, newest first.
	Releases []entry `json:"releases,omitempty"`
	// Envs are the plain variables of the releases; most have the same.
	Envs []map[string]string `json:"envs,omitempty"`
	// Stores are ids of databases and caches by name, to save looking for them.
	Stores map[string]string `json:"stores,omitempty"`
}

// entry is a release as it is written down.
type entry struct {
	Version   string   `json:"id,omitempty"`
	Of        string   `json:"of,omitempty"` // the release that it put back
	Label     string   `json:"label,omitempty"`
	Image     string   `json:"image,omitempty"`
	Port      int      `json:"port,omitempty"`
	Health    string   `json:"health,omitempty"`
	Command   []string `json:"command,omitempty"`
	Instances int      `json:"n,omitempty"`
	Size      string   `json:"size,omitempty"`
	Env       int      `json:"env"` // index into ledger.Envs; -1 is none
	At        int64    `json:"at,omitempty"`
}

// readLedger reads the variable's text.
func readLedger(text string) ledger {
	var l ledger
	if json.Unmarshal([]byte(text), &l) != nil || l.V != 1 {
		return ledger{V: 1}
	}
	return l
}

// text is the variable's value, with as many releases as fit.
func (l ledger) text() string {
	l.V = 1
	l.Releases = l.Releases[:min(len(l.Releases), maxKept)]
	for {
		data, err := json.Marshal(l.compact())
		if err != nil {
			return "" // maps of strings always marshal
		}
		if len(data) <= maxState || len(l.Releases) <= 1 {
			return string(data)
		}
		l.Releases = l.Releases[:len(l.Releases)-1]
	}
}

// compact drops the variables that no release has any more.
func (l ledger) compact() ledger {
	old := l.Envs
	l.Envs = nil
	l.Releases = slices.Clone(l.Releases)
	for i := range l.Releases {
		l.Releases[i].Env = l.addEnv(at(old, l.Releases[i].Env))
	}
	if l.Conf != nil {
		conf := *l.Conf
		conf.Env = l.addEnv(at(old, conf.Env))
		l.Conf = &conf
	}
	return l
}

func at(envs []map[string]string, i int) map[string]string {
	if i < 0 || i >= len(envs) {
		return nil
	}
	return envs[i]
}

// addEnv gives the index of these variables.
func (l *ledger) addEnv(env map[string]string) int {
	if len(env) == 0 {
		return -1
	}
	for i, have := range l.Envs {
		if reflect.DeepEqual(have, env) {
			return i
		}
	}
	l.Envs = append(l.Envs, maps.Clone(env))
	return len(l.Envs) - 1
}

// env are the plain variables of an entry.
func (l ledger) env(e entry) map[string]string { return maps.Clone(at(l.Envs, e.Env)) }

// plain are the plain variables that the service is set up with: all others that
// stand on it are secrets.
func (l ledger) plain() map[string]string {
	switch {
	case l.Conf != nil:
		return l.env(*l.Conf)
	case len(l.Releases) > 0:
		return l.env(l.Releases[0])
	}
	return nil
}

// configure notes what the service is about to be set up for.
func (l *ledger) configure(r platform.Release, now time.Time) {
	l.Conf = &entry{
		Label: r.Label, Image: r.Image, Port: r.Port, Health: r.Health, Command: r.Command, Instances: r.Instances,
		Size: r.Size, Env: l.addEnv(r.Env), At: now.Unix(),
	}
}

// record notes that the service's configuration became a deploy; secrets that
// were staged before it was set up have gone with it when it is live.
func (l *ledger) record(version, of string, brought []string) {
	if l.Conf == nil {
		return
	}
	l.Conf.Version, l.Conf.Of = version, of
	kept := slices.DeleteFunc(l.Releases, func(e entry) bool { return e.Version == version })
	l.Releases = append([]entry{*l.Conf}, kept...)
	l.Staged = slices.DeleteFunc(l.Staged, func(name string) bool { return slices.Contains(brought, name) })
}

// find is the entry of a deploy.
func (l ledger) find(version string) (entry, bool) {
	i := slices.IndexFunc(l.Releases, func(e entry) bool { return e.Version == version && version != "" })
	if i < 0 {
		return entry{}, false
	}
	return l.Releases[i], true
}

// stage adds names to those that wait for a roll-out.
func (l *ledger) stage(names []string) {
	for _, name := range names {
		if !slices.Contains(l.Staged, name) {
			l.Staged = append(l.Staged, name)
		}
	}
	slices.Sort(l.Staged)
}

// root is the release that a deploy runs in the end: a roll-back runs an earlier one.
func (l ledger) root(version string) string {
	if e, ok := l.find(version); ok && e.Of != "" {
		return e.Of
	}
	return version
}

// ours tells whether a deploy under way is one that opsctl began, perhaps in a
// run that was cut off: it is known, or it came after the service was set up for
// it and runs the same.
func (l ledger) ours(d deploy) bool {
	if _, ok := l.find(d.ID); ok {
		return true
	}
	if l.Conf == nil || l.Conf.Version != "" || d.CreatedAt.Before(time.Unix(l.Conf.At, 0).Add(-clockSkew)) {
		return false
	}
	switch d.Trigger {
	case "manual", "new_commit", "deploy_hook", "blueprint_sync":
		return false
	}
	have := d.content()
	return have == "" || same(have, l.Conf.Image)
}

// clockSkew is how far this machine's clock may be ahead of Render's.
const clockSkew = 2 * time.Minute

// same compares what runs with what a release names. Render may write an image
// with a default registry in front, so the digest decides where both have one.
func same(a, b string) bool {
	if platform.SameImage(a, b) {
		return true
	}
	return strings.Contains(a, "@") != strings.Contains(b, "@") && bare(a) == bare(b)
}

// bare is a reference without its digest and the default registry.
func bare(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	return strings.TrimPrefix(strings.TrimPrefix(ref, "docker.io/"), "library/")
}
