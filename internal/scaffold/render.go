package scaffold

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"text/template"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/templates"
)

// rendered is one file as init would write it.
type rendered struct {
	path string // seen from the app's folder
	data []byte
}

// configFile is opsctl's own, in the app's folder.
const configFile = "opsctl.yaml"

// target is a file and the template that it is made from.
type target struct{ path, template string }

// targets lists what is rendered, in the order it is shown.
func (v View) targets() []target {
	list := []target{{configFile, "opsctl/opsctl.yaml.tmpl"}}
	if v.OwnDockerfile == nil {
		list = append(list, target{"Dockerfile", "docker/" + v.dockerTemplate() + ".Dockerfile.tmpl"}, target{v.Dockerignore(), "docker/dockerignore.tmpl"})
	}
	if v.OwnCompose == "" {
		list = append(list, target{"docker-compose.yml", "compose/docker-compose.yml.tmpl"})
	}
	list = append(list, target{schemaFile, "env/env.schema.tmpl"})
	for _, p := range []target{{"fly.toml", "fly"}, {"railway.json", "railway"}, {"render.yaml", "render"}} {
		if len(v.On(p.template)) > 0 {
			list = append(list, target{p.path, p.template + "/" + p.path + ".tmpl"})
		}
	}
	if v.Kind == NextJS {
		list = append(list, v.nextTargets()...)
	}
	if v.Migrator() {
		list = append(list, target{v.MigrateScript(), "migrate/" + v.Migrations.Kind + ".mjs.tmpl"})
	}
	list = append(list, target{v.GuideFile(), "docs/deployment.md.tmpl"})
	return append(list, v.workflows()...)
}

func (v View) dockerTemplate() string {
	switch {
	case v.Standalone():
		return "nextjs"
	case v.JavaScript():
		return "node"
	case v.Kind == Go:
		return "go"
	}
	return "python"
}

func (v View) nextTargets() []target {
	var list []target
	if v.OwnHealth == "" {
		list = append(list, target{v.HealthFile(), "nextjs/health.route.tmpl"})
	}
	list = append(list, target{v.LivezFile(), "nextjs/livez.route.tmpl"})
	if v.Config == "" && v.Standalone() {
		name := "next.config.mjs"
		if n := v.NextMajor(); v.TypeScript && (n == 0 || n >= 15) { // older ones read no .ts
			name = "next.config.ts"
		}
		list = append(list, target{name, "nextjs/" + name + ".tmpl"})
	}
	return append(list, v.sentryTargets()...)
}

// sentryTargets are Sentry's files, unless the app has some of its own.
func (v View) sentryTargets() []target {
	if !v.SentryFiles() {
		return nil
	}
	ext := v.RoutesExt()
	list := []target{
		{v.SrcDir() + "instrumentation" + ext, "instrumentation"},
		{v.SrcDir() + "instrumentation-client" + ext, "instrumentation-client"},
		{v.SrcDir() + "lib/sentry-tenant" + ext, "sentry-tenant"},
		{"sentry.options" + ext, "sentry.options"},
		{"sentry.server.config" + ext, "sentry.server.config"},
		{"sentry.edge.config" + ext, "sentry.edge.config"},
		{"sentry.browser.config" + ext, "sentry.browser.config"},
	}
	page := target{v.AppDir + "/global-error" + ext + "x", "global-error"}
	if !v.AppRouter {
		page = target{v.SrcDir() + "pages/_error" + ext + "x", "error.page"}
	}
	list = append(list, page)
	for i := range list {
		list[i].template = "nextjs/sentry/" + list[i].template + ".tmpl"
	}
	return list
}

// workflows are GitHub's, which reads them in one place of a repository only: an app
// that is a folder of one has its name in theirs.
func (v View) workflows() []target {
	if v.OtherCI != "" {
		return nil
	}
	names := []string{"ci"}
	if len(v.Deploys()) > 0 {
		names = append(names, "deploy")
	}
	if v.HasPostgres() {
		names = append(names, "backup")
	}
	var list []target
	for _, name := range names {
		list = append(list, target{path.Join(v.RepoFromApp(), ".github/workflows", v.WorkflowPrefix()+name+".yml"), "github/" + name + ".yml.tmpl"})
	}
	return list
}

// render renders every file of the view. A template in the app's .opsctl/templates is
// used in place of opsctl's own of the same name.
func render(detected *Stack, opts Options, app fs.FS) ([]rendered, error) {
	v := newView(detected, opts)
	own, err := ownTemplates(app)
	if err != nil {
		return nil, err
	}
	var out []rendered
	for _, t := range v.targets() {
		view := v
		if t.path == configFile && opts.Config != nil {
			view = newView(detected, Options{App: opts.Config.App, Environments: opts.Config.Environments, SentryOrg: opts.SentryOrg, SentryProject: opts.SentryProject})
		}
		data, err := renderOne(t.template, view, own)
		if err != nil {
			return nil, err
		}
		out = append(out, rendered{path.Clean(t.path), data})
	}
	return out, nil
}

// templatesDir is where the user's own templates are.
const templatesDir = ".opsctl/templates"

// ownTemplates are the user's own, by name. One that replaces nothing is an error: it
// would never be used.
func ownTemplates(app fs.FS) (map[string]string, error) {
	own := map[string]string{}
	err := fs.WalkDir(app, templatesDir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		short := strings.TrimPrefix(name, templatesDir+"/")
		if _, err := fs.Stat(templates.FS, short); err != nil {
			return errs.New(errs.Usage, "%s replaces no template of opsctl", name).
				WithHint("%s", templateHint(short))
		}
		src, err := optional(app, name)
		if err == nil && src == nil {
			err = errs.New(errs.Usage, "%s is not a file", name).WithHint("put the template itself there")
		}
		own[short] = string(src)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return own, nil
	}
	return own, err
}

func templateHint(name string) string {
	if near := errs.Closest(name, Templates()); near != "" {
		return "did you mean " + near + "? `opsctl init --copy-template NAME` makes a copy to start from"
	}
	return "`opsctl init --list-templates` lists their names"
}

// Templates are the names of opsctl's own templates.
func Templates() []string {
	var names []string
	_ = fs.WalkDir(templates.FS, ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, name)
		}
		return nil // they are compiled in
	})
	slices.Sort(names)
	return names
}

// CopyTemplate copies one of opsctl's templates to where the app's own are, and returns
// its path in the repository. A copy that is there already is not touched.
func CopyTemplate(s *Stack, name string, dryRun bool) (string, error) {
	src, err := fs.ReadFile(templates.FS, name)
	if err != nil {
		return "", errs.New(errs.Usage, "there is no template %q", name).WithHint("%s", templateHint(name))
	}
	root, err := os.OpenRoot(s.Repo)
	if err != nil {
		return "", errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	file := path.Join(s.Dir, templatesDir, name)
	old, why, err := current(root, file)
	switch {
	case err != nil:
		return "", err
	case why != "" || old != nil:
		return "", errs.New(errs.Conflict, "%s is there already", file).WithHint("change it; or remove it first, to start again")
	case dryRun:
		return file, nil
	}
	return file, write(root, file, src, nil)
}

func renderOne(name string, v View, own map[string]string) ([]byte, error) {
	t, err := parseTemplate(name, own)
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := t.Execute(&buf, v); err != nil {
		return nil, templateError(name, own, err)
	}
	return buf.Bytes(), nil
}

// parseTemplate parses a template and the parts of its folder that it may include.
func parseTemplate(name string, own map[string]string) (*template.Template, error) {
	parts, err := fs.Glob(templates.FS, path.Dir(name)+"/*.part.tmpl")
	if err != nil {
		return nil, err
	}
	t := template.New(name).Funcs(template.FuncMap{"join": strings.Join}).Option("missingkey=error")
	if strings.HasPrefix(name, "github/") {
		t = t.Delims("[[", "]]") // braces are GitHub's own
	}
	for _, n := range append(parts, name) {
		src, ok := own[n]
		if !ok {
			data, err := fs.ReadFile(templates.FS, n)
			if err != nil {
				return nil, err
			}
			src = string(data)
		}
		target := t
		if n != name {
			target, src = t.New(n), strings.TrimRight(src, "\n")
		}
		if _, err := target.Parse(src); err != nil {
			return nil, templateError(n, own, err)
		}
	}
	return t, nil
}

// templateError names the user's file where the template is theirs.
func templateError(name string, own map[string]string, err error) error {
	if _, ok := own[name]; !ok {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return errs.Wrap(err, errs.Usage, "%s/%s", templatesDir, name).
		WithHint("correct it; or remove it, and opsctl's own is used")
}

// example renders .env.example from a schema. A schema that has errors gives none: the
// text says which.
func example(schema []byte) (data []byte, why string) {
	const reason = "it is made from .env.schema, which has an error: "
	parsed, findings := envcheck.ParseSchema(schemaFile, schema)
	if i := slices.IndexFunc(findings, func(f envcheck.Finding) bool { return f.Level == envcheck.Error }); i >= 0 {
		return nil, reason + fmt.Sprintf("line %d: %s", findings[i].Line, findings[i].Message)
	}
	data, err := envcheck.RenderExample(parsed)
	if err != nil {
		return nil, reason + err.Error()
	}
	return data, ""
}
