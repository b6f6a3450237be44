package render

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// suspendService ends all instances and what is under way.
func (s *Server) suspendService(_ *http.Request, v *service) (reply, error) {
	if v.Suspended {
		return empty(http.StatusAccepted)
	}
	v.Suspended, v.UpdatedAt, v.again = true, s.w.Now(), false
	for _, d := range v.Deploys {
		if !d.done() {
			s.finish(v, d, statusCanceled, nil)
		}
	}
	if v.cancel != nil {
		v.cancel()
	}
	s.retire(v, v.Instances, 0)
	v.Instances, v.Running = nil, nil
	s.event(v, "service_suspended", map[string]any{"actor": "user", "suspendedByUser": s.user()})
	return empty(http.StatusAccepted)
}

// resumeService deploys the service again.
func (s *Server) resumeService(_ *http.Request, v *service) (reply, error) {
	if !v.Suspended {
		return empty(http.StatusAccepted)
	}
	v.Suspended, v.UpdatedAt = false, s.w.Now()
	s.event(v, "service_resumed", map[string]any{"actor": "user", "resumedByUser": s.user()})
	s.newDeploy(v, "service_resumed", "", nil)
	return empty(http.StatusAccepted)
}

// restartService replaces the instances by new ones of the same deploy, with
// the settings and variables that it ran with
// (https://render.com/docs/deploys#restarting-a-service).
func (s *Server) restartService(_ *http.Request, v *service) (reply, error) {
	switch {
	case v.Type == cronJob || v.Type == staticSite:
		return reply{}, bad("a %s cannot be restarted", v.Type)
	case v.Suspended:
		return reply{}, bad("the service is suspended")
	case v.Running == nil:
		return reply{}, bad("the service has no live deploy")
	}
	s.event(v, "server_restarted", map[string]any{"triggeredByUser": s.opts.Email})
	v.again = true
	s.next(v)
	return empty(http.StatusOK)
}

// scaleService adds or takes away instances of what runs, without a deploy.
func (s *Server) scaleService(r *http.Request, v *service) (reply, error) {
	var in struct {
		N *int `json:"numInstances"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case in.N == nil || *in.N < 1 || *in.N > 100:
		return reply{}, bad("numInstances must be between 1 and 100")
	case v.Type == cronJob || v.Type == staticSite:
		return reply{}, bad("a %s cannot be scaled", v.Type)
	case v.Details.Disk != nil && *in.N > 1:
		return reply{}, bad("a service with a disk has one instance")
	case v.autoscaled():
		return empty(http.StatusAccepted) // ignored while autoscaling is on
	}
	from := v.Details.NumInstances
	v.Details.NumInstances, v.UpdatedAt = *in.N, s.w.Now()
	if from != *in.N {
		s.event(v, "instance_count_changed", map[string]any{"fromInstances": from, "toInstances": *in.N})
	}
	s.resize(v)
	return empty(http.StatusAccepted)
}

// resize makes as many instances run as are wanted. A deploy under way does so
// itself when it ends.
func (s *Server) resize(v *service) {
	if v.Running == nil {
		return
	}
	v.Running.Instances = v.Details.NumInstances
	for len(v.Instances) < v.Running.Instances {
		v.Instances = append(v.Instances, s.launch(v, v.Running, false))
	}
	if n := v.Running.Instances; len(v.Instances) > n {
		s.retire(v, v.Instances[n:], s.opts.Drain)
		v.Instances = v.Instances[:n:n]
	}
}

func (v *service) autoscaled() bool {
	var cfg struct {
		Enabled bool `json:"enabled"`
	}
	return v.Details.Autoscaling != nil && json.Unmarshal(v.Details.Autoscaling, &cfg) == nil && cfg.Enabled
}

// setAutoscaling stores the configuration and holds the least number of
// instances; there is no load here that would ask for more.
func (s *Server) setAutoscaling(r *http.Request, v *service) (reply, error) {
	var raw json.RawMessage
	if err := decode(r, &raw); err != nil {
		return reply{}, err
	}
	var cfg struct {
		Enabled bool `json:"enabled"`
		Min     int  `json:"min"`
		Max     int  `json:"max"`
	}
	if err := json.Unmarshal(raw, &cfg); err != nil || cfg.Min < 1 || cfg.Max < cfg.Min || cfg.Max > 100 {
		return reply{}, bad("invalid autoscaling configuration")
	}
	if v.Details.Disk != nil || v.Type == cronJob || v.Type == staticSite {
		return reply{}, bad("the service cannot be scaled")
	}
	details := map[string]any{"toConfig": raw}
	if v.Details.Autoscaling != nil {
		details["fromConfig"] = v.Details.Autoscaling
	}
	v.Details.Autoscaling, v.UpdatedAt = raw, s.w.Now()
	s.event(v, "autoscaling_config_changed", details)
	if cfg.Enabled {
		v.Details.NumInstances = min(max(v.Details.NumInstances, cfg.Min), cfg.Max)
		s.resize(v)
	}
	return ok(raw)
}

func (s *Server) deleteAutoscaling(_ *http.Request, v *service) (reply, error) {
	v.Details.Autoscaling, v.UpdatedAt = nil, s.w.Now()
	return empty(http.StatusNoContent)
}

func listInstances(_ *http.Request, v *service) (reply, error) {
	docs := []any{}
	for _, in := range v.Instances {
		docs = append(docs, map[string]any{"id": in.ID, "createdAt": stamp(in.CreatedAt)})
	}
	return ok(docs)
}

// launch starts one instance. An apart one takes no traffic yet. Callers hold s.mu.
func (s *Server) launch(v *service, r *run, apart bool) *instance {
	in := &instance{ID: v.ID + "-" + s.w.Hex(5), CreatedAt: s.w.Now()}
	in.m = v.app.NewMachine(v.Details.Region, s.spec(v, r, in.ID), in.ID, apart, false)
	return in
}

// spec is what an instance runs. Render restarts what ends, always.
func (s *Server) spec(v *service, r *run, id string) world.Spec {
	sp := world.Spec{
		Env: s.environ(v, r, id), Identity: s.identity(v, r, id), Restart: world.RestartAlways, StopTimeout: time.Duration(r.MaxShutdown) * time.Second,
	}
	if r.Command != "" && !r.Native { // a native runtime's start command belongs to what was built, which Exec stands for
		sp.Argv, _ = words(r.Command)
	}
	if v.Type == worker || v.Type == cronJob {
		return sp
	}
	sp.Port = appPort
	check := world.Check{Name: "port", Type: "tcp", Interval: s.opts.CheckInterval, Timeout: 5 * time.Second, Gate: true}
	if v.Type == webService && r.HealthPath != "" {
		check.Name, check.Type, check.Path = "health", "http", r.HealthPath
		check.Headers = http.Header{"User-Agent": {"Render/1.0"}}
	}
	sp.Checks = []world.Check{check}
	return sp
}

// identity is what Render tells every process of a service
// (https://render.com/docs/environment-variables), and which image stands
// behind it, since all images run the same command here.
func (s *Server) identity(v *service, r *run, id string) map[string]string {
	out := map[string]string{
		"RENDER": "true", "RENDER_SERVICE_ID": v.ID, "RENDER_SERVICE_NAME": v.Name, "RENDER_SERVICE_TYPE": shortType(v.Type), "RENDER_INSTANCE_ID": id,
		"RENDER_DISCOVERY_SERVICE": v.Slug + "-discovery", "RENDER_CPU_COUNT": "1", "IS_PULL_REQUEST": "false",
	}
	if v.Type == webService {
		out["RENDER_EXTERNAL_HOSTNAME"], out["RENDER_EXTERNAL_URL"] = v.Slug+".onrender.com", s.url(v)
	}
	if r.Commit != nil {
		out["RENDER_GIT_COMMIT"], out["RENDER_GIT_BRANCH"], out["RENDER_GIT_REPO_SLUG"] = r.Commit.ID, v.Branch, repoSlug(v.Repo)
	}
	if r.Image != nil {
		out[ImageVariable] = s.w.Images.Describe(r.Image.pinned())
	}
	return out
}

// environ is the environment of a process: what groups say, then the service, then Render.
func (s *Server) environ(v *service, r *run, id string) map[string]string {
	env := map[string]string{"PORT": strconv.Itoa(appPort)}
	for _, m := range []map[string]string{r.GroupEnv, r.Env, s.identity(v, r, id)} {
		maps.Copy(env, m)
	}
	return env
}

func (s *Server) user() map[string]any {
	return map[string]any{"id": "usr-emulator", "email": s.opts.Email}
}

// retire takes instances out of the routing and, after a while, stops them in
// their own time. Callers hold s.mu.
func (s *Server) retire(v *service, list []*instance, after time.Duration) {
	for _, in := range list {
		m := in.m
		m.SetCordoned(true)
		delete(v.exits, in.ID)
		s.work.Go(func() {
			select {
			case <-time.After(after):
			case <-s.ctx.Done():
			}
			m.Stop(0, 0)
			s.stopped(s.ctx, m)
			_ = m.Destroy(true) // so that nothing of it is left in the world
		})
	}
}

// stopped waits until the machine does not run any more.
func (s *Server) stopped(ctx context.Context, m *world.Machine) {
	_ = s.w.Await(ctx, func() bool {
		st := m.Snapshot().State
		return st == world.Stopped || gone(st)
	})
}
