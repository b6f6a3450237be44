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
	p.root()
	p.checkRules(p.schema.Rules, "")
	for _, it := range p.schema.Items {
		p.itemDecorators(it)
		p.checkRules(it.Rules, it.Key)
		if it.Type == nil {
			it.Type = inferType(it.Value)
		}
		p.checkNode(it.Value, it.Key)
	}
	p.cycles()
}

// misplaced reports a decorator that is unknown or stands in the wrong place; true when it is to be used.
func (p *schemaParser) misplaced(d Decorator, root bool, key string) bool {
	switch kind := known(d.Name, root); {
	case kind == decUse:
		return true
	case kind == decIgnore:
		return false
	case kind == decRefuse:
		if d.Name == "disable" && d.Value != nil && d.Value.Kind == NodeBool {
			return false
		}
		p.report(d.Pos, "schema-plugin", Error, key, "@"+d.Name+" needs varlock's run time or a plugin; opsctl reads the static part of env-spec only", "remove it")
		return false
	case known(d.Name, !root) != 0 && root:
		p.report(d.Pos, "schema-placement", Error, key, "@"+d.Name+" belongs to an item, not to the header", "put it directly above its key")
		return false
	case known(d.Name, !root) != 0:
		p.report(d.Pos, "schema-placement", Error, key, "@"+d.Name+" belongs to the header, not to an item", "put it above the first item, with a line # --- after it")
		return false
	}
	table := itemDecorators
	if root {
		table = rootDecorators
	}
	p.report(d.Pos, "schema-decorator", Error, key, "unknown decorator @"+d.Name, decoratorFix(d.Name, table))
	return false
}

func decoratorFix(name string, table map[string]int) string {
	if s := suggest(name, slices.Sorted(maps.Keys(table))); s != "" {
		return "did you mean @" + s + "?"
	}
	return "write it without @ if it is a comment"
}

// twice reports a second use of a single-use decorator.
func (p *schemaParser) twice(ds []Decorator, key string) {
	seen := map[string]bool{}
	for _, d := range ds {
		if seen[d.Name] && !slices.Contains(repeatable, d.Name) {
			p.report(d.Pos, "schema-duplicate", Error, key, "@"+d.Name+" is given twice", "keep one")
		}
		seen[d.Name] = true
	}
	for _, pair := range [][2]string{{"required", "optional"}, {"sensitive", "public"}} {
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
	}
	for _, d := range p.schema.Header {
		if !p.misplaced(d, true, "") {
			continue
		}
		switch d.Name {
		case "defaultRequired":
			v := text(d.Value)
			if d.Value == nil {
				v = "true"
			}
			if v != "true" && v != "false" && v != "infer" {
				p.report(d.Pos, "schema-decorator", Error, "", "@defaultRequired is true, false or infer", "write @defaultRequired=true")
				continue
			}
			p.schema.DefaultRequired = v
		case "defaultSensitive":
			p.defaultSensitive(d)
		case "import":
			p.importDecorator(d)
		}
	}
}

// currentEnv takes @currentEnv=$NAME, or @envFlag=NAME as it was once written.
func (p *schemaParser) currentEnv(d Decorator) {
	key := text(d.Value)
	switch {
	case d.Name == "envFlag":
		p.report(d.Pos, "schema-deprecated", Warning, "", "@envFlag is the old spelling of @currentEnv", "write @currentEnv=$"+key)
	case d.Value == nil || refName(d.Value) == "":
		p.report(d.Pos, "schema-decorator", Error, "", "@currentEnv takes a plain reference", "write @currentEnv=$APP_ENV")
		return
	default:
		key = refName(d.Value)
	}
	if p.schema.byKey[key] == nil {
		p.report(d.Pos, "schema-reference", Error, "", "@currentEnv names "+key+", which is no item of this file", didYouMean(key, p.schema.Keys()))
		return
	}
	p.schema.CurrentEnv = key
}

func (p *schemaParser) defaultSensitive(d Decorator) {
	v := d.Value
	switch {
	case v == nil:
		p.schema.DefaultSensitive = "true"
	case v.Kind == NodeBool:
		p.schema.DefaultSensitive = v.Text
	case v.Kind == NodeCall && v.Text == "inferFromPrefix" && len(v.Args) == 1 && isText(v.Args[0].Value):
		p.schema.DefaultSensitive, p.schema.PublicPrefix = "prefix", v.Args[0].Value.Text
	default:
		p.report(d.Pos, "schema-decorator", Error, "", "@defaultSensitive is true, false or inferFromPrefix(PREFIX)", "write @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)")
	}
}

func (p *schemaParser) importDecorator(d Decorator) {
	imp := Import{Pos: d.Pos}
	if d.Value == nil || d.Value.Kind != NodeCall || len(d.Value.Args) == 0 || d.Value.Args[0].Name != "" {
		p.report(d.Pos, "schema-import", Error, "", "@import takes a path", "write @import(./.env.shared)")
		return
	}
	for i, a := range d.Value.Args {
		switch {
		case i == 0:
			imp.Path = text(a.Value)
		case a.Name == "pick":
			imp.Pick = texts(a.Value)
		case a.Name == "omit":
			imp.Omit = texts(a.Value)
		case a.Name == "enabled":
			imp.Enabled = a.Value
			p.checkNode(a.Value, "")
		case a.Name == "allowMissing":
			imp.AllowMissing = text(a.Value) == "true"
		case a.Name == "": // the old spelling: names to pick
			imp.Pick = append(imp.Pick, text(a.Value))
		default:
			p.report(a.Pos, "schema-import", Error, "", "unknown option "+a.Name+" of @import", didYouMean(a.Name, []string{"pick", "omit", "enabled", "allowMissing"}))
		}
	}
	if strings.Contains(imp.Path, ":") || !strings.HasPrefix(imp.Path, ".") && !strings.HasPrefix(imp.Path, "/") {
		p.report(d.Pos, "schema-import", Error, "", "only a local file can be imported", "write a path that begins with ./ or ../")
		return
	}
	p.schema.Imports = append(p.schema.Imports, imp)
}

// text is the literal text of a node, "" for anything else.
func text(n *Node) string {
	if n == nil || n.Kind == NodeCall || n.Kind == NodeArray || n.Kind == NodeObject {
		return ""
	}
	return n.Text
}

// isText reports whether the node is a literal.
func isText(n *Node) bool {
	return n != nil && n.Kind != NodeCall && n.Kind != NodeArray && n.Kind != NodeObject
}

// texts lists the literal members of an array, or the one literal.
func texts(n *Node) []string {
	if n == nil || n.Kind != NodeArray {
		return []string{text(n)}
	}
	var out []string
	for _, a := range n.Args {
		out = append(out, text(a.Value))
	}
	return out
}

// refName is the name that a ref call refers to.
func refName(n *Node) string {
	if n.Kind == NodeCall && n.Text == "ref" && len(n.Args) == 1 {
		return text(n.Args[0].Value)
	}
	return ""
}
