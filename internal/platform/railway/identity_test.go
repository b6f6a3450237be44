package railway

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
)

// scripted answers each document by its first root field, and counts the requests.
type scripted struct {
	answers  map[string]string // field -> data, or an error's message after a !
	requests int
	headers  []http.Header
}

func (s *scripted) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.requests++
	s.headers = append(s.headers, r.Header)
	var in struct {
		Query string `json:"query"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	_, rest, _ := strings.Cut(in.Query, "{")
	field := strings.FieldsFunc(rest, func(c rune) bool { return c < 'A' })[0]
	answer, ok := s.answers[field]
	if !ok {
		answer = "!Not Authorized"
	}
	if text, failed := strings.CutPrefix(answer, "!"); failed {
		_, _ = fmt.Fprintf(w, `{"errors":[{"message":%q,"path":[%q]}],"data":null}`, text, field)
		return
	}
	_, _ = fmt.Fprintf(w, `{"data":{%s}}`, answer)
}

// connect is an adapter of a scripted server, with these variables.
func connect(t *testing.T, h http.Handler, o Options, env map[string]string) *Platform {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.Lookup = func(name string) (string, bool) {
		if name == envBase {
			return server.URL + graphqlPath, true
		}
		v, ok := env[name]
		return v, ok
	}
	o.HTTP = httpx.Options{UserAgent: "opsctl/test", MaxAttempts: 1}
	o.Sleep = func(ctx context.Context, d time.Duration) error { return sleep(ctx, d/100) }
	p, err := New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const (
	shopProject  = `{"id":"p1","name":"shop","workspaceId":"w1","environments":{"edges":[{"node":{"id":"e1","name":"production"}},{"node":{"id":"e2","name":"staging"}}]},"services":{"edges":[{"node":{"id":"s1","name":"web"}}]}}`
	projectList1 = `{"edges":[{"node":` + shopProject + `}],"pageInfo":{"hasNextPage":false,"endCursor":null}}`
	account      = `"me":{"id":"u1","name":"Ada","email":"ada@example.com","workspaces":[{"id":"w1","name":"acme","projects":` + projectList1 + `}]}`
	workspaces   = `"apiToken":{"workspaces":[{"id":"w1","name":"acme"}]},"projects":` + projectList1
	bound        = `"projectToken":{"projectId":"p1","environmentId":"e1","name":"ci","project":` + shopProject + `}`
)

func TestTheThreeKindsOfToken(t *testing.T) {
	for name, tt := range map[string]struct {
		env     map[string]string
		answers map[string]string
		account string
		token   string
		asked   int
		header  string
	}{
		"account":                  {map[string]string{envAPIToken: "t"}, map[string]string{"me": account}, "ada@example.com", "account", 1, "Bearer t"},
		"workspace":                {map[string]string{envAPIToken: "t"}, map[string]string{"apiToken": workspaces}, "acme", "workspace", 2, "Bearer t"},
		"project":                  {map[string]string{envProjectToken: "t"}, map[string]string{"projectToken": bound}, "token ci of project shop", "project", 1, ""},
		"project in the other one": {map[string]string{envAPIToken: "t"}, map[string]string{"projectToken": bound}, "token ci of project shop", "project", 3, ""},
		"both: the project's wins": {map[string]string{envAPIToken: "t", envProjectToken: "u"}, map[string]string{"me": account, "projectToken": bound}, "token ci of project shop", "project", 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := &scripted{answers: tt.answers}
			p := connect(t, server, Options{}, tt.env)
			id, err := p.WhoAmI(t.Context())
			if err != nil || id.Account != tt.account || !strings.HasPrefix(id.Token, tt.token+" (") || server.requests != tt.asked {
				t.Errorf("%+v, %v, %d requests", id, err, server.requests)
			}
			last := server.headers[len(server.headers)-1]
			if got := last.Get("Authorization"); got != tt.header || tt.token == "project" && last.Get("Project-Access-Token") == "" {
				t.Errorf("sent as %q, %q", got, last.Get("Project-Access-Token"))
			}
			if _, err := p.WhoAmI(t.Context()); err != nil || server.requests != tt.asked {
				t.Errorf("asked again: %d requests, %v", server.requests, err)
			}
		})
	}
}

func TestRefusedTokensSayWhichVariable(t *testing.T) {
	for _, variable := range []string{envAPIToken, envProjectToken} {
		server := &scripted{answers: map[string]string{"projectToken": "!Project Token not found"}}
		_, err := connect(t, server, Options{}, map[string]string{variable: "hunter2-wrong"}).WhoAmI(t.Context())
		if errs.ExitCode(err) != 4 || !strings.Contains(errs.HintOf(err), "the "+map[bool]string{true: "project token", false: "token"}[variable == envProjectToken]+" in "+variable) || strings.Contains(err.Error()+errs.HintOf(err), "hunter2") {
			t.Errorf("%s: %v, %s", variable, err, errs.HintOf(err))
		}
	}
	_, err := New(t.Context(), Options{Lookup: func(string) (string, bool) { return "", false }})
	if errs.ExitCode(err) != 4 || !strings.Contains(errs.HintOf(err), envAPIToken) || !strings.Contains(errs.HintOf(err), envProjectToken) {
		t.Errorf("no token: %v, %s", err, errs.HintOf(err))
	}
}

func TestWhereAnAppIs(t *testing.T) {
	other := strings.ReplaceAll(shopProject, "p1", "p9")
	twice := `"me":{"id":"u1","name":"Ada","email":"a@b","workspaces":[{"id":"w1","name":"acme","projects":` + projectList1 + `},{"id":"w2","name":"other","projects":{"edges":[{"node":` + strings.ReplaceAll(other, "w1", "w2") + `}],"pageInfo":{"hasNextPage":false}}}]}`
	for name, tt := range map[string]struct {
		options     Options
		env         map[string]string
		answers     map[string]string
		environment string
		code        errs.Code
		says        string
	}{
		"by name":                      {Options{Project: "shop"}, nil, map[string]string{"me": account}, "e1", "", ""},
		"names in other letters":       {Options{Project: "Shop", Environment: "STAGING"}, nil, map[string]string{"me": account}, "e2", "", ""},
		"the app's name":               {Options{}, nil, map[string]string{"me": account, "projects": `"projects":{"edges":[],"pageInfo":{}}`}, "", errs.NotFound, `no project "web"`},
		"no such environment":          {Options{Project: "shop", Environment: "preview"}, nil, map[string]string{"me": account}, "", errs.NotFound, `no environment "preview"`},
		"twice":                        {Options{Project: "shop"}, nil, map[string]string{"me": twice}, "", errs.Usage, "2 projects"},
		"twice, and the workspace":     {Options{Project: "shop", Workspace: "acme"}, nil, map[string]string{"me": twice}, "e1", "", ""},
		"no such workspace":            {Options{Project: "shop", Workspace: "nobody"}, nil, map[string]string{"me": account}, "", errs.Usage, `no workspace "nobody"`},
		"by id":                        {Options{}, map[string]string{envProject: "p1", envEnvironment: "e2"}, map[string]string{"me": account + `,"project":` + shopProject}, "e2", "", ""},
		"an id that is not there":      {Options{}, map[string]string{envProject: "p7"}, map[string]string{"me": account, "project": "!Project not found"}, "", errs.NotFound, "p7"},
		"two wishes":                   {Options{Project: "shop", Environment: "production"}, map[string]string{envEnvironment: "e2"}, map[string]string{"me": account}, "", errs.Usage, `is the environment "staging"`},
		"bound":                        {Options{}, map[string]string{envProjectToken: "t"}, map[string]string{"projectToken": bound}, "e1", "", ""},
		"bound to another environment": {Options{Environment: "staging"}, map[string]string{envProjectToken: "t"}, map[string]string{"projectToken": bound}, "", errs.Auth, `bound to the environment "production"`},
		"bound to another project":     {Options{Project: "erp"}, map[string]string{envProjectToken: "t"}, map[string]string{"projectToken": bound}, "", errs.Auth, `bound to the project "shop"`},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.env == nil {
				tt.env = map[string]string{}
			}
			if tt.env[envProjectToken] == "" {
				tt.env[envAPIToken] = "t"
			}
			l, err := connect(t, &scripted{answers: tt.answers}, tt.options, tt.env).where(t.Context(), "web")
			if tt.code != "" {
				if errs.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || errs.HintOf(err) == "" {
					t.Errorf("%q, %v, hint %q", errs.CodeOf(err), err, errs.HintOf(err))
				}
				return
			}
			if err != nil || l.environment.ID != tt.environment || l.service("web") != "s1" || l.workspace != "w1" {
				t.Errorf("%+v, %v", l, err)
			}
		})
	}
}

// What is created, and the answer is lost, is found and not created again.
func TestOnce(t *testing.T) {
	lost, refusal := errTest("connection reset"), error(&apiError{status: 200, errors: []gqlError{{Message: "Invalid input"}}})
	for name, tt := range map[string]struct {
		answers []error
		there   bool
		creates int
		fails   bool
	}{
		"well":                 {[]error{nil}, false, 1, false},
		"lost, and it is made": {[]error{lost, nil}, true, 1, false},
		"lost, and it is not":  {[]error{lost, nil}, false, 2, false},
		"refused":              {[]error{refusal, nil}, false, 1, true},
		"always lost":          {[]error{lost, lost, lost, lost}, false, queryAttempts, true},
	} {
		p := connect(t, &scripted{}, Options{Poll: time.Millisecond}, map[string]string{envAPIToken: "t"})
		creates := 0
		err := p.once(t.Context(), func() error { creates++; return tt.answers[creates-1] }, func() (bool, error) { return tt.there, nil })
		if creates != tt.creates || (err != nil) != tt.fails {
			t.Errorf("%s: created %d times, %v", name, creates, err)
		}
	}
}

type errTest string

func (e errTest) Error() string { return string(e) }
