package scaffold

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
)

// unsupported clients are named to the user: the health route has no check for them.
var unsupported = []string{"@neondatabase/serverless", "@vercel/postgres", "@upstash/redis", "mysql2", "mongodb", "mongoose", "better-sqlite3"}

func (s *Stack) detectServices(m *manifest) {
	for _, name := range []string{"pg", "postgres"} {
		if v, ok := m.Dependencies[name]; ok {
			s.Postgres = name
			s.because("postgres client", name+" "+v, "package.json", m.depLine(name), "a production dependency")
			break
		}
	}
	for _, name := range []string{"redis", "ioredis"} {
		if v, ok := m.Dependencies[name]; ok {
			s.Redis, s.RedisMajor = name, major(v)
			s.because("redis client", name+" "+v, "package.json", m.depLine(name), "a production dependency")
			break
		}
	}
	for _, orm := range []struct{ dep, name string }{{"drizzle-orm", "drizzle"}, {"@prisma/client", "prisma"}, {"prisma", "prisma"}, {"knex", "knex"}} {
		if v, ok := m.dep(orm.dep); ok {
			s.ORM = orm.name
			s.because("orm", orm.dep+" "+v, "package.json", m.depLine(orm.dep), "a dependency")
			break
		}
	}
	if _, ok := m.dep("@clerk/nextjs"); ok {
		s.Clerk = true
		s.because("sign-in", "Clerk", "package.json", m.depLine("@clerk/nextjs"), "a dependency")
	}
	if _, ok := m.dep("@sentry/nextjs"); ok {
		s.Sentry = true
		s.because("error tracking", "Sentry", "package.json", m.depLine("@sentry/nextjs"), "a dependency")
	}
	for _, name := range unsupported {
		if _, ok := m.Dependencies[name]; ok {
			s.Notes = append(s.Notes, "the health route does not check what "+name+" connects to; add a check for it")
		}
	}
}

func (s *Stack) detectMigrations(fsys fs.FS) error {
	switch s.ORM {
	case "prisma":
		s.detectPrisma(fsys)
		return nil
	case "knex":
		s.Notes = append(s.Notes, "Knex migrations are not run by the image yet; set release.command in opsctl.yaml to what runs them")
		return nil
	case "drizzle":
		return s.detectDrizzle(fsys)
	}
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
	s.because("migrations", "none", "", 0, "no ORM, and no folder of .sql files such as db/migrations")
	return nil
}

// foreignName matches the files of tools with rules of their own: a way back beside
// the way forward, or Flyway's versioned and repeatable scripts.
var foreignName = regexp.MustCompile(`\.down\.sql$|^[VRU][0-9._]*__`)

// foreignMarks are the section marks of migration tools whose files hold the way back
// as well: run as one script they would undo themselves.
var foreignMarks = regexp.MustCompile(`(?m)^--\s*(migrate:down|\+goose Down|\+migrate Down|rollback)`)

func (s *Stack) plainSQL(fsys fs.FS, dir string, names []string) error {
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
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
	if s.Postgres == "" {
		s.because("migrations", "none", names[0], 0, "there are SQL files, and no PostgreSQL client among the dependencies")
		return nil
	}
	if s.Postgres != "pg" {
		s.because("migrations", "none", names[0], 0, "the migrator for plain SQL files needs pg")
		s.Notes = append(s.Notes, "to have "+dir+" run by the image, add pg to the dependencies and run init again")
		return nil
	}
	s.Migrations.Kind, s.Migrations.Dir = "sql", dir
	s.because("migrations", "plain SQL in "+dir, names[0], 0, "a folder of .sql files")
	return nil
}

var drizzleOut = regexp.MustCompile(`\bout\s*:\s*["'](?:\./)?([A-Za-z0-9_./-]+)["']`)

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
	if s.Postgres == "" {
		s.because("migrations", "none", file, line, "Drizzle, and neither pg nor postgres is a dependency")
		return nil
	}
	names, err := fs.Glob(fsys, dir+"/*.sql")
	if err != nil {
		return err
	}
	for _, name := range names {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		s.Migrations.RLS = s.Migrations.RLS || usesRLS(src)
	}
	s.Migrations.Kind, s.Migrations.Dir = "drizzle", dir
	if file == "" {
		file = dir + "/meta/_journal.json"
	}
	s.because("migrations", "Drizzle in "+dir, file, line, "its journal is there")
	return nil
}

func (s *Stack) detectPrisma(fsys fs.FS) {
	const file = "prisma/schema.prisma"
	if src, err := fs.ReadFile(fsys, file); err == nil {
		s.PrismaDir = path.Dir(file)
		s.because("prisma schema", file, file, 0, "copied before the install, whose postinstall may generate the client")
		if loc := prismaPostgres.FindIndex(src); loc != nil {
			s.PrismaPostgres = true
			s.because("database", "PostgreSQL through Prisma", file, lineAt(src, loc[0]), "the datasource's provider")
		}
	}
	s.because("migrations", "none", "", 0, "Prisma's are not run by the image yet")
	s.Notes = append(s.Notes, "Prisma migrations are not run by the image yet: run prisma migrate deploy before opsctl deploy")
	if s.PrismaPostgres && s.Postgres == "" {
		s.Notes = append(s.Notes, "the health route does not check the database through Prisma; add pg to the dependencies and run init again")
	}
}

var prismaPostgres = regexp.MustCompile(`provider\s*=\s*"(postgresql|postgres)"`)

func usesRLS(sql []byte) bool {
	return bytes.Contains(bytes.ToLower(sql), []byte("row level security"))
}
