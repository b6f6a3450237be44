package envcheck

import "strings"

// item takes KEY=value, which may span lines, with the comment block above it.
func (p *schemaParser) item(end int) {
	b := p.block
	p.block = commentBlock{}
	p.add(Block{Kind: BlockItem})
	p.sawItem = true

	t := p.src.text
	start := p.off
	for isBlank(t[start]) {
		start++
	}
	if rest := strings.TrimPrefix(t[start:end], "export"); len(rest) < end-start && rest != "" && isBlank(rest[0]) {
		start = end - len(strings.TrimLeft(rest, " \t"))
	}
	keyEnd := start
	for keyEnd < end && (isWord(t[keyEnd]) || strings.IndexByte(".-", t[keyEnd]) >= 0) {
		keyEnd++
	}
	eq := keyEnd
	for eq < end && isBlank(t[eq]) {
		eq++
	}
	key := t[start:keyEnd]
	if envName(key) == "" || eq >= end || t[eq] != '=' {
		p.badLine(start, eq, end)
		p.schema.Blocks = p.schema.Blocks[:len(p.schema.Blocks)-1]
		p.off = end + 1
		return
	}
	it := &Item{
		Key: key, File: p.src.name, Pos: p.src.pos(start),
		Description: b.lines, Decorators: b.decorators, Rules: b.rules,
	}
	p.schema.Blocks[len(p.schema.Blocks)-1].Item = it
	p.itemValue(it, eq+1)
	if prev := p.schema.byKey[key]; prev != nil {
		p.report(it.Pos, "schema-duplicate", Error, key, "defined twice; the first is on line "+itoa(prev.Pos.Line), "keep one")
		return
	}
	p.schema.byKey[key] = it
	p.schema.Items = append(p.schema.Items, it)
}

func (p *schemaParser) badLine(start, at, end int) {
	msg, fix := "expected KEY=", "start a comment with #"
	if at < end && p.src.text[at] == ':' {
		msg, fix = "KEY: value is not a schema line", "write KEY=value"
	} else if at >= end {
		msg, fix = "a key without =", "write KEY="
	}
	p.report(p.src.pos(start), "schema-syntax", Error, "", msg, fix)
}

// itemValue reads the value after '=' and what may follow it, and moves to the next line.
func (p *schemaParser) itemValue(it *Item, off int) {
	e := &exprParser{src: p.src, off: off}
	e.blanks()
	it.ValuePos = p.src.pos(e.off)
	node, err := e.itemValue()
	if err != nil {
		p.syntax(err, it.Key)
		p.off = p.src.lineEnd(max(e.off, err.off)) + 1
		return
	}
	it.Value = node
	e.blanks()
	end := p.src.lineEnd(min(e.off, len(p.src.text)))
	p.off = end + 1
	if e.off >= end {
		return
	}
	if p.src.text[e.off] != '#' {
		p.report(p.src.pos(e.off), "schema-syntax", Error, it.Key, "text after the value", "quote the whole value, or start a comment with #")
		return
	}
	body := strings.TrimLeft(p.src.text[e.off+1:end], " \t")
	if !strings.HasPrefix(body, "@") {
		return
	}
	p.off = end - len(body)
	b := commentBlock{}
	p.decorators(&b)
	it.Decorators = append(it.Decorators, b.decorators...)
	p.off = p.src.lineEnd(min(p.off, len(p.src.text))) + 1
}

// itemValue reads an item's value in env-spec's order: call, collection,
// multi-line text, quoted text, unquoted text. Nil means no definition.
func (e *exprParser) itemValue() (*Node, *syntaxError) {
	t := e.src.text
	if e.off >= len(t) || t[e.off] == '\n' || t[e.off] == '#' {
		return nil, nil
	}
	start := e.off
	if name := e.ident(start); name != "" && strings.HasPrefix(t[start+len(name):], "(") {
		return e.call(name)
	}
	switch c := t[start]; c {
	case '[', '{':
		n, err := e.value("")
		if err == nil && e.atEnd() {
			return n, nil
		}
		e.off = start // JSON and the like: a plain text
	case '"', '\'', '`':
		return e.multiline(c)
	}
	end := start
	for end < len(t) && t[end] != '\n' && t[end] != '#' {
		end++
	}
	e.off = end
	return e.bare(strings.TrimRight(t[start:end], " \t\r"), start)
}

// atEnd reports whether only blanks and a comment follow on the line.
func (e *exprParser) atEnd() bool {
	off := e.off
	for off < len(e.src.text) && isBlank(e.src.text[off]) {
		off++
	}
	return off >= len(e.src.text) || e.src.text[off] == '\n' || e.src.text[off] == '#'
}

// multiline reads a quoted text that may hold newlines; """ and ``` are fences of their own.
func (e *exprParser) multiline(q byte) (*Node, *syntaxError) {
	t, start := e.src.text, e.off
	fence := string(q)
	if triple := strings.Repeat(fence, 3); q != '\'' && strings.HasPrefix(t[start:], triple) {
		fence = triple
	}
	for i := start + len(fence); i < len(t); i++ {
		if t[i] == '\\' && i+1 < len(t) && t[i+1] == q {
			i++
			continue
		}
		if strings.HasPrefix(t[i:], fence) {
			e.off = i + len(fence)
			return e.interpolate(t[start+len(fence):i], start+len(fence), q)
		}
	}
	return nil, e.fail(start, "the quote is never closed", "add "+fence)
}
