package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/errs"
)

// maxFile bounds the project file; a real one has a few kilobytes.
const maxFile = 1 << 20

// maxNodes bounds what aliases may expand to.
const maxNodes = 20_000

// Problem is one mistake in a configuration file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Key     string `json:"key,omitempty"` // dotted path
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
	Warning bool   `json:"warning,omitempty"` // the file is valid, but this opsctl does not carry it out
}

func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d:%d: ", p.File, p.Line, p.Col)
	if p.Warning {
		s += "warning: "
	}
	s += p.Message
	if p.Hint != "" {
		s += " (" + p.Hint + ")"
	}
	return s
}

// decoded is a file's content with the place of each key.
type decoded struct {
	project  *Project
	places   map[string]*yaml.Node // dotted path -> the value's node
	problems []Problem
}

// mistakes are the problems that make the file invalid.
func (d *decoded) mistakes() []Problem {
	return slices.DeleteFunc(slices.Clone(d.problems), func(p Problem) bool { return p.Warning })
}

// decode reads a project file strictly. All problems are collected; the
// project is complete only when there are none.
func decode(file string, src []byte) *decoded {
	d := &decoded{project: Default(), places: map[string]*yaml.Node{}}
	if len(src) > maxFile {
		d.problems = append(d.problems, Problem{File: file, Line: 1, Col: 1, Message: fmt.Sprintf("is larger than %d bytes", maxFile)})
		return d
	}
	dec := yaml.NewDecoder(bytes.NewReader(src))
	var doc yaml.Node
	if err := dec.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		d.problems = append(d.problems, syntaxProblem(file, err))
		return d
	}
	if len(doc.Content) > 0 {
		w := walker{file: file, d: d}
		w.object("", doc.Content[0], reflect.ValueOf(d.project).Elem())
		if w.nodes > maxNodes { // what was read of it says nothing
			d.project, d.places = Default(), map[string]*yaml.Node{}
			d.problems = []Problem{{File: file, Line: 1, Col: 1, Message: fmt.Sprintf("expands to more than %d values", maxNodes)}}
			return d
		}
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		d.problems = append(d.problems, Problem{File: file, Line: 1, Col: 1, Message: "holds more than one YAML document"})
	}
	return d
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

func syntaxProblem(file string, err error) Problem {
	p := Problem{File: file, Line: 1, Col: 1, Message: strings.TrimPrefix(err.Error(), "yaml: ")}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscan(m[1], &p.Line)
		p.Message = m[2]
	}
	return p
}

// walker decodes YAML nodes into the model, field by field, so that every
// mistake has a place.
type walker struct {
	file  string
	d     *decoded
	nodes int
}

func (w *walker) fail(n *yaml.Node, key, hint, format string, args ...any) {
	w.d.add(Problem{
		File: w.file, Line: max(n.Line, 1), Col: max(n.Column, 1), Key: key, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// maxProblems is more than anybody reads.
const maxProblems = 100

// add notes a problem, once: through an alias the same mistake is met again and again.
func (d *decoded) add(p Problem) {
	if len(d.problems) >= maxProblems {
		return
	}
	for _, have := range d.problems {
		if have.Line == p.Line && have.Col == p.Col && (have.Message == p.Message || have.Key == p.Key) {
			return
		}
	}
	d.problems = append(d.problems, p)
}

// value decodes n into v, whatever kind it is.
func (w *walker) value(path string, n *yaml.Node, v reflect.Value) {
	if w.nodes++; w.nodes > maxNodes {
		return
	}
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	w.d.places[path] = n
	if n.Tag == "!!null" {
		return // "key:" with nothing behind it leaves the default
	}
	if _, own := reflect.TypeAssert[yaml.Unmarshaler](v.Addr()); own {
		w.scalar(path, n, v)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		w.value(path, n, v.Elem())
	case reflect.Struct:
		w.object(path, n, v)
	case reflect.Map:
		w.dict(path, n, v)
	case reflect.Slice:
		w.list(path, n, v)
	default:
		w.scalar(path, n, v)
	}
}

func (w *walker) object(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "", "%s must be a mapping of keys, not %s", name(path), kindName(n))
		return
	}
	fields := map[string]int{}
	var known []string
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key != "-" && key != "" {
			fields[key] = i
			known = append(known, key)
		}
	}
	w.pairs(path, n, func(key *yaml.Node, child string, val *yaml.Node) {
		i, ok := fields[key.Value]
		if !ok {
			hint := "known here: " + strings.Join(known, ", ")
			if near := errs.Closest(key.Value, known); near != "" {
				hint = fmt.Sprintf("did you mean %q?", near)
			}
			w.fail(key, child, hint, "unknown key %q", key.Value)
			return
		}
		w.value(child, val, v.Field(i))
	})
}

func (w *walker) dict(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.MappingNode {
		w.fail(n, path, "", "%s must be a mapping of names, not %s", name(path), kindName(n))
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	w.pairs(path, n, func(key *yaml.Node, child string, val *yaml.Node) {
		elem := reflect.New(v.Type().Elem()).Elem()
		w.value(child, val, elem)
		v.SetMapIndex(reflect.ValueOf(key.Value), elem)
	})
}

// pairs calls f for each key of a mapping and reports keys that stand twice.
func (w *walker) pairs(path string, n *yaml.Node, f func(key *yaml.Node, child string, val *yaml.Node)) {
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, val := n.Content[i], n.Content[i+1]
		child := key.Value
		if path != "" {
			child = path + "." + key.Value
		}
		if line, dup := seen[key.Value]; dup {
			w.fail(key, child, "", "key %q stands already on line %d", key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		f(key, child, val)
	}
}

func (w *walker) list(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.SequenceNode {
		w.fail(n, path, "write it as [a, b]", "%s must be a list, not %s", name(path), kindName(n))
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content)))
	for i, item := range n.Content {
		w.value(fmt.Sprintf("%s[%d]", path, i), item, v.Index(i))
	}
}

func (w *walker) scalar(path string, n *yaml.Node, v reflect.Value) {
	if n.Kind != yaml.ScalarNode {
		w.fail(n, path, "", "%s must be a single value, not %s", name(path), kindName(n))
		return
	}
	if v.Kind() == reflect.String {
		v.SetString(n.Value) // numbers and booleans are fine where text is asked for
		return
	}
	if err := n.Decode(v.Addr().Interface()); err != nil {
		msg := err.Error()
		if strings.Contains(msg, "cannot unmarshal") {
			msg = fmt.Sprintf("%q is not %s", n.Value, typeName(v.Kind()))
		}
		w.fail(n, path, "", "%s: %s", name(path), msg)
	}
}

func name(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%q", n.Value)
	}
}

func typeName(k reflect.Kind) string {
	switch k {
	case reflect.Int:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	default:
		return "a valid value"
	}
}
