package envcheck

import (
	"maps"
	"slices"
	"strings"
)

// What is done with a decorator that is known.
const (
	decUse    = iota + 1 // opsctl acts on it
	decIgnore            // valid, of no consequence here
	decRefuse            // needs a plugin or varlock's run time
)

var rootDecorators = map[string]int{
	"currentEnv": decUse, "envFlag": decUse, "defaultRequired": decUse, "defaultSensitive": decUse,
	"import": decUse, "auditIgnorePaths": decUse,
	"generate": decIgnore, "generateTypes": decIgnore, "redactLogs": decIgnore, "preventLeaks": decIgnore,
	"encryptInjectedEnv": decIgnore, "disableProcessEnvInjection": decIgnore, "cache": decIgnore,
	"defaultDynamic": decIgnore, "proxy": decIgnore,
	"plugin": decRefuse, "setValuesBulk": decRefuse, "disable": decRefuse,
}

var itemDecorators = map[string]int{
	"required": decUse, "optional": decUse, "sensitive": decUse, "public": decUse, "type": decUse,
	"example": decUse, "docs": decUse, "docsUrl": decUse, "deprecated": decUse, "tag": decUse,
	"auditIgnore": decUse, "internal": decUse,
	"dynamic": decIgnore, "static": decIgnore, "icon": decIgnore, "placeholder": decIgnore, "proxy": decIgnore,
}

// noteDecorators are notes for people, which varlock only warns of.
var noteDecorators = []string{"todo", "see", "note"}

// repeatable decorators are written as calls and may stand several times.
var repeatable = []string{"docs", "tag", "import", "plugin", "auditIgnorePaths", "setValuesBulk"}

// known says what is done with a root (or an item's) decorator, 0 for unknown.
func known(name string, root bool) int {
	table := itemDecorators
	if root {
		table = rootDecorators
		switch {
		case strings.HasPrefix(name, "generate"), strings.HasPrefix(name, "proxy"):
			return decIgnore
		case strings.HasPrefix(name, "init") && len(name) > len("init"):
			return decRefuse
		}
	}
	return table[name]
}

// decorators reads the decorators of a comment from p.off, which stands on '@',
// and leaves p.off at the end of what it read.
func (p *schemaParser) decorators(b *commentBlock) {
	e := &exprParser{src: p.src, off: p.off, comment: true}
	defer func() { p.off = e.off }()
	stray := false
	for {
		e.blanks()
		c := e.peek()
		if e.off >= len(p.src.text) || c == '\n' || c == '#' {
			return
		}
		if c != '@' {
			if !stray {
				p.report(p.src.pos(e.off), "schema-stray", Warning, "", "text among decorators is ignored", "put it on a comment line of its own")
			}
			stray = true
			for e.off < len(p.src.text) && e.peek() != ' ' && e.peek() != '\n' {
				e.off++
			}
			continue
		}
		d, err := p.decorator(e)
		if err != nil {
			p.syntax(err, "")
			return
		}
		if slices.Contains(noteDecorators, d.Name) {
			p.report(d.Pos, "schema-note", Warning, "", "@"+d.Name+" is read as a decorator without effect", "write it without @")
			e.off = p.src.lineEnd(min(e.off, len(p.src.text)))
			return
		}
		b.decorators = append(b.decorators, d)
	}
}

func (p *schemaParser) decorator(e *exprParser) (Decorator, *syntaxError) {
	d := Decorator{Pos: p.src.pos(e.off)}
	d.Name = e.ident(e.off + 1)
	if d.Name == "" {
		return d, e.fail(e.off, "expected a decorator name after @", "")
	}
	var err *syntaxError
	next := e.off + 1 + len(d.Name)
	switch {
	case strings.HasPrefix(p.src.text[next:], "("):
		e.off++
		d.Call = true
		d.Value, err = e.call(d.Name)
	case strings.HasPrefix(p.src.text[next:], "="):
		e.off = next + 1
		d.Value, err = e.value(" \t\r\n#")
	default:
		e.off = next
	}
	if c := e.peek(); err == nil && e.off < len(p.src.text) && !isBlank(c) && c != '\n' && c != '#' {
		err = e.fail(e.off, "expected a blank after @"+d.Name, `quote the value; a pattern with brackets is written regex("...")`)
	}
	return d, err
}

// rules reads the body of an `# opsctl:` comment: names, or name=value, with
// commas between; ignore=RULE takes the rest up to the next comma as its reason.
func (p *schemaParser) rules(body string, off int) []Rule {
	var rules []Rule
	for part := range strings.SplitSeq(body, ",") {
		text := strings.TrimSpace(part)
		pos := p.src.pos(off + len(part) - len(strings.TrimLeft(part, " \t")))
		off += len(part) + 1
		name, value, hasValue := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		r := Rule{Name: name, Value: value, Pos: pos}
		def, ok := extensionRules[name]
		switch {
		case text == "":
			continue
		case !ok:
			names := slices.Sorted(maps.Keys(extensionRules))
			p.report(pos, "schema-rule", Error, "", "unknown opsctl rule "+name, didYouMean(name, names))
			continue
		case def.value != hasValue || hasValue && value == "":
			p.report(pos, "schema-rule", Error, "", "the opsctl rule "+name+" is written "+def.usage, "")
			continue
		}
		if name == "ignore" {
			r.Value, r.Reason, _ = strings.Cut(value, " ")
			if r.Reason = strings.TrimSpace(r.Reason); r.Reason == "" {
				p.report(pos, "schema-rule", Warning, "", "ignore without a reason silences nothing", "write "+def.usage)
				continue
			}
		}
		if def.check != nil {
			if msg := def.check(value); msg != "" {
				p.report(pos, "schema-rule", Error, "", name+": "+msg, "write "+def.usage)
				continue
			}
		}
		rules = append(rules, r)
	}
	return rules
}
