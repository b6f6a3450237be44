// Package workflowtest renders the GitHub workflows that init writes, and holds them to
// what GitHub documents as safe: pinned actions, few permissions, and no value of an
// event or a secret in a script. Their scripts run in a shell here.
package workflowtest

import (
	"bytes"
	"flag"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/scaffold"
)

// view has the fields of init's view that the workflows use.
type view struct {
	App, Node, Workdir, OpsctlVersion                          string
	TestCommand, LintCommand, TypecheckCommand, InstallCommand string
	PM                                                         packageManager
	HasPostgres                                                bool
	Migrations                                                 struct{ RLS bool }
	Environments                                               []environment
	env                                                        []string
}

type environment struct{ Name, Platform, Region string }

type packageManager struct{ Name, Version string }

func (p packageManager) Tool() string {
	return scaffold.PackageManager{Name: p.Name, Version: p.Version, Berry: p.Name == "yarn" && !strings.HasPrefix(p.Version, "1.")}.Tool()
}

func (v view) Context() string { return "." }

func (v view) InRepo(name string) string { return path.Join(v.Workdir, name) }

func (v view) WorkflowPrefix() string {
	if v.Workdir == "." {
		return ""
	}
	return strings.ReplaceAll(v.Workdir, "/", "-") + "-"
}

func (v view) DeploysProduction() bool { return true }

func (v view) DeploysOn(platform string) bool {
	return slices.ContainsFunc(v.Environments, func(e environment) bool { return e.Platform == platform })
}

func (v view) DeployName() string { return "production" }

func (v view) Branch() string { return "main" }

func (v view) OwnExample() bool { return false }

func (v view) PackageCommands() []string { return nil }

func (v view) SecretFiles() []scaffold.Secret { return nil }

func (v view) SecretVars() []scaffold.Secret { return nil }

func (v view) Deploys() []scaffold.Deploy {
	var list []scaffold.Deploy
	for _, e := range v.Environments {
		list = append(list, scaffold.Deploy{
			Environment: scaffold.Environment{Name: e.Name, Platform: e.Platform, Region: e.Region}, Prefix: v.WorkflowPrefix(), Branch: v.Branch(),
		})
	}
	return list
}

func (v view) HasEnv(name string) bool { return slices.Contains(v.env, name) }

func views() map[string]view {
	base := view{App: "erp", Node: "22", Workdir: ".", OpsctlVersion: "0.1.0", InstallCommand: "pnpm install --frozen-lockfile"}
	base.PM.Name, base.PM.Version = "pnpm", "12.21.0"
	base.Environments = []environment{{"production", "fly", "fra"}}

	full := base
	full.TestCommand, full.LintCommand, full.TypecheckCommand = "pnpm run test", "pnpm run lint", "pnpm run typecheck"
	full.HasPostgres, full.Migrations.RLS, full.env = true, true, []string{"REDIS_URL"}
	full.Environments = []environment{{"production", "fly", "fra"}, {"staging", "railway", "europe-west4"}}

	workspace := base
	workspace.Workdir, workspace.TestCommand, workspace.InstallCommand = "apps/web", "npm run test", "npm ci"
	workspace.PM.Name, workspace.PM.Version = "npm", ""
	workspace.Environments = []environment{{"preview", "render", "oregon"}, {"production", "render", "oregon"}, {"staging", "fly", "fra"}}

	berry := base
	berry.LintCommand, berry.InstallCommand, berry.HasPostgres = "yarn run lint", "yarn install --immutable", true
	berry.PM.Name, berry.PM.Version = "yarn", "4.9.2"

	classic := base
	classic.TestCommand, classic.InstallCommand, classic.env = "yarn run test", "yarn install --frozen-lockfile", []string{"REDIS_URL"}
	classic.PM.Name, classic.PM.Version = "yarn", "1.22.22"
	return map[string]view{"plain": base, "full": full, "workspace": workspace, "berry": berry, "classic": classic}
}

var workflows = []string{"ci", "deploy", "backup"}

func render(t *testing.T, name string, v view) string {
	t.Helper()
	file := name + ".yml.tmpl"
	tmpl, err := template.New(file).Delims("[[", "]]").ParseFiles(filepath.Join("..", "..", "..", "templates", "github", file))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, v); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// each runs a check on every workflow of every view.
func each(t *testing.T, check func(t *testing.T, name, text string, w workflow, v view)) {
	t.Helper()
	for title, v := range views() {
		for _, name := range workflows {
			t.Run(title+"/"+name, func(t *testing.T) {
				text := render(t, name, v)
				check(t, name, text, parse(t, text), v)
			})
		}
	}
}

var write = flag.String("write", "", "write the workflows into this `directory`, for other programs to look at")

func TestWrite(t *testing.T) {
	if *write == "" {
		t.Skip("only with -write")
	}
	for title, v := range views() {
		for _, name := range workflows {
			dir := filepath.Join(*write, title, ".github", "workflows")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, name+".yml"), []byte(render(t, name, v)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestTidy(t *testing.T) {
	stray := regexp.MustCompile(`\[\[|\]\]|<no value>|\A\s|\n\n\n|[ \t]+\n|\n\n\z|[^\n]\z`)
	each(t, func(t *testing.T, _, text string, _ workflow, _ view) {
		if m := stray.FindString(text); m != "" {
			t.Errorf("has %q:\n%s", m, text)
		}
		for line := range strings.SplitSeq(text, "\n") {
			if len(line) > 120 {
				t.Errorf("a line of %d characters: %s", len(line), line)
			}
		}
	})
}

func TestActionsArePinned(t *testing.T) {
	pinned := regexp.MustCompile(`^\s*(- )?uses: [\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	each(t, func(t *testing.T, _, text string, _ workflow, _ view) {
		for line := range strings.SplitSeq(text, "\n") {
			if strings.Contains(line, "uses:") && !pinned.MatchString(line) {
				t.Errorf("not pinned to a commit with its version: %s", line)
			}
		}
	})
}

// A version means one commit, in all workflows.
func TestOneCommitPerAction(t *testing.T) {
	seen := map[string]string{}
	each(t, func(t *testing.T, _, text string, _ workflow, _ view) {
		for _, m := range regexp.MustCompile(`uses: (\S+)@(\S+ # \S+)`).FindAllStringSubmatch(text, -1) {
			if old, ok := seen[m[1]]; ok && old != m[2] {
				t.Errorf("%s is %s and %s", m[1], old, m[2])
			}
			seen[m[1]] = m[2]
		}
	})
	if len(seen) != 5 {
		t.Errorf("actions in use: %v", seen)
	}
}

func TestPermissionsAreFew(t *testing.T) {
	each(t, func(t *testing.T, name, _ string, w workflow, _ view) {
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("the workflow has %v", w.Permissions)
		}
		for id, job := range w.Jobs {
			for scope, level := range job.Permissions {
				proof := name == "backup" && id == "verify" && scope == "actions"
				if level != "read" || scope != "contents" && !proof {
					t.Errorf("job %s has %s: %s", id, scope, level)
				}
			}
		}
	})
}

// A value that somebody else chose must not become part of a script, and a secret
// must not stand in one, where it could be printed.
func TestScriptsHoldNoExpression(t *testing.T) {
	each(t, func(t *testing.T, name, _ string, w workflow, _ view) {
		for id, job := range w.Jobs {
			for _, s := range job.Steps {
				if strings.Contains(s.Run, "${{") {
					t.Errorf("job %s: %s", id, s.Run)
				}
				for key, value := range s.Env {
					if strings.Contains(value, "github.event") {
						t.Errorf("job %s: %s is %s", id, key, value)
					}
				}
				if s.Uses != "" && strings.Contains(s.Uses, "checkout") && s.With["persist-credentials"] != "false" {
					t.Errorf("job %s leaves the token in .git", id)
				}
			}
			for key, value := range job.Env {
				if strings.Contains(value, "secrets.") {
					t.Errorf("job %s gives %s to every step", id, key)
				}
			}
			if job.Timeout == 0 {
				t.Errorf("job %s has no time limit", id)
			}
		}
		if name == "ci" && strings.Contains(toText(t, w), "secrets.") {
			t.Error("ci uses a secret, which a pull request could read")
		}
	})
}

// workflow is the part of a workflow that the tests look at.
type workflow struct {
	On          map[string]any    `yaml:"on"`
	Permissions map[string]string `yaml:"permissions"`
	Env         map[string]string `yaml:"env"`
	Defaults    struct {
		Run struct {
			Shell string `yaml:"shell"`
			Dir   string `yaml:"working-directory"`
		} `yaml:"run"`
	} `yaml:"defaults"`
	Jobs map[string]job `yaml:"jobs"`
}

type job struct {
	Needs       []string          `yaml:"needs"`
	If          string            `yaml:"if"`
	Environment string            `yaml:"environment"`
	Timeout     int               `yaml:"timeout-minutes"`
	Permissions map[string]string `yaml:"permissions"`
	Env         map[string]string `yaml:"env"`
	Services    map[string]any    `yaml:"services"`
	Concurrency struct {
		Group  string `yaml:"group"`
		Cancel *bool  `yaml:"cancel-in-progress"`
	} `yaml:"concurrency"`
	Steps []step `yaml:"steps"`
}

type step struct {
	Name string            `yaml:"name"`
	Uses string            `yaml:"uses"`
	If   string            `yaml:"if"`
	Run  string            `yaml:"run"`
	Env  map[string]string `yaml:"env"`
	With map[string]string `yaml:"with"`
}

func parse(t *testing.T, text string) (w workflow) {
	t.Helper()
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return w
}

func toText(t *testing.T, w workflow) string {
	t.Helper()
	b, err := yaml.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
