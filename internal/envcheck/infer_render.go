package envcheck

import (
	"bytes"
	"slices"
	"strings"
)

// defaults are what a header says of items that say nothing themselves.
func (g *inferrer) defaults() *Schema {
	if g.into != nil {
		return g.into
	}
	s, _ := ParseSchema(".env.schema", []byte(g.header()+"\nX=\n"))
	return s
}

// header is the block of root decorators: those of the sources, and ours where they say nothing.
func (g *inferrer) header() string {
	var lines []string
	if g.envKey != "" && !g.rootSays("currentEnv") && !g.rootSays("envFlag") {
		lines = append(lines, "# @currentEnv=$"+g.envKey)
	}
	if !g.rootSays("defaultRequired") {
		lines = append(lines, "# @defaultRequired=true")
	}
	if !g.rootSays("defaultSensitive") {
		lines = append(lines, "# @defaultSensitive=inferFromPrefix("+g.prefix+")")
	}
	if !g.noRoot {
		for _, m := range g.root {
			lines = append(lines, "# "+m)
		}
	}
	return strings.Join(lines, "\n") + "\n# ---\n"
}

// rootSays tells whether the sources' own header has a root decorator: what it
// says by default is then said of every variable.
func (g *inferrer) rootSays(name string) bool {
	return !g.noRoot && mentions(g.root, name)
}

// mentions tells whether decorator lines hold one of the names.
func mentions(marks []string, names ...string) bool {
	return slices.ContainsFunc(marks, func(m string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return strings.Contains(m, "@"+n) })
	})
}

// decide works out what the schema says of each variable.
func (g *inferrer) decide() {
	g.specs = map[string]*spec{}
	base := g.defaults()
	g.withhold(base)
	for _, d := range drafts(g.blocks) {
		src := g.sources[d.source]
		v := d.value
		if isPlaceholder(v, secretName(d.key)) {
			v = ""
		}
		s := g.spec(d, base, v)
		switch {
		case g.plain[d.key] > 0:
		case d.key == "NODE_ENV":
			s.value = "development"
		case src.Example && (mentions(g.root, "currentEnv=$"+d.key) || d.key == g.envKey) && exampleFit(d.key, v) && spellExample(v) == v:
			s.value = v // forEnv() cannot do without
		}
		if g.held.has(d.key, s.value) {
			s.value = ""
		}
		if g.plain[d.key] == 0 && s.value == "" && g.mayShow(src, d, s.typ) && !g.held.has(d.key, d.value) {
			s.example = spellExample(d.value)
		}
		g.specs[d.key] = s
	}
}

// withhold collects the values that are not shown, of all variables of all sources: what
// one key hides is not to be published as another's.
func (g *inferrer) withhold(base *Schema) {
	if g.held != nil {
		return
	}
	g.held = &withheld{owners: map[string]map[string]bool{}}
	for _, d := range g.all {
		if d.value == "" || isPlaceholder(d.value, secretName(d.key)) {
			continue
		}
		if !exampleFit(d.key, d.value) || !g.sources[d.source].Example && (secretName(d.key) || !cannotBeSecret(firstFit(base, d.key, d.value, 0))) {
			g.held.add(d.key, d.value)
			g.held.add(d.key, d.plain)
		}
	}
}

// spec is what is known of a variable without its value: from its name and the form
// of its value, or from what the schema said that the example was rendered from.
func (g *inferrer) spec(d *draft, base *Schema, v string) *spec {
	if d.summary != nil && g.plain[d.key] < 2 {
		s := &spec{typ: d.summary.typ, required: d.summary.required, public: !d.summary.secret}
		if len(d.summary.envs) > 0 && g.envKey != "" && g.plain[d.key] == 0 {
			s.condition = "forEnv(" + strings.Join(d.summary.envs, ", ") + ")"
		}
		return s
	}
	s := &spec{required: d.wanted(g.names[d.source])}
	if g.plain[d.key] < 3 {
		s.typ = firstFit(base, d.key, v, g.plain[d.key])
	}
	s.public = isPublic(d.key, s.typ)
	if d.summary != nil {
		s.required, s.public = d.summary.required, !d.summary.secret
	}
	return s
}

// mayShow tells whether the file's value may stand in the schema.
func (g *inferrer) mayShow(src InferSource, d *draft, typ string) bool {
	if d.value != strings.ReplaceAll(d.plain, `\$`, "$") || mentions(d.marks, "example") {
		return false // it is made of other variables, or the file gives an example itself
	}
	if d.summary != nil && isPlaceholder(d.value, secretName(d.key)) { // the schema's own
		return len(d.value) <= 200 && secretKind(d.key, d.value) == "" && !mayBeRandom(d.value) && !secretParam().MatchString(d.value)
	}
	if !exampleFit(d.key, d.value) {
		return false
	}
	return src.Example || cannotBeSecret(typ) && !secretName(d.key)
}

// firstFit is the first type in question that the value has; skip passes over the first ones.
func firstFit(base *Schema, key, v string, skip int) string {
	e := newEvaluator(base, "development", func(string) (string, bool) { return "", false })
	types := guess(key, v)
	if skip > 1 {
		return ""
	}
	for _, typ := range types {
		if typ == "" || v == "" || e.checkType(parseType(typ), v).msg == "" {
			return typ
		}
		if strings.HasPrefix(typ, "url") && strings.Contains(v, "$") {
			return typ
		}
	}
	return ""
}

// parseType reads a type as @type has it.
func parseType(typ string) *Type {
	s, _ := ParseSchema("", []byte("# @type="+typ+"\nX=\n"))
	return s.Items[0].Type
}

// spellExample finds a spelling of a value that env-spec reads back as the same
// text and that .env.example can carry; "" when there is none.
func spellExample(v string) string {
	if _, ok := Portable(v); !ok {
		return ""
	}
	escaped := strings.NewReplacer(`"`, `\"`, "$", `\$`).Replace(v)
	spellings := []string{`"` + v + `"`, `'` + v + `'`, `"` + escaped + `"`}
	if strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == "" {
		spellings = append([]string{v}, spellings...)
	}
	for _, spelling := range spellings {
		s, findings := ParseSchema("", []byte("# @example="+spelling+"\nX=\n"))
		if len(findings) > 0 || len(s.Items) != 1 || len(s.Items[0].Decorators) != 1 {
			continue
		}
		if n := s.Items[0].Example; n != nil && n.Text == v && (n.Kind == NodeString || n.Kind == NodeNumber || n.Kind == NodeBool) {
			return spelling
		}
	}
	return ""
}

// render writes the schema.
func (g *inferrer) render() []byte {
	var b bytes.Buffer
	base := g.defaults()
	headed := g.into != nil
	apart := headed // from what stands above
	g.firstLine, g.lastLine = map[string]int{}, map[string]int{}
	line, counted := 1, 0
	here := func() int {
		line += bytes.Count(b.Bytes()[counted:], []byte("\n"))
		counted = b.Len()
		return line
	}
	for i, block := range g.blocks {
		if !headed && !(i == 0 && block.kind == BlockComment && !g.headless()) {
			if i > 0 {
				b.WriteString("#\n")
			}
			b.WriteString(g.header())
			headed, apart = true, true
		}
		spaced := block.kind == BlockItem && (apart || block.item.summary == nil) // as it was in a rendered example
		apart = false
		if b.Len() > 0 && (spaced || block.gap || block.kind == BlockDivider && !afterDivider(g.blocks, i)) {
			blankLine(&b)
		}
		switch block.kind {
		case BlockItem:
			g.firstLine[block.item.key] = here()
			g.renderItem(&b, block.item, base)
			g.lastLine[block.item.key] = here() - 1
		case BlockDivider:
			b.WriteString(g.scrubLine(0, block.lines[0]) + "\n")
		default:
			for _, line := range g.comment(0, block.lines) {
				b.WriteString(line + "\n")
			}
		}
	}
	return b.Bytes()
}

// headless tells that the first comment is a section's, so that the header goes above it.
func (g *inferrer) headless() bool {
	return len(g.blocks) > 1 && g.blocks[1].kind == BlockDivider && !g.blocks[1].gap
}

// afterDivider tells whether a divider closes a heading that another one opened.
func afterDivider(blocks []draftBlock, i int) bool {
	return i > 1 && blocks[i-1].kind == BlockComment && blocks[i-2].kind == BlockDivider && !blocks[i].gap && !blocks[i-1].gap
}

func (g *inferrer) renderItem(b *bytes.Buffer, d *draft, base *Schema) {
	s := g.specs[d.key]
	for _, line := range g.comment(d.source, d.lines) {
		b.WriteString(line + "\n")
	}
	var marks []string
	for _, m := range d.marks {
		switch name := markName(m); {
		case g.plain[d.key] > 0 || itemDecorators[name] == 0 && !strings.HasPrefix(m, "opsctl:"), g.leaks(d.source, m):
			b.WriteString("# " + g.scrubLine(d.source, noteOf(m)) + "\n")
		default:
			marks = append(marks, m)
		}
	}
	var ours []string
	if s.typ != "" && !mentions(marks, "type") {
		ours = append(ours, "@type="+s.typ)
	}
	it := &Item{Key: d.key}
	if s.value != "" {
		it.Value = &Node{Text: s.value}
	}
	if s.condition != "" {
		ours = append(ours, "@required="+s.condition)
	} else if byDefault := base.requiredByDefault(it); byDefault != s.required && !mentions(marks, "required", "optional") && !g.rootSays("defaultRequired") {
		ours = append(ours, map[bool]string{true: "@required", false: "@optional"}[s.required])
	}
	if sensitive := base.IsSensitive(it); !mentions(marks, "sensitive", "public") && sensitive == s.public && !g.rootSays("defaultSensitive") {
		ours = append(ours, map[bool]string{true: "@public", false: "@sensitive"}[s.public])
	}
	if len(ours) > 0 {
		b.WriteString("# " + strings.Join(ours, " ") + "\n")
	}
	if s.example != "" {
		b.WriteString("# @example=" + s.example + "\n")
	}
	for _, m := range marks {
		b.WriteString("# " + m + "\n")
	}
	b.WriteString(d.key + "=" + s.value + "\n")
}

// leaks tells whether a decorator of the source holds what must not be shown.
func (g *inferrer) leaks(source int, mark string) bool {
	if strings.HasPrefix(mark, "@docs") { // a link may have a part that looks random
		return g.hide(mark) != mark
	}
	return g.scrubLine(source, mark) != mark
}

// comment is a comment that may stand in a schema: with no secret in it, and nothing that would be read as more than text.
func (g *inferrer) comment(source int, lines []string) []string {
	var out []string
	for _, line := range lines {
		line = g.scrubLine(source, line)
		body := strings.TrimLeft(strings.TrimLeft(line, "#"), " \t")
		switch {
		case body == "" && (len(out) == 0 || out[len(out)-1] == "#"):
			continue
		case body == "":
			line = "#"
		}
		out = append(out, plainComment(line))
	}
	for len(out) > 0 && out[len(out)-1] == "#" {
		out = out[:len(out)-1]
	}
	return out
}

func (g *inferrer) scrubLine(source int, line string) string {
	return g.scrub[source].line(g.hide(line))
}

// hide takes the values that are not shown out of a text.
func (g *inferrer) hide(line string) string {
	if g.hidden == nil { // a value of one file may stand in another's comment
		var all, pairs []string
		for _, s := range g.scrub {
			all = append(all, s.hidden...)
		}
		slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
		for _, h := range all {
			if len(h) >= minHidden {
				pairs = append(pairs, h, scrubbed)
			}
		}
		g.hidden = strings.NewReplacer(pairs...)
	}
	return g.held.words(g.hidden.Replace(line))
}
