package scaffold

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func TestDetectUsedFolders(t *testing.T) {
	next := `"dependencies": {"next": "16"}`
	tests := []struct {
		name    string
		changes map[string]string
		want    string // the folders that the image's build has to see
	}{
		{"nothing", nil, ""},
		{"a relative import", map[string]string{"lib/a.ts": `import x from "../dist/x"`}, "dist"},
		{"the folder itself", map[string]string{"lib/a.ts": `import x from '../build'`}, "build"},
		{"an alias", map[string]string{"lib/a.ts": `import x from "@/test/data"`}, "test"},
		{"joined", map[string]string{"lib/a.ts": `readFileSync(path.join(process.cwd(), "out", "x"))`}, "out"},
		{"a template", map[string]string{"lib/a.ts": "import(`./build/${name}`)"}, "build"},
		{"a style sheet", map[string]string{"app/a.css": `@import url(../dist/a.css);`}, "dist"},
		{"a folder of pages", map[string]string{"lib/a.ts": `readdirSync(path.join(process.cwd(), "docs"))`}, "docs"},
		{"a page of text", map[string]string{"app/page.mdx": `import A from "../build/a"`}, "build"},
		{"the build script", map[string]string{"package.json": `{"scripts": {"build": "node ./build/x.js && next build"}, ` + next + `}`}, "build"},
		{"an install script", map[string]string{"package.json": `{"scripts": {"prepare": "node ./dist"}, ` + next + `}`}, "dist"},
		{"a dependency", map[string]string{"package.json": `{"dependencies": {"next": "16", "a": "file:./dist/a"}}`}, "dist"},
		{"an import map", map[string]string{"package.json": `{"imports": {"#x": "./build/x.js"}, ` + next + `}`}, "build"},
		{"a path of the compiler", map[string]string{"tsconfig.json": `{"compilerOptions": {"outDir": "./dist", "paths": {"x/*": ["./build/*"]}}, "exclude": ["./out/**"]}`}, "build"},

		{"words", map[string]string{"lib/a.ts": `z.enum(["development", "test", "production"]); f("build"); "rebuild/x"; "/tests/x"`}, ""},
		{"a test", map[string]string{"lib/a.test.ts": `import "../dist/x"`, "tests/a.ts": `import "../build/x"`}, ""},
		{"the usual build", map[string]string{"package.json": `{"scripts": {"build": "next build && tsc --outDir dist"}, ` + next + `}`}, ""},
		{"the test script", map[string]string{"package.json": `{"scripts": {"test": "node --test test/"}, ` + next + `}`}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := detect(repoFS(tt.changes), "folder")
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(s.UsedFolders, " "); got != tt.want {
				t.Fatalf("sees %q, want %q", got, tt.want)
			}
			ignored := strings.Split(rendering(t, s, ".dockerignore"), "\n")
			for _, folder := range spareFolders {
				if slices.Contains(ignored, folder) == (folder == tt.want) {
					t.Errorf("%s is ignored: %v", folder, folder != tt.want)
				}
			}
		})
	}
}

// Only the code of tests stays outside: whatever else is named like it may be read by a page.
func TestDockerignoreNamesTestCodeAlone(t *testing.T) {
	s, err := detect(repoFS(nil), "folder")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(rendering(t, s, ".dockerignore"), "\n")
	for _, want := range []string{"tests", "__tests__", "**/__tests__", "e2e", "**/*.test.ts", "**/*.test.cjs", "**/*.spec.tsx", "**/*.spec.mts", "**/.env.*"} {
		if !slices.Contains(lines, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, not := range []string{"README.md", "**/*.test.*", "**/*.spec.*", "**/*.spec.json"} {
		if slices.Contains(lines, not) {
			t.Errorf("%s is dropped, and a page may read it", not)
		}
	}
	if i := slices.IndexFunc(lines, func(l string) bool { return strings.ContainsAny(l, "{}") }); i >= 0 {
		t.Errorf("Docker knows no braces: %s", lines[i])
	}
}

func rendering(t *testing.T, s *Stack, path string) string {
	t.Helper()
	files, err := render(s, opts, fstest.MapFS{})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.path == path {
			return string(f.data)
		}
	}
	t.Fatalf("no %s", path)
	return ""
}

func TestInstallCommands(t *testing.T) {
	tests := []struct {
		name    string
		pm      PackageManager
		scripts string
		skip    bool
		want    []string
	}{
		{"none", PackageManager{Name: "npm"}, "", false, nil},
		{"around", PackageManager{Name: "npm"}, "preinstall postinstall prepare", false, []string{"npm run preinstall", "npm run postinstall", "npm run prepare"}},
		{"npm runs what is around install", PackageManager{Name: "npm"}, "preinstall install postinstall", false, []string{"npm run install"}},
		{"pnpm too", PackageManager{Name: "pnpm", Version: "12.21.0"}, "install postinstall prepare", false, []string{"pnpm run install", "pnpm run prepare"}},
		{"pnpm 8 did not", PackageManager{Name: "pnpm", Version: "8.15.9"}, "preinstall install", false, []string{"pnpm run preinstall", "pnpm run install"}},
		{"validation", PackageManager{Name: "npm"}, "postinstall prepare", true, []string{"SKIP_ENV_VALIDATION=1 npm run postinstall", "SKIP_ENV_VALIDATION=1 npm run prepare"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := &Stack{Places: Places{Context: ".", Dir: "."}, PM: tt.pm, SkipEnvValidation: tt.skip}
			for name := range strings.FieldsSeq(tt.scripts) {
				s.InstallScripts = append(s.InstallScripts, InstallScript{Dir: ".", Name: name, Text: "x"})
			}
			if got := s.InstallCommands(); !slices.Equal(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
