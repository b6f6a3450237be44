package scaffold

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

func TestFindPlaces(t *testing.T) {
	const member = `{"name": "web"}`
	tests := []struct {
		name, dir          string
		files              map[string]string
		repo, context, app string // repo as seen from the root of the files
	}{
		{"an app on its own", ".", map[string]string{"package.json": "{}"}, ".", ".", "."},
		{"in a git repository", "web", map[string]string{".git/HEAD": "", "web/package.json": "{}"}, ".", "web", "web"},
		{"a git worktree, whose .git is a file", "web", map[string]string{".git": "gitdir: x", "web/package.json": "{}"}, ".", "web", "web"},
		{"in a workspace", "apps/web", map[string]string{"pnpm-workspace.yaml": "packages: [apps/*]", "apps/web/package.json": member}, ".", ".", "apps/web"},
		{"in a workspace in a repository", "js/apps/web", map[string]string{".git/HEAD": "", "js/package.json": `{"workspaces": ["apps/*"]}`, "js/apps/web/package.json": member}, ".", "js", "js/apps/web"},
		{"beside a workspace", "other/web", map[string]string{"pnpm-workspace.yaml": "packages: [apps/*]", "other/web/package.json": member}, "other/web", ".", "."},
		{"taken out of a workspace", "apps/web", map[string]string{"pnpm-workspace.yaml": "packages: [apps/*, '!apps/web']", "apps/web/package.json": member}, "apps/web", ".", "."},
		{"a repository inside of a workspace", "apps/web", map[string]string{"pnpm-workspace.yaml": "packages: [apps/*]", "apps/web/.git/HEAD": "", "apps/web/package.json": member}, "apps/web", ".", "."},
		{"pnpm's settings are no workspace", "web", map[string]string{"pnpm-workspace.yaml": "onlyBuiltDependencies: [x]", "web/package.json": member}, "web", ".", "."},
		{"the root of a workspace", ".", map[string]string{"pnpm-workspace.yaml": "packages: [apps/*]", "package.json": "{}", "apps/web/package.json": member}, ".", ".", "."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root, err := filepath.EvalSymlinks(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			for name, content := range tt.files {
				put(t, root, name, content)
			}
			p, err := findPlaces(filepath.Join(root, tt.dir))
			if err != nil {
				t.Fatal(err)
			}
			if slashRel(root, p.Repo) != tt.repo || p.Context != tt.context || p.Dir != tt.app {
				t.Errorf("repository %s, context %s, app %s; want %s, %s, %s", slashRel(root, p.Repo), p.Context, p.Dir, tt.repo, tt.context, tt.app)
			}
		})
	}
}

func TestPlacesNames(t *testing.T) {
	p := Places{Context: "js", Dir: "js/apps/web"}
	for got, want := range map[string]string{
		p.InContext("Dockerfile"): "apps/web/Dockerfile", p.InContext("../../packages/db"): "packages/db",
		p.ContextFromApp(): "../..", p.RepoFromApp(): "../../..", p.FromApp("js/package.json"): "../../package.json",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestWorkspaceMembers(t *testing.T) {
	dirs := []string{"apps/web", "apps/docs", "packages/ui", "packages/config/eslint", "tools", "tools/gen", "apps/web/node_modules/x", ".hidden/x"}
	tests := []struct {
		name  string
		globs []string
		want  string
	}{
		{"one level", []string{"apps/*"}, "apps/docs apps/web"},
		{"any depth", []string{"packages/**"}, "packages/config/eslint packages/ui"},
		{"a choice", []string{"apps/{web,docs}"}, "apps/docs apps/web"},
		{"a folder by name", []string{"tools", "./packages/ui/"}, "packages/ui tools"},
		{"taken out", []string{"apps/*", "!apps/docs"}, "apps/web"},
		{"taken back in", []string{"apps/*", "!apps/*", "apps/docs"}, "apps/docs"},
		{"everything", []string{"**"}, "apps/docs apps/web packages/config/eslint packages/ui tools tools/gen"},
		{"no pattern of a regular expression", []string{"apps/w.b", "apps/[a"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for _, d := range dirs {
				put(t, dir, d+"/package.json", "{}")
			}
			got, err := workspaceMembers(os.DirFS(dir), tt.globs)
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %v, %v; want %s", got, err, tt.want)
			}
		})
	}
}

func TestNeededComesInTheOrderOfTheBuild(t *testing.T) {
	all := []Package{
		{Name: "ui", deps: []string{"tokens", "react"}},
		{Name: "db", deps: []string{"config"}},
		{Name: "tokens", deps: []string{"config"}},
		{Name: "config", deps: []string{"ui"}}, // a circle
		{Name: "docs", deps: []string{"ui"}},
	}
	var names []string
	for _, p := range needed(all, []string{"next", "ui", "db"}) {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "config tokens ui db" {
		t.Errorf("got %s", got)
	}
}

func TestOnlyApp(t *testing.T) {
	app := func(name string) map[string]string {
		return map[string]string{name + "/package.json": `{"name": "` + name + `", "dependencies": {"next": "16"}}`, name + "/app/page.js": ""}
	}
	merge := func(all ...map[string]string) map[string]string {
		out := map[string]string{"package.json": `{"workspaces": ["*"]}`}
		for _, m := range all {
			maps.Copy(out, m)
		}
		return out
	}
	tests := []struct {
		name  string
		files map[string]string
		want  string
		err   string
	}{
		{"one app", merge(app("web")), "web", ""},
		{"a library of components is no app", merge(app("web"), map[string]string{"ui/package.json": `{"name": "ui", "peerDependencies": {"next": "*"}}`}), "web", ""},
		{"two apps", merge(app("web"), app("docs")), "", "2 apps: docs, web"},
		{"the root is the app", merge(app("web"), map[string]string{"package.json": `{"workspaces": ["*"], "dependencies": {"next": "16"}}`}), ".", ""},
		{"no app", merge(), ".", ""},
		{"no workspace", map[string]string{"package.json": "{}"}, ".", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			for name, content := range tt.files {
				put(t, dir, name, content)
			}
			got, err := onlyApp(os.DirFS(dir), "root")
			if tt.err != "" {
				if errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got %v", err)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestGitHooksAreLeftOut(t *testing.T) {
	hooks := []string{"husky", "husky install", "husky || true", "npx husky install", "is-ci || husky install", "lefthook install", "simple-git-hooks", "git config core.hooksPath .hooks"}
	others := []string{"husky && next-env", "prisma generate", "node scripts/husky.js", "patch-package", "husky install && prisma generate"}
	for _, s := range hooks {
		if !gitHooks.MatchString(s) {
			t.Errorf("%q installs git hooks and nothing else", s)
		}
	}
	for _, s := range others {
		if gitHooks.MatchString(s) {
			t.Errorf("%q does more than install git hooks", s)
		}
	}
}

func TestPackageManagerCommands(t *testing.T) {
	tests := []struct {
		pm                              PackageManager
		tool, install, production, exec string
	}{
		{PackageManager{Name: "npm"}, "", "npm ci --no-audit --no-fund", "npm ci --no-audit --no-fund --omit=dev", "npx next build"},
		{PackageManager{Name: "npm", Version: "11.6.2"}, "npm@11.6.2", "npm ci --no-audit --no-fund", "npm ci --no-audit --no-fund --omit=dev", "npx next build"},
		{PackageManager{Name: "pnpm", Version: "10.1.0"}, "pnpm@10.1.0", "pnpm install --frozen-lockfile --store-dir=/pnpm/store", "pnpm install --frozen-lockfile --store-dir=/pnpm/store --prod", "pnpm exec next build"},
		{PackageManager{Name: "yarn", Version: "1.22.22"}, "yarn@1.22.22", "yarn install --frozen-lockfile --non-interactive --cache-folder=/root/.cache/yarn", "yarn install --frozen-lockfile --non-interactive --cache-folder=/root/.cache/yarn --production", "yarn run next build"},
		{PackageManager{Name: "yarn", Version: "4.9.1", Berry: true}, "@yarnpkg/cli-dist@4.9.1", "yarn install --immutable", "yarn workspaces focus --production web", "yarn run next build"},
		{PackageManager{Name: "yarn", Version: "4.9.1", Berry: true, Program: ".yarn/releases/yarn-4.9.1.cjs"}, "", "node /app/.yarn/releases/yarn-4.9.1.cjs install --immutable", "node /app/.yarn/releases/yarn-4.9.1.cjs workspaces focus --production web", "node /app/.yarn/releases/yarn-4.9.1.cjs run next build"},
		{PackageManager{Name: "bun", Version: "1.3.2"}, "bun@1.3.2", "bun install --frozen-lockfile", "bun install --frozen-lockfile --production", "bunx next build"},
	}
	for _, tt := range tests {
		got := []string{tt.pm.Tool(), tt.pm.Install(), tt.pm.InstallProduction("web"), tt.pm.Exec("next build")}
		if want := []string{tt.tool, tt.install, tt.production, tt.exec}; !slices.Equal(got, want) {
			t.Errorf("%+v:\n got %q\nwant %q", tt.pm, got, want)
		}
	}
}
