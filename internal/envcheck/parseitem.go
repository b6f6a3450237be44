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
	for isGap(t[start]) {
		start++
	}
	if rest, ok := strings.CutPrefix(t[start:end], "export "); ok {
		start = end - len(strings.TrimLeft(rest, " \t"))
	}
	keyEnd := start
	for keyEnd < end && (isWord(t[keyEnd]) || strings.IndexByte(".-", t[keyEnd]) >= 0) {
		keyEnd++
	}
	eq := keyEnd
	for eq < end && isGap(t[eq]) {
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
	for it.ValuePos = p.src.pos(off); off < len(p.src.text) && isGap(p.src.text[off]); off++ {
		it.ValuePos.Col++
	}
	node, err := e.itemValue()
	if err != nil {
		p.syntax(err, it.Key)
		p.off = p.src.lineEnd(min(max(e.off, err.off), len(p.src.text))) + 1
		return
	}
	it.Value = node
	p.doubt(e, it.Key)
	e.blanks()
	p.off = e.off
	p.postComment(it)
	p.off = p.src.lineEnd(min(p.off, len(p.src.text))) + 1
}

// postComment reads the comment after a value, which may hold decorators.
func (p *schemaParser) postComment(it *Item) {
	if p.off >= len(p.src.text) || p.src.text[p.off] == '\n' {
		return
	}
	if p.src.text[p.off] != '#' {
		p.report(p.src.pos(p.off), "schema-syntax", Error, it.Key, "text after the value", "quote the whole value, or start a comment with #")
		return
	}
	line := p.src.text[p.off:p.src.lineEnd(p.off)]
	body := strings.TrimLeft(line[1:], " \t")
	switch {
	case isDivider(line):
		p.report(p.src.pos(p.off), "schema-syntax", Error, it.Key, "a divider cannot follow a value", "put it on a line of its own")
	case strings.HasPrefix(body, "@"):
		p.off += len(line) - len(body)
		b := commentBlock{}
		p.decorators(&b)
		it.Decorators = append(it.Decorators, b.decorators...)
	}
}

// doubt warns where what looks like a call or a quoted text is none, so that
// varlock reads it as plain text without a word.
func (p *schemaParser) doubt(e *exprParser, key string) {
	for _, d := range e.doubts {
		p.report(p.src.pos(d.off), "schema-syntax", Warning, key, "read as plain text, because of this: "+d.msg, d.fix)
	}
	e.doubts = nil
}

// itemValue reads an item's value in env-spec's order: call, collection,
// multi-line text, quoted text, unquoted text. Nil means no definition. A
// blank after '=' already makes it an unquoted text.
func (e *exprParser) itemValue() (*Node, *syntaxError) {
	t, start := e.src.text, e.off
	var why *syntaxError
	switch c := e.peek(); {
	case isQuote(c):
		if n := e.multiline(); n != nil {
			return n, nil
		}
		n, err := e.quoted(c)
		if err != nil {
			err.msg = "the quote is never closed"
			if strings.HasPrefix(t[start:], strings.Repeat(string(c), 3)) {
				err.fix = "a text in triple quotes holds a line break; add " + strings.Repeat(string(c), 3)
			}
		}
		return n, err
	case c != '\n':
		n, err := e.structured()
		if n != nil || err != nil && err.fatal {
			return n, err
		}
		if c != '[' && c != '{' { // JSON and the like is meant to be text
			why = err
		}
	}
	e.blanks()
	if isQuote(e.peek()) {
		return nil, e.fail(e.off, "a quoted value must follow = at once", "remove the blanks after =")
	}
	if name := e.ident(e.off); why == nil && name != "" && e.off > start && functions[name].min > 0 && strings.HasPrefix(t[e.off+len(name):], "(") {
		why = e.fail(e.off, "a call must follow = at once", "remove the blanks after =")
	}
	from := e.off
	for e.off < len(t) && t[e.off] != '\n' && t[e.off] != '#' {
		e.off++
	}
	if e.off == from {
		return nil, nil
	}
	if why != nil {
		e.doubts = append(e.doubts, why)
	}
	return e.bare(t[from:e.off], from), nil
}

// multiline reads a quoted text that holds a line break; """ and ``` are
// fences of their own. Without one there, it gives nil and consumes nothing.
func (e *exprParser) multiline() *Node {
	t, start := e.src.text, e.off
	q := t[start : start+1]
	fences := []string{q, strings.Repeat(q, 3)}
	switch q {
	case "'":
		fences = fences[:1]
	case "`":
		fences = fences[1:]
	}
	for _, fence := range fences {
		from := start + len(fence)
		if !strings.HasPrefix(t[start:], fence) {
			continue
		}
		for i := from; i < len(t); i++ {
			switch {
			case t[i] == '\\' && strings.HasPrefix(t[i+1:], fence):
				i += len(fence)
				continue
			case !strings.HasPrefix(t[i:], fence):
				continue
			case strings.IndexByte(t[from:i], '\n') >= 0:
				e.off = i + len(fence)
				return e.expand(t[from:i], from, fence)
			}
			break
		}
	}
	return nil
}
