package envcheck

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// InferSource is a file to make a schema from.
type InferSource struct {
	Name string
	Data []byte
	// Example says that the file is an example: made to be committed, so that a
	// value that looks like no secret may be shown. From any other file no value
	// is taken but those that cannot be secret.
	Example bool
}

// InferredVar is what was made of one variable.
type InferredVar struct {
	Key      string `json:"key"`
	Type     string `json:"type"` // as @type has it, string when nothing is known
	Required bool   `json:"required"`
	Public   bool   `json:"public"`            // its values may be shown
	Example  bool   `json:"example,omitempty"` // the file's value became the @example
}

// Inferred is a first schema.
type Inferred struct {
	Schema    []byte
	Variables []InferredVar
	Skipped   []string // what could not be taken over, in words, and with no value
}

// IsExampleName tells whether a file name is that of an example: .env.example,
// .env.sample, .env.template, .env.dist, .env.production.example.
func IsExampleName(name string) bool {
	base := baseName(strings.ReplaceAll(name, `\`, "/"))
	if !strings.Contains(base, "env") {
		return false
	}
	return slices.ContainsFunc([]string{"example", "sample", "template", "dist", "defaults"}, func(word string) bool {
		return slices.Contains(strings.FieldsFunc(base, func(r rune) bool { return r == '.' || r == '-' || r == '_' }), word)
	})
}

// InferSchema makes a first schema from examples and .env files: their order,
// sections and comments, with a type where the name and the value make it clear. Of a key that
// several files have the first counts. With into, only the variables that this schema
// lacks are made, in words that mean the same under its header.
func InferSchema(sources []InferSource, into *Schema) (*Inferred, error) {
	g := &inferrer{sources: sources, into: into, keys: map[string]bool{}, plain: map[string]int{}}
	for i, src := range sources {
		if msg, pos := checkText(src.Name, src.Data); msg != "" {
			return nil, errs.New(errs.Usage, "%s:%d:%d: %s", src.Name, pos.Line, pos.Col, msg).WithHint("save it as plain UTF-8 text")
		}
		g.read(i, src)
	}
	if len(g.keys) == 0 && into == nil {
		return nil, errs.New(errs.Usage, "no variable in %s", joinNames(sources)).WithHint("name a file with KEY=value lines")
	}
	out, err := g.settle()
	if err != nil {
		return nil, err
	}
	return &Inferred{Schema: out, Variables: g.variables(), Skipped: g.skipped}, nil
}

func joinNames(sources []InferSource) string {
	var names []string
	for _, s := range sources {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}

// inferrer makes a schema of what its sources hold.
type inferrer struct {
	sources             []InferSource
	into                *Schema
	blocks              []draftBlock
	scrub               []*scrubber       // by source
	hidden              *strings.Replacer // takes every value that must not be shown out of a text; made when first needed
	held                *withheld         // values that must not be shown as another variable's; made when first needed
	all                 []*draft          // of every source, also those whose variable is another's already
	names               []bool            // by source: the file is a list of names
	keys                map[string]bool
	root                []string       // root decorators of the sources, as written
	noRoot              bool           // they are not to be used: the parser refuses them
	plain               map[string]int // by key: how much of what is known is not to be used
	specs               map[string]*spec
	firstLine, lastLine map[string]int // of a variable in what was rendered
	prefix              string         // of the names that are inlined into the browser bundle
	envKey              string         // of the variable that names the environment; "" for none
	skipped             []string
}

// spec is what the schema says about a variable.
type spec struct {
	typ, example, value string
	condition           string // of @required, where it depends on the environment
	public, required    bool
}

// read takes one source in.
func (g *inferrer) read(n int, src InferSource) {
	read := readDraft(src.Name, src.Data)
	if skipped := read.skipped; skipped > 0 {
		g.skipped = append(g.skipped, src.Name+": "+plural(skipped, "line")+" that no reader takes for an assignment")
	}
	scrub := &scrubber{}
	blocks := read.blocks
	switch {
	case src.Example && IsRenderedExample(bytes.TrimPrefix(src.Data, []byte("\ufeff"))):
		takeSummaries(blocks)
	case !src.Example:
		var dropped int
		if blocks, dropped = withoutComments(blocks); dropped > 0 {
			g.skipped = append(g.skipped, src.Name+": "+plural(dropped, "comment line")+", because they may hold a secret")
		}
	}
	var own []draftBlock
	for _, b := range blocks {
		if b.item == nil {
			own = append(own, b)
			continue
		}
		d := b.item
		d.source = n
		g.all = append(g.all, d)
		if d.value != "" && !(src.Example && exampleFit(d.key, d.value)) {
			scrub.hide(d.value)
			scrub.hide(d.plain)
		}
		switch {
		case !isSchemaKey(d.key):
			g.skipped = append(g.skipped, src.Name+": a key that env-spec does not allow")
		case g.keys[d.key] || g.into != nil && g.into.Item(d.key) != nil:
		default:
			g.keys[d.key] = true
			own = append(own, b)
		}
	}
	if n > 0 || g.into != nil {
		own = slices.DeleteFunc(own, func(b draftBlock) bool { return b.item == nil }) // sections without their variables
	}
	if len(own) > 0 && n > 0 {
		own[0].gap = true
	}
	g.blocks = append(g.blocks, own...)
	g.scrub = append(g.scrub, scrub)
	g.names = append(g.names, onlyNames(drafts(blocks)))
}

func plural(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return itoa(n) + " " + noun
}

// settle renders until the schema has no finding and the sources' values fit
// it: what does not fit is taken back, step by step, for its variable only, and
// in the end for all.
func (g *inferrer) settle() ([]byte, error) {
	g.takeRoot()
	for round := range 8 {
		g.decide()
		out := g.render()
		if len(out) > maxSchema {
			return nil, errs.New(errs.Usage, "the schema would be larger than 4 MiB").WithHint("name fewer files")
		}
		schema, findings := ParseSchema(".env.schema", out)
		if len(findings) == 0 && !g.misfits(schema) {
			return out, nil
		}
		for _, f := range findings {
			g.takeBack(f.Line)
		}
		if round > 3 { // a decorator that does not end takes others with it
			g.noRoot = true
			for key := range g.keys {
				g.plain[key]++
			}
		}
	}
	return nil, errs.New(errs.Failure, "no schema could be made of %s that the parser accepts", joinNames(g.sources)).
		WithHint("take the decorators out of its comments and try again")
}

// takeBack uses less of what is known of the variable at a line, or of the header.
func (g *inferrer) takeBack(line int) {
	for key, last := range g.lastLine {
		if line <= last && line >= g.firstLine[key] {
			g.plain[key]++
			return
		}
	}
	g.noRoot = true
}

// misfits takes back the types that the sources' own values do not have.
func (g *inferrer) misfits(s *Schema) bool {
	found := false
	e := newEvaluator(s, "development", func(string) (string, bool) { return "", false })
	for _, d := range drafts(g.blocks) {
		it := s.Item(d.key)
		if it == nil || d.value == "" || isPlaceholder(d.value, secretName(d.key)) || g.plain[d.key] > 1 {
			continue
		}
		if p := e.checkType(it.Type, d.value); p.msg != "" && !mentions(d.marks, "type") {
			g.plain[d.key] = max(2, g.plain[d.key]+1)
			found = true
		}
	}
	return found
}

// takeRoot moves the root decorators of the sources' headers into one place.
func (g *inferrer) takeRoot() {
	items := false
	for i := range g.blocks {
		b := &g.blocks[i]
		if b.item != nil {
			items = true
			continue
		}
		b.header = !items
		for _, m := range b.marks {
			name := markName(m)
			if g.into == nil && !items && rootDecorators[name] != 0 {
				g.root = append(g.root, m)
			} else {
				b.lines = append(b.lines, "# "+noteOf(m))
			}
		}
		b.marks = nil
	}
	if len(g.root) > 0 { // the line that ended the header has its place after ours
		g.blocks = slices.DeleteFunc(g.blocks, func(b draftBlock) bool {
			return b.kind == BlockDivider && b.header && strings.Trim(b.lines[0], "#-=* ") == ""
		})
	}
	g.prefix = mostlyPublic(slices.Collect(maps.Keys(g.keys)))
	g.envKey = g.environment()
	for _, d := range drafts(g.blocks) {
		d.noteCondition(g.envKey != "")
	}
}

func markName(mark string) string {
	name := strings.TrimPrefix(mark, "@")
	end := 0
	for end < len(name) && isWord(name[end]) {
		end++
	}
	return name[:end]
}

// noteOf is a decorator line that cannot be one, as a plain comment.
func noteOf(mark string) string {
	return "note: " + strings.Join(strings.Fields(strings.ReplaceAll(mark, "\n#", " ")), " ")
}

func (g *inferrer) variables() []InferredVar {
	vars := []InferredVar{}
	for _, d := range drafts(g.blocks) {
		s := g.specs[d.key]
		typ := s.typ
		if typ == "" {
			typ = "string"
		}
		vars = append(vars, InferredVar{Key: d.key, Type: typ, Required: s.required, Public: s.public, Example: s.example != ""})
	}
	return vars
}

// MergeSchema adds the items of a schema that another one lacks to its end, and
// leaves all that stands there as it is: how a variable is described is the
// user's. False when one of the two has findings.
func MergeSchema(name string, have, add []byte) (merged []byte, added []string, ok bool) {
	mine, findings := ParseSchema(name, have)
	if len(findings) > 0 {
		return nil, nil, false
	}
	theirs, findings := ParseSchema(name, add)
	if len(findings) > 0 {
		return nil, nil, false
	}
	merged = slices.Clone(have)
	lines := bytes.SplitAfter(add, []byte("\n"))
	for _, item := range theirs.Items {
		if mine.Item(item.Key) != nil {
			continue
		}
		first := item.Pos.Line
		for first > 1 && bytes.HasPrefix(lines[first-2], []byte("#")) && !isDivider(string(lines[first-2])) {
			first--
		}
		merged = AppendItems(merged, bytes.Join(lines[first-1:item.Pos.Line], nil))
		added = append(added, item.Key)
	}
	return merged, added, true
}

// AppendItems adds the text of items to the end of a schema, after a blank line.
func AppendItems(schema, items []byte) []byte {
	if len(items) == 0 {
		return schema
	}
	out := slices.Clone(schema)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(append(out, '\n'), items...)
}
