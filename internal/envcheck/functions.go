package envcheck

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// funcDef says how a pure function is called; max -1 means any number.
type funcDef struct{ min, max int }

var functions = map[string]funcDef{
	"ref": {1, 1}, "concat": {1, -1}, "fallback": {1, -1}, "if": {2, 3}, "ifs": {2, -1}, "eq": {2, 2}, "not": {1, 1},
	"isEmpty": {1, 1}, "forEnv": {1, -1}, "remap": {2, -1}, "regex": {1, 2},
}

// elsewhere are functions whose value only varlock can make: present, not checked.
var elsewhere = []string{"cache", "varlock", "keychain", "generateOtp"}

// pluginFunctions maps the beginning of a plugin's function to the plugin's subject.
var pluginFunctions = []string{"op", "aws", "azure", "gcp", "google", "infisical", "vault", "bitwarden", "doppler", "keepass",
	"pass", "proton", "akeyless", "dashlane", "hashicorp", "cloudflare", "kubernetes"}

// checkNode checks an expression: functions, number of arguments, references, patterns.
func (p *schemaParser) checkNode(n *Node, key string) {
	if n == nil {
		return
	}
	if n.Kind == NodeCall && !p.checkCall(n, key) {
		return
	}
	for _, a := range n.Args {
		if n.Kind == NodeCall && a.Name != "" && n.Text != "remap" {
			p.report(a.Pos, "schema-function", Error, key, n.Text+"() takes no named argument "+a.Name, "")
		}
		p.checkNode(a.Value, key)
	}
}

func (p *schemaParser) checkCall(n *Node, key string) bool {
	def, ok := functions[n.Text]
	if !ok {
		p.unknownFunction(n, key)
		return false
	}
	if len(n.Args) < def.min || def.max >= 0 && len(n.Args) > def.max {
		p.report(n.Pos, "schema-function", Error, key, n.Text+"() has "+itoa(len(n.Args))+" arguments", "it takes "+arity(def))
		return false
	}
	switch n.Text {
	case "ref":
		name := refName(n)
		switch {
		case name == "":
			p.report(n.Pos, "schema-function", Error, key, "ref() takes a name", "write $NAME")
			return false
		case p.schema.byKey[name] == nil && len(p.schema.Imports) == 0 && !strings.HasPrefix(name, "VARLOCK_"):
			p.report(n.Pos, "schema-reference", Error, key, "$"+name+" is no item of this file", didYouMean(name, p.schema.Keys()))
		}
	case "forEnv":
		if p.schema.CurrentEnv == "" {
			p.report(n.Pos, "schema-function", Error, key, "forEnv() needs @currentEnv in the header", "add # @currentEnv=$NODE_ENV to the header")
		}
	case "regex":
		p.pattern(n, key)
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
	switch {
	case n.Text == "exec":
		p.report(n.Pos, "schema-command", Error, key, "exec() and $(...) run a command, which a check must not do", "give the value elsewhere, or write \\$ for a dollar sign")
	case slices.Contains(elsewhere, n.Text) || strings.HasPrefix(n.Text, "random"):
		p.report(n.Pos, "schema-dynamic", Info, key, n.Text+"() is made by varlock at run time; the value is taken as present and not checked", "")
	case suggest(n.Text, names) != "":
		p.report(n.Pos, "schema-function", Error, key, "unknown function "+n.Text+"()", didYouMean(n.Text, names))
	case slices.ContainsFunc(pluginFunctions, func(s string) bool { return strings.HasPrefix(n.Text, s) }):
		p.report(n.Pos, "schema-plugin", Error, key, n.Text+"() needs a plugin; opsctl reads the static part of env-spec only", "leave the value empty and set it on the platform")
	default:
		p.report(n.Pos, "schema-function", Error, key, "unknown function "+n.Text+"()", "functions: "+strings.Join(names, ", ")+" (those of plugins cannot be used); quote a text that holds a bracket")
	}
}

// pattern checks a regular expression wherever it stands in the node.
func (p *schemaParser) pattern(n *Node, key string) {
	switch {
	case n.Kind == NodeCall && n.Text == "regex":
		if len(n.Args) > 0 && isText(n.Args[0].Value) {
			p.compiles(n.Args[0].Value.Text, regexFlags(n), n.Args[0].Value.Pos, key)
		}
		for _, a := range n.Args {
			if !isText(a.Value) {
				p.report(a.Pos, "schema-pattern", Error, key, "a pattern is a text", "a $ before a letter expands in double quotes: use single quotes")
			}
		}
	case n.Kind == NodeCall && n.Text == "concat" && n.Args[0].Value.Quote != '\'':
		p.report(n.Pos, "schema-pattern", Error, key, "a $ before a letter expands inside this pattern", "write the pattern in single quotes")
	case n.Kind == NodeCall:
		p.checkNode(n, key)
	case isText(n):
		p.compiles(n.Text, n.Flags, n.Pos, key)
	default:
		p.report(n.Pos, "schema-pattern", Error, key, "a pattern is a text", `write regex("^a")`)
	}
}

func regexFlags(n *Node) string {
	if len(n.Args) > 1 {
		return text(n.Args[1].Value)
	}
	return ""
}

func (p *schemaParser) compiles(pattern, flags string, pos Pos, key string) {
	if _, err := compilePattern(pattern, flags); err != nil {
		p.report(pos, "schema-pattern", Warning, key, "this pattern is not checkable here: "+patternProblem(pattern), "")
	}
}

func patternProblem(pattern string) string {
	for _, look := range []string{"(?=", "(?!", "(?<=", "(?<!"} {
		if strings.Contains(pattern, look) {
			return "opsctl's regular expressions have no look-around"
		}
	}
	return "opsctl's regular expressions (RE2) do not know a part of it"
}

// compilePattern compiles a JavaScript pattern as far as RE2 can stand for it.
func compilePattern(pattern, flags string) (*regexp.Regexp, error) {
	mode := ""
	for _, f := range flags {
		if strings.ContainsRune("ims", f) && !strings.ContainsRune(mode, f) {
			mode += string(f)
		}
	}
	if mode != "" {
		pattern = "(?" + mode + ")" + pattern
	}
	return regexp.Compile(pattern)
}

// cycles reports items whose defaults refer to each other in a circle.
func (p *schemaParser) cycles() {
	state := map[string]int{} // 1 being visited, 2 done
	var visit func(it *Item)
	visit = func(it *Item) {
		state[it.Key] = 1
		for _, name := range refs(it.Value, nil) {
			next := p.schema.byKey[name]
			switch {
			case next == nil:
			case state[name] == 1:
				p.report(it.ValuePos, "schema-cycle", Error, it.Key, it.Key+" refers to itself through $"+name, "give one of them a value of its own")
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
