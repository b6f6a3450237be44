package scaffold

import (
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// PythonProgram is how a Python app is installed and run.
type PythonProgram struct {
	Version string   // for the image, for instance "3.13"
	Tool    string   // "uv", "poetry" or "pip"
	Files   []string // what the tool reads
	Command []string // the server
	Static  bool     // Django: static files are collected while building
	LibPQ   bool     // psycopg is built against the C library
}

const (
	defaultPython = 13 // 3.13, where the repository asks for no version
	oldestPython  = 10 // 3.10: older ones get no security updates

	uvVersion     = "0.9.9"
	poetryVersion = "2.2.1"
)

// ToolVersion is what pip installs to have the tool; "" for pip itself.
func (p PythonProgram) ToolVersion() string {
	return map[string]string{"uv": "uv==" + uvVersion, "poetry": "poetry==" + poetryVersion}[p.Tool]
}

// detectPython is the detection of a Django or FastAPI app.
func (d *detector) detectPython(*manifest) (bool, error) {
	deps, project, err := d.pythonRequirements()
	if err != nil {
		return false, err
	}
	framework, ok := deps.find("django", "fastapi")
	if !ok {
		return false, nil
	}
	d.Kind = Kind(framework.name)
	d.because("stack", framework.name, framework.file, framework.line, "a dependency")
	if d.Port == 0 {
		d.Port = 8000
	}
	if project != nil {
		if name := sanitizeApp(firstText(project.Project.Name, project.Tool.Poetry.Name)); name != "" {
			d.App = name
			d.rename(name, "pyproject.toml", project.line("name"), "the project's name")
		}
	}
	if q, ok := deps.find("psycopg2", "psycopg2-binary", "psycopg", "asyncpg", "pg8000"); ok {
		d.OtherPostgres = true
		d.because("postgres client", q.name, q.file, q.line, "a dependency")
		d.Python.LibPQ = q.name == "psycopg2" || q.name == "psycopg" && !strings.Contains(q.extras, "binary")
	}
	if q, ok := deps.find("redis", "django-redis", "aioredis"); ok {
		d.Redis = "python"
		d.because("redis client", q.name, q.file, q.line, "a dependency")
	}
	if d.OwnDockerfile != nil {
		return true, nil
	}
	if d.Python.Tool == "" {
		return true, errs.New(errs.CheckFailed, "pyproject.toml has no lockfile beside it").
			WithHint("run `uv lock` or `poetry lock`: the image installs exactly what the lockfile says; then run init again")
	}
	if err := d.detectPythonVersion(project); err != nil {
		return true, err
	}
	if d.Kind == Django {
		return true, d.detectDjango(deps, framework.file)
	}
	return true, d.detectFastAPI(deps, framework.file)
}

// firstText is the first text that is not empty.
func firstText(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

func (d *detector) detectPythonVersion(project *pyproject) error {
	d.because("package manager", d.Python.Tool, d.Python.Files[len(d.Python.Files)-1], 0, "its file is there")
	use := func(minor int, file string, line int, why string) {
		d.Python.Version = "3." + strconv.Itoa(minor)
		d.because("python", d.Python.Version, file, line, why)
	}
	for _, name := range []string{".python-version", "runtime.txt"} {
		src, err := optional(d.app, name)
		if err != nil {
			return err
		}
		if m := pythonMinor.FindSubmatch(src); m != nil {
			minor, _ := strconv.Atoi(string(m[1]))
			use(minor, name, 1, "the version the repository is developed with")
			return nil
		}
	}
	wanted := ""
	if project != nil {
		wanted = project.Project.Requires
		if text, ok := project.Tool.Poetry.Dependencies["python"].(string); ok && wanted == "" {
			wanted = text
		}
	}
	m := pythonMinor.FindStringSubmatch(wanted)
	if m == nil {
		use(defaultPython, "", 0, "default: no .python-version or requires-python names a version")
		return nil
	}
	minor, _ := strconv.Atoi(m[1])
	why := "the lowest version that it allows: " + wanted
	if minor < oldestPython {
		minor, why = defaultPython, "the lowest version that it allows gets no security updates any more: "+wanted
		if top := upperBound.FindStringSubmatch(wanted); top != nil {
			if n, _ := strconv.Atoi(top[2]); n <= minor {
				if minor = n; top[1] == "" {
					minor--
				}
			}
		}
	}
	use(minor, "pyproject.toml", project.line("requires-python")+project.line("python"), why)
	return nil
}

var (
	djangoWSGI   = lazily(`(?m)^\s*(?:WSGI_APPLICATION)\s*=\s*["']([\w.]+)\.application["']`)
	djangoStatic = lazily(`(?m)^\s*STATIC_ROOT\s*=`)
	fastapiApp   = lazily(`(?m)^(\w+)(?:\s*:\s*FastAPI)?\s*=\s*FastAPI\(`)
)

func (d *detector) detectDjango(deps requirements, file string) error {
	if !isFile(d.app, "manage.py") {
		return unknownStack("django is a dependency, and there is no manage.py")
	}
	if _, ok := deps.find("gunicorn"); !ok {
		return errs.New(errs.CheckFailed, "%s does not name gunicorn, the server that the image runs Django with", file).
			WithHint("add gunicorn to the dependencies, lock them, and run init again")
	}
	settings, err := fs.Glob(d.app, "*/settings.py")
	if err != nil {
		return err
	}
	more, err := fs.Glob(d.app, "*/settings/*.py")
	if err != nil {
		return err
	}
	for _, name := range append(settings, more...) {
		src, err := optional(d.app, name)
		if err != nil {
			return err
		}
		if m := djangoWSGI.FindSubmatchIndex(src); m != nil && d.Python.Command == nil {
			module := string(src[m[2]:m[3]])
			d.Python.Command = []string{"gunicorn", module + ":application", "--workers=2", "--access-logfile=-"}
			d.because("server", "gunicorn "+module, name, lineAt(src, m[0]), "WSGI_APPLICATION")
		}
		if loc := djangoStatic.FindIndex(src); loc != nil && !d.Python.Static {
			d.Python.Static, d.ValidatesEnv = true, true
			d.because("build", "collectstatic", name, lineAt(src, loc[0]), "STATIC_ROOT is set")
		}
	}
	if d.Python.Command == nil {
		return unknownStack("django is a dependency, and no settings file sets WSGI_APPLICATION")
	}
	d.Release = []string{"python", "manage.py", "migrate", "--noinput"}
	d.because("migrations", "Django", "manage.py", 0, "manage.py migrate")
	d.Notes = append(d.Notes, "ALLOWED_HOSTS has to have 127.0.0.1 in it, which the image's own health check asks")
	return nil
}

func (d *detector) detectFastAPI(deps requirements, file string) error {
	self, _ := deps.find("fastapi")
	if _, ok := deps.find("uvicorn"); !ok && !strings.Contains(self.extras, "standard") && !strings.Contains(self.extras, "all") {
		return errs.New(errs.CheckFailed, "%s does not name uvicorn, the server that the image runs FastAPI with", file).
			WithHint("add uvicorn to the dependencies, lock them, and run init again")
	}
	app, err := d.findFastAPI()
	if err != nil {
		return err
	}
	if app.module == "" {
		return unknownStack("fastapi is a dependency, and no file makes an app with FastAPI()")
	}
	module, appDir := app.module, ""
	if rest, ok := strings.CutPrefix(module, "src."); ok && !isFile(d.app, "src/__init__.py") && isFile(d.app, path.Join("src", strings.Split(rest, ".")[0], "__init__.py")) {
		module, appDir = rest, " --app-dir=src"
	}
	// A shell fills in the port that the platform gives, and makes way for the server.
	d.Python.Command = []string{"sh", "-c", "exec uvicorn " + module + appDir + " --host=0.0.0.0 --port=$PORT --proxy-headers --forwarded-allow-ips='*'"}
	d.because("server", "uvicorn "+module, app.file, app.line, "the app that FastAPI() makes")
	if _, ok := deps.find("asyncpg"); ok {
		d.Notes = append(d.Notes, "platforms give DATABASE_URL as postgresql://: where SQLAlchemy shall use asyncpg, have the code make postgresql+asyncpg:// of it")
	}
	if isFile(d.app, "alembic.ini") {
		d.Release = []string{"alembic", "upgrade", "head"}
		d.because("migrations", "Alembic", "alembic.ini", 0, "alembic upgrade head")
	} else {
		d.because("migrations", "none", "", 0, "there is no alembic.ini")
	}
	return nil
}

type fastapi struct {
	module, file string
	line, rank   int
}

// findFastAPI prefers an app that is named app, in a file that is named like one, in
// the uppermost folder.
func (d *detector) findFastAPI() (fastapi, error) {
	best := fastapi{rank: -1}
	sources, err := d.sources()
	if err != nil {
		return best, err
	}
	for _, s := range sources {
		if !strings.HasSuffix(s.name, ".py") {
			continue
		}
		src, err := s.read()
		if err != nil {
			return best, err
		}
		for _, m := range fastapiApp.FindAllSubmatchIndex(src) {
			variable := string(src[m[2]:m[3]])
			found := fastapi{file: s.name, line: lineAt(src, m[0]), rank: 10 - min(9, strings.Count(s.name, "/"))}
			if variable == "app" {
				found.rank += 10
			}
			if slices.Contains([]string{"main.py", "app.py", "asgi.py", "server.py"}, path.Base(s.name)) {
				found.rank += 20
			}
			dotted := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(s.name, ".py"), "/__init__"), "/", ".")
			if found.module = dotted + ":" + variable; found.rank > best.rank {
				best = found
			}
		}
	}
	return best, nil
}
