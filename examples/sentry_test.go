package examples_test

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"text/template"
	"time"

	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/scaffold"
	"github.com/opsctl/opsctl/templates"
)

// sentryView has the fields of init's view that the Sentry templates use.
type sentryView struct {
	TypeScript, Clerk bool
	RoutesExt, SrcDir string
	NextMajor         int
}

// sentryFiles are the rendered files by their place.
func (v sentryView) sentryFiles(appDir string) map[string]string {
	component := ".jsx"
	if v.TypeScript {
		component = ".tsx"
	}
	return map[string]string{
		v.SrcDir + "instrumentation" + v.RoutesExt:        "instrumentation",
		v.SrcDir + "instrumentation-client" + v.RoutesExt: "instrumentation-client",
		"sentry.options" + v.RoutesExt:                    "sentry.options",
		"sentry.server.config" + v.RoutesExt:              "sentry.server.config",
		"sentry.edge.config" + v.RoutesExt:                "sentry.edge.config",
		"sentry.browser.config" + v.RoutesExt:             "sentry.browser.config",
		v.SrcDir + "lib/sentry-tenant" + v.RoutesExt:      "sentry-tenant",
		appDir + "/global-error" + component:              "global-error",
	}
}

func (v sentryView) render(t *testing.T, name string) []byte {
	t.Helper()
	tmpl, err := template.New(name+".tmpl").ParseFS(templates.FS, "nextjs/sentry/"+name+".tmpl")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Every variant reads like a file that somebody wrote.
func TestSentryFilesAreTidy(t *testing.T) {
	names := []string{"error.page"}
	for _, name := range (sentryView{}).sentryFiles("app") {
		names = append(names, name)
	}
	for _, v := range []sentryView{
		{TypeScript: true, RoutesExt: ".ts", SrcDir: "src/", NextMajor: 16, Clerk: true},
		{TypeScript: true, RoutesExt: ".ts", NextMajor: 14},
		{RoutesExt: ".js", NextMajor: 0},
		{RoutesExt: ".js", SrcDir: "src/", NextMajor: 13, Clerk: true},
	} {
		for _, name := range names {
			text := string(v.render(t, name))
			if m := regexp.MustCompile(`(?m)^\s*\n\s*\n|[ \t]+$|\A\s|\n\n\z|[^\n]\z|<no value>`).FindString(text); m != "" {
				t.Errorf("%s of %+v has %q:\n%s", name, v, m, text)
			}
			if typed := regexp.MustCompile(`: (unknown|string)\b|\bas T\b|import type`).FindString(text); typed != "" && !v.TypeScript {
				t.Errorf("%s has %q in JavaScript", name, typed)
			}
			for line := range strings.SplitSeq(text, "\n") {
				if len(line) > 170 {
					t.Errorf("%s has a line of %d characters: %s", name, len(line), line)
				}
			}
		}
	}
}

// What must reach Sentry from nowhere: the environment, a cookie, a header, a query, a body.
const (
	canaryDatabase = "postgresql://erp:canary-db-password@db.canary-host.internal:5432/erp"
	canaryKey      = "sk_test_canaryKeyOfClerk"
	canaryHeader   = "Bearer canary-authorization"
	canaryBody     = `{"iban":"canary-body"}`
	canaryQuery    = "?token=canary-query"
)

// The promise of the Sentry files, on a real build and a real server, with Sentry's ingest played by this test.
func TestSentryReportsErrorsAndNoSecret(t *testing.T) {
	if testing.Short() {
		t.Skip("builds with Next.js: not under -short")
	}
	for _, p := range []string{"node", "npm"} {
		if _, err := execx.Look(p, "this test", "install "+p); err != nil {
			t.Skip(err)
		}
	}
	sentry := startIngest(t)
	first := t.TempDir()
	extract(t, first, "testdata/sentry/app.txtar")
	run(t, first, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts")

	// Init writes the configuration here, with Sentry in it.
	t.Run("typescript", func(t *testing.T) {
		dir := buildSentryApp(t, first, "NEXT_PUBLIC_SENTRY_DSN="+sentry.dsn(), "SENTRY_RELEASE=browser-release-7")
		if html, chunks := pageScripts(t, dir), allChunks(t, dir); strings.Contains(html, sdkMark) || !strings.Contains(chunks, sdkMark) {
			t.Error("the SDK is to be in a chunk of its own, which no page waits for")
		}
		if !strings.Contains(allChunks(t, dir), "browser-release-7") {
			t.Error("the browser does not know its release")
		}
		t.Run("with a DSN", func(t *testing.T) { checkReports(t, startSentryApp(t, dir, sentry.dsn()), sentry) })
		t.Run("without a DSN", func(t *testing.T) { checkSilence(t, startSentryApp(t, dir, ""), sentry) })
	})
	// And here it edits the one that is there.
	t.Run("javascript", func(t *testing.T) {
		repo := t.TempDir()
		extract(t, repo, "testdata/sentry/app.txtar")
		for _, name := range []string{"node_modules", "package-lock.json"} {
			if err := os.Rename(filepath.Join(first, name), filepath.Join(repo, name)); err != nil {
				t.Fatal(err)
			}
		}
		toJavaScript(t, repo)
		put(t, filepath.Join(repo, "next.config.mjs"), []byte("export default { poweredByHeader: false };\n"))
		dir := buildSentryApp(t, repo)
		checkReports(t, startSentryApp(t, dir, sentry.dsn()), sentry)
		t.Run("without a DSN", func(t *testing.T) { checkSilence(t, startSentryApp(t, dir, ""), sentry) })
	})
}

// sdkMark is in the browser's SDK and in nothing that Next.js or React make.
const sdkMark = "sentry_key"

// buildSentryApp runs init, builds, and lays the standalone server out in a folder of its own.
func buildSentryApp(t *testing.T, repo string, env ...string) string {
	t.Helper()
	stack, err := scaffold.Detect(t.Context(), repo, scaffold.DetectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scaffold.Plan(stack, scaffold.Options{Environments: []scaffold.Environment{{Name: "production", Platform: "fly", Region: "fra"}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := scaffold.Apply(t.Context(), stack, plan, scaffold.ApplyOptions{}); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if out, err := output(t.Context(), repo, env, "npm", "run", "build"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("next build: %.1fs", time.Since(began).Seconds())
	dir := t.TempDir()
	copyTree(t, filepath.Join(repo, ".next", "standalone"), dir)
	copyTree(t, filepath.Join(repo, ".next", "static"), filepath.Join(dir, ".next", "static"))
	if maps, _ := filepath.Glob(filepath.Join(dir, ".next", "static", "chunks", "*.map")); len(maps) > 0 {
		t.Errorf("source maps are public: %v", maps)
	}
	return dir
}

func put(t *testing.T, file string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// toJavaScript makes the app one without types and without src.
func toJavaScript(t *testing.T, repo string) {
	t.Helper()
	old := filepath.Join(repo, "src", "app")
	for file, types := range map[string]*strings.Replacer{
		"layout.tsx":          strings.NewReplacer(": { children: React.ReactNode }", ""),
		"page.tsx":            strings.NewReplacer(),
		"broken/page.tsx":     strings.NewReplacer(),
		"api/health/route.ts": strings.NewReplacer(),
		"fail/route.ts":       strings.NewReplacer(": Request", "", "<string>", "", "@/lib", "../../lib"),
		"refused/route.ts":    strings.NewReplacer(": Request", ""),
		"job/route.ts":        strings.NewReplacer("@/lib", "../../lib"),
	} {
		js := strings.NewReplacer(".tsx", ".js", ".ts", ".js").Replace(file)
		put(t, filepath.Join(repo, "app", filepath.FromSlash(js)), []byte(types.Replace(read(t, old, file))))
	}
	for _, name := range []string{"src", "tsconfig.json"} {
		if err := os.RemoveAll(filepath.Join(repo, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// pageScripts is the code that a browser loads for the page.
func pageScripts(t *testing.T, dir string) string {
	t.Helper()
	var code strings.Builder
	for _, m := range regexp.MustCompile(`/_next/(static/chunks/[^"\\]+\.js)`).FindAllStringSubmatch(read(t, dir, ".next/server/app/index.html"), -1) {
		code.WriteString(read(t, filepath.Join(dir, ".next"), m[1]))
	}
	if code.Len() == 0 {
		t.Fatal("the page loads no script")
	}
	return code.String()
}

func allChunks(t *testing.T, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, ".next", "static", "chunks", "*.js"))
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, file := range files {
		code.WriteString(read(t, filepath.Dir(file), filepath.Base(file)))
	}
	return code.String()
}

func startSentryApp(t *testing.T, dir, dsn string) *app {
	t.Helper()
	env := []string{
		"SENTRY_ENVIRONMENT=staging", "SENTRY_TRACES_SAMPLE_RATE=1", "DATABASE_URL=" + canaryDatabase, "CLERK_SECRET_KEY=" + canaryKey,
		`SESSIONS={"canary-cookie-a":"org_a","canary-cookie-b":"org_b"}`,
	}
	if dsn != "" {
		env = append(env, "SENTRY_DSN="+dsn)
	}
	return startServer(t, dir, env)
}

// fail asks for an error in a session, with a secret in every part of the request.
func (a *app) fail(t *testing.T, session string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.url+"/fail"+canaryQuery, strings.NewReader(canaryBody))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", canaryHeader)
	req.Header.Set("X-Tenant", "org_forged")
	if session != "" {
		req.Header.Set("Cookie", "session="+session)
	}
	if status, _, body := do(t, req); status != http.StatusInternalServerError {
		t.Errorf("the failing route answers %d: %s\n%s", status, body, a.log)
	}
}
