package render

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// RollOut makes the service, or sets it up for the release and deploys it, and
// follows the deploy until it is live. Render runs the release command before it
// starts the new version, and moves no traffic before that is healthy. A deploy
// of the same release that a run before began is followed, not begun again.
func (p *Platform) RollOut(ctx context.Context, app string, want platform.Release, report platform.Report) (platform.RolledOut, error) {
	out := platform.RolledOut{Release: want}
	s, err := p.read(ctx, app)
	if err != nil {
		return out, err
	}
	if err := check(want, s.svc); err != nil {
		return out, err
	}
	r := rollout{Platform: p, app: app, want: want, report: report}
	if s.svc != nil {
		r.svc = s.svc
		r.brought = slices.Clone(s.ledger.Staged)
	}
	id, err := r.begin(ctx, s)
	if err != nil {
		return out, err
	}
	out.Release.Version = id
	out.Task, err = r.follow(ctx, id)
	if err == nil {
		err = r.scale(ctx, want.Instances)
	}
	return out, r.record(ctx, id, "", err)
}

// rollout is a deploy of a release, or of an earlier one again.
type rollout struct {
	*Platform
	app     string
	svc     *service
	want    platform.Release
	brought []string // secrets that go with it
	old     []string // instances of the version before
	report  platform.Report
}

// begin starts the deploy and returns its id.
func (r *rollout) begin(ctx context.Context, s *snapshot) (string, error) {
	if r.svc == nil {
		r.report("create the service %s", r.app)
		svc, id, err := r.create(ctx, r.app, r.want)
		if err != nil {
			return "", err
		}
		r.svc = svc
		if id == "" {
			d, err := r.awaitNew(ctx, nil, func(deploy) bool { return true })
			return d.ID, err
		}
		return r.rightCommit(ctx, id)
	}
	if err := r.stillMine(ctx, r.app, r.svc.ID); err != nil {
		return "", err
	}
	if id, err := r.takeUp(ctx, s); err != nil || id != "" {
		return id, err
	}
	// The image is named each time: then the service is what runs, for whoever deploys
	// it by hand, and for a deploy that begins by itself.
	if err := r.configure(ctx, r.app, s, r.want, true, true); err != nil {
		return "", err
	}
	id, before, err := r.byItself(ctx, s, true)
	if err != nil || id != "" {
		return id, err
	}
	r.old = r.instances(ctx)
	if s.svc.suspended() {
		if id, err := r.resume(ctx, before); err != nil || id != "" {
			return id, err
		}
	}
	return r.deploy(ctx, before)
}

// byItself looks for a deploy that a change of the settings has begun by itself. When
// adopt is true and it is of the release that is wanted its id is returned, and no
// other is needed; else it is ended. before are all deploys that there are.
func (r *rollout) byItself(ctx context.Context, s *snapshot, adopt bool) (id string, before []string, err error) {
	all, err := r.listDeploys(ctx, r.svc.ID, recentDeploys)
	if err != nil {
		return "", nil, explain(err, "list the deploys of %q", r.app)
	}
	for _, d := range all {
		before = append(before, d.ID)
		if d.Trigger != "service_updated" || slices.ContainsFunc(s.deploys, func(o deploy) bool { return o.ID == d.ID }) {
			continue
		}
		have := d.content()
		fits := same(have, r.want.Image) || have == "" && r.want.Source == nil
		switch {
		case adopt && fits && id == "" && (d.underWay() || d.Status == live):
			r.report("deploy %s has begun by itself", d.ID)
			id = d.ID
		case d.underWay():
			r.report("deploy %s has begun by itself: end it", d.ID)
			if err := r.end(ctx, d); err != nil {
				return "", nil, err
			}
		}
	}
	return id, before, nil
}

// rightCommit makes sure that the first deploy of a repository is the commit that
// is wanted: creating a service takes the newest of the branch.
func (r *rollout) rightCommit(ctx context.Context, id string) (string, error) {
	if r.want.Source == nil || r.want.Source.Commit == "" {
		return id, nil
	}
	d, err := r.getDeploy(ctx, id)
	if err != nil || d.Commit != nil && d.Commit.ID == r.want.Source.Commit {
		return id, nil //nolint:nilerr // following it will tell
	}
	r.report("the newest commit of the branch is another: deploy %.12s", r.want.Source.Commit)
	if err := r.cancel(ctx, id); err != nil {
		return "", err
	}
	before, err := r.ids(ctx)
	if err != nil {
		return "", err
	}
	return r.deploy(ctx, before)
}

// takeUp finds what an earlier run, cut off, began: a deploy of this very release
// is followed; any other under way is ended first, but a release command is
// never cut off.
func (r *rollout) takeUp(ctx context.Context, s *snapshot) (string, error) {
	conf := s.ledger.Conf
	ours := conf != nil && conf.Label == r.want.Label && same(conf.Image, r.want.Image)
	for _, d := range s.deploys {
		_, recorded := s.ledger.find(d.ID)
		if !d.underWay() {
			if d.Status == live && ours && conf.Version == "" && !recorded && s.ledger.ours(d) {
				r.report("deploy %s was begun before, and is live", d.ID)
				return d.ID, nil
			}
			continue
		}
		if !s.ledger.ours(d) {
			return "", errs.New(errs.Conflict, "a deploy of %q that opsctl did not begin is under way: %s, begun by %s, %s", r.app, d.ID, author(d), phase(d.Status)).
				WithHint("wait for it, or cancel it at https://dashboard.render.com")
		}
		unsure := r.want.Source != nil && d.Trigger == "service_updated" && d.content() == "" // of the newest commit, it may be
		if ours && !unsure && (conf.Version == "" && !recorded || conf.Version == d.ID) {
			r.report("deploy %s was begun before: follow it", d.ID)
			return d.ID, nil
		}
		r.report("deploy %s of a run before is under way: end it", d.ID)
		if err := r.end(ctx, d); err != nil {
			return "", err
		}
	}
	return "", nil
}

// deployBody asks for a deploy of an image, or of a commit.
type deployBody struct {
	ImageURL string `json:"imageUrl,omitempty"`
	CommitID string `json:"commitId,omitempty"`
}

func (r *rollout) deploy(ctx context.Context, before []string) (string, error) {
	body := deployBody{ImageURL: imagePath(r.want.Image)}
	if r.want.Source != nil {
		body = deployBody{CommitID: r.want.Source.Commit}
	}
	return r.start(ctx, "/deploys", body, before, func(d deploy) bool {
		have := d.content()
		return d.Trigger != "rollback" && (have == "" || same(have, r.want.Image))
	})
}

// start sends a request that begins a deploy and gives its id. Render may queue it
// and answer with nothing; then, and when the answer is lost, it is the one that
// was not there before and fits.
func (r *rollout) start(ctx context.Context, path string, body any, before []string, fits func(deploy) bool) (string, error) {
	var d deploy
	err := r.once(ctx,
		func() error {
			if err := r.stillMine(ctx, r.app, r.svc.ID); err != nil {
				return err
			}
			return r.call(ctx, http.MethodPost, servicePath(r.svc.ID)+path, nil, body, &d)
		},
		func() (bool, error) {
			found, err := r.newDeploy(ctx, before, fits)
			d = found
			return found.ID != "", err
		})
	r.forget(r.app)
	if err != nil {
		return "", explain(err, "deploy %q", r.app)
	}
	if d.ID == "" {
		r.report("the deploy is queued")
		d, err = r.awaitNew(ctx, before, fits)
	}
	return d.ID, err
}

// newDeploy is a deploy that was not there before; one without an id when there is none.
func (r *rollout) newDeploy(ctx context.Context, before []string, fits func(deploy) bool) (deploy, error) {
	all, err := r.listDeploys(ctx, r.svc.ID, recentDeploys)
	if err != nil {
		return deploy{}, err
	}
	i := slices.IndexFunc(all, func(d deploy) bool { return !slices.Contains(before, d.ID) && fits(d) })
	if i < 0 {
		return deploy{}, nil
	}
	return all[i], nil
}

// queueTimeout is how long a deploy may wait for others before it shows.
const queueTimeout = 10 * time.Minute

func (r *rollout) awaitNew(ctx context.Context, before []string, fits func(deploy) bool) (deploy, error) {
	deadline, look := r.now().Add(queueTimeout), r.pause()
	for {
		d, err := r.newDeploy(ctx, before, fits)
		if err != nil && !transient(err) {
			return d, explain(err, "look for the new deploy of %q", r.app)
		}
		if d.ID != "" {
			return d, nil
		}
		if r.now().After(deadline) {
			return d, errs.New(errs.Timeout, "the deploy of %q did not begin within %s", r.app, queueTimeout).WithHint("run the same command again: it takes up a deploy that is under way")
		}
		if err := look.wait(ctx); err != nil {
			return d, err
		}
	}
}

// resumeLooks is how often the deploy is looked for that resuming begins.
const resumeLooks = 5

// resume wakes a suspended service, which deploys what it is set up for. It gives
// "" when that did not begin a deploy of it.
func (r *rollout) resume(ctx context.Context, before []string) (string, error) {
	if err := r.stillMine(ctx, r.app, r.svc.ID); err != nil {
		return "", err
	}
	r.report("resume the service")
	if err := r.call(again(ctx), http.MethodPost, servicePath(r.svc.ID)+"/resume", nil, nil, nil); err != nil {
		return "", explain(err, "resume %q", r.app)
	}
	r.forget(r.app)
	if r.want.Source != nil { // it would be the newest commit of the branch
		return "", nil
	}
	for range resumeLooks {
		d, err := r.newDeploy(ctx, before, func(d deploy) bool { return same(d.content(), r.want.Image) })
		if err != nil && !transient(err) {
			return "", explain(err, "look for the deploy of the resumed %q", r.app)
		}
		if d.ID != "" {
			return d.ID, nil
		}
		if err := r.sleep(ctx, r.o.Poll/2); err != nil {
			return "", err
		}
	}
	return "", nil
}

func (r *rollout) ids(ctx context.Context) ([]string, error) {
	all, err := r.listDeploys(ctx, r.svc.ID, recentDeploys)
	if err != nil {
		return nil, explain(err, "list the deploys of %q", r.app)
	}
	ids := make([]string, len(all))
	for i, d := range all {
		ids[i] = d.ID
	}
	return ids, nil
}

// record writes down what the service's configuration became, also when it
// failed or was interrupted: the list of releases should say what it was. What
// is live stays so when that does not work: the next run finds it, see settle.
func (r *rollout) record(ctx context.Context, id, of string, err error) error {
	if id == "" || r.svc == nil {
		return err
	}
	brought := r.brought
	if err != nil {
		brought = nil // they wait on
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	werr := r.amend(ctx, r.app, r.svc, func(l *ledger) { l.record(id, of, brought) })
	if werr != nil && err == nil {
		r.report("deploy %s is live, but could not be written down; the next run makes up for it: %v", id, werr)
	}
	return err
}
