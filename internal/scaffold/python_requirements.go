package scaffold

import (
	"errors"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/opsctl/opsctl/internal/errs"
)

// requirement is a production dependency of a Python app.
type requirement struct {
	name   string // lower case, with dashes
	extras string // for instance "binary,pool"
	file   string
	line   int
}

// requirements are a Python app's production dependencies.
type requirements []requirement

func (r requirements) find(names ...string) (requirement, bool) {
	for _, name := range names {
		for _, q := range r {
			if q.name == name {
				return q, true
			}
		}
	}
	return requirement{}, false
}

var (
	requirementLine = lazily(`^\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?`)
	includeLine     = lazily(`^\s*(?:-r|--requirement)[ =]*(\S+)|^\s*(?:-c|--constraint)[ =]*(\S+)`)
	pythonMinor     = lazily(`3\.(\d+)`)
	upperBound      = lazily(`<(=?)\s*3\.(\d+)`)
)

func normalName(name string) string {
	return strings.ToLower(strings.NewReplacer("_", "-", ".", "-").Replace(name))
}

// pyproject is the part of pyproject.toml that detection reads.
type pyproject struct {
	Project struct {
		Name         string   `toml:"name"`
		Requires     string   `toml:"requires-python"`
		Dependencies []string `toml:"dependencies"`
	} `toml:"project"`
	Tool struct {
		Poetry struct {
			Name         string         `toml:"name"`
			Dependencies map[string]any `toml:"dependencies"`
		} `toml:"poetry"`
	} `toml:"tool"`

	src []byte
}

// pythonRequirements are the production dependencies, nil without any; it fills in the
// tool, its files, and the app's name.
func (d *detector) pythonRequirements() (requirements, *pyproject, error) {
	project, err := d.readPyproject()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range []struct{ lock, tool string }{{"uv.lock", "uv"}, {"poetry.lock", "poetry"}} {
		if project != nil && isFile(d.app, t.lock) {
			d.Python.Tool, d.Python.Files = t.tool, []string{"pyproject.toml", t.lock}
			return project.requirements(), project, nil
		}
	}
	if isFile(d.app, "requirements.txt") {
		d.Python.Tool = "pip"
		found, err := d.readRequirements("requirements.txt")
		return found, project, err
	}
	if project == nil {
		return nil, nil, nil
	}
	return project.requirements(), project, nil
}

func (d *detector) readPyproject() (*pyproject, error) {
	src, err := optional(d.app, "pyproject.toml")
	if src == nil || err != nil {
		return nil, err
	}
	p := &pyproject{src: src}
	if err := toml.Unmarshal(src, p); err != nil {
		line := 1
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, _ = e.Position()
		}
		return nil, errs.Wrap(err, errs.Usage, "pyproject.toml:%d", line).WithHint("correct it and run init again")
	}
	return p, nil
}

func (p *pyproject) requirements() requirements {
	var found requirements
	add := func(text string) {
		if m := requirementLine.FindStringSubmatch(text); m != nil {
			found = append(found, requirement{normalName(m[1]), m[2], "pyproject.toml", p.line(m[1])})
		}
	}
	for _, text := range p.Project.Dependencies {
		add(text)
	}
	for name, value := range p.Tool.Poetry.Dependencies {
		var extras []string
		if table, ok := value.(map[string]any); ok {
			if list, ok := table["extras"].([]any); ok {
				for _, e := range list {
					if text, ok := e.(string); ok {
						extras = append(extras, text)
					}
				}
			}
		}
		add(name + "[" + strings.Join(extras, ",") + "]")
	}
	slices.SortFunc(found, func(a, b requirement) int { return strings.Compare(a.name, b.name) })
	return found
}

// line is the line of a name in pyproject.toml.
func (p *pyproject) line(name string) int {
	loc := regexp.MustCompile(`(?mi)(?:^\s*|["'])` + regexp.QuoteMeta(name) + `(?:$|[^\w-])`).FindIndex(p.src)
	if loc == nil {
		return 0
	}
	return lineAt(p.src, loc[0])
}

// readRequirements follows the files that a requirements file includes, each from its
// own folder, as pip does.
func (d *detector) readRequirements(file string) (requirements, error) {
	if slices.Contains(d.Python.Files, file) {
		return nil, nil
	}
	src, err := optional(d.app, file)
	if src == nil || err != nil {
		return nil, err
	}
	d.Python.Files = append(d.Python.Files, file)
	found := requirements{}
	line := 0
	for text := range strings.Lines(string(src)) {
		line++
		text, _, _ = strings.Cut(text, " #")
		switch m := includeLine.FindStringSubmatch(text); {
		case m != nil && m[1] != "":
			more, err := d.readRequirements(path.Join(path.Dir(file), m[1]))
			if err != nil {
				return nil, err
			}
			found = append(found, more...)
		case m != nil: // a constraint installs nothing, and has to be there
			if name := path.Join(path.Dir(file), m[2]); isFile(d.app, name) {
				d.Python.Files = append(d.Python.Files, name)
			}
		default:
			if m := requirementLine.FindStringSubmatch(text); m != nil {
				found = append(found, requirement{normalName(m[1]), m[2], file, line})
			}
		}
	}
	return found, nil
}
