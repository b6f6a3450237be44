package envcheck

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// finish gives the parsed decorators their meaning, once all items are known.
func (p *schemaParser) finish() {
	read := len(p.findings)
	p.root()
	if p.disabled {
		p.switchOff(read)
		return
	}
	p.checkRules(p.schema.Rules, "")
	for _, it := range p.schema.Items {
		p.itemDecorators(it)
		p.checkRules(it.Rules, it.Key)
		if it.Type == nil && !slices.ContainsFunc(it.Decorators, func(d Decorator) bool { return d.Name == "type" }) {
			it.Type = inferType(it.Value)
		}
		p.checkNode(it.Value, it.Key)
		if n := patternResult(it.Value); n != nil {
			p.report(n.Pos, "schema-function", Error, it.Key, "a pattern is no value", "use regex() as a match of remap(), or as matches= of a type")
		}
	}
	for _, it := range p.schema.Items { // once all types are known
		p.conditions(it)
		p.plausible(it)
	}
	p.cycles()
}

// switchOff leaves nothing of a file with @disable: neither its items and imports,
// nor what is wrong with their meaning, which was found after the first findings.
func (p *schemaParser) switchOff(first int) {
	s := p.schema
	s.Items, s.byKey, s.Imports, s.CurrentEnv = nil, map[string]*Item{}, nil, ""
	s.Blocks = slices.DeleteFunc(s.Blocks, func(b Block) bool { return b.Item != nil })
	p.findings = append(p.findings[:first:first], slices.DeleteFunc(p.findings[first:], func(f Finding) bool {
		return f.Level == Error && f.Rule != "schema-duplicate"
	})...)
}

// usable reports a decorator that is unknown, stands in the wrong place or is
// written in the wrong form; true when opsctl acts on it.
func (p *schemaParser) usable(d Decorator, root bool, key string) bool {
	kind := known(d.Name, root)
	switch {
	case kind == decRefuse:
		p.report(d.Pos, "schema-plugin", Error, key, "@"+d.Name+" needs varlock's run time or a plugin; opsctl reads the static part of env-spec only", "remove it")
		return false
	case kind != 0:
		return p.form(d, key) && kind == decUse
	case isNote(d.Name):
		p.report(d.Pos, "schema-note", Warning, key, "@"+d.Name+" is read as a decorator without effect", "write it without @")
	case envName(d.Name) != d.Name:
		p.report(d.Pos, "schema-decorator", Error, key, "@"+d.Name+" is no name of a decorator", "write it without @ if it is a comment")
	case known(d.Name, !root) != 0 && root:
		p.report(d.Pos, "schema-placement", Error, key, "@"+d.Name+" belongs to an item, not to the header", "put it directly above its key")
	case known(d.Name, !root) != 0:
		p.report(d.Pos, "schema-placement", Error, key, "@"+d.Name+" belongs to the header, not to an item", "put it above the first item, with a line # --- after it")
	default:
		table := itemDecorators
		if root {
			table = rootDecorators
		}
		p.report(d.Pos, "schema-decorator", Error, key, "unknown decorator @"+d.Name, decoratorFix(d.Name, table))
	}
	return false
}

// form checks whether the decorator is a call or a value, as it must be, and what its value refers to.
func (p *schemaParser) form(d Decorator, key string) bool {
	both := d.Name == "proxy" && key != ""
	switch isCall := slices.Contains(repeatable, d.Name); {
	case d.Call && !isCall && !both:
		p.report(d.Pos, "schema-decorator", Error, key, "@"+d.Name+" takes a value, not arguments", "write @"+d.Name+"=...")
		return false
	case !d.Call && isCall && !both:
		p.report(d.Pos, "schema-decorator", Error, key, "@"+d.Name+" takes arguments, not a value", "write @"+d.Name+"(...)")
		return false
	case d.Name == "type", d.Name == "defaultSensitive":
		return true // their calls are no functions
	case d.Call:
		p.callOrder(d.Value.Args, key)
		for _, a := range d.Value.Args {
			p.checkNode(a.Value, key)
		}
		return true
	}
	p.checkNode(d.Value, key)
	fixed := fixedValues[d.Name]
	if fixed == nil {
		return true
	}
	v := orTrue(d)
	switch {
	case v.Kind == NodeCall && d.Name == "cache":
	case slices.Contains(fixed, "text") && v.Kind == NodeString:
	case isText(v) && slices.Contains(fixed, v.Text) && (v.Kind == NodeBool) == (v.Text == "true" || v.Text == "false"):
	case slices.Contains(fixed, "text"):
		p.report(v.Pos, "schema-decorator", Error, key, "@"+d.Name+" is a text", "write @"+d.Name+`="..."`)
		return false
	default:
		p.report(v.Pos, "schema-decorator", Error, key, "@"+d.Name+" is one of "+strings.Join(fixed, ", "), "write @"+d.Name+"="+fixed[0])
		if d.Name == "defaultRequired" {
			p.schema.DefaultRequired = "false" // what is required cannot be told
		}
		return false
	}
	return true
}

// callOrder reports a positional argument after a named one.
func (p *schemaParser) callOrder(args []Arg, key string) bool {
	named := false
	for _, a := range args {
		if a.Name == "" && named {
			p.report(a.Pos, "schema-syntax", Error, key, "an argument without a name after one with a name", "put it before the others")
			return false
		}
		named = named || a.Name != ""
	}
	return true
}

func decoratorFix(name string, table map[string]int) string {
	if s := suggest(name, slices.Sorted(maps.Keys(table))); s != "" {
		return "did you mean @" + s + "?"
	}
	return "write it without @ if it is a comment"
}

// exclusive are decorators of which an item has one.
var exclusive = [][2]string{{"required", "optional"}, {"sensitive", "public"}, {"dynamic", "static"}}

// twice reports a second use of a single-use decorator.
func (p *schemaParser) twice(ds []Decorator, key string) {
	seen := map[string]bool{}
	for _, d := range ds {
		if seen[d.Name] && !d.Call && known(d.Name, key == "") != 0 {
			p.report(d.Pos, "schema-duplicate", Error, key, "@"+d.Name+" is given twice", "keep one")
		}
		seen[d.Name] = true
	}
	for _, pair := range append(exclusive, [2]string{"currentEnv", "envFlag"}) {
		if !seen[pair[0]] || !seen[pair[1]] {
			continue
		}
		for _, d := range ds {
			if d.Name == pair[1] {
				p.report(d.Pos, "schema-conflict", Error, key, "@"+pair[0]+" and @"+pair[1]+" exclude each other", "keep one")
			}
		}
	}
}

func (p *schemaParser) root() {
	p.twice(p.schema.Header, "")
	for _, d := range p.schema.Header { // first, because the others may ask forEnv()
		if d.Name == "currentEnv" || d.Name == "envFlag" {
			p.currentEnv(d)
		}
		p.imports = p.imports || d.Name == "import" && d.Call
	}
	for _, d := range p.schema.Header {
		if d.Name == "currentEnv" || !p.usable(d, true, "") {
			continue
		}
		switch d.Name {
		case "defaultRequired":
			p.schema.DefaultRequired = orTrue(d).Text
		case "defaultSensitive":
			p.defaultSensitive(d)
		case "disable":
			p.disable(d)
		case "import":
			p.importDecorator(d)
		}
	}
}

// currentEnv takes @currentEnv=$NAME, or @envFlag=NAME as it was once written.
func (p *schemaParser) currentEnv(d Decorator) {
	key := text(d.Value)
	switch {
	case d.Call || d.Value == nil || d.Name == "currentEnv" && refName(d.Value) == "" || d.Name == "envFlag" && key == "":
		p.report(d.Pos, "schema-decorator", Error, "", "@"+d.Name+" takes a plain reference", "write @currentEnv=$APP_ENV")
		return
	case d.Name == "envFlag":
		p.report(d.Pos, "schema-deprecated", Warning, "", "@envFlag is the old spelling of @currentEnv", "write @currentEnv=$"+key)
	default:
		key = refName(d.Value)
	}
	imports := slices.ContainsFunc(p.schema.Header, func(d Decorator) bool { return d.Name == "import" && d.Call })
	if p.schema.byKey[key] == nil && !isBuiltin(key) && !(imports && d.Name == "currentEnv") {
		pos := d.Pos
		if d.Value != nil {
			pos = d.Value.Pos
		}
		p.report(pos, "schema-reference", Error, "", "@"+d.Name+" names "+key+", which is no item of this file", didYouMean(key, p.schema.Keys()))
		return
	}
	p.schema.CurrentEnv = key
}

func (p *schemaParser) defaultSensitive(d Decorator) {
	v := orTrue(d)
	switch {
	case v.Kind == NodeBool:
		p.schema.DefaultSensitive = v.Text
	case v.Kind == NodeCall && v.Text == "inferFromPrefix" && len(v.Args) == 1 && v.Args[0].Name == "" && v.Args[0].Value.Kind == NodeString:
		p.schema.DefaultSensitive, p.schema.PublicPrefix = "prefix", v.Args[0].Value.Text
	default:
		p.report(v.Pos, "schema-decorator", Error, "", "@defaultSensitive is true, false or inferFromPrefix(PREFIX)", "write @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)")
	}
}

// disable takes @disable, which switches the whole file off.
func (p *schemaParser) disable(d Decorator) {
	switch v := orTrue(d); {
	case v.Kind == NodeCall:
		p.report(v.Pos, "schema-plugin", Error, "", "@disable with a condition is decided by varlock at run time; opsctl reads the static part of env-spec only",
			"write the condition as enabled= of the @import")
	case v.Kind != NodeBool:
		p.report(v.Pos, "schema-decorator", Error, "", "@disable is true or false", "")
	case v.Text == "true":
		p.disabled = true
		p.report(d.Pos, "schema-decorator", Warning, "", "@disable switches off every item of this file", "remove it")
	}
}
