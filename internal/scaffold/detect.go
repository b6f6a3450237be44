package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// defaultNode is the image's Node when the repository asks for none: the oldest
// line that Next.js 16 and the current clients all run on.
const defaultNode = "22"

// Detect finds out what kind of app is in dir. An app that init cannot serve is an
// errs.CheckFailed whose hint says what was looked for; a package.json that is
// not valid is an errs.Usage with its line.
func Detect(dir string) (*Stack, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository").WithHint("name the folder that holds package.json")
	}
	if !info.IsDir() {
		return nil, errs.New(errs.Usage, "%s is not a folder", dir).WithHint("name the folder that holds package.json")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	return detect(os.DirFS(dir), filepath.Base(abs))
}

// detect is Detect on any file system; folder is the repository's own name, the
// last resort for the app's.
func detect(fsys fs.FS, folder string) (*Stack, error) {
	m, err := readManifest(fsys)
	if err != nil {
		return nil, err
	}
	s := &Stack{}
	next, ok := m.Dependencies["next"]
	if !ok {
		if _, dev := m.DevDependencies["next"]; dev {
			return nil, unknownStack("next is a development dependency; a production build needs it in dependencies")
		}
		return nil, unknownStack("package.json does not depend on next")
	}
	s.Next = next
	s.because("framework", "next "+next, "package.json", m.line("dependencies", "next"), "a production dependency")

	s.detectName(m, folder)
	if err := s.detectPackageManager(fsys, m); err != nil {
		return nil, err
	}
	s.detectNode(fsys, m)
	if err := s.detectRouter(fsys); err != nil {
		return nil, err
	}
	s.detectLanguage(fsys)
	s.detectConfig(fsys)
	s.detectServices(m)
	if err := s.detectMigrations(fsys); err != nil {
		return nil, err
	}
	s.detectBuild(m)
	if err := s.detectFolders(fsys, m); err != nil {
		return nil, err
	}
	if err := s.scanSources(fsys); err != nil {
		return nil, err
	}
	s.notes(fsys, m)
	return s, nil
}

func (s *Stack) detectName(m *manifest, folder string) {
	if s.App = sanitizeApp(m.Name); s.App != "" {
		s.because("app name", s.App, "package.json", m.line("", "name"), "the package's name")
		return
	}
	if s.App = sanitizeApp(folder); s.App != "" {
		s.because("app name", s.App, "", 0, "the folder's name: package.json has none that can be used")
		return
	}
	s.App = "app"
	s.because("app name", s.App, "", 0, "neither package.json nor the folder has a name that can be used")
}

func (s *Stack) detectNode(fsys fs.FS, m *manifest) {
	for _, name := range []string{".nvmrc", ".node-version"} {
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			continue
		}
		if n := major(strings.TrimPrefix(strings.TrimSpace(string(src)), "v")); n > 0 {
			s.Node = strconv.Itoa(n)
			s.because("node", s.Node, name, 1, "the version the repository is developed with")
			return
		}
	}
	if n := major(m.Volta["node"]); n > 0 {
		s.Node = strconv.Itoa(n)
		s.because("node", s.Node, "package.json", m.line("volta", "node"), "volta's version")
		return
	}
	if n := major(m.Engines["node"]); n > 0 {
		s.Node = strconv.Itoa(n)
		s.because("node", s.Node, "package.json", m.line("engines", "node"), "the lowest version that engines allows: "+m.Engines["node"])
		return
	}
	s.Node = defaultNode
	s.because("node", s.Node, "", 0, "default: no .nvmrc, .node-version, volta or engines names a version")
}

func (s *Stack) detectRouter(fsys fs.FS) error {
	for _, dir := range []string{"src/app", "app"} {
		if isDir(fsys, dir) {
			s.AppDir = dir
			s.because("app directory", dir, dir, 0, "the app router's folder")
			return nil
		}
	}
	// Next.js serves both routers side by side, if the folders are.
	for _, dir := range []string{"src/pages", "pages"} {
		if isDir(fsys, dir) {
			s.AppDir = path.Join(path.Dir(dir), "app")
			s.because("app directory", s.AppDir, dir, 0, "pages router: the health routes go into an app folder beside it")
			return nil
		}
	}
	return unknownStack("there is no app, src/app, pages or src/pages folder")
}

func (s *Stack) detectLanguage(fsys fs.FS) {
	if isFile(fsys, "tsconfig.json") {
		s.TypeScript = true
		s.because("language", "TypeScript", "tsconfig.json", 0, "there is a tsconfig.json")
		return
	}
	s.because("language", "JavaScript", "", 0, "there is no tsconfig.json")
}

func (s *Stack) detectConfig(fsys fs.FS) {
	for _, ext := range []string{"ts", "mjs", "js", "cjs", "mts"} {
		name := "next.config." + ext
		src, err := fs.ReadFile(fsys, name)
		if err != nil {
			continue
		}
		s.Config = name
		s.because("next.config", name, name, 0, "Next.js's configuration")
		obj, err := findConfig(src)
		if err != nil {
			return
		}
		if p, ok := obj.props["basePath"]; ok && p.isString && strings.HasPrefix(p.value, "/") {
			s.BasePath = strings.TrimRight(p.value, "/")
			s.because("base path", s.BasePath, name, lineAt(src, p.start), "basePath of the configuration")
		}
		return
	}
	s.because("next.config", "none", "", 0, "one is written")
}

var testDirs = regexp.MustCompile(`(^|/)(node_modules|\.next|\.git|dist|build|out|coverage|test|tests|e2e|__tests__|\.opsctl)$`)

// skipDir tells whether a folder holds nothing of the running app.
func skipDir(name string) bool { return testDirs.MatchString(name) }

func isDir(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.IsDir()
}

func isFile(fsys fs.FS, name string) bool {
	info, err := fs.Stat(fsys, name)
	return err == nil && info.Mode().IsRegular()
}

// optional reads a file that need not be there.
func optional(fsys fs.FS, name string) ([]byte, error) {
	src, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return src, nil
}
