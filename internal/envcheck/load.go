package envcheck

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

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
	parse := ParseSchema
	if IsExampleName(path) {
		parse = ParseExample
	}
	s, fs := parse(path, data)
	l.findings = append(l.findings, fs...)
	l.open = append(l.open, filepath.Clean(path))
	for _, imp := range s.Imports {
		l.imports(s, imp)
	}
	l.open = l.open[:len(l.open)-1]
	if len(s.Imports) > 0 {
		l.references(s)
	}
	return s
}

func (l *loader) imports(s *Schema, imp Import) {
	report := func(msg, fix string) {
		l.findings = append(l.findings, Finding{File: s.Name, Line: imp.Pos.Line, Col: imp.Pos.Col,
			Rule: "schema-import", Level: Error, Message: msg, Fix: fix})
	}
	if imp.Enabled != nil {
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
		report("schemas import each other in a circle, or more than "+itoa(maxImports)+" deep", "remove one @import")
		return
	}
	data, err := l.read(join(l.dir, path))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			report("the imported schema cannot be read", "")
		} else if !imp.AllowMissing {
			report("the imported schema "+imp.Path+" does not exist", "add allowMissing=true if that is right")
		}
		return
	}
	from := l.parse(path, data)
	for _, it := range from.Items {
		if len(imp.Pick) > 0 && !slices.Contains(imp.Pick, it.Key) || slices.Contains(imp.Omit, it.Key) || s.byKey[it.Key] != nil {
			continue
		}
		s.adopt(from, it)
	}
}

// adopt takes over an imported item; what its own header decided is written into it.
func (s *Schema) adopt(from *Schema, it *Item) {
	it.Public = !from.IsSensitive(it)
	if it.Required == nil && !it.Optional {
		it.Optional = !from.requiredByDefault(it)
		it.Required = boolNode(!it.Optional)
	}
	if !it.Public && it.Sensitive == nil {
		it.Sensitive = boolNode(true)
	}
	s.byKey[it.Key] = it
	s.Items = append(s.Items, it)
}

func boolNode(b bool) *Node {
	if b {
		return &Node{Kind: NodeBool, Text: "true"}
	}
	return &Node{Kind: NodeBool, Text: "false"}
}

// references checks, once the imports are there, that each $NAME is an item.
func (l *loader) references(s *Schema) {
	for _, it := range s.Items {
		for _, name := range refs(it.Value, refs(it.Required, nil)) {
			if s.byKey[name] == nil {
				l.findings = append(l.findings, Finding{File: it.File, Line: it.Pos.Line, Col: it.Pos.Col, Rule: "schema-reference",
					Level: Error, Key: it.Key, Message: "$" + name + " is no item of the schema or its imports", Fix: didYouMean(name, s.Keys())})
			}
		}
	}
}
