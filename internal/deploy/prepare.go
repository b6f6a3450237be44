package deploy

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// ledgerDepth is how far back the release ledger is read.
const ledgerDepth = 50

// Prepare checks the credentials and the request, looks at what runs, and
// plans. It changes nothing.
func (e *Engine) Prepare(ctx context.Context, req Request) (*Prepared, error) {
	p := &Prepared{Request: req, Image: platform.Image{Ref: req.Image}}
	var err error
	if f, ok := e.Platform.(platform.Foreseer); ok {
		f.Expect(req.App.Name, req.Image)
	}
	if p.Identity, err = e.Platform.WhoAmI(ctx); err != nil {
		return nil, err
	}
	if err := e.rightAccount(p.Identity.Account, req.Account); err != nil {
		return nil, err
	}
	if p.prints, err = OpenFingerprints(e.StateDir); err != nil {
		return nil, err
	}
	if err := e.source(ctx, p); err != nil {
		return nil, err
	}
	if p.CutOff, p.Running, err = e.lastRun(); err != nil {
		return nil, err
	}
	if err := e.observe(ctx, p); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(req.Secrets)) {
		if err := carries(name, req.Secrets[name]); err != nil {
			return nil, err
		}
	}
	if req.Preflight != nil {
		if err := req.Preflight(ctx, p.variableNames()); err != nil {
			return nil, err
		}
	}
	want := req.Release
	want.Image = p.Image.Pinned()
	if want.Image == "" {
		want.Image = toBeBuilt
	}
	if s := p.Observed.State; s != nil && s.Current != nil && s.Current.Region != "" && s.Current.Region != want.Region {
		return nil, errs.New(errs.Usage, "%q runs in %s, and opsctl.yaml wants %s: this version of opsctl does not move an app", req.App.Name, s.Current.Region, want.Region).
			WithHint("move it: opsctl scale --region %s\nor set region: %s back, or make a new app by another `app` name", want.Region, s.Current.Region)
	}
	if _, direct := req.Secrets[DirectURL]; direct && p.Request.Postgres != nil {
		p.Notes = append(p.Notes, DirectURL+" is the managed database's: "+directAlone)
	}
	p.desired = Desired{
		App: req.App.Name, Release: want, Command: req.Command, Postgres: p.Request.Postgres, Redis: p.Request.Redis,
		Secrets: p.prints.Compare(p.secrets, p.platformSecrets()),
	}
	if s := p.Observed.State; s != nil && s.Current != nil {
		p.desired.Unset = p.prints.Unset(s.Secrets)
	}
	p.Changes = Plan(p.desired, p.Observed)
	return p, e.guard(ctx, p)
}

// stalePublic refuses a changed variable that browsers would get the old value of,
// since the image stays the one that it was built into.
func (e *Engine) stalePublic(p *Prepared) error {
	s := p.Observed.State
	if p.Request.Public == nil || s == nil || s.Current == nil || !platform.SameImage(s.Current.Image, p.Image.Pinned()) {
		return nil
	}
	var names, unknown []string
	for _, name := range slices.Sorted(maps.Keys(p.desired.Secrets)) {
		switch change := p.desired.Secrets[name]; {
		case !p.Request.Public(name):
		case change == SecretChanged || change == SecretNew:
			names = append(names, name)
		case change == SecretUnknown:
			unknown = append(unknown, name)
		}
	}
	for _, c := range p.Changes {
		if c.Object == "variable" && c.Action != Delete && p.Request.Public(c.Name) {
			names = append(names, c.Name)
		}
	}
	if len(unknown) > 0 {
		p.Notes = append(p.Notes, strings.Join(unknown, ", ")+" cannot be compared from here: if a value has changed, the image has to be built again for browsers to get it")
	}
	if len(names) == 0 {
		return nil
	}
	return errs.New(errs.CheckFailed, "%s changed, and the image is the one that the old value was built into", strings.Join(names, ", ")).
		WithHint("build again: leave --image out, or name a newer image\nor go on all the same with --skip-env-check")
}

// toBeBuilt stands for an image that there is not yet.
const toBeBuilt = "built from source"

// source finds out what a platform that builds itself is to build.
func (e *Engine) source(ctx context.Context, p *Prepared) error {
	builder, ok := e.Platform.(platform.Builder)
	if !ok || p.Request.Image != "" || p.Request.Source == nil {
		return nil
	}
	src, err := p.Request.Source(ctx, builder.SourceKind())
	if err != nil {
		return err
	}
	p.Request.Release.Source, p.Image = src, platform.Image{Ref: src.Identity}
	return nil
}

// guard looks at what only matters when something is to be changed.
func (e *Engine) guard(ctx context.Context, p *Prepared) error {
	if len(p.Changes) == 0 {
		return nil
	}
	if p.Request.BackupGate != nil {
		detail, err := p.Request.BackupGate(ctx, cmp.Or(p.secrets[DirectURL], p.secrets[PooledURL]))
		if err != nil {
			return err
		}
		p.Notes = append(p.Notes, detail)
	}
	if err := e.stalePublic(p); err != nil {
		return err
	}
	newImage := slices.ContainsFunc(p.Changes, func(c Change) bool { return c.Object == "release" && c.Field == "image" })
	if newImage && p.Image.Digest != "" && p.Request.ImageGuard != nil {
		return p.Request.ImageGuard(ctx, p.Image)
	}
	return nil
}

// lastRun is the newest run of this machine when its journal has no end: one
// that is going on, or one that was killed.
func (e *Engine) lastRun() (cutOff, running *Run, err error) {
	runs, err := Runs(e.StateDir)
	if err != nil || len(runs) == 0 {
		return nil, nil, err
	}
	switch runs[0].Outcome {
	case CutOff:
		return &runs[0], nil, nil
	case GoingOn:
		return nil, &runs[0], nil
	default:
		return nil, nil, nil
	}
}

func (e *Engine) observe(ctx context.Context, p *Prepared) error {
	req := &p.Request
	if _, own := req.Secrets[PooledURL]; own {
		req.Postgres = nil // the app brings its own database
	}
	if _, own := req.Secrets[RedisURL]; own {
		req.Redis = nil
	}
	p.secrets = maps.Clone(req.Secrets)
	if p.secrets == nil {
		p.secrets = map[string]string{}
	}
	state, err := e.look(ctx, req.App.Name, p.prints)
	switch {
	case errs.CodeOf(err) == errs.NotFound:
		if req.Postgres != nil { // not known yet, but what they will be called is
			p.secrets[PooledURL], p.secrets[DirectURL] = "", ""
		}
		if req.Redis != nil {
			p.secrets[RedisURL] = ""
		}
		return nil
	case err != nil:
		return err
	}
	p.Observed.State = state
	if req.Image != "" {
		if p.Image, err = e.Platform.ResolveImage(ctx, req.App.Name, req.Image); err != nil {
			return err
		}
	}
	if err := e.observeDatabase(ctx, p); err != nil {
		return err
	}
	if err := e.observeRedis(ctx, p); err != nil {
		return err
	}
	return e.observeReleases(ctx, p)
}

func (e *Engine) observeDatabase(ctx context.Context, p *Prepared) error {
	spec := p.Request.Postgres
	if spec == nil {
		return nil
	}
	databases, err := e.databases()
	if err != nil {
		return err
	}
	db, err := databases.FindPostgres(ctx, p.Request.App.Name, spec.Name)
	if err != nil {
		return err
	}
	if db == nil && slices.ContainsFunc(p.platformSecrets(), func(s platform.Secret) bool { return s.Name == PooledURL }) {
		// Somebody has set the app's database; a new, empty one must not take its place.
		p.Request.Postgres = nil
		return nil
	}
	p.Observed.HasPostgres = db != nil && db.Direct != "" // one that is not ready is waited for
	p.secrets[PooledURL], p.secrets[DirectURL] = "", ""
	if db != nil {
		p.secrets[PooledURL], p.secrets[DirectURL] = db.Pooled, db.Direct
	}
	return nil
}

func (e *Engine) databases() (platform.Databases, error) {
	d, ok := e.Platform.(platform.Databases)
	if !ok {
		return nil, errs.New(errs.Usage, "%s has no managed PostgreSQL that opsctl can make", e.Platform.Name()).
			WithHint("take `postgres` out of opsctl.yaml and set DATABASE_URL in the environment's env file")
	}
	return d, nil
}

// observeReleases finds whether the current release was finished, and which
// one to return to when the new one fails: the one that runs, if it was
// finished and runs everywhere, else the newest that was.
func (e *Engine) observeReleases(ctx context.Context, p *Prepared) error {
	current := p.Observed.State.Current
	if current == nil {
		return nil
	}
	ledger, err := e.Platform.Releases(ctx, p.Request.App.Name, ledgerDepth)
	if err != nil {
		return err
	}
	for _, r := range ledger {
		if r.Version == current.Version {
			// A failed one that runs well everywhere is no unfinished one: somebody's last step failed.
			p.Observed.Unfinished = r.Status != platform.Complete && (r.Status != platform.Failed || !runsWell(p.Observed.State))
		}
	}
	p.chooseRestore(ledger)
	return nil
}

// runsWell tells whether every instance runs the same release and is healthy.
func runsWell(s *platform.State) bool {
	return !s.Mixed && len(s.Instances) > 0 && !slices.ContainsFunc(s.Instances, func(i platform.Instance) bool {
		return !i.Idle && (i.State != platform.Started || i.Health != platform.Healthy)
	})
}

// chooseRestore finds what to put back when the new release fails: what runs,
// if it was finished and runs everywhere; else another release that an instance
// still runs, the one before the run that was cut off, the newest finished one.
// An unfinished first release is nothing to return to.
func (p *Prepared) chooseRestore(ledger []platform.Release) {
	state := p.Observed.State
	if !p.Observed.Unfinished && !state.Mixed {
		p.restorable, p.previous = true, *state.Current
		return
	}
	for _, version := range p.candidates(ledger) {
		entry := platform.Release{Version: version, Status: platform.Complete} // what ran before opsctl is in no ledger
		if at := slices.IndexFunc(ledger, func(r platform.Release) bool { return r.Version == version }); at >= 0 {
			entry = ledger[at]
		} else if version != "" {
			continue
		}
		if entry.Status == platform.Complete && (version != state.Current.Version || !p.Observed.Unfinished) {
			p.restorable, p.previous = true, entry
			return
		}
	}
	if opened := slices.IndexFunc(ledger, func(r platform.Release) bool { return r.Version == state.Current.Version }); opened < 0 || ledger[opened].Status == platform.Failed {
		// It runs, whatever the ledger says of it (a rollback was undone, somebody else's
		// deploy failed at the last moment): what ran is what comes back, and is never destroyed.
		p.restorable, p.previous = true, *state.Current
	}
}

// candidates are the releases to return to, the best one first.
func (p *Prepared) candidates(ledger []platform.Release) []string {
	state := p.Observed.State
	var versions []string
	for _, r := range ledger { // newest first
		if slices.ContainsFunc(state.Instances, func(i platform.Instance) bool { return i.Release == r.Version }) {
			versions = append(versions, r.Version)
		}
	}
	if slices.ContainsFunc(state.Instances, func(i platform.Instance) bool { return i.Release == "" }) {
		versions = append(versions, "")
	}
	if p.CutOff != nil && p.CutOff.From != "" {
		versions = append(versions, p.CutOff.From)
	}
	for _, r := range ledger {
		versions = append(versions, r.Version)
	}
	return versions
}

func (p *Prepared) platformSecrets() []platform.Secret {
	if p.Observed.State == nil {
		return nil
	}
	return p.Observed.State.Secrets
}

// variableNames are all variables that the app would see.
func (p *Prepared) variableNames() []string {
	names := map[string]bool{"PORT": true}
	for name := range p.Request.Release.Env {
		names[name] = true
	}
	for name := range p.secrets {
		names[name] = true
	}
	for _, s := range p.platformSecrets() {
		names[s.Name] = true
	}
	return slices.Sorted(maps.Keys(names))
}
