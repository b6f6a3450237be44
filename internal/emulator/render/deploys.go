package render

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The statuses of a deploy.
const (
	statusCreated   = "created"
	statusQueued    = "queued"
	statusBuild     = "build_in_progress"
	statusPreDeploy = "pre_deploy_in_progress"
	statusUpdate    = "update_in_progress"
	statusLive      = "live"
	statusPast      = "deactivated"
	statusCanceled  = "canceled"

	statusBuildFailed     = "build_failed"
	statusPreDeployFailed = "pre_deploy_failed"
	statusUpdateFailed    = "update_failed"
)

// deploy is one attempt to make a version of a service live.
type deploy struct {
	ID, Status, Trigger   string
	What                  string // the image or the commit that was asked for; empty means the service's own
	DeployOnly            bool   // no build: what the last successful deploy built
	ClearCache            bool
	RollbackTo            string // id of the deploy that this one repeats
	Image                 *imageRef
	Commit                *commit
	CreatedAt, UpdatedAt  time.Time
	StartedAt, FinishedAt *time.Time
	Run                   *run // set when it is started
}

// done reports whether the deploy has ended, well or badly.
func (d *deploy) done() bool {
	switch d.Status {
	case statusCreated, statusQueued, statusBuild, statusPreDeploy, statusUpdate:
		return false
	}
	return true
}

// wasLive reports whether its version has served.
func (d *deploy) wasLive() bool { return d.Status == statusLive || d.Status == statusPast }

func (s *Server) deployRoutes() {
	const all = "/services/{service}/deploys"
	s.handle("GET "+all, s.serviceCall(s.listDeploys))
	s.handle("POST "+all, s.serviceCall(s.createDeploy))
	s.handle("GET "+all+"/{deploy}", s.deployCall(func(_ *service, d *deploy) (reply, error) { return ok(deployDoc(d)) }))
	s.handle("POST "+all+"/{deploy}/cancel", s.deployCall(s.cancelDeploy))
	s.handle("POST /services/{service}/rollback", s.serviceCall(s.rollback))
}

func (s *Server) deployCall(f func(*service, *deploy) (reply, error)) endpoint {
	return s.serviceCall(func(r *http.Request, v *service) (reply, error) {
		d := v.deploy(r.PathValue("deploy"))
		if d == nil || s.hidden(r, d.CreatedAt) {
			return reply{}, notFound("deploy", r.PathValue("deploy"))
		}
		return f(v, d)
	})
}

func (v *service) deploy(id string) *deploy {
	for _, d := range v.Deploys {
		if d.ID == id {
			return d
		}
	}
	return nil
}

// createDeploy starts a deploy, or queues it behind the one that is under way:
// then the answer is 202 and says nothing more.
func (s *Server) createDeploy(r *http.Request, v *service) (reply, error) {
	var in struct {
		ClearCache string `json:"clearCache"`
		CommitID   string `json:"commitId"`
		ImageURL   string `json:"imageUrl"`
		Mode       string `json:"deployMode"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case !slices.Contains([]string{"", "clear", "do_not_clear"}, in.ClearCache):
		return reply{}, bad("invalid clearCache %q", in.ClearCache)
	case !slices.Contains([]string{"", "build_and_deploy", "deploy_only"}, in.Mode):
		return reply{}, bad("invalid deployMode %q", in.Mode)
	case in.Mode != "" && in.CommitID+in.ImageURL+in.ClearCache != "":
		return reply{}, bad("deployMode cannot be combined with commitId, imageUrl or clearCache")
	case v.Suspended:
		return reply{}, bad("the service is suspended")
	case in.CommitID != "" && (v.ImagePath != "" || v.Type == cronJob):
		return reply{}, bad("commitId is not supported for this service")
	case in.ImageURL != "" && v.ImagePath == "":
		return reply{}, bad("imageUrl is only supported for services of an image")
	case in.Mode == "deploy_only" && v.lastLive() == nil:
		return reply{}, bad("there is no successful build to deploy")
	}
	what := in.CommitID
	if in.ImageURL != "" {
		full, repository, err := parseImage(in.ImageURL)
		if err != nil {
			return reply{}, bad("invalid imageUrl %q", in.ImageURL)
		}
		if _, own, _ := parseImage(v.ImagePath); own != repository {
			return reply{}, bad("imageUrl must have the host, repository and image name of the service's image, %s", own)
		}
		what = full
	}
	busy := v.underWay() != nil
	d := s.newDeploy(v, "api", what, nil)
	d.DeployOnly, d.ClearCache = in.Mode == "deploy_only", in.ClearCache == "clear"
	if busy {
		return empty(http.StatusAccepted)
	}
	return created(deployDoc(d))
}

// underWay is the deploy that has not ended, the queued one last.
func (v *service) underWay() *deploy {
	for _, d := range v.Deploys {
		if !d.done() {
			return d
		}
	}
	return nil
}

func (v *service) lastLive() *deploy {
	for _, d := range slices.Backward(v.Deploys) {
		if d.wasLive() && d.Run != nil {
			return d
		}
	}
	return nil
}

// newDeploy adds a deploy and starts it when nothing is under way. Only the
// newest waits: an older one that is queued still is canceled
// (https://render.com/docs/deploys#handling-overlapping-deploys). Callers hold
// s.mu, and may change the deploy until they let it go.
func (s *Server) newDeploy(v *service, trigger, what string, from *deploy) *deploy {
	d := &deploy{ID: s.id("dep"), Status: statusCreated, Trigger: trigger, What: what, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now()}
	if from != nil {
		d.RollbackTo, d.Image, d.Commit = from.ID, from.Image, from.Commit
	}
	if cur := v.underWay(); cur != nil {
		d.Status = statusQueued
		for _, old := range v.Deploys {
			if old.Status == statusQueued && old != cur {
				s.finish(v, old, statusCanceled, nil)
			}
		}
	}
	if v.ImagePath != "" && d.Image == nil {
		d.Image = &imageRef{Ref: orElse(what, v.ImagePath)}
	}
	v.Deploys = append(v.Deploys, d)
	s.next(v)
	return d
}

func orElse(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// rollback deploys an earlier version again. What it brings back is, by
// https://render.com/docs/rollbacks, the target's artifact, start command,
// health check path and the service's own variables; linked groups, disks,
// domains and the number of instances are as now. It changes nothing of the
// saved settings, which the next ordinary deploy uses, and does not switch off
// auto-deploy (the dashboard's button does). The pre-deploy command runs too:
// it runs before each deploy, whether or not there was a build
// (https://render.com/blog/build-pipelines). Of an image the reference is
// resolved again, so a tag that was moved is a different image.
func (s *Server) rollback(r *http.Request, v *service) (reply, error) {
	var in struct {
		DeployID string `json:"deployId"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	target := v.deploy(in.DeployID)
	switch {
	case target == nil:
		return reply{}, notFound("deploy", in.DeployID)
	case !target.wasLive() || target.Run == nil:
		return reply{}, bad("deploy %s was never live", in.DeployID)
	case v.Suspended:
		return reply{}, bad("the service is suspended")
	case !s.retained(v, target):
		return reply{}, bad("the build of deploy %s is no longer available", in.DeployID)
	}
	return created(deployDoc(s.newDeploy(v, "rollback", "", target)))
}

// retained reports whether the deploy's build is still kept.
func (s *Server) retained(v *service, target *deploy) bool {
	n := 0
	for _, d := range slices.Backward(v.Deploys) {
		if d.wasLive() {
			n++
		}
		if d == target {
			return s.opts.KeepBuilds <= 0 || n <= s.opts.KeepBuilds
		}
	}
	return false
}

func (s *Server) cancelDeploy(v *service, d *deploy) (reply, error) {
	if d.done() {
		return reply{}, bad("deploy %s is %s and cannot be canceled", d.ID, d.Status)
	}
	running := d.Status != statusQueued && d.StartedAt != nil
	s.finish(v, d, statusCanceled, nil)
	if running && v.cancel != nil {
		v.cancel()
	}
	return ok(deployDoc(d))
}

func (s *Server) listDeploys(r *http.Request, v *service) (reply, error) {
	f := newFilter(r)
	var list []*deploy
	for _, d := range slices.Backward(v.Deploys) { // newest first
		if f.any("status", d.Status) && f.span(d.CreatedAt, d.UpdatedAt) && f.times("finished", d.FinishedAt) && !s.lagging(d.CreatedAt) {
			list = append(list, d)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "deploy", func(d *deploy) string { return d.ID }, func(d *deploy) any { return deployDoc(d) })
}

func deployDoc(d *deploy) map[string]any {
	doc := map[string]any{
		"id": d.ID, "status": d.Status, "trigger": d.Trigger, "createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.UpdatedAt),
	}
	for name, t := range map[string]*time.Time{"startedAt": d.StartedAt, "finishedAt": d.FinishedAt} {
		if t != nil {
			doc[name] = stamp(*t)
		}
	}
	if d.Image != nil {
		image := map[string]any{"ref": d.Image.Ref}
		if d.Image.Sha != "" {
			image["sha"] = d.Image.Sha
		}
		doc["image"] = image
	}
	if d.Commit != nil {
		doc["commit"] = map[string]any{"id": d.Commit.ID, "message": d.Commit.Message, "createdAt": stamp(d.Commit.CreatedAt)}
	}
	return doc
}

// Push stands for somebody who pushes a commit: services of that repository and
// branch that deploy by themselves do so.
func (s *Server) Push(repo, branch, id, message string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st.Heads[repo+"#"+branch] = &commit{ID: id, Message: message, CreatedAt: s.w.Now()}
	for _, v := range s.st.Services {
		if v.Repo == repo && v.Branch == branch && v.AutoDeploy == "yes" && !v.Suspended {
			s.newDeploy(v, "new_commit", "", nil)
		}
	}
}

// head is the commit to deploy: the one that was asked for or the branch's newest.
func (s *Server) head(v *service, id string) *commit {
	key := v.Repo + "#" + v.Branch
	newest := s.st.Heads[key]
	if newest == nil {
		newest = &commit{ID: s.w.Hex(40), Message: "Initial commit", CreatedAt: s.w.Now()}
		s.st.Heads[key] = newest
	}
	if id == "" || id == newest.ID {
		return newest
	}
	return &commit{ID: id, Message: "Commit " + id, CreatedAt: s.w.Now()}
}

func repoSlug(repo string) string {
	repo = strings.TrimSuffix(strings.TrimSuffix(repo, "/"), ".git")
	parts := strings.Split(repo, "/")
	return strings.Join(parts[max(0, len(parts)-2):], "/")
}

// next starts what the service waits for: a deploy, or a restart that was asked
// for. Callers hold s.mu.
func (s *Server) next(v *service) {
	if v.busy || v.Suspended || s.ctx.Err() != nil {
		return
	}
	d := v.underWay()
	if d == nil && (!v.again || v.Running == nil) {
		return
	}
	ctx, cancel := context.WithCancel(s.ctx)
	v.busy, v.cancel = true, cancel
	if d == nil {
		v.again = false
	}
	s.work.Go(func() {
		if d != nil {
			s.carryOut(ctx, v, d)
		} else {
			s.renew(ctx, v)
		}
		cancel()
		s.mu.Lock()
		defer s.mu.Unlock()
		v.busy, v.cancel = false, nil
		if s.st.service(v.ID) == v {
			s.next(v)
		}
		s.w.Touch()
	})
}
