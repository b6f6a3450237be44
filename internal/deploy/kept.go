package deploy

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// noteKept collects what stays whatever happens.
func (r *run) noteKept() {
	if r.migrated {
		r.kept = append(r.kept, "the database, as the release command left it")
	}
	if len(r.staged) > 0 {
		r.kept = append(r.kept, "the new values of "+strings.Join(r.staged, ", ")+" (platforms do not give back old ones)")
	}
	if pushed := r.pushed(); len(pushed) > 0 {
		r.kept = append(r.kept, "what was pushed before: "+strings.Join(pushed, ", ")+" (the instances that were touched run with it now)")
	}
	for _, k := range r.kept {
		r.emit("undo", Kept, k, 0)
	}
}

// anyRenewed tells whether an instance that runs on is not as it was before: it was put
// back, with the secrets of now.
func (r *run) anyRenewed(ctx context.Context) bool {
	state, err := r.Platform.Observe(ctx, r.p.Request.App.Name)
	if err != nil || r.p.Observed.State == nil {
		return true // it is not known
	}
	return slices.ContainsFunc(state.Instances, func(now platform.Instance) bool {
		return !slices.ContainsFunc(r.p.Observed.State.Instances, func(before platform.Instance) bool {
			return before.ID == now.ID && before.Began.Equal(now.Began) && !now.Began.IsZero()
		})
	})
}

// pushed are the secrets that were set or unset before this run, and that its instances
// have got by it all the same.
func (r *run) pushed() []string {
	if !r.renewed {
		return nil
	}
	names := slices.Clone(r.p.desired.Unset)
	for _, s := range r.p.platformSecrets() {
		if s.Pending && !slices.Contains(r.staged, s.Name) {
			names = append(names, s.Name)
		}
	}
	slices.Sort(names)
	return names
}

// oldValues is how to have the old values of secrets back.
func (r *run) oldValues() string {
	names := append(slices.Clone(r.staged), r.pushed()...)
	if !r.renewed || len(names) == 0 {
		return ""
	}
	image := "IMAGE"
	if c := r.p.Observed.State.Current; c != nil && c.Version == r.p.previous.Version {
		image = c.Image
	}
	return "to have the old values back, write them into the file that " + strings.Join(names, ", ") + " came from, then:\n" +
		"  opsctl env push FILE && opsctl deploy --image " + image
}

func (r *run) stillRunning() string {
	if !r.p.restorable {
		return ""
	}
	return r.previousName() + " runs on as before"
}

// previousName is the release to return to, for people.
func (r *run) previousName() string {
	return releaseName(r.p.previous.Version)
}

// releaseName is a release for people.
func releaseName(version string) string {
	if version == "" {
		return "what ran before"
	}
	return "release " + version
}

// hint joins the cause's own hint, what was kept, and what to do about it.
func (r *run) hint(cause error, first string) string {
	parts := []string{}
	for _, s := range []string{first, errs.HintOf(cause)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	if len(r.kept) > 0 {
		parts = append(parts, "not undone: "+strings.Join(r.kept, "; "))
	}
	if old := r.oldValues(); old != "" {
		parts = append(parts, old)
	}
	if r.migrated && r.p.restorable && r.p.secrets[DirectURL]+r.p.secrets[PooledURL] != "" {
		parts = append(parts, "if the old version cannot work with that database: opsctl backup list, then\n"+
			"  opsctl backup restore ID --into "+r.databaseVar()+" --confirm "+r.databaseName())
	}
	return r.redact(strings.Join(parts, "\n"))
}

// databaseVar is the variable with the URL that a restore of the app's database needs.
func (r *run) databaseVar() string {
	if r.p.secrets[DirectURL] != "" {
		return DirectURL
	}
	return PooledURL
}

func (r *run) databaseName() string {
	u, err := url.Parse(r.p.secrets[r.databaseVar()])
	if err != nil || strings.Trim(u.Path, "/") == "" {
		return "DATABASE"
	}
	return strings.Trim(u.Path, "/")
}
