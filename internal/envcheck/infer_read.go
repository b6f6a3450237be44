package envcheck

import (
	"slices"
	"strings"
)

// draft is one variable of an example or a .env file, as people write them.
type draft struct {
	key    string
	value  string // as Next.js reads it
	plain  string // as dotenv alone reads it, before references are expanded
	off    bool   // commented out, or a bare KEY
	pos    Pos
	lines  []string // the comment lines above it, without the indent
	marks  []string // decorators and opsctl rules above and after it, from "@" or "opsctl:" on
	bare   bool     // KEY without =
	source int      // which of several files it is from

	told, toldRequired bool        // what its comments, which are gone, said outright
	summary            *summarised // what the line of a rendered example says
}

// draftBlock is a piece of the file in order.
type draftBlock struct {
	kind  BlockKind
	gap   bool     // a blank line stands before it
	lines []string // of a comment or a divider
	marks []string // of a comment: decorators in it
	item  *draft

	header bool // before the first item
}

// drafter reads a file line by line; what counts as an assignment is dotenv's to say.
type drafter struct {
	name     string
	lines    []string
	entries  map[int][]Entry // by line
	active   map[string]bool // keys that are set
	seen     map[string]bool // keys that have a draft
	blocks   []draftBlock
	comment  []string
	marks    []string
	gap      bool
	tailMark string // the decorators after the value being read
	skipped  int    // lines that are neither
	values   map[string]string
	bones    []string       // by line: what env-spec may read of it
	lastOff  map[string]int // of a rendered example: the line that stands for the variable, not for a comment of the schema's
}

// readDraft splits the text of an example or a .env into its pieces.
func readDraft(name string, src []byte) *drafter {
	text := strings.TrimPrefix(string(src), "\ufeff")
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	// Both readings never fail: what they refuse they leave out.
	plain, _ := Read(Dotenv, name, []byte(text), nil)
	next, _ := Read(Next, name, []byte(text), nil)
	d := &drafter{name: name, lines: strings.Split(text, "\n"), entries: map[int][]Entry{}, active: map[string]bool{}, seen: map[string]bool{}, values: next.Vars}
	d.bones = make([]string, len(d.lines))
	for _, e := range plain.Entries {
		d.active[e.Key] = true
		d.entries[e.Pos.Line] = append(d.entries[e.Pos.Line], e)
	}
	last := plain.Last()
	first := 0
	if IsRenderedExample([]byte(text)) {
		first = 1 // says that it is one
		d.commentedOutLast()
	}
	for i := first; i < len(d.lines); i++ {
		i += d.line(i, last)
	}
	d.detach()
	return d
}

// commentedOutLast finds the last line of each commented-out variable.
func (d *drafter) commentedOutLast() {
	d.lastOff = map[string]int{}
	for i, line := range d.lines {
		if key, _, ok := commentedOut(strings.TrimSpace(line)); ok {
			d.lastOff[key] = i
		}
	}
}

// bone is the line of a key with its value taken out, so that its place stays.
func (d *drafter) bone(pos Pos, key string) {
	if isSchemaKey(key) {
		d.bones[pos.Line-1] = strings.Repeat(" ", pos.Col-1) + key + "="
	}
}

// line takes the line at index i and says how many more it took.
func (d *drafter) line(i int, last map[string]*Entry) (more int) {
	trimmed := strings.TrimSpace(d.lines[i])
	if es := d.entries[i+1]; len(es) > 0 {
		for _, e := range es {
			d.assignment(e, last[e.Key])
			more = max(more, e.EndLine-1-i)
		}
		return more
	}
	switch {
	case trimmed == "":
		d.detach()
		d.gap = true
	case trimmed[0] != '#':
		if key := strings.TrimSpace(strings.TrimPrefix(trimmed, "export ")); isUpperKey(key) && !d.active[key] {
			d.add(&draft{key: key, off: true, bare: true, pos: Pos{i + 1, 1 + strings.Index(d.lines[i], key)}})
			return 0
		}
		d.skipped++
	case isDivider(trimmed):
		d.detach()
		d.bones[i] = trimmed
		d.blocks = append(d.blocks, draftBlock{kind: BlockDivider, gap: d.gap, lines: []string{trimmed}})
		d.gap = false
	default:
		return d.commentLine(i, trimmed)
	}
	return 0
}

func (d *drafter) commentLine(i int, trimmed string) int {
	body := strings.TrimLeft(trimmed[1:], " \t")
	if isMark(body) {
		more := 0
		var open brackets
		for open.scan(body); open.depth > 0 && more < maxMarkLines && i+more+1 < len(d.lines); open.scan(d.lines[i+more]) {
			next := strings.TrimSpace(d.lines[i+more+1])
			if !strings.HasPrefix(next, "#") {
				break
			}
			more++
			body += "\n" + next
		}
		d.marks = append(d.marks, body)
		for j, part := range strings.Split("# "+body, "\n") {
			d.bones[i+j] = part
		}
		return more
	}
	d.bones[i] = plainComment(trimmed)
	if key, rest, ok := commentedOut(trimmed); ok {
		more := d.unclosed(i, rest)
		if d.active[key] || d.seen[key] || d.lastOff[key] > i { // another value for the same key: no more than a comment
			d.comment = append(d.comment, trimmed)
			return more
		}
		f, _ := Read(Dotenv, d.name, []byte(key+"="+rest), nil)
		col := 1 + length32(d.lines[i][:strings.Index(d.lines[i], key)])
		item := &draft{key: key, value: f.Vars[key], plain: f.Vars[key], off: true, pos: Pos{i + 1, col}}
		if more > 0 {
			item.value, item.plain = "", ""
		}
		if e := f.Last()[key]; e != nil {
			d.tail(rest[min(len(rest), max(0, strings.Index(rest, e.Raw))+len(e.Raw)):], rest)
		}
		d.add(item)
		return more
	}
	d.comment = append(d.comment, trimmed)
	return 0
}

// plainComment is a comment line that is read as no more than text.
func plainComment(line string) string {
	body := strings.TrimLeft(strings.TrimLeft(line, "#"), " \t")
	switch {
	case strings.HasPrefix(body, "@") || strings.HasPrefix(body, "opsctl:"):
		return "# note: " + body
	case isDivider(line):
		return "# " + strings.TrimLeft(body, "-=*# ")
	}
	return line
}

// unclosed counts the comment lines that belong to a commented-out value whose quote closes further down.
func (d *drafter) unclosed(i int, rest string) int {
	v := strings.TrimLeft(rest, " \t")
	if v == "" || strings.IndexByte("'\"`", v[0]) < 0 || strings.IndexByte(v[1:], v[0]) >= 0 {
		return 0
	}
	for j := i + 1; j < len(d.lines); j++ {
		line := strings.TrimSpace(d.lines[j])
		if _, _, another := commentedOut(line); another || !strings.HasPrefix(line, "#") {
			return 0
		}
		if strings.IndexByte(line, v[0]) >= 0 {
			return j - i
		}
	}
	return 0
}

func (d *drafter) assignment(e Entry, last *Entry) {
	if d.seen[e.Key] { // the last value counts, at the first place
		d.comment, d.marks = nil, nil
		return
	}
	lines := d.lines[e.EndLine-1]
	var after int
	if i := strings.LastIndexByte(e.Raw, '\n'); i >= 0 {
		after = len(e.Raw) - i - 1
	} else {
		after = byteCol(lines, e.ValuePos.Col) + len(e.Raw)
	}
	d.tail(lines[min(after, len(lines)):], e.Raw)
	value, ok := d.values[e.Key]
	if !ok {
		value = last.Value
	}
	d.add(&draft{key: e.Key, value: value, plain: last.Value, pos: e.Pos})
}

// tail takes the comment after a value, which moves above the key. What could
// be the rest of a value that holds a # is none.
func (d *drafter) tail(after, raw string) {
	rest := strings.TrimLeft(after, " \t")
	if !strings.HasPrefix(rest, "#") || len(rest) < 2 || rest == after && (raw != "" || !isBlank(rest[1])) {
		return
	}
	body := strings.TrimSpace(strings.TrimLeft(rest, "#"))
	switch {
	case isMark(body):
		d.marks = append(d.marks, body)
		d.tailMark = body
	case body != "":
		d.comment = append(d.comment, "# "+body)
	}
}

func (d *drafter) add(item *draft) {
	d.seen[item.key] = true
	if d.bone(item.pos, item.key); d.tailMark != "" {
		d.bones[item.pos.Line-1] += " # " + d.tailMark
		d.tailMark = ""
	}
	item.lines, item.marks = d.comment, d.marks
	d.comment, d.marks = nil, nil
	d.blocks = append(d.blocks, draftBlock{kind: BlockItem, gap: d.gap, item: item})
	d.gap = false
}

// detach ends a comment that no key follows.
func (d *drafter) detach() {
	if len(d.comment) > 0 || len(d.marks) > 0 {
		d.blocks = append(d.blocks, draftBlock{kind: BlockComment, gap: d.gap, lines: d.comment, marks: d.marks})
		d.gap = false
	}
	d.comment, d.marks = nil, nil
}

// commentedOut recognises "# KEY=value", the way to show an optional variable,
// and not a sentence with an equals sign in it.
func commentedOut(line string) (key, rest string, ok bool) {
	if line == "" {
		return "", "", false
	}
	body := strings.TrimLeft(line, "#")
	body = strings.TrimPrefix(strings.TrimPrefix(body, " "), "export ")
	key, rest, ok = strings.Cut(body, "=")
	if !ok || !isUpperKey(key) {
		return "", "", false
	}
	v := strings.TrimSpace(rest)
	if v == "" || strings.IndexByte("'\"`#", v[0]) >= 0 {
		return key, rest, true
	}
	value, _, _ := strings.Cut(v, " #")
	return key, rest, !strings.ContainsAny(strings.TrimSpace(value), " \t")
}

// isSchemaKey reports whether env-spec takes a text for a key; dotenv takes more.
func isSchemaKey(s string) bool {
	return envName(s) != "" && strings.TrimFunc(s, func(r rune) bool { return r < 0x80 && isKeyByte(byte(r)) }) == ""
}

// isUpperKey reports whether a text is a variable's name in capitals.
func isUpperKey(s string) bool {
	return s != "" && (s[0] == '_' || s[0] >= 'A' && s[0] <= 'Z') &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == "" && strings.Trim(s, "_0123456789") != ""
}

// byteCol is the byte offset of a column in a line.
func byteCol(line string, col int) int {
	n := 0
	for i := range line {
		if n++; n == col {
			return i
		}
	}
	return len(line)
}

// drafts lists the variables.
func drafts(blocks []draftBlock) []*draft {
	var out []*draft
	for _, b := range blocks {
		if b.item != nil {
			out = append(out, b.item)
		}
	}
	return out
}

// onlyNames tells whether a file gives no key a value: then it is a list of
// what has to be set, and an empty line says nothing about what is optional.
func onlyNames(ds []*draft) bool {
	return !slices.ContainsFunc(ds, func(d *draft) bool { return !d.off && d.value != "" })
}

// wanted tells whether a variable has to have a value.
func (d *draft) wanted(names bool) bool {
	if said, required := d.said(); said {
		return required
	}
	return !d.off && (names || d.value != "")
}

// said looks for a comment that says outright whether a variable is required:
// "Required.", "(optional)", and no sentence that has the word in it.
func (d *draft) said() (said, required bool) {
	if d.told {
		return true, d.toldRequired
	}
	for _, line := range d.lines {
		low := strings.ToLower(strings.TrimLeft(line, "# \t"))
		for _, word := range []string{"optional", "required", "mandatory"} {
			after, first := strings.CutPrefix(low, word)
			next, _, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
			outright := first && (after == "" || !isWord(after[0])) && !slices.Contains(conditions, strings.Trim(next, ":,.;"))
			if outright || strings.Contains(low, "("+word+")") || strings.Contains(low, "["+word+"]") {
				return true, word != "optional" && !d.off
			}
		}
	}
	return false, false
}

// conditions after "required" say that it is so under some conditions only.
var conditions = []string{"if", "when", "for", "in", "only", "by", "unless", "to", "on"}
