package scaffold

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Dockerignore is the file that says what the image's build does not see. In a
// workspace it belongs to the Dockerfile, not to the build context, which other apps
// share.
func (v View) Dockerignore() string {
	if v.Nested() {
		return "Dockerfile.dockerignore"
	}
	return ".dockerignore"
}

// JSON is a value as JSON on one line, which is the exec form of Docker's instructions
// and a flow sequence of YAML.
func (v View) JSON(value any) (string, error) {
	var buf strings.Builder
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(value)
	return strings.ReplaceAll(strings.TrimSpace(buf.String()), `","`, `", "`), err
}

// Probe is the command that asks the app for a path inside its own container, with
// what the image has. The image sets PORT, and a platform may set another; a Dockerfile
// of the user's may not.
func (v View) Probe(p string) []string {
	port := strconv.Itoa(v.Port)
	address := "'http://127.0.0.1:" + port + p + "'"
	switch own := v.OwnDockerfile != nil; v.Kind {
	case NextJS, Node:
		if !own {
			address = "'http://127.0.0.1:' + process.env.PORT + '" + p + "'"
		}
		return []string{"node", "-e", "fetch(" + address + ").then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"}
	case Django, FastAPI:
		if !own {
			address = "'http://127.0.0.1:' + os.environ['PORT'] + '" + p + "'"
		}
		return []string{"python", "-c", "import os, urllib.request; urllib.request.urlopen(" + address + ", timeout=4)"}
	}
	if v.OwnDockerfile == nil {
		port = "$PORT"
	}
	return []string{"sh", "-c", "wget --quiet --spider --tries=1 http://127.0.0.1:" + port + p}
}

// Probes tells whether the image is known to hold what Probe needs.
func (v View) Probes() bool { return v.Kind != Dockerfile }

// OutFile is the path of a file of the app's folder in the image.
func (v View) OutFile(name string) string { return path.Clean(v.InContext(name)) }

// MigrationsInContext is the migrations' folder in the build context.
func (v View) MigrationsInContext() string {
	return v.InContext(path.Join(v.Migrations.Home, v.Migrations.Dir))
}

// ReleaseList is the release command as the one element of a list.
func (v View) ReleaseList() []string { return []string{v.ReleaseCommand()} }

// BuildMember builds another package of the workspace.
func (v View) BuildMember(p Package) string {
	var commands []string
	for _, script := range p.Scripts {
		commands = append(commands, v.PM.Run(script))
	}
	command := strings.Join(commands, " && ")
	if v.PrismaConfig {
		command = "export DATABASE_URL=" + placeholderDatabase + " && " + command
	}
	return v.inDir(p.Dir, command)
}

// Compiles tells whether the app itself has to be built.
func (v View) Compiles() bool { return v.BuildScript || v.Kind == NextJS }

// Builds tells whether the image of a Node.js server needs a build stage.
func (v View) Builds() bool {
	return v.Compiles() || len(v.InstallCommands()) > 0 || v.Workspace != nil && len(v.Workspace.NeedsBuild()) > 0
}

// SecretFiles and SecretVars are the two kinds of secrets of the build.
func (v View) SecretFiles() []Secret { return v.secrets(func(s Secret) bool { return s.File != "" }) }

// SecretVars are those that are variables.
func (v View) SecretVars() []Secret { return v.secrets(func(s Secret) bool { return s.Env != "" }) }

func (v View) secrets(want func(Secret) bool) []Secret {
	return slices.DeleteFunc(slices.Clone(v.Secrets), func(s Secret) bool { return !want(s) })
}

// FromContext is a path of the build context as seen from the app's folder.
func (v View) FromContext(name string) string {
	if p := path.Join(v.ContextFromApp(), name); strings.HasPrefix(p, "../") {
		return p
	}
	return "./" + name // which compose takes for a path
}

// InContextOfRepo is a path of the build context as seen from the repository's root.
func (v View) InContextOfRepo(name string) string { return path.Join(v.Context, name) }

// InstallProduction installs what the app runs with.
func (v View) InstallProduction() string { return v.PM.InstallProduction(v.member) }

// Prunes tells whether the production dependencies are what is left of all of them.
// Where scripts run after the install, what they have put into node_modules has to stay.
func (v View) Prunes() bool {
	return len(v.InstallCommands()) > 0 && v.Workspace == nil && v.Prune() != ""
}

// Prune takes the development dependencies out of node_modules.
func (v View) Prune() string {
	switch {
	case v.PM.Name == "npm":
		return "npm prune --omit=dev --no-audit --no-fund"
	case v.PM.Name == "pnpm":
		return "pnpm prune --prod --ignore-scripts"
	case v.PM.Name == "yarn" && !v.PM.Berry:
		return "yarn install --production --frozen-lockfile --non-interactive --ignore-scripts --prefer-offline"
	}
	return ""
}

// DropsSources tells whether what runs is built from src, and needs none of it.
func (v View) DropsSources() bool {
	return v.Kind == Node && v.Server != nil && v.Server.Built && v.TypeScript && v.Compiles()
}

// Placeholders are settings of the right form, as NAME=value, for a build that
// validates an environment which it does not have.
func (v View) Placeholders() []string {
	var list []string
	if v.PrismaConfig && !v.ValidatesEnv {
		list = append(list, "DATABASE_URL="+placeholderDatabase)
	}
	if !v.ValidatesEnv {
		return list
	}
	// Where nothing says what is needed, all that is read may be.
	all := !slices.ContainsFunc(v.Env, func(e EnvUse) bool { return e.Needed })
	for _, e := range v.Env {
		if (e.Needed || all) && !strings.HasPrefix(e.Name, "NEXT_PUBLIC_") {
			list = append(list, e.Name+"="+placeholder(e))
		}
	}
	return list
}

const placeholderDatabase = "postgresql://placeholder:placeholder@placeholder.invalid:5432/placeholder"

var (
	formEnum   = lazily(`enum\(\s*\[\s*["']([A-Za-z0-9_-]+)["']`)
	formPrefix = lazily(`startsWith\(\s*["']([A-Za-z0-9_-]+)["']`)
	formNumber = lazily(`\b(?:number|int|bigint|num|port)\(`)
	formBool   = lazily(`\b(?:boolean|stringbool|bool)\(`)
	formEmail  = lazily(`\bemail\(`)
)

// placeholder has the form that the code asks for, as far as it can be read off; else
// the one that the name suggests.
func placeholder(e EnvUse) string {
	const long = "placeholder-placeholder-placeholder-placeholder" // enough for a key
	name := e.Name
	if m := formEnum.FindStringSubmatch(e.Form); m != nil {
		return m[1]
	}
	if m := formPrefix.FindStringSubmatch(e.Form); m != nil && !strings.Contains(m[1], "postgres") && !strings.Contains(m[1], "redis") && !strings.Contains(m[1], "http") {
		return m[1] + strings.ReplaceAll(long, "-", "")
	}
	switch {
	case formNumber.MatchString(e.Form), strings.HasSuffix(name, "_PORT"):
		return "1"
	case formBool.MatchString(e.Form):
		return "true"
	case formEmail.MatchString(e.Form), strings.HasSuffix(name, "_EMAIL"):
		return "placeholder@placeholder.invalid"
	case strings.Contains(name, "REDIS"):
		return "redis://placeholder.invalid:6379"
	case strings.Contains(name, "DATABASE") || strings.Contains(name, "POSTGRES") || strings.Contains(name, "PG_URL") || strings.Contains(name, "DB_URL"):
		return placeholderDatabase
	case strings.Contains(e.Form, "url("), strings.HasSuffix(name, "_URL"), strings.HasSuffix(name, "_DSN"), strings.HasSuffix(name, "_URI"):
		return "https://placeholder@placeholder.invalid/1"
	}
	return long
}

// Flow is a list as a flow sequence of YAML, without quotes where none are needed.
func (v View) Flow(words []string) (string, error) {
	var node yaml.Node
	if err := node.Encode(words); err != nil {
		return "", err
	}
	node.Style = yaml.FlowStyle
	data, err := yaml.Marshal(&node)
	return strings.TrimSpace(string(data)), err
}

// ComposeTest is Probe in the form of a compose file's health check.
func (v View) ComposeTest(p string) []string {
	test := append([]string{"CMD"}, v.Probe(p)...)
	for i := range test {
		test[i] = strings.ReplaceAll(test[i], "$", "$$") // which compose would fill in itself
	}
	return test
}

// TestGlobs match tests of JavaScript and TypeScript by their names.
func (v View) TestGlobs() []string {
	var globs []string
	for _, kind := range []string{"test", "spec"} {
		for _, ext := range []string{"ts", "tsx", "js", "jsx", "mts", "cts", "mjs", "cjs"} {
			globs = append(globs, "**/*."+kind+"."+ext)
		}
	}
	return globs
}

// BringsPG tells whether the migrator's PostgreSQL client is not the app's own.
func (v View) BringsPG() bool { return v.Migrations.Kind == "prisma" && v.Migrations.Driver != "pg" }

// BundleFlags tell esbuild what a package can do without and only tries to load, and
// give Knex's migrations the place that they had as files of their own.
func (v View) BundleFlags() []string {
	if v.Migrations.Kind != "knex" {
		return []string{"--external:pg-native"}
	}
	return []string{
		"--external:pg-native --external:better-sqlite3 --external:mariadb --external:mysql --external:mysql2",
		"--external:@vscode/sqlite3 --external:oracledb --external:pg-query-stream --external:sqlite3 --external:tedious",
		"--define:__dirname=__migrations_dir --define:import.meta.dirname=__migrations_dir --define:import.meta.url=__migrations_url",
	}
}

// BundleBanner is what the bundle begins with: require for the packages in it that are
// no modules, and where Knex's migrations are.
func (v View) BundleBanner() string {
	const require = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)"
	if v.Migrations.Kind != "knex" {
		return require + ";"
	}
	dir := v.Migrations.Dir
	return require + ", __migrations_dir = import.meta.dirname + '/" + dir + "', __migrations_url = new URL('" + dir + "/migrate.mjs', import.meta.url).href;"
}
