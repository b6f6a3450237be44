package sentry

import (
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// orgID is the number of the only organization.
const orgID = "1"

// state is everything that the server keeps.
type state struct {
	Projects  []*project  `json:"projects"`
	Events    []*event    `json:"events"`
	Issues    []*issue    `json:"issues"`
	Releases  []*release  `json:"releases"`
	Monitors  []*monitor  `json:"monitors"`
	Workflows []*workflow `json:"workflows"`
	Next      int         `json:"next"` // the last number given
}

// maxEvents is how many events are kept; older ones are forgotten.
const maxEvents = 5000

type project struct {
	ID      string    `json:"id"` // a number
	Slug    string    `json:"slug"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

func newState(opts Options) state {
	return state{Projects: []*project{{ID: "1", Slug: opts.Project, Name: opts.Project, Created: opts.Now()}}, Next: 1}
}

// number returns the next number. Callers hold s.mu.
func (s *Server) number() int {
	s.state.Next++
	return s.state.Next
}

func (s *Server) numberID() string { return strconv.Itoa(s.number()) }

// Snapshot is everything that Restore needs.
func (s *Server) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.state)
}

// Restore puts a Snapshot in the place of what there is.
func (s *Server) Restore(data json.RawMessage) error {
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return err
	}
	if len(st.Projects) == 0 {
		st.Projects = newState(s.opts).Projects
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = st
	return nil
}

// project finds a project by its slug or number. Callers hold s.mu.
func (s *Server) project(slugOrID string) *project {
	for _, p := range s.state.Projects {
		if p.Slug == slugOrID || p.ID == slugOrID {
			return p
		}
	}
	return nil
}

func (s *Server) projectRoutes() {
	s.handle("GET /organizations/", func(r *http.Request) (reply, error) {
		return list(s, r, []string{s.opts.Org}, func(slug string) any { return s.orgDoc(slug) })
	})
	s.handle("GET /organizations/{org}/", func(*http.Request) (reply, error) { return ok(s.orgDoc(s.opts.Org)) })
	s.handle("GET /organizations/{org}/projects/", func(r *http.Request) (reply, error) {
		return list(s, r, s.state.Projects, func(p *project) any { return p.listDoc() })
	})
	s.handle("POST /teams/{org}/{team}/projects/", s.createProject)
	s.handle("GET /projects/{org}/{project}/keys/", s.listKeys)
}

func (s *Server) orgDoc(slug string) map[string]any {
	return map[string]any{
		"id": orgID, "slug": slug, "name": slug, "status": map[string]any{"id": "active", "name": "active"}, "dateCreated": stamp(s.state.Projects[0].Created),
		"isEarlyAdopter": false, "require2FA": false, "avatar": avatar(), "hasAuthProvider": false, "allowMemberInvite": true,
		"allowMemberProjectCreation": true, "allowSuperuserAccess": true,
		"links": map[string]any{"organizationUrl": s.opts.URL(), "regionUrl": s.opts.URL()},
	}
}

func avatar() map[string]any { return map[string]any{"avatarType": "letter_avatar", "avatarUuid": nil} }

// unused are the project's features that the document wants to hear of.
var unused = []string{
	"isBookmarked", "firstTransactionEvent", "hasFeedbacks", "hasFlags", "hasMinifiedStackTrace", "hasMonitors", "hasNewFeedbacks", "hasProfiles",
	"hasReplays", "hasSessions", "hasInsightsHttp", "hasInsightsDb", "hasInsightsAssets", "hasInsightsAppStart", "hasInsightsScreenLoad",
	"hasInsightsVitals", "hasInsightsCaches", "hasInsightsQueues", "hasInsightsAgentMonitoring", "hasInsightsMCP", "hasLogs", "hasTraceMetrics",
	"isInternal", "isPublic",
}

func (p *project) doc() map[string]any {
	doc := map[string]any{
		"id": p.ID, "slug": p.Slug, "name": p.Name, "platform": nil, "dateCreated": stamp(p.Created), "status": "active", "features": []string{},
		"firstEvent": nil, "access": []string{"project:read", "project:releases"}, "isMember": true, "hasAccess": true, "avatar": avatar(), "color": "#3f6fbf",
	}
	for _, name := range unused {
		doc[name] = false
	}
	return doc
}

// listDoc is a project in the organization's list, which says a little else.
func (p *project) listDoc() map[string]any {
	doc := p.doc()
	for _, name := range []string{"avatar", "color", "status", "isInternal", "isPublic"} {
		delete(doc, name)
	}
	maps.Copy(doc, map[string]any{"team": nil, "teams": []any{}, "platforms": []string{}, "hasUserReports": false, "environments": []string{}, "latestRelease": nil})
	return doc
}

func (s *Server) createProject(r *http.Request) (reply, error) {
	var in struct{ Name, Slug string }
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if in.Slug == "" {
		in.Slug = in.Name
	}
	switch {
	case in.Name == "":
		return reply{}, bad("name", "This field is required.")
	case !isSlug(in.Slug, 100):
		return reply{}, bad("slug", "Enter a valid slug consisting of lowercase letters, numbers, underscores or hyphens.")
	case s.project(in.Slug) != nil:
		return reply{}, &apiError{http.StatusConflict, "A project with this slug already exists.", ""}
	}
	p := &project{ID: s.numberID(), Slug: in.Slug, Name: in.Name, Created: s.opts.Now()}
	s.state.Projects = append(s.state.Projects, p)
	return reply{code: http.StatusCreated, body: p.doc()}, nil
}

func (s *Server) listKeys(r *http.Request) (reply, error) {
	p := s.project(r.PathValue("project"))
	return ok([]any{map[string]any{
		"id": s.opts.Key, "name": "Default", "label": "Default", "public": s.opts.Key, "secret": "", "projectId": number(p.ID), "isActive": true,
		"rateLimit": nil, "dateCreated": stamp(p.Created), "browserSdkVersion": "8.x", "browserSdk": map[string]any{"choices": []any{}}, "dsn": s.dsns(p),
		"dynamicSdkLoaderOptions": map[string]any{"hasReplay": false, "hasPerformance": false, "hasDebug": false, "hasFeedback": false, "hasLogsAndMetrics": false},
	}})
}

// dsns are the addresses that the key is for. Only public and crons have
// something behind them.
func (s *Server) dsns(p *project) map[string]any {
	api := s.opts.URL() + "/api/" + p.ID
	out := map[string]any{"public": s.dsn(p), "secret": s.dsn(p), "crons": api + "/cron/___MONITOR_SLUG___/" + s.opts.Key + "/"}
	for _, name := range []string{"csp", "security", "minidump", "nel", "unreal", "cdn", "playstation", "integration", "otlp_traces", "otlp_logs"} {
		out[name] = api + "/" + name + "/?sentry_key=" + s.opts.Key
	}
	return out
}

func number(id string) int {
	n, _ := strconv.Atoi(id) // 0 for what is no number
	return n
}
