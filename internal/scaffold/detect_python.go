package scaffold

import (
	"bytes"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// defaultPython is the image's Python when the repository asks for none.
const defaultPython = "3.13"

// PythonProgram is how a Python app is installed and run.
type PythonProgram struct {
	Version string   // for the image, for instance "3.13"
	Tool    string   // "uv", "poetry" or "pip"
	Files   []string // what the tool reads
	Command []string // the server
	Static  bool     // Django: static files are collected while building
	LibPQ   bool     // psycopg is built against the C library
}

// The tools' versions in the image.
const (
	uvVersion     = "0.9.9"
	poetryVersion = "2.2.1"
)

// ToolVersion is what pip installs to have the tool; "" for pip itself.
func (p PythonProgram) ToolVersion() string {
	return map[string]string{"uv": "uv==" + uvVersion, "poetry": "poetry==" + poetryVersion}[p.Tool]
}

var (
	pythonVersion  = regexp.MustCompile(`(3\.\d+)`)
	requiresPython = regexp.MustCompile(`(?m)^(?:requires-python|python)\s*=\s*"[^"0-9]*(3\.\d+)`)
	pyPostgres     = regexp.MustCompile(`(?mi)(?:^\W*|["'])(psycopg2-binary|psycopg2|psycopg|asyncpg|pg8000)\b`)
	pyLibPQ        = regexp.MustCompile(`(?mi)(?:^\W*|["'])psycopg2(?:$|[^\w-])|(?:^\W*|["'])psycopg(?:\[c\]|[^\w\[-]|$)`)
	pyProject      = regexp.MustCompile(`(?m)^name\s*=\s*"([^"]+)"`)
	pyIncludes     = regexp.MustCompile(`(?m)^-(?:r|c|-requirement|-constraint)[ =]*(\S+)`)
	pyRedis        = regexp.MustCompile(`(?mi)(?:^\W*|["'])(redis|django-redis|aioredis|celery\[redis\])\b`)
	fastapiApp     = regexp.MustCompile(`(?m)^(\w+)(?:\s*:\s*FastAPI)?\s*=\s*FastAPI\(`)
	djangoWSGI     = regexp.MustCompile(`(?m)^\s*(?:WSGI_APPLICATION)\s*=\s*["']([\w.]+)\.application["']`)
	djangoStatic   = regexp.MustCompile(`(?m)^\s*STATIC_ROOT\s*=`)
)

// dependencyName matches a package as requirements.txt, pyproject.toml and the locks
// name it at the start of a line or of a quoted text.
func dependencyName(name string) *regexp.Regexp {
	return regexp.MustCompile(`(?mi)(?:^\W*|["'])` + regexp.QuoteMeta(name) + `(?:$|[^\w-])`)
}

// detectPython is the detection of a Django or FastAPI app.
func (d *detector) detectPython(*manifest) (bool, error) {
	deps, file, err := d.pythonDependencies()
	if deps == nil || err != nil {
		return false, err
	}
	framework := ""
	for _, f := range []string{"django", "fastapi"} {
		if loc := dependencyName(f).FindIndex(deps); loc != nil && framework == "" {
			framework = f
			d.because("stack", f, file, lineAt(deps, loc[0]), "a dependency")
		}
	}
	if framework == "" {
		return false, nil
	}
	d.Kind, d.Port = Kind(framework), 8000
	if match := pyProject.FindSubmatchIndex(deps); match != nil && file == "pyproject.toml" {
		if name := sanitizeApp(string(deps[match[2]:match[3]])); name != "" {
			d.App = name
			d.because("app name", name, file, lineAt(deps, match[2]), "the project's name")
		}
	}
	if err := d.detectPythonVersion(file, deps); err != nil {
		return true, err
	}
	if match := pyPostgres.FindSubmatchIndex(deps); match != nil {
		d.OtherPostgres = true
		d.because("postgres client", string(deps[match[2]:match[3]]), file, lineAt(deps, match[2]), "a dependency")
		d.Python.LibPQ = pyLibPQ.Match(deps)
	}
	if match := pyRedis.FindSubmatchIndex(deps); match != nil {
		d.Redis = "python"
		d.because("redis client", string(deps[match[2]:match[3]]), file, lineAt(deps, match[2]), "a dependency")
	}
	if d.OwnDockerfile != nil {
		return true, nil
	}
	if d.Kind == Django {
		return true, d.detectDjango(deps, file)
	}
	return true, d.detectFastAPI(deps, file)
}

// pythonDependencies is the file that names the dependencies, and fills in the tool.
func (d *detector) pythonDependencies() (deps []byte, file string, err error) {
	for _, t := range []struct{ lock, tool, deps string }{
		{"uv.lock", "uv", "pyproject.toml"}, {"poetry.lock", "poetry", "pyproject.toml"}, {"requirements.txt", "pip", "requirements.txt"},
	} {
		if !isFile(d.app, t.lock) {
			continue
		}
		d.Python.Tool, d.Python.Files = t.tool, []string{t.deps}
		if t.lock != t.deps {
			d.Python.Files = append(d.Python.Files, t.lock)
		}
		deps, err = optional(d.app, t.deps)
		for _, match := range pyIncludes.FindAllSubmatch(deps, -1) {
			if name := path.Clean(string(match[1])); isFile(d.app, name) {
				d.Python.Files = append(d.Python.Files, name)
				more, err := optional(d.app, name)
				if err != nil {
					return nil, "", err
				}
				deps = append(append(deps, '\n'), more...)
			}
		}
		return deps, t.deps, err
	}
	src, err := optional(d.app, "pyproject.toml")
	if src != nil && (dependencyName("django").Match(src) || dependencyName("fastapi").Match(src)) && d.OwnDockerfile == nil {
		return nil, "", errs.New(errs.CheckFailed, "pyproject.toml has no lockfile beside it").
			WithHint("run `uv lock` or `poetry lock`: the image installs exactly what the lockfile says; then run init again")
	}
	return src, "pyproject.toml", err
}

func (d *detector) detectPythonVersion(file string, deps []byte) error {
	d.because("package manager", d.Python.Tool, d.Python.Files[len(d.Python.Files)-1], 0, "its file is there")
	for _, name := range []string{".python-version", "runtime.txt"} {
		src, err := optional(d.app, name)
		if err != nil {
			return err
		}
		if match := pythonVersion.FindSubmatch(src); match != nil {
			d.Python.Version = string(match[1])
			d.because("python", d.Python.Version, name, 1, "the version the repository is developed with")
			return nil
		}
	}
	if match := requiresPython.FindSubmatchIndex(deps); match != nil {
		d.Python.Version = string(deps[match[2]:match[3]])
		d.because("python", d.Python.Version, file, lineAt(deps, match[0]), "the lowest version that it allows")
		return nil
	}
	d.Python.Version = defaultPython
	d.because("python", d.Python.Version, "", 0, "default: no .python-version or requires-python names a version")
	return nil
}

func (d *detector) detectDjango(deps []byte, file string) error {
	if !isFile(d.app, "manage.py") {
		return unknownStack("django is a dependency, and there is no manage.py")
	}
	if !dependencyName("gunicorn").Match(deps) {
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
		if match := djangoWSGI.FindSubmatchIndex(src); match != nil && d.Python.Command == nil {
			module := string(src[match[2]:match[3]])
			d.Python.Command = []string{"gunicorn", module + ":application", "--workers=2", "--access-logfile=-"}
			d.because("server", "gunicorn "+module, name, lineAt(src, match[0]), "WSGI_APPLICATION")
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

func (d *detector) detectFastAPI(deps []byte, file string) error {
	if !dependencyName("uvicorn").Match(deps) && !regexp.MustCompile(`(?mi)(?:^\W*|["'])fastapi\[(standard|all)\]`).Match(deps) {
		return errs.New(errs.CheckFailed, "%s does not name uvicorn, the server that the image runs FastAPI with", file).
			WithHint("add uvicorn to the dependencies, lock them, and run init again")
	}
	module, name, line := "", "", 0
	err := fs.WalkDir(d.app, ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() && p != "." && (skipDir(p) || strings.HasPrefix(e.Name(), ".")) {
			return fs.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(p, ".py") || module != "" {
			return nil
		}
		src, err := readSource(d.app, p, e)
		if match := fastapiApp.FindSubmatchIndex(src); match != nil {
			dotted := strings.ReplaceAll(strings.TrimSuffix(strings.TrimSuffix(p, ".py"), "/__init__"), "/", ".")
			module, name, line = dotted+":"+string(src[match[2]:match[3]]), p, lineAt(src, match[0])
		}
		return err
	})
	if err != nil {
		return err
	}
	if module == "" {
		return unknownStack("fastapi is a dependency, and no file makes an app with FastAPI()")
	}
	appDir := ""
	if strings.HasPrefix(module, "src.") && !isFile(d.app, "src/__init__.py") && isFile(d.app, path.Join("src", strings.Split(module, ".")[1], "__init__.py")) {
		module, appDir = strings.TrimPrefix(module, "src."), " --app-dir=src"
	}
	// A shell fills in the port that the platform gives, and makes way for the server.
	d.Python.Command = []string{"sh", "-c", "exec uvicorn " + module + appDir + " --host=0.0.0.0 --port=$PORT --proxy-headers --forwarded-allow-ips='*'"}
	d.because("server", "uvicorn "+module, name, line, "the app that FastAPI() makes")
	if pyPostgres.Match(deps) && bytes.Contains(deps, []byte("asyncpg")) {
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
