package scaffold

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// otherORMs are named to the user: nothing runs their migrations.
var otherORMs = []string{"typeorm", "sequelize", "@mikro-orm/core", "kysely", "objection"}

// unsupported clients are named to the user: the health route has no check for them.
var unsupported = []string{"@neondatabase/serverless", "@vercel/postgres", "@upstash/redis", "mysql2", "mongodb", "mongoose", "better-sqlite3"}

// unit is a package whose dependencies end up in the app: the app itself, or a member
// of its workspace.
type unit struct {
	dir string // seen from the app's folder
	fs  fs.FS
	m   *manifest
}

// units are the app, and then what it depends on in its workspace.
func (d *detector) units(m *manifest) ([]unit, error) {
	list := []unit{{".", d.app, m}}
	if d.Workspace == nil {
		return list, nil
	}
	for _, p := range d.Workspace.Needed {
		sub, err := fs.Sub(d.root, p.Dir)
		if err != nil {
			return nil, err
		}
		member, err := readManifest(sub)
		if err != nil {
			return nil, err
		}
		list = append(list, unit{d.contextFile(p.Dir), sub, member})
	}
	return list, nil
}

// firstOf is the first of some packages that a manifest has in production.
func (u unit) firstOf(names ...string) (name, version, file string, line int) {
	for _, n := range names {
		if v, ok := u.m.Dependencies[n]; ok {
			return n, v, path.Join(u.dir, "package.json"), u.m.depLine(n)
		}
	}
	return "", "", "", 0
}

// detectServices finds what the app talks to. What a workspace's other packages depend
// on is there, and cannot be imported by the health route, which is the app's.
func (d *detector) detectServices(m *manifest) error {
	units, err := d.units(m)
	if err != nil {
		return err
	}
	for _, u := range units {
		if name, version, file, line := u.firstOf("pg", "postgres"); name != "" {
			d.foundPostgres(u, name, version, file, line)
		}
		if name, version, file, line := u.firstOf("redis", "ioredis"); name != "" && d.Redis == "" {
			d.because("redis client", name+" "+version, file, line, "a production dependency")
			if d.Redis, d.RedisMajor = name, major(version); u.dir != "." {
				d.Redis = "other"
				d.Notes = append(d.Notes, "the health route does not check Redis, which only "+u.dir+" depends on: add "+name+" to the app's package.json and run init again")
			}
		}
		for _, orm := range []struct{ dep, name string }{{"drizzle-orm", "drizzle"}, {"@prisma/client", "prisma"}, {"prisma", "prisma"}, {"knex", "knex"}} {
			if v, ok := u.m.dep(orm.dep); ok && d.ORM == "" {
				d.ORM, d.orm = orm.name, u
				d.because("orm", orm.dep+" "+v, path.Join(u.dir, "package.json"), u.m.depLine(orm.dep), "a dependency")
			}
		}
		if _, ok := u.m.dep("@clerk/nextjs"); ok && !d.Clerk {
			d.Clerk = true
			d.because("sign-in", "Clerk", path.Join(u.dir, "package.json"), u.m.depLine("@clerk/nextjs"), "a dependency")
		}
	}
	if _, ok := m.Dependencies["@sentry/nextjs"]; ok {
		d.Sentry = true
		d.because("error tracking", "Sentry", "package.json", m.depLine("@sentry/nextjs"), "a production dependency")
	}
	for _, name := range otherORMs {
		if _, ok := m.Dependencies[name]; ok {
			d.Notes = append(d.Notes, "init does not know how "+name+" migrates; set release.command in opsctl.yaml to what does, in the image")
		}
	}
	for _, name := range unsupported {
		if _, ok := m.Dependencies[name]; ok {
			d.Notes = append(d.Notes, "the health route does not check what "+name+" connects to; add a check for it")
		}
	}
	return nil
}

func (d *detector) foundPostgres(u unit, name, version, file string, line int) {
	if d.Migrations.Driver == "" {
		d.Migrations.Driver = name
	}
	switch {
	case d.Postgres != "" || u.dir != "." && d.OtherPostgres:
		return
	case u.dir == ".":
		d.Postgres = name
	default:
		d.OtherPostgres = true
		d.Notes = append(d.Notes, "the health route does not check PostgreSQL, which only "+u.dir+" depends on: add "+name+" to the app's package.json and run init again")
	}
	d.because("postgres client", name+" "+version, file, line, "a production dependency")
}

// detectMigrations finds out how the database's schema is brought up to date.
func (d *detector) detectMigrations(*manifest) error {
	u := d.orm
	if u.fs == nil {
		u = unit{dir: ".", fs: d.app}
	} else if name, _, _, _ := u.firstOf("pg", "postgres"); name != "" {
		d.Migrations.Driver = name
	}
	find := map[string]func(fs.FS) error{"prisma": d.detectPrisma, "knex": d.detectKnex, "drizzle": d.detectDrizzle}[d.ORM]
	if find == nil {
		find = d.detectSQL
	}
	before := len(d.Reasons)
	if err := find(u.fs); err != nil {
		return err
	}
	if d.PrismaDir != "" {
		d.PrismaDir = path.Join(u.dir, d.PrismaDir)
	}
	for i := range d.Reasons[before:] {
		if r := &d.Reasons[before+i]; r.File != "" {
			r.File = path.Join(u.dir, r.File)
		}
	}
	d.Migrations.Home = u.dir
	if err := d.checkPrismaClient(u); err != nil {
		return err
	}
	if d.Migrations.Kind != "" && d.OwnDockerfile != nil {
		d.Notes = append(d.Notes, "your own Dockerfile is kept: set release.command in opsctl.yaml to what applies "+path.Join(u.dir, d.Migrations.Dir)+" in its image")
	}
	if d.Migrator() {
		d.Release = []string{"node", "migrate.mjs"}
	}
	return nil
}

func (s *Stack) detectSQL(fsys fs.FS) error {
	for _, dir := range []string{"db/migrations", "migrations", "database/migrations", "src/db/migrations", "sql/migrations"} {
		names, err := fs.Glob(fsys, dir+"/*.sql")
		if err != nil {
			return err
		}
		if len(names) == 0 {
			continue
		}
		return s.plainSQL(fsys, dir, names)
	}
	s.because("migrations", "none", "", 0, "no tool that init knows (Drizzle, Knex, Prisma), and no folder of .sql files such as db/migrations")
	return nil
}

// foreignName matches the files of tools with rules of their own: a way back beside
// the way forward, or Flyway's versioned and repeatable scripts.
var foreignName = lazily(`\.down\.sql$|^[VRU][0-9._]*__`)

// foreignMarks are the section marks of migration tools whose files hold the way back
// as well: run as one script they would undo themselves.
var foreignMarks = lazily(`(?m)^--\s*(migrate:down|\+goose Down|\+migrate Down|rollback)`)

func (s *Stack) plainSQL(fsys fs.FS, dir string, names []string) error {
	for _, name := range names {
		src, err := optional(fsys, name)
		if err != nil {
			return err
		}
		if foreignName.MatchString(path.Base(name)) || foreignMarks.Match(src) {
			s.because("migrations", "none", name, 0, "the file is in the form of another migration tool")
			s.Notes = append(s.Notes, name+" belongs to a migration tool that init does not know; set release.command in opsctl.yaml to what runs it")
			return nil
		}
		s.Migrations.RLS = s.Migrations.RLS || usesRLS(src)
	}
	if s.Migrations.Driver == "" {
		s.because("migrations", "none", names[0], 0, "there are SQL files, and no PostgreSQL client among the dependencies")
		return nil
	}
	if s.Migrations.Driver != "pg" {
		s.because("migrations", "none", names[0], 0, "the migrator for plain SQL files needs pg")
		s.Notes = append(s.Notes, "to have "+dir+" run by the image, add pg to the dependencies and run init again")
		return nil
	}
	s.Migrations.Kind, s.Migrations.Dir = "sql", dir
	s.because("migrations", "plain SQL in "+dir, names[0], 0, "a folder of .sql files")
	return nil
}

var drizzleOut = lazily(`\bout\s*:\s*["'](?:\./)?([A-Za-z0-9_./-]+)["']`)

func (s *Stack) detectDrizzle(fsys fs.FS) error {
	dir, file, line := "drizzle", "", 0
	for _, ext := range []string{"ts", "js", "mjs", "json"} {
		src, err := optional(fsys, "drizzle.config."+ext)
		if err != nil {
			return err
		}
		if src == nil {
			continue
		}
		file = "drizzle.config." + ext
		if match := drizzleOut.FindSubmatchIndex(src); match != nil {
			dir, line = path.Clean(string(src[match[2]:match[3]])), lineAt(src, match[2])
		}
		break
	}
	if !isFile(fsys, dir+"/meta/_journal.json") {
		s.because("migrations", "none", file, line, "Drizzle, and "+dir+"/meta/_journal.json is not there")
		s.Notes = append(s.Notes, "Drizzle has no migrations in "+dir+" yet: run drizzle-kit generate, then init again")
		return nil
	}
	if s.Migrations.Driver == "" {
		s.because("migrations", "none", file, line, "Drizzle, and neither pg nor postgres is a dependency")
		return nil
	}
	names, err := fs.Glob(fsys, dir+"/*.sql")
	if err != nil {
		return err
	}
	if err := s.scanRLS(fsys, names); err != nil {
		return err
	}
	s.Migrations.Kind, s.Migrations.Dir = "drizzle", dir
	if file == "" {
		file = dir + "/meta/_journal.json"
	}
	s.because("migrations", "Drizzle in "+dir, file, line, "its journal is there")
	return nil
}

// scanRLS looks for row-level security in migrations.
func (s *Stack) scanRLS(fsys fs.FS, names []string) error {
	for _, name := range names {
		src, err := optional(fsys, name)
		if err != nil {
			return err
		}
		s.Migrations.RLS = s.Migrations.RLS || usesRLS(src)
	}
	return nil
}

var (
	knexDir   = lazily(`\bdirectory\s*:\s*["'](?:\./)?([A-Za-z0-9_./-]+)["']`)
	knexTable = lazily(`\btableName\s*:\s*["']([A-Za-z0-9_]+)["']`)
	knexFile  = lazily(`\.(js|cjs|ts)$`) // what Knex loads unless it is told otherwise
	// Settings that change where migrations go or what they are called, which the bundled migrator does not read.
	knexOther = lazily(`\b(wrapIdentifier|knexSnakeCaseMappers|searchPath|schemaName|sortDirsSeparately|loadExtensions)\b|\bdirectory\s*:\s*\[`)
)

func (s *Stack) detectKnex(fsys fs.FS) error {
	dir, file, line := "migrations", "", 0
	for _, ext := range []string{"js", "ts", "cjs", "mjs"} {
		src, err := optional(fsys, "knexfile."+ext)
		if err != nil {
			return err
		}
		if src == nil {
			continue
		}
		file = "knexfile." + ext
		if loc := knexOther.FindIndex(src); loc != nil {
			s.because("migrations", "none", file, lineAt(src, loc[0]), "a setting that init's migrator does not know: "+string(src[loc[0]:loc[1]]))
			s.Notes = append(s.Notes, fmt.Sprintf("%s:%d has a setting that init's migrator does not know; set release.command in opsctl.yaml to what runs the migrations", file, lineAt(src, loc[0])))
			return nil
		}
		if match := knexDir.FindSubmatchIndex(src); match != nil {
			dir, line = path.Clean(string(src[match[2]:match[3]])), lineAt(src, match[2])
		}
		if match := knexTable.FindSubmatch(src); match != nil {
			s.Migrations.Table = string(match[1])
		}
		break
	}
	names, err := fs.Glob(fsys, dir+"/*")
	if err != nil {
		return err
	}
	var scripts []string
	for _, name := range names {
		if ext := path.Ext(name); knexFile.MatchString(name) && !strings.HasSuffix(name, ".d.ts") && !slices.Contains(scripts, ext) {
			scripts = append(scripts, ext)
		}
	}
	switch {
	case len(scripts) == 0:
		s.because("migrations", "none", file, line, "Knex, and there is no migration in "+dir)
		s.Notes = append(s.Notes, "Knex has no migrations in "+dir+" yet: run knex migrate:make, then init again")
		return nil
	case s.Migrations.Driver != "pg":
		s.because("migrations", "none", file, line, "Knex, and pg is no production dependency")
		return nil
	}
	s.Migrations.Kind, s.Migrations.Dir, s.Migrations.Extensions = "knex", dir, scripts
	if file == "" {
		file = names[0]
	}
	s.because("migrations", "Knex in "+dir, file, line, "a folder of migrations")
	return s.scanRLS(fsys, slices.DeleteFunc(names, func(n string) bool { return !knexFile.MatchString(n) }))
}

func usesRLS(sql []byte) bool {
	return bytes.Contains(bytes.ToLower(sql), []byte("row level security"))
}
