package scaffold

import (
	"bytes"
	"io/fs"
	"path"
	"strings"
)

var (
	matcherList  = lazily(`(?s)\bmatcher\s*:\s*(\[.*?\]|["'` + "`" + `][^\n]*)`)
	matchedPath  = lazily("[\"'`](/[^\"'`]*)[\"'`]")
	literalPlace = lazily(`^/([a-z0-9_-]+)(?:/|$)`)
)

// onlyElsewhere tells whether middleware names the places that it runs at, and the
// health routes are in none of them.
func onlyElsewhere(code []byte) bool {
	list := matcherList.FindSubmatch(code)
	if list == nil {
		return false
	}
	paths := matchedPath.FindAllSubmatch(list[1])
	for _, p := range paths {
		if m := literalPlace.FindSubmatch(p[1]); m == nil || string(m[1]) == "api" || string(m[1]) == "livez" {
			return false
		}
	}
	return len(paths) > 0
}

// routeGroup matches a folder that is no part of an address.
var routeGroup = lazily(`(^|/)\([^/]*\)`)

// detectOwnHealth looks for a health route of the user's own, in either router:
// Next.js allows no second one of the same address.
func (d *detector) detectOwnHealth(*manifest) error {
	src := strings.TrimSuffix(d.AppDir, "app")
	var own string
	for _, ext := range []string{".ts", ".js", ".tsx", ".jsx", ".mjs"} {
		for _, file := range []string{src + "pages/api/health" + ext, src + "pages/api/health/index" + ext} {
			if isFile(d.app, file) {
				own = file
			}
		}
	}
	_ = fs.WalkDir(d.app, d.AppDir, func(name string, e fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipAll // there is no such folder yet
		}
		address := strings.Trim(path.Clean(routeGroup.ReplaceAllString(strings.TrimPrefix(name, d.AppDir), "$1")), "/")
		if e.Type().IsRegular() && strings.TrimSuffix(address, path.Ext(name)) == "api/health/route" && !d.written(name) && !d.recognised(name, healthHead) {
			own = name
		}
		return nil
	})
	if own != "" {
		d.OwnHealth = own
		d.because("health", "your own", own, 1, "it is kept, and init's route is not written")
		d.Notes = append(d.Notes, own+" is kept: see to it that it answers 503 when PostgreSQL or Redis cannot be reached, and says nothing of why")
	}
	return nil
}

// What init's files begin with: so they are known when its record is lost.
const (
	healthHead  = "// Readiness: can this instance reach"
	exampleMark = "# Rendered from .env.schema by `opsctl env example`"
)

// recognised tells whether a file of the app has a mark of init's in it.
func (d *detector) recognised(name, mark string) bool {
	src, err := optional(d.app, name)
	return err == nil && bytes.Contains(src, []byte(mark))
}

var migrating = lazily(`\bmigrate\b|db:push|db push|drizzle-kit|knex migrate|alembic upgrade`)

// detectBuild decides what the image's build runs: package.json's script, unless it
// would need a database.
func (d *detector) detectBuild(m *manifest) error {
	script, ok := m.Scripts["build"]
	switch {
	case !ok && d.Kind == Node:
		d.because("build", "none", "", 0, "package.json has no build script")
	case !ok:
		d.because("build", "next build", "", 0, "package.json has no build script")
	case migrating.MatchString(script):
		d.because("build", "next build", "package.json", m.line("scripts", "build"), "the build script migrates a database, which an image build must not: "+script)
		d.Notes = append(d.Notes, "the image runs next build and not the build script, which migrates: that is the release command's part")
	default:
		d.BuildScript = true
		tasks, err := turboTasks(d.root)
		if err != nil {
			return err
		}
		for _, task := range tasks.own {
			if _, ok := m.Scripts[task]; ok && task != "build" && !migrating.MatchString(m.Scripts[task]) {
				d.BeforeBuild = append(d.BeforeBuild, task)
				d.because("build", task, "package.json", m.line("scripts", task), "Turborepo's build task depends on it")
			}
		}
		d.because("build", script, "package.json", m.line("scripts", "build"), "the build script")
	}
	return nil
}

// detectAuth adds the variables that NextAuth reads by itself.
func (d *detector) detectAuth(m *manifest) error {
	version, ok := m.Dependencies["next-auth"]
	if !ok {
		return nil
	}
	names := []string{"AUTH_SECRET"}
	if n := major(version); n > 0 && n < 5 && !strings.Contains(version, "5.") {
		names = []string{"NEXTAUTH_SECRET", "NEXTAUTH_URL"}
	}
	for _, name := range names {
		note(d.known, name, "package.json", m.line("dependencies", "next-auth"), true, "")
	}
	return nil
}
