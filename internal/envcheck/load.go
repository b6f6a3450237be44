package envcheck

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// maxImports bounds how deep schemas import each other.
const maxImports = 10

// loader reads a schema and what it imports.
type loader struct {
	dir      string
	env      string
	read     func(string) ([]byte, error)
	findings []Finding
	open     []string // files being read, to stop at a circle
}

// LoadSchema reads the schema at path (relative to dir) with its imports. Where a
// .env.schema is missing and there is a .env.example beside it, that one is the
// contract (ParseExample), and a finding says so. The error is for a schema that
// cannot be read at all (errs.Usage); mistakes in it are findings.
func LoadSchema(dir, path, env string, read func(string) ([]byte, error)) (*Schema, []Finding, error) {
	l := &loader{dir: dir, env: env, read: read}
	data, err := read(join(dir, path))
	if errors.Is(err, fs.ErrNotExist) && baseName(filepath.ToSlash(path)) == ".env.schema" {
		example := filepath.Join(filepath.Dir(path), ".env.example")
		if found, exampleErr := read(join(dir, example)); exampleErr == nil {
			l.findings = append(l.findings, Finding{File: example, Line: 1, Col: 1, Rule: "schema-missing", Level: Info,
				Message: "there is no " + baseName(path) + ": " + example + " is the contract, with its names and no more",
				Fix:     "make a schema of it: opsctl env schema --from " + example + " --write"})
			path, data, err = example, found, nil
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, errs.New(errs.Usage, "no schema: %s does not exist", path).
			WithHint("`opsctl init` or `opsctl env schema` writes one; --schema names another file")
	} else if err != nil {
		return nil, nil, errs.Wrap(err, errs.Usage, "cannot read the schema %s", path)
	}
	s := l.parse(path, data)
	return s, SortFindings(l.findings), nil
}

func (l *loader) parse(path string, data []byte) *Schema {
	s, fs := parseSchema(path, data, len(l.open) > 0)
	if IsExampleName(path) {
		s, fs = ParseExample(path, data)
	}
	l.findings = append(l.findings, fs...)
	l.open = append(l.open, filepath.Clean(path))
	for _, imp := range slices.Backward(s.Imports) { // the last one wins
		l.imports(s, imp)
	}
	l.open = l.open[:len(l.open)-1]
	if len(s.Imports) > 0 && len(l.open) == 0 {
		l.references(s)
	}
	return s
}

func (l *loader) imports(s *Schema, imp Import) {
	report := func(level Level, msg, fix string) {
		l.findings = append(l.findings, Finding{File: s.Name, Line: imp.Pos.Line, Col: imp.Pos.Col,
			Rule: "schema-import", Level: level, Message: msg, Fix: fix})
	}
	if imp.Enabled != nil {
		if len(refs(imp.Enabled, nil)) > 0 {
			report(Warning, "whether this import counts is decided here with the schema's own values", "let it depend on the environment: enabled=forEnv(production)")
		}
		none := func(string) (string, bool) { return "", false }
		if !newEvaluator(s, l.env, none).eval(imp.Enabled).truthy() {
			return
		}
	}
	path := imp.Path
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(s.Name), path)
	}
	if slices.Contains(l.open, path) || len(l.open) >= maxImports {
		report(Error, "schemas import each other in a circle, or more than "+itoa(maxImports)+" deep", "remove one @import")
		return
	}
	data, err := l.read(join(l.dir, path))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if !imp.AllowMissing {
			report(Error, "the imported schema "+imp.Path+" does not exist", "add allowMissing=true if that is right")
		}
		return
	case err != nil:
		report(Error, "the imported schema cannot be read", "")
		return
	case !strings.HasPrefix(filepath.Base(path), ".env."):
		report(Error, "an imported file is called .env.something", "rename "+filepath.Base(path))
		return
	}
	before := len(l.findings)
	from := l.parse(path, data)
	l.findings = append(l.findings[:before], slices.DeleteFunc(l.findings[before:], func(f Finding) bool {
		return f.Key != "" && f.Rule != "schema-syntax" && !imp.takes(f.Key) // nobody looks at the item
	})...)
	if own := from.CurrentEnv; imp.takes(own) && s.CurrentEnv != "" && own != s.CurrentEnv {
		report(Error, "the imported schema asks $"+own+" for the environment and this one $"+s.CurrentEnv, "let both name one variable in @currentEnv")
	}
	for _, it := range from.Items {
		if imp.takes(it.Key) {
			s.adopt(from, it)
		}
	}
	if s.CurrentEnv == "" && imp.takes(from.CurrentEnv) {
		s.CurrentEnv = from.CurrentEnv
	}
}
