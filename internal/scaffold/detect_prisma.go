package scaffold

import (
	"io/fs"
	"path"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// detectPrisma finds the schema and the migrations.
func (s *detector) detectPrisma(fsys fs.FS) error {
	p, err := findPrisma(fsys)
	if err != nil {
		return err
	}
	for _, ext := range []string{"ts", "js", "mjs", "mts", "cjs"} {
		s.PrismaConfig = s.PrismaConfig || isFile(fsys, "prisma.config."+ext)
	}
	if strings.HasPrefix(p.schema, "prisma/") && p.src != nil {
		s.PrismaDir = "prisma"
		s.because("prisma schema", p.schema, p.schema, 0, "copied before the install, whose postinstall may generate the client")
	}
	if loc := prismaPostgres.FindIndex(p.src); loc != nil {
		s.OtherPostgres = true
		s.because("database", "PostgreSQL through Prisma", p.schema, lineAt(p.src, loc[0]), "the datasource's provider")
	}
	for _, m := range prismaEnv.FindAllSubmatchIndex(p.src) {
		note(s.known, string(p.src[m[2]:m[3]]), p.schema, lineAt(p.src, m[0]), false, "")
	}
	names, err := fs.Glob(fsys, p.migrations+"/*/migration.sql")
	if err != nil {
		return err
	}
	switch {
	case p.src == nil:
		s.because("migrations", "none", "", 0, "Prisma, and its schema is not where prisma.config, package.json or its habits say")
		s.Notes = append(s.Notes, "Prisma's schema was not found; set release.command in opsctl.yaml to what runs its migrations")
	case !s.OtherPostgres:
		s.because("migrations", "none", p.schema, 0, "Prisma, and its datasource is not PostgreSQL")
		s.Notes = append(s.Notes, "init runs Prisma's migrations for PostgreSQL only; set release.command in opsctl.yaml to what runs yours")
	case len(names) == 0:
		s.because("migrations", "none", p.schema, 0, "Prisma, and there is no "+p.migrations+"/*/migration.sql")
		s.Notes = append(s.Notes, "Prisma has no migrations yet: run prisma migrate dev, then init again; prisma db push leaves nothing that a deploy can run")
	default:
		s.Migrations.Kind, s.Migrations.Dir = "prisma", p.migrations
		s.because("migrations", "Prisma in "+s.Migrations.Dir, names[0], 0, "a folder of migrations")
		return s.scanRLS(fsys, names)
	}
	return nil
}

var prismaOutput = lazily(`(?s)generator\s+\w+\s*\{[^}]*\boutput\s*=`)

// checkPrismaClient refuses a client in node_modules where the image installs the
// production dependencies anew, without it. Next.js's standalone output brings it along.
func (d *detector) checkPrismaClient(u unit) error {
	if d.ORM != "prisma" || d.OwnDockerfile != nil || d.Kind != Node && d.Server == nil {
		return nil
	}
	p, err := findPrisma(u.fs)
	if p.src == nil || err != nil || prismaOutput.Match(p.src) {
		return err
	}
	return errs.New(errs.CheckFailed, "%s: the client is generated into node_modules, which the image's production install makes anew", path.Join(u.dir, p.schema)).
		WithHint("give the generator an output outside of node_modules, such as ../src/generated/prisma; or write a Dockerfile, and run init again")
}

// prismaFiles is where a package keeps Prisma's files.
type prismaFiles struct {
	schema     string
	src        []byte // of the schema with the datasource
	migrations string // their folder
}

var (
	prismaSchemaKey  = lazily(`\bschema\s*:\s*(?:[\w.]+\()?\s*((?:["'][^"']+["']\s*,?\s*)+)`)
	prismaMigrations = lazily(`(?s)\bmigrations\s*:\s*\{.*?\bpath\s*:\s*(?:[\w.]+\()?\s*((?:["'][^"']+["']\s*,?\s*)+)`)
	quotedText       = lazily(`["']([^"']+)["']`)
)

// quotedPath joins the quoted parts of path.join("a", "b") or of "a/b".
func quotedPath(parts []byte) string {
	joined := ""
	for _, m := range quotedText.FindAllSubmatch(parts) {
		joined = path.Join(joined, string(m[1]))
	}
	return joined
}

// findPrisma looks where prisma.config, package.json or Prisma's habits say.
func findPrisma(fsys fs.FS) (prismaFiles, error) {
	found := prismaFiles{schema: "prisma/schema.prisma"}
	var places []string
	for _, ext := range []string{"ts", "js", "mjs", "mts", "cjs"} {
		src, err := optional(fsys, "prisma.config."+ext)
		if err != nil {
			return found, err
		}
		if m := prismaSchemaKey.FindSubmatch(src); m != nil {
			places = append(places, quotedPath(m[1]))
		}
		if m := prismaMigrations.FindSubmatch(src); m != nil {
			found.migrations = quotedPath(m[1])
		}
	}
	if m, err := readManifest(fsys); err == nil && m.Prisma.Schema != "" {
		places = append(places, path.Clean(m.Prisma.Schema))
	}
	for _, place := range append(places, "prisma/schema.prisma", "schema.prisma", "prisma/schema", "prisma") {
		names, err := fs.Glob(fsys, path.Join(place, "*.prisma"))
		if err != nil {
			return found, nil //nolint:nilerr // a pattern of the user's that is none
		}
		for _, name := range append([]string{place}, names...) {
			src, err := optional(fsys, name)
			if err != nil {
				return found, err
			}
			if src == nil || !prismaSource.Match(src) {
				continue
			}
			found.schema, found.src = name, src
			if found.migrations == "" {
				found.migrations = path.Join(path.Dir(name), "migrations")
			}
			return found, nil
		}
	}
	return found, nil
}

var prismaEnv = lazily(`\benv\(\s*"([A-Z][A-Z0-9_]*)"\s*\)`)

var prismaSource = lazily(`(?m)^\s*datasource\s`)

var prismaPostgres = lazily(`provider\s*=\s*"(postgresql|postgres)"`)
