package envcheck

import (
	"maps"
	"slices"
	"strings"
)

// funcDef says how a pure function is called; max -1 means any number.
type funcDef struct{ min, max int }

var functions = map[string]funcDef{
	"ref": {1, 1}, "concat": {2, -1}, "fallback": {2, -1}, "if": {1, 3}, "ifs": {1, -1}, "eq": {2, 2}, "not": {1, 1},
	"isEmpty": {1, 1}, "forEnv": {1, -1}, "remap": {2, -1}, "regex": {1, 2},
}

// elsewhere are functions whose value only varlock can make: present, not checked.
var elsewhere = map[string]funcDef{
	"cache": {1, 1}, "varlock": {0, -1}, "keychain": {0, -1}, "generateOtp": {1, 1}, "domainFromUrl": {1, 1},
	"randomNum": {1, 2}, "randomUuid": {0, -1}, "randomHex": {0, -1}, "randomString": {0, -1},
}

// pluginFunctions are the beginnings of the names that plugins give their functions.
var pluginFunctions = []string{"op", "aws", "azure", "gcp", "google", "infisical", "vault", "bitwarden", "doppler", "keepass",
	"pass", "proton", "akeyless", "dashlane", "hashicorp", "cloudflare", "kubernetes"}

// isBuiltin reports a variable that varlock itself makes.
func isBuiltin(name string) bool {
	rest, ok := strings.CutPrefix(name, "VARLOCK_")
	return ok && slices.Contains([]string{"ENV", "IS_CI", "BRANCH", "PR_NUMBER", "COMMIT_SHA", "COMMIT_SHA_SHORT", "PLATFORM", "BUILD_URL",
		"REPO", "RUNTIME", "OS"}, rest)
}

// checkNode checks an expression: functions, number of arguments, references, patterns.
func (p *schemaParser) checkNode(n *Node, key string) {
	if n == nil || n.Kind == NodeCall && !p.checkCall(n, key) {
		return
	}
	for _, a := range n.Args {
		p.checkNode(a.Value, key)
	}
}

// checkCall checks one call; true when its arguments are to be checked as well.
func (p *schemaParser) checkCall(n *Node, key string) bool {
	def, ok := functions[n.Text]
	if !ok {
		p.unknownFunction(n, key)
		return false
	}
	if !p.callOrder(n.Args, key) {
		return false
	}
	if n.Text == "remap" {
		return p.checkRemap(n, key)
	}
	for _, a := range n.Args {
		if a.Name != "" {
			p.report(a.Pos, "schema-function", Error, key, n.Text+"() takes no named argument "+a.Name, "")
			return false
		}
	}
	if len(n.Args) < def.min || def.max >= 0 && len(n.Args) > def.max {
		p.report(n.Pos, "schema-function", Error, key, n.Text+"() has "+itoa(len(n.Args))+" arguments", "it takes "+arity(def))
		return false
	}
	switch n.Text {
	case "ref":
		p.checkRef(n, key)
		return false
	case "forEnv":
		if p.schema.CurrentEnv == "" && !p.imports && !p.imported {
			p.report(n.Pos, "schema-function", Error, key, "forEnv() needs @currentEnv in the header", "add # @currentEnv=$NODE_ENV to the header")
		}
	case "regex":
		p.regexCall(n, key, false)
		return false
	}
	return true
}

func (p *schemaParser) checkRef(n *Node, key string) {
	switch name := refName(n); {
	case p.full(): // what might be meant takes time to find
	case name == "":
		p.report(n.Pos, "schema-function", Error, key, "ref() takes a name", "write $NAME")
	case p.schema.byKey[name] == nil && !p.imports && !p.imported && !isBuiltin(name):
		fix := didYouMean(name, p.schema.Keys())
		if fix == "" {
			fix = "for a dollar sign write \\$, or put the text in single quotes"
		}
		p.report(n.Pos, "schema-reference", Error, key, "$"+name+" is no item of this file", fix)
	}
}

// checkRemap checks remap(value, match, result, ..., default) and its older
// form with named results, remap(value, result=match).
func (p *schemaParser) checkRemap(n *Node, key string) bool {
	named := 0
	for _, a := range n.Args {
		if a.Name != "" {
			named++
		}
	}
	switch {
	case named > 0 && len(n.Args)-named != 1:
		p.report(n.Pos, "schema-function", Error, key, "remap() with named results takes one value before them", "write remap($NAME, match, result, ...)")
		return false
	case named > 0:
		p.report(n.Pos, "schema-deprecated", Warning, key, "named results are the old spelling of remap()", "write remap($NAME, match, result, ...)")
	case len(n.Args) < 3:
		p.report(n.Pos, "schema-function", Error, key, "remap() has "+itoa(len(n.Args))+" arguments", "it takes 3 or more: a value, then match and result in turn")
		return false
	}
	return true
}

func arity(d funcDef) string {
	switch {
	case d.max < 0:
		return itoa(d.min) + " or more"
	case d.min == d.max:
		return itoa(d.min)
	}
	return itoa(d.min) + " to " + itoa(d.max)
}

func (p *schemaParser) unknownFunction(n *Node, key string) {
	names := slices.Sorted(maps.Keys(functions))
	def, known := elsewhere[n.Text]
	switch {
	case n.Text == "exec":
		p.report(n.Pos, "schema-command", Error, key, "exec() and $(...) run a command, which a check must not do", "give the value elsewhere, or write \\$ for a dollar sign")
	case n.Text == "inferFromPrefix":
		p.report(n.Pos, "schema-function", Error, key, "inferFromPrefix() belongs to @defaultSensitive", "write @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_) in the header")
	case known && (len(n.Args) < def.min || n.Text == "domainFromUrl" && len(n.Args) > def.max):
		p.report(n.Pos, "schema-function", Error, key, n.Text+"() has "+itoa(len(n.Args))+" arguments", "it takes "+arity(def))
	case known:
		p.report(n.Pos, "schema-dynamic", Info, key, n.Text+"() is made by varlock at run time; the value is taken as present and not checked", "")
		for _, a := range n.Args {
			p.checkNode(a.Value, key)
		}
	case suggest(n.Text, names) != "":
		p.report(n.Pos, "schema-function", Error, key, "unknown function "+n.Text+"()", didYouMean(n.Text, names))
	case slices.ContainsFunc(pluginFunctions, func(s string) bool { return strings.HasPrefix(n.Text, s) }):
		p.report(n.Pos, "schema-plugin", Error, key, n.Text+"() needs a plugin; opsctl reads the static part of env-spec only", "leave the value empty and set it on the platform")
	default:
		p.report(n.Pos, "schema-function", Error, key, "unknown function "+n.Text+"()", "functions: "+strings.Join(names, ", ")+" (those of plugins cannot be used); quote a text that holds a bracket")
	}
}

// cycles reports items that refer to each other in a circle: by their values,
// or by what their decorators ask of other items.
func (p *schemaParser) cycles() {
	state := map[string]int{} // 1 being visited, 2 done
	var visit func(it *Item)
	visit = func(it *Item) {
		state[it.Key] = 1
		for _, name := range it.needs() {
			next := p.schema.byKey[name]
			switch {
			case next == nil:
			case state[name] == 1:
				pos := it.ValuePos
				if !slices.Contains(refs(it.Value, nil), name) {
					pos = it.Pos
				}
				p.report(pos, "schema-cycle", Error, it.Key, it.Key+" refers to itself through $"+name, "give one of them a value of its own")
			case state[name] == 0:
				visit(next)
			}
		}
		state[it.Key] = 2
	}
	for _, it := range p.schema.Items {
		if state[it.Key] == 0 {
			visit(it)
		}
	}
}

// needs lists the items that must be known before this one is.
func (it *Item) needs() []string {
	names := refs(it.Value, nil)
	for _, d := range it.Decorators {
		names = refs(d.Value, names)
	}
	for _, d := range it.inherited {
		names = refs(d.Value, names)
	}
	return names
}

// refs appends the names that an expression refers to.
func refs(n *Node, to []string) []string {
	if n == nil {
		return to
	}
	if name := refName(n); name != "" {
		return append(to, name)
	}
	for _, a := range n.Args {
		to = refs(a.Value, to)
	}
	return to
}
