package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/scaffold/nextconfig"
)

// defaultNode is the image's Node when the repository asks for none: the oldest
// line that Next.js 16 and the current clients all run on.
const defaultNode = "22"

// oldestNext is the first version with route handlers, which the health routes are.
var oldestNext = [2]int{13, 4}

// oldestSentry is the first version of @sentry/nextjs with @sentry/nextjs/config, where
// version 11 has its wrapper.
var oldestSentry = [2]int{10, 73}

// detectNext is the detection of a Next.js app.
func (d *detector) detectNext(m *manifest) (bool, error) {
	next, ok := m.Dependencies["next"]
	if !ok {
		return false, nil
	}
	d.Kind, d.Next = NextJS, next
	d.because("stack", "next "+next, "package.json", m.line("dependencies", "next"), "a production dependency")
	if v := majorMinor(next); v[0] > 0 && (v[0] < oldestNext[0] || v[0] == oldestNext[0] && v[1] < oldestNext[1]) {
		return true, unknownStack(fmt.Sprintf("package.json:%d: next %s has no route handlers, which the health routes need; 13.4 is the first that has", m.line("dependencies", "next"), next))
	}
	steps := []func(*manifest) error{
		d.detectJavaScript, d.detectRouter, d.detectOwnHealth, d.detectConfig, d.detectServer,
		d.detectServices, d.detectAuth, d.detectSentry, d.detectMigrations, d.detectBuild, d.detectFolders,
	}
	for _, step := range steps {
		if err := step(m); err != nil {
			return true, err
		}
	}
	d.HealthPath, d.LivePath = d.BasePath+"/api/health"+d.Slash, d.BasePath+"/livez"+d.Slash
	return true, d.nextNotes()
}

// detectJavaScript finds what every app with a package.json has.
func (d *detector) detectJavaScript(m *manifest) error {
	d.member = m.Name
	if err := d.detectWorkspace(d.root, m); err != nil {
		return err
	}
	if err := d.detectPackageManager(d.root, m); err != nil && d.OwnDockerfile == nil {
		return err
	}
	for _, name := range []string{"lint", "typecheck", "type-check", "test", "dev", "start:dev"} {
		if _, ok := m.Scripts[name]; ok {
			d.Scripts = append(d.Scripts, name)
		}
	}
	if err := d.detectNodeVersion(m); err != nil {
		return err
	}
	d.TypeScript = isFile(d.app, "tsconfig.json")
	if d.TypeScript {
		d.because("language", "TypeScript", "tsconfig.json", 0, "there is a tsconfig.json")
	} else {
		d.because("language", "JavaScript", "", 0, "there is no tsconfig.json")
	}
	return nil
}

// ltsNames are Node's own names for its long-term lines, as .nvmrc may have them.
var ltsNames = map[string]int{"hydrogen": 18, "iron": 20, "jod": 22, "krypton": 24, "*": 24}

const (
	oldestNode  = 18 // has fetch, which the health check uses
	livingNode  = 20 // older ones get no security updates
	nodeSupport = "Node.js before 18 has no fetch, which the image's health check uses"
)

// detectNodeVersion takes the version that the repository is developed with: the app's
// own word before its workspace's.
func (d *detector) detectNodeVersion(m *manifest) error {
	places := []struct {
		fs fs.FS
		at func(string) string
	}{{d.app, path.Clean}, {d.root, d.contextFile}}
	for i, p := range places {
		if i > 0 {
			if !d.Nested() {
				break
			}
			owner, err := readManifest(d.root)
			if err != nil {
				return err
			}
			m = owner
		}
		r, err := nodeVersion(p.fs, m)
		if err != nil {
			return err
		}
		if r.n == 0 {
			continue
		}
		d.Node = strconv.Itoa(r.n)
		d.because("node", d.Node, p.at(r.file), r.line, r.why)
		if r.n < oldestNode && d.OwnDockerfile == nil {
			return errs.New(errs.CheckFailed, "%s:%d asks for Node.js %d; %s", p.at(r.file), r.line, r.n, nodeSupport).
				WithHint("move to a later version; or write a Dockerfile, and run init again")
		}
		if r.n < livingNode {
			d.Notes = append(d.Notes, fmt.Sprintf("%s:%d asks for Node.js %d, which gets no security updates any more", p.at(r.file), r.line, r.n))
		}
		return nil
	}
	d.Node = defaultNode
	d.because("node", d.Node, "", 0, "default: no .nvmrc, .node-version, volta or engines names a version")
	return nil
}

type nodeReason struct {
	n    int
	file string
	line int
	why  string
}

func nodeVersion(fsys fs.FS, m *manifest) (nodeReason, error) {
	for _, name := range []string{".nvmrc", ".node-version"} {
		src, err := optional(fsys, name)
		if err != nil {
			return nodeReason{}, err
		}
		text := strings.TrimSpace(string(src))
		n := major(text)
		if lts, ok := strings.CutPrefix(text, "lts/"); ok {
			n = ltsNames[strings.ToLower(lts)]
		}
		if n > 0 {
			return nodeReason{n, name, 1, "the version the repository is developed with: " + text}, nil
		}
	}
	if n := major(m.Volta["node"]); n > 0 {
		return nodeReason{n, "package.json", m.line("volta", "node"), "volta's version"}, nil
	}
	lowest := major(m.Engines["node"])
	if lowest == 0 {
		return nodeReason{}, nil
	}
	why := "the lowest version that engines allows: "
	if lowest < livingNode && openEnded.MatchString(m.Engines["node"]) {
		lowest, why = livingNode, "the lowest version that engines allows and that still gets security updates: "
	}
	return nodeReason{lowest, "package.json", m.line("engines", "node"), why + m.Engines["node"]}, nil
}

// openEnded matches a range that allows the living versions too.
var openEnded = lazily(`^\s*>=\s*\d[\d.]*\s*$|\|\|\s*(?:>=\s*|\^)?2\d`)

// detectRouter finds the folder that the health routes go into. An app folder with
// nothing but init's routes in it makes no app router.
func (d *detector) detectRouter(*manifest) error {
	pages := ""
	for _, dir := range []string{"src/pages", "pages"} {
		if pages == "" && isDir(d.app, dir) {
			pages = dir
		}
	}
	for _, dir := range []string{"src/app", "app"} {
		if isDir(d.app, dir) && (pages == "" || d.hasOwn(dir)) {
			d.AppDir, d.AppRouter = dir, true
			d.because("app directory", dir, dir, 0, "the app router's folder")
			return nil
		}
	}
	if pages == "" {
		return unknownStack("package.json depends on next, and there is no app, src/app, pages or src/pages folder")
	}
	// Next.js serves both routers side by side, if the folders are.
	d.AppDir = path.Join(path.Dir(pages), "app")
	d.because("app directory", d.AppDir, pages, 0, "pages router: the health routes go into an app folder beside it")
	return nil
}

// hasOwn tells whether a folder of the app holds a file that is not init's.
func (d *detector) hasOwn(dir string) bool {
	own := false
	_ = fs.WalkDir(d.app, dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && !d.written(name) {
			own = true
			return fs.SkipAll
		}
		return nil
	})
	return own
}

func (d *detector) detectConfig(*manifest) error {
	d.Dist = ".next"
	for _, ext := range []string{"js", "mjs", "ts", "cjs", "mts"} { // Next.js's own order first
		name := "next.config." + ext
		src, err := optional(d.app, name)
		if err != nil {
			return err
		}
		if src == nil {
			continue
		}
		d.Config = name
		d.because("next.config", name, name, 0, "Next.js's configuration")
		facts, _ := nextconfig.Read(name, src) // the edit says what is not understood
		d.SentryWrapped = facts.Sentry
		if loc := trailingSlash.FindIndex(src); loc != nil {
			d.Slash = "/"
			d.because("addresses", "end in a slash", name, lineAt(src, loc[0]), "trailingSlash of the configuration")
		}
		if m := pageExtensions.FindSubmatchIndex(src); m != nil && !bytes.Contains(src[m[2]:m[3]], []byte(`"`+d.RoutesExt()[1:]+`"`)) && !bytes.Contains(src[m[2]:m[3]], []byte("'"+d.RoutesExt()[1:]+"'")) {
			d.Notes = append(d.Notes, fmt.Sprintf("%s:%d: pageExtensions leaves out %s, so Next.js builds none of init's routes: add it, or rename them", name, lineAt(src, m[0]), d.RoutesExt()[1:]))
		}
		if facts.Output == "export" {
			return errs.New(errs.CheckFailed, "%s:%d sets output to export: a static site, which needs no server and no image", name, facts.OutputLine).
				WithHint("put what `next build` writes to out on any file host; or remove the line, and run init again")
		}
		if strings.HasPrefix(facts.BasePath, "/") {
			d.BasePath = strings.TrimRight(facts.BasePath, "/")
			d.because("base path", d.BasePath, name, facts.BasePathLine, "basePath of the configuration")
		}
		if facts.DistDir != "" {
			d.Dist = path.Clean(facts.DistDir)
			d.because("build output", d.Dist, name, facts.DistDirLine, "distDir of the configuration")
		}
		return nil
	}
	d.because("next.config", "none", "", 0, "one is written")
	return nil
}

var (
	trailingSlash  = lazily(`(?m)^[^/\n]*\btrailingSlash\s*:\s*true\b`)
	pageExtensions = lazily(`\bpageExtensions\s*:\s*\[([^\]]*)\]`)
)

// nextNotes adds what only the user can do.
func (d *detector) nextNotes() error {
	src := strings.TrimSuffix(d.AppDir, "app")
	for _, base := range []string{"middleware", "proxy"} {
		for _, ext := range []string{".ts", ".js"} {
			file := src + base + ext
			code, err := optional(d.app, file)
			if err != nil {
				return err
			}
			if code != nil && !bytes.Contains(code, []byte("livez")) && !onlyElsewhere(code) {
				d.Notes = append(d.Notes, file+" runs before the health routes too, as far as can be seen: leave "+d.LivePath+" and "+d.HealthPath+
					` out of its matcher, such as matcher: ['/((?!livez$|api/health$|_next/|.*\\..*).*)']`)
			}
		}
	}
	if d.OtherPostgres && d.Postgres == "" && d.Workspace == nil {
		d.Notes = append(d.Notes, "the health route does not check PostgreSQL, which is reached through "+d.ORM+" alone: add pg to the dependencies and run init again")
	}
	return nil
}

// detectSentry looks for a set-up of the user's own, which would not go together with
// init's.
func (d *detector) detectSentry(m *manifest) error {
	if !d.Sentry {
		return nil
	}
	if v := majorMinor(m.Dependencies["@sentry/nextjs"]); v[0] > 0 && (v[0] < oldestSentry[0] || v[0] == oldestSentry[0] && v[1] < oldestSentry[1]) {
		d.Notes = append(d.Notes, fmt.Sprintf("package.json:%d: init's files for Sentry need @sentry/nextjs %d.%d or later: update it, and run init again",
			m.line("dependencies", "@sentry/nextjs"), oldestSentry[0], oldestSentry[1]))
		d.OwnSentry = "package.json"
		return nil
	}
	for _, dir := range []string{"", "src/"} {
		for _, name := range []string{"sentry.server.config", "sentry.edge.config", "sentry.client.config", "instrumentation", "instrumentation-client"} {
			for _, ext := range []string{".ts", ".js", ".mjs", ".tsx"} {
				if file := dir + name + ext; isFile(d.app, file) && !d.written(file) {
					d.OwnSentry = file
					d.because("sentry", "your own", file, 1, "it is kept, and none of init's files for Sentry are written")
					return nil
				}
			}
		}
	}
	return nil
}
