// Package composetest loads what init renders with Docker Compose's own parser. It
// is a package of its own because that parser brings modules that nothing else needs.
package composetest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"golang.org/x/tools/txtar"

	"github.com/opsctl/opsctl/examples"
	"github.com/opsctl/opsctl/internal/scaffold"
)

func TestComposeFileLoads(t *testing.T) {
	shapes, err := filepath.Glob("../testdata/shapes/*.txtar")
	if err != nil || len(shapes) == 0 {
		t.Fatalf("no shapes: %v", err)
	}
	for _, file := range append(shapes, "") {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		if file == "" {
			name = "example-erp"
		}
		t.Run(name, func(t *testing.T) {
			stack := initRepo(t, repo(t, file), "")
			if stack.OwnCompose != "" {
				return // which is the repository's own, and none of init's business
			}
			project := load(t, filepath.Join(stack.Repo, stack.Dir), "POSTGRES_PASSWORD=local\n")
			got := project.ServiceNames()
			slices.Sort(got)
			if want := wanted(stack); !slices.Equal(got, want) {
				t.Errorf("services %v, want %v", got, want)
			}
			for _, s := range project.Services {
				checkService(t, stack, s)
			}
			if strings.Contains(project.Configs["app-role"].Content, "local") {
				t.Errorf("the password is spliced into %q", project.Configs["app-role"].Content)
			}
		})
	}
}

// repo writes a shape, or the example where file is "", and returns the app's folder.
func repo(t *testing.T, file string) string {
	t.Helper()
	dir := t.TempDir()
	files, app := examples.ERP(), ""
	if file != "" {
		a, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if files, err = txtar.FS(a); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(a.Comment)) {
			if in, ok := strings.CutPrefix(line, "dir: "); ok {
				app = strings.TrimSpace(in)
			}
		}
	}
	if err := examples.Write(dir, files); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, app)
}

func initRepo(t *testing.T, dir, app string) *scaffold.Stack {
	t.Helper()
	stack, err := scaffold.Detect(t.Context(), dir, scaffold.DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scaffold.Plan(stack, scaffold.Options{
		App: app, Environments: []scaffold.Environment{{Name: "production", Platform: "fly", Region: "fra", Instances: 2}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.Apply(t.Context(), stack, plan, scaffold.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	return stack
}

// load loads the compose file with this content of .env.
func load(t *testing.T, dir, content string) *types.Project {
	t.Helper()
	env := filepath.Join(dir, ".env")
	if err := os.WriteFile(env, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	options, err := cli.NewProjectOptions([]string{filepath.Join(dir, "docker-compose.yml")},
		cli.WithWorkingDirectory(dir), cli.WithEnvFiles(env), cli.WithDotEnv)
	if err != nil {
		t.Fatal(err)
	}
	project, err := options.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return project
}

func wanted(s *scaffold.Stack) []string {
	want := []string{"app"}
	if s.Release != nil {
		want = append(want, "migrate")
	}
	if s.HasPostgres() {
		want = append(want, "postgres")
	}
	if s.Redis != "" {
		want = append(want, "redis")
	}
	return want
}

func checkService(t *testing.T, stack *scaffold.Stack, s types.ServiceConfig) {
	t.Helper()
	if s.HealthCheck == nil && stack.Kind != scaffold.Dockerfile { // what that image holds is not known
		t.Errorf("%s has no health check", s.Name)
	}
	for _, p := range s.Ports {
		if p.HostIP != "127.0.0.1" {
			t.Errorf("%s listens on %q", s.Name, p.HostIP)
		}
	}
	if s.Name != "app" && s.Name != "migrate" {
		return
	}
	if s.Build != nil {
		if _, err := os.Stat(filepath.Join(s.Build.Context, s.Build.Dockerfile)); err != nil {
			t.Errorf("%s is built from what is not there: %v", s.Name, err)
		}
	}
	if v := s.Environment["NODE_ENV"]; stack.JavaScript() && (v == nil || *v != "production") {
		t.Errorf("%s runs with NODE_ENV %v", s.Name, v)
	}
	if v := s.Environment["DATABASE_URL"]; v != nil && !strings.Contains(*v, ":local@postgres:5432/") {
		t.Errorf("%s connects to %s", s.Name, *v)
	}
}
