package envcheck

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// maxSchema bounds the size of a schema in bytes.
const maxSchema = 4 << 20

// ParseSchema reads a schema in the env-spec syntax (varlock's), static subset:
// no plugin, no command. The schema is never nil: what could be understood is
// in it, and each mistake is a finding with its position in the named file.
func ParseSchema(name string, src []byte) (*Schema, []Finding) {
	return parseSchema(name, src, false)
}

// parseSchema is ParseSchema for a file that may be imported: what it refers
// to, and the environment, may then be those of the importing file.
func parseSchema(name string, src []byte, imported bool) (*Schema, []Finding) {
	p := &schemaParser{
		imported: imported,
		schema:   &Schema{Name: name, DefaultRequired: "true", DefaultSensitive: "true", byKey: map[string]*Item{}},
	}
	p.src = newSource(name, "")
	switch {
	case len(src) > maxSchema:
		p.report(Pos{1, 1}, "schema-size", Error, "", "the schema is larger than 4 MiB", "")
		return p.schema, p.findings
	case bytes.IndexByte(src, 0) >= 0:
		p.src = newSource(name, string(src))
		p.report(p.src.pos(bytes.IndexByte(src, 0)), "schema-encoding", Error, "", "the schema holds a NUL byte", "save it as plain UTF-8 text")
		return p.schema, p.findings
	case !utf8.Valid(src):
		p.src = newSource(name, string(src))
		p.report(p.src.pos(invalidUTF8(src)), "schema-encoding", Error, "", "the schema is not valid UTF-8", "save it as UTF-8")
		return p.schema, p.findings
	}
	if rest, ok := bytes.CutPrefix(src, []byte("\ufeff")); ok {
		src = rest
		p.report(Pos{1, 1}, "schema-encoding", Warning, "", "the schema begins with a byte order mark, which varlock refuses", "save it as UTF-8 without BOM")
	}
	// A line may end as on Windows; any other carriage return is a character like the rest.
	p.src = newSource(name, strings.ReplaceAll(string(src), "\r\n", "\n"))
	p.run()
	p.finish()
	return p.schema, SortFindings(p.findings)
}

// invalidUTF8 is the offset of the first byte that is not UTF-8.
func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return len(b)
}

// schemaParser holds the state between lines.
type schemaParser struct {
	src      *source
	schema   *Schema
	findings []Finding
	off      int
	gap      bool // a blank line came since the last block
	block    commentBlock
	sawItem  bool
	failed   bool // an error was reported
	imports  bool // the header has an @import: keys may come from it
	imported bool // the file is imported: the environment may be the importing file's
	disabled bool // @disable: the file counts for nothing
}

// commentBlock is the run of comment lines being collected.
type commentBlock struct {
	open       bool
	lines      []string
	decorators []Decorator
	rules      []Rule
}

// maxSchemaFindings bounds what is reported about one schema file; who has that
// many mistakes mends some and looks again.
const maxSchemaFindings = 1000

// full reports that nothing more is to be reported, apart from the first error.
func (p *schemaParser) full() bool { return len(p.findings) >= maxSchemaFindings && p.failed }

func (p *schemaParser) report(pos Pos, rule string, level Level, key, msg, fix string) {
	if p.full() || len(p.findings) >= maxSchemaFindings && level != Error {
		return
	}
	p.failed = p.failed || level == Error
	p.findings = append(p.findings, Finding{
		File: p.src.name, Line: pos.Line, Col: pos.Col, Rule: rule, Level: level, Key: key, Message: msg, Fix: fix,
	})
}

func (p *schemaParser) syntax(err *syntaxError, key string) {
	p.report(p.src.pos(err.off), "schema-syntax", Error, key, err.msg, err.fix)
}

// run goes through the file line by line; an item or a decorator may take several.
func (p *schemaParser) run() {
	t := p.src.text
	for p.off < len(t) {
		end := p.src.lineEnd(p.off)
		line := t[p.off:end]
		trimmed := strings.TrimLeft(line, " \t")
		switch {
		case trimmed == "":
			p.detach()
			p.gap = true
			p.off = end + 1
		case trimmed[0] == '#':
			if trimmed != line {
				p.report(p.src.pos(p.off), "schema-indent", Error, "", "a comment must start in column 1", "remove the blanks before #")
				p.off += len(line) - len(trimmed)
			}
			p.comment(trimmed, end)
		default:
			p.item(end)
		}
	}
	p.detach()
}

// comment takes one comment line, or more when a decorator's arguments span lines.
func (p *schemaParser) comment(line string, end int) {
	if isDivider(line) {
		p.detach()
		p.add(Block{Kind: BlockDivider, Lines: []string{strings.TrimSpace(line)}})
		p.off = end + 1
		return
	}
	p.block.open = true
	body := strings.TrimLeft(line[1:], " \t")
	switch {
	case strings.HasPrefix(body, "@"):
		p.off += len(line) - len(body)
		p.decorators(&p.block)
		p.off = p.src.lineEnd(min(p.off, len(p.src.text))) + 1
	case strings.HasPrefix(body, "opsctl:"):
		off := p.off + len(line) - len(body) + len("opsctl:")
		p.block.rules = append(p.block.rules, p.rules(p.src.text[off:end], off)...)
		p.off = end + 1
	default:
		p.block.lines = append(p.block.lines, strings.TrimRight(strings.TrimPrefix(line[1:], " "), " \t\r"))
		p.off = end + 1
	}
}

// isDivider reports whether a comment line is a divider: three or more of the same mark.
func isDivider(line string) bool {
	body := strings.TrimLeft(line[1:], " \t")
	return len(body) >= 3 && strings.Trim(body[:3], "-=*#") == ""
}

// detach ends the comment block without an item: it is the header's or free text.
func (p *schemaParser) detach() {
	b := p.block
	if !b.open {
		return
	}
	p.block = commentBlock{}
	if !p.sawItem { // notes for people stand there too, they are sorted out later
		p.schema.Header = append(p.schema.Header, b.decorators...)
	} else {
		for _, d := range b.decorators {
			fix := "remove the blank line between it and its item"
			switch {
			case rootDecorators[d.Name] != 0:
				fix = "move it to the header, above the first item"
			case isNote(d.Name):
				fix = "write it without @"
			}
			p.report(d.Pos, "schema-placement", Error, "", "@"+d.Name+" is attached to no item", fix)
		}
	}
	for _, r := range b.rules {
		if r.Name == "ignore" && !p.sawItem {
			p.schema.Rules = append(p.schema.Rules, r)
			continue
		}
		p.report(r.Pos, "schema-placement", Error, "", "the opsctl rule "+r.Name+" is attached to no item", "put it directly above a key")
	}
	if len(b.lines) > 0 {
		p.add(Block{Kind: BlockComment, Lines: b.lines})
	}
}

func (p *schemaParser) add(b Block) {
	b.Gap, b.Header = p.gap, !p.sawItem
	p.gap = false
	p.schema.Blocks = append(p.schema.Blocks, b)
}
