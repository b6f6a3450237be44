package render

import (
	"net/http"
	"slices"
	"time"
)

// job is a command that ran once with a service's build and variables.
type job struct {
	ID, Command, Plan     string
	Status                string // pending, running, succeeded, failed, canceled
	CreatedAt             time.Time
	StartedAt, FinishedAt *time.Time

	cancel func()
}

func (s *Server) jobRoutes() {
	const all = "/services/{service}/jobs"
	s.handle("GET "+all, s.serviceCall(s.listJobs))
	s.handle("POST "+all, s.serviceCall(s.createJob))
	s.handle("GET "+all+"/{job}", s.jobCall(func(v *service, j *job) (reply, error) { return ok(jobDoc(v, j)) }))
	s.handle("POST "+all+"/{job}/cancel", s.jobCall(s.cancelJob))
}

func (s *Server) jobCall(f func(*service, *job) (reply, error)) endpoint {
	return s.serviceCall(func(r *http.Request, v *service) (reply, error) {
		for _, j := range v.Jobs {
			if j.ID == r.PathValue("job") && !s.hidden(r, j.CreatedAt) {
				return f(v, j)
			}
		}
		return reply{}, notFound("job", r.PathValue("job"))
	})
}

// createJob starts a command beside the service, with what its live deploy has.
func (s *Server) createJob(r *http.Request, v *service) (reply, error) {
	var in struct {
		Command string `json:"startCommand"`
		Plan    string `json:"planId"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	argv, fine := words(in.Command)
	switch {
	case len(argv) == 0 || !fine:
		return reply{}, bad("invalid startCommand %q", in.Command)
	case v.Type == staticSite:
		return reply{}, bad("a static site has no jobs")
	case v.lastLive() == nil:
		return reply{}, bad("the service has no successful deploy that a job could run")
	}
	j := &job{ID: s.id("job"), Command: in.Command, Plan: orElse(in.Plan, "plan-srv-006"), Status: "pending", CreatedAt: s.w.Now()}
	v.Jobs = append(v.Jobs, j)
	s.runJob(v, j, v.lastLive().Run)
	return created(jobDoc(v, j))
}

// runJob starts the job's process and waits for it in the background. Callers hold s.mu.
func (s *Server) runJob(v *service, j *job, r *run) {
	m := s.task(v, r, j.Command, j.ID+"-"+s.w.Hex(5))
	now := s.w.Now()
	j.Status, j.StartedAt = "running", &now
	j.cancel = func() { _ = m.Destroy(true) }
	s.work.Go(func() {
		f := s.await(s.ctx, m, 30*24*time.Hour) // Render's own limit for a job
		s.mu.Lock()
		defer s.mu.Unlock()
		if j.FinishedAt != nil {
			return
		}
		status := "succeeded"
		switch {
		case f != nil && f.canceled:
			status = "canceled"
		case f != nil:
			status = "failed"
		}
		j.end(s.w.Now(), status)
		details := map[string]any{"jobId": j.ID, "status": status}
		if status == "failed" {
			details["reason"] = f.reason()["failure"]
		}
		s.event(v, "job_run_ended", details)
		s.w.Touch()
	})
}

func (j *job) end(now time.Time, status string) { j.Status, j.FinishedAt = status, &now }

func (s *Server) cancelJob(v *service, j *job) (reply, error) {
	if j.FinishedAt != nil {
		return reply{}, bad("job %s is %s and cannot be canceled", j.ID, j.Status)
	}
	j.end(s.w.Now(), "canceled")
	s.event(v, "job_run_ended", map[string]any{"jobId": j.ID, "status": "canceled"})
	if j.cancel != nil {
		j.cancel()
	}
	return ok(jobDoc(v, j))
}

func (s *Server) listJobs(r *http.Request, v *service) (reply, error) {
	f := newFilter(r)
	var list []*job
	for _, j := range slices.Backward(v.Jobs) {
		if f.any("status", j.Status) && f.times("created", &j.CreatedAt) && f.times("started", j.StartedAt) && f.times("finished", j.FinishedAt) && !s.lagging(j.CreatedAt) {
			list = append(list, j)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "job", func(j *job) string { return j.ID }, func(j *job) any { return jobDoc(v, j) })
}

func jobDoc(v *service, j *job) map[string]any {
	doc := map[string]any{
		"id": j.ID, "serviceId": v.ID, "startCommand": j.Command, "planId": j.Plan, "status": j.Status, "createdAt": stamp(j.CreatedAt),
	}
	for name, t := range map[string]*time.Time{"startedAt": j.StartedAt, "finishedAt": j.FinishedAt} {
		if t != nil {
			doc[name] = stamp(*t)
		}
	}
	return doc
}
