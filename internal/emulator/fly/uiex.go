package fly

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// release is an entry of an app's release ledger. The platform only keeps
// it: what runs is decided by whoever updates the machines.
type release struct {
	app        *app
	id         string
	version    int
	status     string
	strategy   string
	image      string
	definition any
	metadata   any
	user       string
	createdAt  time.Time
	updatedAt  time.Time
}

func (s *Server) uiexRoutes() {
	s.handle("GET /api/v1/organizations", s.listOrgs)
	s.handle("GET /api/v1/organizations/{org}", s.getOrg)
	s.handle("POST /api/v1/builds", s.createBuild)
	s.handle("POST /api/v1/builds/finish", s.createBuild)
	s.handle("POST /api/v1/releases", s.createRelease)
	s.handle("GET /api/v1/releases/all_current", s.allCurrent)
	s.handle("PATCH /api/v1/releases/{id}", s.updateRelease)
	s.handle("GET /api/v1/apps/{app}/releases", s.listReleases)
	s.handle("GET /api/v1/apps/{app}/releases/current", s.currentRelease)
	s.handle("GET /api/v1/apps/{app}/logs", s.readLogs)
}

func orgDoc(slug string) map[string]any {
	return map[string]any{
		"id": "org-" + slug, "internal_numeric_id": 1, "slug": slug, "raw_slug": slug, "name": orgName(slug), "personal": slug == "personal",
		"paid_plan": true, "billable": true, "billing_status": "CURRENT", "provisions_beta_extensions": false, "remote_builder_image": "",
	}
}

func (s *Server) listOrgs(*http.Request) (reply, error) {
	docs := make([]any, 0, len(s.opts.Orgs))
	for _, o := range s.opts.Orgs {
		docs = append(docs, orgDoc(o))
	}
	return ok(map[string]any{"organizations": docs})
}

func (s *Server) getOrg(r *http.Request) (reply, error) {
	slug := r.PathValue("org")
	if !contains(s.opts.Orgs, slug) {
		return reply{}, notFound("organization " + slug)
	}
	return ok(map[string]any{"organization": orgDoc(slug)})
}

// createBuild records nothing: images come through the registry.
func (s *Server) createBuild(r *http.Request) (reply, error) {
	var in struct {
		App string `json:"app_name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(in.App); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"id": s.num(), "status": "started", "wallclock_time_ms": 0})
}

func (rel *release) doc() map[string]any {
	return map[string]any{
		"id": rel.id, "version": rel.version, "stable": rel.status == "complete", "in_progress": rel.inProgress(), "status": rel.status,
		"strategy": rel.strategy, "user": rel.user, "created_at": stamp(rel.createdAt), "image_ref": rel.image,
	}
}

func (rel *release) inProgress() bool { return rel.status == "pending" || rel.status == "running" }

var strategies = []string{"ROLLING", "IMMEDIATE", "CANARY", "BLUEGREEN", "ROLLING_ONE", "SIMPLE"}

// newRelease writes into the ledger. Callers hold s.mu.
func (s *Server) newRelease(a *app, image, strategy string, definition any) (*release, error) {
	if strategy == "" {
		strategy = "ROLLING"
	}
	if !contains(strategies, strings.ToUpper(strategy)) {
		return nil, fail(http.StatusUnprocessableEntity, "strategy is invalid")
	}
	if image == "" {
		return nil, fail(http.StatusUnprocessableEntity, "image can't be blank")
	}
	rel := &release{
		app: a, id: s.w.Hex(20), version: len(a.releases) + 1, status: "pending", strategy: strings.ToUpper(strategy), image: image,
		definition: definition, user: s.opts.Email, createdAt: s.w.Now(), updatedAt: s.w.Now(),
	}
	a.releases = append(a.releases, rel)
	s.releases[rel.id] = rel
	s.w.Logf("app %s: release v%d %s", a.name, rel.version, rel.status)
	return rel, nil
}

func (s *Server) createRelease(r *http.Request) (reply, error) {
	var in struct {
		App        string `json:"app_name"`
		Image      string `json:"image"`
		Strategy   string `json:"strategy"`
		Definition any    `json:"definition"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(in.App)
	if err != nil {
		return reply{}, err
	}
	rel, err := s.newRelease(a, in.Image, in.Strategy, in.Definition)
	if err != nil {
		return reply{}, err
	}
	return reply{code: http.StatusCreated, body: map[string]any{"release": rel.doc()}}, nil
}

// setRelease changes a release's status. Callers hold s.mu.
func (s *Server) setRelease(id, status string, metadata any) (*release, error) {
	rel := s.releases[id]
	if rel == nil {
		return nil, notFound("release")
	}
	switch status {
	case "":
	case "pending", "running", "complete", "failed", "interrupted":
		rel.status = status
	default:
		return nil, fail(http.StatusUnprocessableEntity, "status is invalid")
	}
	if metadata != nil {
		rel.metadata = metadata
	}
	rel.updatedAt = s.w.Now()
	s.w.Logf("app %s: release v%d %s", rel.app.name, rel.version, rel.status)
	return rel, nil
}

func (s *Server) updateRelease(r *http.Request) (reply, error) {
	var in struct {
		Status   string `json:"status"`
		Metadata any    `json:"metadata"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	rel, err := s.setRelease(r.PathValue("id"), in.Status, in.Metadata)
	if err != nil {
		return reply{}, err
	}
	return ok(rel.doc())
}

// ledger returns the releases, newest first, at most limit (0: all).
func (a *app) ledger(limit int) []*release {
	var out []*release
	for i := len(a.releases) - 1; i >= 0 && (limit <= 0 || len(out) < limit); i-- {
		out = append(out, a.releases[i])
	}
	return out
}

func (s *Server) listReleases(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	docs := []any{}
	for _, rel := range a.ledger(atoi(r.URL.Query().Get("limit"))) {
		docs = append(docs, rel.doc())
	}
	return ok(map[string]any{"releases": docs})
}

func (s *Server) currentRelease(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	list := a.ledger(1)
	if len(list) == 0 {
		return reply{}, notFound("release")
	}
	return ok(list[0].doc())
}

// allCurrent says when each app was released last: what `fly apps list` shows beside the names.
func (s *Server) allCurrent(*http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, a := range s.sorted("") {
		if list := a.ledger(1); len(list) > 0 {
			out[a.name] = stamp(list[0].createdAt)
		}
	}
	return ok(out)
}

// logPage is how many lines one poll answers with, logTail how many old ones
// a poll without a token sees.
const (
	logPage = 200
	logTail = 100
)

// readLogs answers a poll. The token is the number of the last line seen.
func (s *Server) readLogs(r *http.Request) (reply, error) {
	s.mu.Lock()
	a, err := s.find(r.PathValue("app"))
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	q := r.URL.Query()
	var after int64
	if t := q.Get("next_token"); t == "" {
		after = max(0, a.w.Logs.Last()-logTail)
	} else if after, err = strconv.ParseInt(t, 10, 64); err != nil {
		return reply{}, fail(http.StatusBadRequest, "invalid next_token")
	}
	lines, last := a.w.Logs.After(after, logPage, func(l world.LogLine) bool {
		return (q.Get("instance") == "" || q.Get("instance") == l.Machine) && (q.Get("region") == "" || q.Get("region") == l.Region)
	})
	data := make([]any, 0, len(lines))
	for _, l := range lines {
		data = append(data, map[string]any{
			"id": strconv.FormatInt(l.Seq, 10),
			"attributes": map[string]any{
				"timestamp": stamp(l.Time), "message": l.Message, "level": "info", "instance": l.Machine, "region": l.Region,
				"meta": map[string]any{"instance": l.Machine, "region": l.Region, "event": map[string]any{"provider": l.Source}},
			},
		})
	}
	return ok(map[string]any{"data": data, "meta": map[string]any{"next_token": strconv.FormatInt(last, 10)}})
}
