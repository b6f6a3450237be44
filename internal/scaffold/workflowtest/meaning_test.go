package workflowtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestShellStopsAtTheFirstFailure(t *testing.T) {
	each(t, func(t *testing.T, _, _ string, w workflow, v view) {
		if got := w.Defaults.Run.Shell; got != "bash --noprofile --norc -euo pipefail {0}" {
			t.Errorf("the shell is %q", got)
		}
		want := v.Workdir
		if want == "." {
			want = ""
		}
		if got := w.Defaults.Run.Dir; got != want {
			t.Errorf("scripts run in %q, want %q", got, want)
		}
		if w.Env["OPSCTL_VERSION"] != v.OpsctlVersion {
			t.Errorf("opsctl is %q", w.Env["OPSCTL_VERSION"])
		}
	})
}

func TestCI(t *testing.T) {
	tests := []struct {
		view     string
		jobs     []string
		services []string
		scripts  []string // of the app job, after what is installed
	}{
		{"plain", []string{"image", "opsctl"}, nil, nil},
		{"full", []string{"app", "image", "opsctl"}, []string{"postgres", "redis"}, []string{
			"npm install --global pnpm@12.21.0", "pnpm install --frozen-lockfile", "pnpm run lint", "pnpm run typecheck", "pnpm run test",
		}},
		{"workspace", []string{"app", "image", "opsctl"}, nil, []string{"npm ci", "npm run test"}},
		{"berry", []string{"app", "image", "opsctl"}, nil, []string{ // no test: no database
			"npm install --global @yarnpkg/cli-dist@4.9.2", "yarn install --immutable", "yarn run lint",
		}},
		{"classic", []string{"app", "image", "opsctl"}, []string{"redis"}, []string{
			"npm install --global yarn@1.22.22", "yarn install --frozen-lockfile", "yarn run test",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.view, func(t *testing.T) {
			w := parse(t, render(t, "ci", views()[tt.view]))
			if got := slices.Sorted(maps.Keys(w.Jobs)); !slices.Equal(got, tt.jobs) {
				t.Errorf("jobs %v, want %v", got, tt.jobs)
			}
			app := w.Jobs["app"]
			if got := slices.Sorted(maps.Keys(app.Services)); !slices.Equal(got, tt.services) {
				t.Errorf("services %v, want %v", got, tt.services)
			}
			var scripts []string
			for _, s := range app.Steps {
				if s.Run != "" && s.Name != "Create the test database" {
					scripts = append(scripts, s.Run)
				}
			}
			if !slices.Equal(scripts, tt.scripts) {
				t.Errorf("the app's job runs %q, want %q", scripts, tt.scripts)
			}
			if tt.view == "full" {
				test := app.Steps[len(app.Steps)-1]
				if test.Env["TEST_DATABASE_URL"] == "" || test.Env["REDIS_URL"] == "" {
					t.Errorf("the tests get %v", test.Env)
				}
			}
		})
	}
}

func TestDeploy(t *testing.T) {
	tests := []struct {
		view, job string
		needs     []string
		token     string
	}{
		{"plain", "production", nil, "FLY_API_TOKEN"},
		{"full", "staging", nil, "RAILWAY_TOKEN"},
		{"full", "production", []string{"staging"}, "FLY_API_TOKEN"},
		{"workspace", "preview", nil, "RENDER_API_KEY"},
		{"workspace", "staging", nil, "FLY_API_TOKEN"},
		{"workspace", "production", []string{"preview", "staging"}, "RENDER_API_KEY"},
	}
	for _, tt := range tests {
		t.Run(tt.view+"/"+tt.job, func(t *testing.T) {
			v := views()[tt.view]
			w := parse(t, render(t, "deploy", v))
			if len(w.Jobs) != len(v.Environments) {
				t.Errorf("%d jobs for %d environments", len(w.Jobs), len(v.Environments))
			}
			job := w.Jobs[tt.job]
			if job.Environment != v.WorkflowPrefix()+tt.job || job.Env["ENVIRONMENT"] != tt.job || !slices.Equal(job.Needs, tt.needs) {
				t.Errorf("environment %q, needs %v", job.Environment, job.Needs)
			}
			if c := job.Concurrency; c.Group != v.WorkflowPrefix()+"deploy-"+tt.job || c.Cancel == nil || *c.Cancel {
				t.Errorf("concurrency %+v", c)
			}
			for _, s := range job.Steps {
				switch s.Name {
				case "Deploy":
					if want := "${{ secrets." + tt.token + " }}"; len(s.Env) != 1 || s.Env[tt.token] != want {
						t.Errorf("deploys with %v", s.Env)
					}
				case "Remove the environment's file":
					if s.If != "always()" {
						t.Errorf("the file is removed if %s", s.If)
					}
				}
			}
		})
	}
}

func TestBackup(t *testing.T) {
	w := parse(t, render(t, "backup", views()["full"]))
	for job, cron := range map[string]string{"create": "0 3 * * *", "verify": "0 4 1 * *"} {
		if got := w.Jobs[job].If; got != "vars.BACKUP == 'on' && github.event.schedule == '"+cron+"' || inputs.run == '"+job+"'" {
			t.Errorf("%s runs if %s", job, got)
		}
	}
	var crons []string
	for _, entry := range w.On["schedule"].([]any) {
		crons = append(crons, entry.(map[string]any)["cron"].(string))
	}
	if !slices.Equal(crons, []string{"0 3 * * *", "0 4 1 * *"}) {
		t.Errorf("the schedule is %q", crons)
	}
	// The key that reads backups is where one is proven, and where one is made it is not.
	if text := toText(t, workflow{Jobs: map[string]job{"create": w.Jobs["create"]}}); strings.Contains(text, "IDENTITY") {
		t.Error("the job that makes backups could read them")
	}
	if text := toText(t, workflow{Jobs: map[string]job{"verify": w.Jobs["verify"]}}); strings.Contains(text, "DATABASE_URL") {
		t.Error("the job that proves backups could reach the database")
	}
}
