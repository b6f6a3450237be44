package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// Global are the settings that every command has.
type Global struct {
	Config  string // project file; "" looks for it here and above
	Env     string
	Color   string
	JSON    bool
	Yes     bool
	NoInput bool
	DryRun  bool
	Verbose bool
	Quiet   bool
}

// Loader reads the configuration once and keeps it.
type Loader struct {
	lookup  func(string) (string, bool)
	dir     func() (string, error)
	project *Project
	layers  *layers
}

// NewLoader makes a loader that sees the given environment and the working directory.
func NewLoader(lookup func(string) (string, bool)) *Loader {
	return &Loader{lookup: lookup, dir: os.Getwd}
}

// Project reads, checks and layers the project file. Its mistakes are one
// usage error that lists them all with file:line:col.
func (l *Loader) Project(g Global) (*Project, error) {
	if l.project != nil {
		return l.project, nil
	}
	path, err := l.find(g.Config)
	if err != nil {
		return nil, err
	}
	d, err := read(path)
	if err != nil {
		return nil, err
	}
	l.layers, err = newLayers(d, path, l.lookup, l.userFile())
	if err != nil {
		return nil, err
	}
	l.layers.apply(d.project)
	d.project.fillDefaults()
	d.check(displayPath(path))
	if mistakes := d.mistakes(); len(mistakes) > 0 {
		return nil, Invalid(mistakes)
	}
	d.project.Path = path
	l.project = d.project
	return d.project, nil
}

// Check reads the project file and returns its path and problems.
func (l *Loader) Check(g Global) (path string, problems []Problem, err error) {
	path, err = l.find(g.Config)
	if err != nil {
		return "", nil, err
	}
	if path == "" {
		return "", nil, errs.New(errs.NotFound, "no %s here or above", FileName).WithHint("run: opsctl init")
	}
	d, err := read(path)
	if err != nil {
		return path, nil, err
	}
	d.project.fillDefaults()
	d.check(displayPath(path))
	return path, d.problems, nil
}

// Invalidates tells whether one of the problems is more than a warning.
func Invalidates(problems []Problem) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return !p.Warning })
}

// Invalid makes the usage error for problems, which must not be empty.
func Invalid(problems []Problem) error {
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return errs.New(errs.Usage, "%s", strings.Join(lines, "\n       ")).
		WithHint("`opsctl config schema` prints what the file may hold")
}

func read(path string) (*decoded, error) {
	if path == "" {
		return decode("", nil), nil
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		return nil, errs.New(errs.Usage, "the project file %s is not a regular file", displayPath(path))
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, errs.New(errs.Usage, "the project file %s cannot be read: %v", displayPath(path), rootCause(err))
	}
	return decode(displayPath(path), src), nil
}

// find returns the project file's path; "" when none was named and none is
// found between the working directory and the repository's root.
func (l *Loader) find(named string) (string, error) {
	if named != "" {
		if _, err := os.Stat(named); err != nil {
			return "", errs.New(errs.Usage, "project file %s: %v", named, rootCause(err)).WithHint("--config names a file that exists; `opsctl init` writes one")
		}
		return filepath.Abs(named)
	}
	dir, err := l.dir()
	if err != nil {
		return "", err
	}
	for {
		path := filepath.Join(dir, FileName)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
		if _, err := os.Stat(filepath.Join(dir, ".git")); err == nil {
			return "", nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", nil
		}
		dir = parent
	}
}

// userFile is the path of the user's own settings; "" when there is no home.
func (l *Loader) userFile() string {
	if dir, ok := l.lookup("XDG_CONFIG_HOME"); ok && dir != "" {
		return filepath.Join(dir, "opsctl", "config.yaml")
	}
	if home, ok := l.lookup("HOME"); ok && home != "" {
		return filepath.Join(home, ".config", "opsctl", "config.yaml")
	}
	return ""
}

func rootCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// displayPath is path relative to the working directory where that is shorter.
func displayPath(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}
