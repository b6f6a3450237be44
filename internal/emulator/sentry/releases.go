package sentry

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// release is a version of the projects' code.
type release struct {
	ID       int       `json:"id"`
	Version  string    `json:"version"`
	Projects []string  `json:"projects"` // slugs
	Ref      string    `json:"ref"`
	URL      string    `json:"url"`
	Status   string    `json:"status"` // open or archived
	Created  time.Time `json:"created"`
	Released time.Time `json:"released"`
	Commits  []commit  `json:"commits"`
	Refs     []ref     `json:"refs"`
	Deploys  []*deploy `json:"deploys"` // oldest first
}

type commit struct {
	ID          string `json:"id"`
	Repository  string `json:"repository"`
	Message     string `json:"message"`
	AuthorName  string `json:"author_name"`
	AuthorEmail string `json:"author_email"`
}

type ref struct {
	Repository string `json:"repository"`
	Commit     string `json:"commit"`
	Previous   string `json:"previousCommit"`
}

// deploy is one roll-out of a release.
type deploy struct {
	ID          string    `json:"id"`
	Environment string    `json:"environment"`
	Name        string    `json:"name"`
	URL         string    `json:"url"`
	Started     time.Time `json:"started"`
	Finished    time.Time `json:"finished"`
}

// releaseInput is the body of create and update.
type releaseInput struct {
	Version  string    `json:"version"`
	Projects []string  `json:"projects"`
	Ref      *string   `json:"ref"`
	URL      *string   `json:"url"`
	Status   string    `json:"status"`
	Released time.Time `json:"dateReleased"`
	Commits  []commit  `json:"commits"`
	Refs     []ref     `json:"refs"`
}

func (s *Server) releaseRoutes() {
	const one = "/organizations/{org}/releases/{version}/"
	s.handle("POST /organizations/{org}/releases/", s.createRelease)
	s.handle("GET /organizations/{org}/releases/", func(r *http.Request) (reply, error) {
		all := slices.Clone(s.state.Releases)
		slices.Reverse(all)
		return list(s, r, all, func(rel *release) any { return s.releaseDoc(rel) })
	})
	s.handle("GET "+one, s.withRelease(func(_ *http.Request, rel *release) (reply, error) { return ok(s.releaseDoc(rel)) }))
	s.handle("PUT "+one, s.withRelease(s.updateRelease))
	s.handle("DELETE "+one, s.withRelease(func(_ *http.Request, rel *release) (reply, error) {
		s.state.Releases = slices.DeleteFunc(s.state.Releases, func(r *release) bool { return r == rel })
		return reply{code: http.StatusNoContent}, nil
	}))
	s.handle("POST "+one+"deploys/", s.withRelease(s.createDeploy))
	s.handle("GET "+one+"deploys/", s.withRelease(func(r *http.Request, rel *release) (reply, error) {
		all := slices.Clone(rel.Deploys)
		slices.Reverse(all)
		return list(s, r, all, func(d *deploy) any { return d.doc() })
	}))
}

func (s *Server) release(version string) *release {
	for _, rel := range s.state.Releases {
		if rel.Version == version {
			return rel
		}
	}
	return nil
}

func (s *Server) withRelease(f func(*http.Request, *release) (reply, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		if rel := s.release(r.PathValue("version")); rel != nil {
			return f(r, rel)
		}
		return reply{}, errNotFound
	}
}

// createRelease makes a release, or answers 208 with the one that there is.
func (s *Server) createRelease(r *http.Request) (reply, error) {
	var in releaseInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Version == "":
		return reply{}, bad("version", "This field is required.")
	case len(in.Version) > 200 || in.Version == "." || in.Version == ".." || strings.TrimSpace(in.Version) != in.Version || strings.ContainsAny(in.Version, "/\\\n\r\t"):
		return reply{}, bad("version", "Release with name "+in.Version+" is not valid")
	case len(in.Projects) == 0:
		return reply{}, bad("projects", "This field is required.")
	}
	for _, slug := range in.Projects {
		if s.project(slug) == nil {
			return reply{}, bad("projects", "Invalid project ids or slugs")
		}
	}
	code := http.StatusAlreadyReported
	rel := s.release(in.Version)
	if rel == nil {
		code = http.StatusCreated
		rel = &release{ID: s.number(), Version: in.Version, Status: "open", Created: s.opts.Now()}
		s.state.Releases = append(s.state.Releases, rel)
	}
	for _, slug := range in.Projects {
		if p := s.project(slug); !slices.Contains(rel.Projects, p.Slug) {
			rel.Projects = append(rel.Projects, p.Slug)
		}
	}
	rel.change(in)
	return reply{code: code, body: s.releaseDoc(rel)}, nil
}

func (s *Server) updateRelease(r *http.Request, rel *release) (reply, error) {
	var in releaseInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	rel.change(in)
	return ok(s.releaseDoc(rel))
}

func (rel *release) change(in releaseInput) {
	if in.Ref != nil {
		rel.Ref = *in.Ref
	}
	if in.URL != nil {
		rel.URL = *in.URL
	}
	if in.Status == "open" || in.Status == "archived" {
		rel.Status = in.Status
	}
	if !in.Released.IsZero() {
		rel.Released = in.Released
	}
	if in.Commits != nil {
		rel.Commits = in.Commits
	}
	if in.Refs != nil {
		rel.Refs = in.Refs
	}
}

func (s *Server) createDeploy(r *http.Request, rel *release) (reply, error) {
	var in struct {
		Environment string    `json:"environment"`
		Name        string    `json:"name"`
		URL         string    `json:"url"`
		Started     time.Time `json:"dateStarted"`
		Finished    time.Time `json:"dateFinished"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	switch {
	case in.Environment == "":
		return reply{}, bad("environment", "This field is required.")
	case len(in.Environment) > 64 || strings.ContainsAny(in.Environment, "/\n\r\t\f"):
		return reply{}, bad("environment", "Invalid value for environment")
	}
	d := &deploy{ID: s.numberID(), Environment: in.Environment, Name: in.Name, URL: in.URL, Started: in.Started, Finished: in.Finished}
	if d.Finished.IsZero() {
		d.Finished = s.opts.Now()
	}
	rel.Deploys = append(rel.Deploys, d)
	return reply{code: http.StatusCreated, body: d.doc()}, nil
}

func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (d *deploy) doc() map[string]any {
	return map[string]any{
		"id": d.ID, "environment": d.Environment, "name": orNull(d.Name), "url": orNull(d.URL), "dateStarted": stampOr(d.Started), "dateFinished": stamp(d.Finished),
	}
}

func (s *Server) releaseDoc(rel *release) map[string]any {
	projects := []any{}
	for _, slug := range rel.Projects {
		if p := s.project(slug); p != nil {
			projects = append(projects, map[string]any{
				"id": number(p.ID), "slug": p.Slug, "name": p.Name, "platform": nil, "platforms": []string{}, "hasHealthData": false, "newGroups": 0,
			})
		}
	}
	short := rel.Version
	if _, after, found := strings.Cut(short, "@"); found {
		short = after
	}
	doc := map[string]any{
		"id": rel.ID, "version": rel.Version, "shortVersion": short, "status": rel.Status, "ref": orNull(rel.Ref), "url": orNull(rel.URL),
		"dateCreated": stamp(rel.Created), "dateReleased": stampOr(rel.Released), "newGroups": 0, "versionInfo": nil, "data": map[string]any{},
		"commitCount": len(rel.Commits), "deployCount": len(rel.Deploys), "authors": []any{}, "projects": projects, "lastDeploy": nil,
	}
	if n := len(rel.Deploys); n > 0 {
		last := rel.Deploys[n-1].doc()
		if last["name"] == nil {
			last["name"] = ""
		}
		doc["lastDeploy"] = last
	}
	return doc
}
