package scaffold

import (
	"slices"
	"strings"
	"testing"
)

// nextRepo is the smallest Next.js app with more files.
func nextRepo(t *testing.T, pairs ...string) *Stack {
	t.Helper()
	repo := files(append([]string{"package.json", `{"name": "x", "dependencies": {"next": "16", "pg": "8"}}`, "package-lock.json", "{}", "app/page.js", ""}, pairs...)...)
	s, err := detect(repo, "folder")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMiddlewareBeforeTheHealthRoutes(t *testing.T) {
	for src, want := range map[string]bool{
		`export { default } from "next-auth/middleware";`:                                    true,
		`export const config = { matcher: ["/((?!_next).*)"] };`:                             true,
		`export const config = { matcher: "/api/:path*" };`:                                  true,
		`export const config = { matcher: ["/dashboard/:path*", "/api/:path*"] };`:           true,
		`export const config = { matcher: ["/dashboard/:path*", "/admin"] };`:                false,
		`export const config = { matcher: "/account" };`:                                     false,
		`export const config = { matcher: [{ source: "/dashboard/:path*" }] };`:              false,
		`export const config = { matcher: ['/((?!livez$|api/health$|_next/|.*\\..*).*)'] };`: false,
	} {
		s := nextRepo(t, "middleware.js", src)
		if got := strings.Contains(strings.Join(s.Notes, "\n"), "runs before the health routes"); got != want {
			t.Errorf("%s: noted %v", src, got)
		}
	}
	// The advice is a matcher that can be pasted: a string of JavaScript, with the dot escaped in it.
	if notes := strings.Join(nextRepo(t, "middleware.js", "").Notes, "\n"); !strings.Contains(notes, `'/((?!livez$|api/health$|_next/|.*\\..*).*)'`) {
		t.Error(notes)
	}
}

func TestOwnHealthRoute(t *testing.T) {
	for _, file := range []string{"pages/api/health.ts", "pages/api/health/index.js", "app/api/health/route.tsx", "app/(api)/api/health/route.js", "app/api/(open)/health/route.js"} {
		s := nextRepo(t, file, "export function GET() {}")
		if s.OwnHealth != file {
			t.Errorf("%s: %q", file, s.OwnHealth)
		}
		for _, target := range newView(s, opts).targets() {
			if target.path == s.HealthFile() {
				t.Errorf("%s: init writes another one", file)
			}
		}
	}
	// Init's own, whose record was lost, is init's.
	if s := nextRepo(t, "app/api/health/route.js", healthHead+" the services it needs?"); s.OwnHealth != "" {
		t.Errorf("init's own is taken for the user's: %s", s.OwnHealth)
	}
	for _, file := range []string{"app/health/route.js", "app/api/health/deep/route.js", "app/api/health/page.js"} {
		if s := nextRepo(t, file, ""); s.OwnHealth != "" {
			t.Errorf("%s is taken for a health route", file)
		}
	}
}

func TestAddressesThatEndInASlash(t *testing.T) {
	s := nextRepo(t, "next.config.js", "module.exports = {\n  basePath: '/erp',\n  trailingSlash: true,\n};\n")
	if s.HealthPath != "/erp/api/health/" || s.LivePath != "/erp/livez/" {
		t.Errorf("got %s and %s", s.HealthPath, s.LivePath)
	}
	if s := nextRepo(t, "next.config.js", "module.exports = {\n  // trailingSlash: true,\n};\n"); s.HealthPath != "/api/health" {
		t.Errorf("a comment counts: %s", s.HealthPath)
	}
}

func TestGuideStaysOutOfTheAppsDocs(t *testing.T) {
	for src, want := range map[string]string{
		`readdirSync("docs")`: "DEPLOYMENT.md", `export const docs = defineDocs({ dir: "docs" })`: "DEPLOYMENT.md",
		`path.join(process.cwd(), "docs")`: "DEPLOYMENT.md", `<a href="/docs">docs</a>`: "docs/deployment.md",
	} {
		s := nextRepo(t, "lib/a.js", src)
		if got := newView(s, opts).GuideFile(); got != want {
			t.Errorf("%s: %s", src, got)
		}
		if s.Spares("docs") != (want == "docs/deployment.md") {
			t.Errorf("%s: the image's build sees docs: %v", src, !s.Spares("docs"))
		}
	}
}

func TestWhatTheCodeCannotDoWithout(t *testing.T) {
	s := nextRepo(t, "lib/a.ts", "connect(process.env.A_URL!); f(process.env.B as string); if (process.env.C != 'x') {}; process.env.D ?? 'd'", "page.js", "")
	var needed []string
	for _, e := range s.Env {
		if e.Needed {
			needed = append(needed, e.Name)
		}
	}
	if !slices.Equal(needed, []string{"A_URL", "B"}) {
		t.Errorf("needed: %v", needed)
	}
}

func TestBranch(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files []string
		want  string
	}{
		{"nothing", nil, "main"},
		{"checked out", []string{".git/HEAD", "ref: refs/heads/master\n"}, "master"},
		{"the remote's", []string{".git/HEAD", "ref: refs/heads/x\n", ".git/refs/remotes/origin/HEAD", "ref: refs/remotes/origin/trunk\n"}, "trunk"},
		{"on another branch", []string{".git/HEAD", "ref: refs/heads/feature\n", ".git/refs/heads/master", "0\n"}, "master"},
		{"detached", []string{".git/HEAD", "0123456789\n"}, "main"},
		{"hostile", []string{".git/HEAD", "ref: refs/heads/x;rm\n"}, "main"},
	} {
		s := &Stack{Places: Places{Repo: "/repo", Context: ".", Dir: "."}}
		d := &detector{Stack: s, repo: files(tt.files...)}
		if err := d.detectBranch(); err != nil || s.Branch != tt.want {
			t.Errorf("%s: %s, %v", tt.name, s.Branch, err)
		}
	}
}
