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
	"import": decUse, "auditIgnorePaths": decUse, "disable": decUse,
	"auditExtraPatterns": decIgnore, "redactLogs": decIgnore, "preventLeaks": decIgnore, "encryptInjectedEnv": decIgnore,
	"disableProcessEnvInjection": decIgnore, "injectUndefinedAsEmpty": decIgnore, "cache": decIgnore,
	"defaultDynamic": decIgnore, "proxyConfig": decIgnore, "proxy": decIgnore,
	"generateTypes": decIgnore, "generateTsTypes": decIgnore, "generatePythonEnv": decIgnore, "generateRustEnv": decIgnore,
	"generateGoEnv": decIgnore, "generatePhpEnv": decIgnore, "generateJavaEnv": decIgnore, "generateCsharpEnv": decIgnore,
	"plugin": decRefuse, "setValuesBulk": decRefuse,
}

var itemDecorators = map[string]int{
	"required": decUse, "optional": decUse, "sensitive": decUse, "public": decUse, "type": decUse,
	"example": decUse, "docs": decUse, "docsUrl": decUse, "deprecated": decUse, "tag": decUse,
	"auditIgnore": decUse, "internal": decUse, "dynamic": decUse, "static": decUse,
	"icon": decIgnore, "placeholder": decIgnore, "proxy": decIgnore,
}

// repeatable decorators are written as calls and may stand several times.
var repeatable = []string{"docs", "tag", "import", "plugin", "auditIgnorePaths", "auditExtraPatterns", "setValuesBulk", "proxy",
	"generateTypes", "generateTsTypes", "generatePythonEnv", "generateRustEnv", "generateGoEnv", "generatePhpEnv", "generateJavaEnv", "generateCsharpEnv"}

// fixedValues are what the value of some decorators may be; "text" is any text.
var fixedValues = map[string][]string{
	"disableProcessEnvInjection": {"true", "false"}, "injectUndefinedAsEmpty": {"true", "false"},
	"cache": {"auto", "memory", "disk", "disabled"}, "defaultDynamic": {"true", "false", "inferFromSensitive"},
	"defaultRequired": {"true", "false", "infer"}, "placeholder": {"text"}, "proxy": {"passthrough", "omit"},
}

// isNote reports a note for people, such as @todo, which varlock only warns of.
func isNote(name string) bool {
	switch strings.TrimSuffix(strings.ToLower(name), ":") {
	case "todo", "see", "note":
		return true
	}
	return false
}

// known says what is done with a root (or an item's) decorator, 0 for unknown.
func known(name string, root bool) int {
	if !root {
		return itemDecorators[name]
	}
	if len(name) > len("init") && strings.HasPrefix(name, "init") {
		return decRefuse
	}
	return rootDecorators[name]
}

// decorators reads the decorators of a comment from p.off, which stands on '@',
// and leaves p.off at the end of what it read.
func (p *schemaParser) decorators(b *commentBlock) {
	e := &exprParser{src: p.src, off: p.off, comment: true}
	defer func() { p.off = e.off }()
	stray, note := false, false
	for {
		switch c := e.peek(); {
		case c == '\n':
			return
		case isGap(c):
			e.blanks()
			continue
		case c == '#':
			return
		case c != '@':
			if !stray && !note {
				p.report(p.src.pos(e.off), "schema-stray", Warning, "", "text among decorators is ignored", "put it on a comment line of its own, or after a second #")
			}
			stray = true
			for c := e.peek(); !isGap(c) && c != '\n'; c = e.peek() {
				if c == '@' {
					p.syntax(e.fail(e.off, "an @ within a word of a line with decorators", "put the text on a comment line of its own, or after a second #"), "")
					return
				}
				e.off++
			}
			continue
		}
		d, err := p.decorator(e)
		p.doubt(e, "")
		if err != nil {
			p.syntax(err, "")
			return
		}
		note = note || isNote(d.Name)
		b.decorators = append(b.decorators, d)
	}
}

func (p *schemaParser) decorator(e *exprParser) (Decorator, *syntaxError) {
	t := p.src.text
	d := Decorator{Pos: p.src.pos(e.off)}
	start := e.off
	e.off++
	for e.off < len(t) && strings.IndexByte(" \t\n=()#@", t[e.off]) < 0 {
		e.off++
	}
	if d.Name = t[start+1 : e.off]; d.Name == "" || !isIdentStart(d.Name[0]) {
		return d, e.fail(start, "expected a decorator name after @", "")
	}
	var err *syntaxError
	switch next := e.off; e.peek() {
	case '(':
		e.off = next - len(d.Name)
		d.Call = true
		d.Value, err = e.call(d.Name)
	case '=':
		e.off++
		d.Value, err = e.value(" \n#")
		if n := len(e.doubts); err == nil && n > 0 && e.doubts[n-1].off == next+1 && isQuote(t[next+1]) {
			err, e.doubts = e.doubts[n-1], nil // a text may begin with a quote among arguments only
		}
		if tab := strings.IndexByte(t[next:e.off], '\t'); err == nil && tab > 0 && isText(d.Value) && d.Value.Quote == 0 {
			e.doubts = append(e.doubts, e.fail(next+tab, "a tab does not end the value of @"+d.Name, "put a blank there"))
		}
	}
	if c := e.peek(); err == nil && !isGap(c) && c != '\n' && c != '#' {
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
