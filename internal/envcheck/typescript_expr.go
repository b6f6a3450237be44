package envcheck

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// expr translates an expression of the schema into one of TypeScript.
func (g *tsModule) expr(n *Node) string {
	if n == nil {
		return "undefined"
	}
	switch n.Kind {
	case NodeUndefined:
		return "undefined"
	case NodeNumber, NodeBool:
		return member(n).text
	case NodeArray:
		return "[" + strings.Join(g.exprs(n.Args), ", ") + "]"
	case NodeObject:
		var members []string
		for _, a := range n.Args {
			members = append(members, tsString(a.Name)+": "+g.expr(a.Value))
		}
		return "{ " + strings.Join(members, ", ") + " }"
	case NodeCall:
		return g.call(n)
	}
	return tsString(n.Text)
}

func (g *tsModule) exprs(args []Arg) []string {
	var out []string
	for _, a := range args {
		out = append(out, g.expr(a.Value))
	}
	return out
}

func (g *tsModule) call(n *Node) string {
	if def, ok := functions[n.Text]; !ok || len(n.Args) < def.min {
		return "undefined" // made elsewhere: it is in the environment, or it is missing
	}
	args := g.exprs(n.Args)
	all := strings.Join(args, ", ")
	switch n.Text {
	case "ref":
		name := refName(n)
		if g.schema.Item(name) == nil {
			return "undefined"
		}
		return g.ref(name)
	case "concat", "fallback", "isEmpty", "remap":
		if n.Text == "remap" {
			return g.remap(n)
		}
		return g.use(n.Text) + "(" + all + ")"
	case "if":
		if len(args) == 1 {
			return "Boolean(" + args[0] + ")"
		}
		return "(" + args[0] + " ? " + args[1] + " : " + append(args, "undefined")[2] + ")"
	case "ifs":
		out := "undefined"
		if len(args)%2 == 1 {
			out = args[len(args)-1]
		}
		for i := len(args)/2*2 - 2; i >= 0; i -= 2 {
			out = "(" + args[i] + " ? " + args[i+1] + " : " + out + ")"
		}
		return out
	case "eq":
		return g.use("same") + "(" + all + ")"
	case "not":
		return "!" + "(" + args[0] + ")"
	case "forEnv":
		if g.schema.Item(g.schema.CurrentEnv) == nil {
			return "false" // an example does not say which variable it is
		}
		return g.use("forEnv") + "(" + g.ref(g.schema.CurrentEnv) + ", " + all + ")"
	case "regex":
		return g.use("regex") + "(" + args[0] + ", " + tsString(regexFlags(n)) + ")"
	}
	return "undefined"
}

// remap gives the results as pairs, then the default.
func (g *tsModule) remap(n *Node) string {
	var pairs []string
	def := "undefined"
	hasDef := false
	rest := n.Args[1:]
	for len(rest) > 0 {
		switch {
		case rest[0].Name != "":
			pairs = append(pairs, "["+g.expr(rest[0].Value)+", "+tsString(rest[0].Name)+"]")
			rest = rest[1:]
		case len(rest) == 1:
			def, hasDef = g.expr(rest[0].Value), true
			rest = nil
		default:
			pairs = append(pairs, "["+g.expr(rest[0].Value)+", "+g.expr(rest[1].Value)+"]")
			rest = rest[2:]
		}
	}
	in := g.expr(n.Args[0].Value)
	if !hasDef {
		def = in
	}
	return g.use("remap") + "(" + in + ", [" + strings.Join(pairs, ", ") + "], " + def + ")"
}

// ref reads a variable that an expression refers to. Each has a function of its own,
// so that a bundler can leave out those that nothing needs.
func (g *tsModule) ref(key string) string {
	g.asked++
	g.refs[key] = true
	return g.constant("ref", key, "") + "()"
}

// constant finds a name for a constant of the module, which no other has.
func (g *tsModule) constant(prefix, key, what string) string {
	what = key + "\x00" + what
	name := prefix + "_" + strings.Map(func(r rune) rune {
		if r < 0x80 && isWord(byte(r)) {
			return r
		}
		return '_'
	}, key)
	for i := 0; ; i++ {
		free := name + strings.Repeat("_", i)
		if have, taken := g.names[free]; !taken || have == what {
			g.names[free] = what
			return free
		}
	}
}

// references are the variables that expressions refer to, each in
// the form that its type gives it.
func (g *tsModule) references() string {
	entries := map[string]string{}
	for len(entries) < len(g.refs) { // a default may refer to further ones
		for _, name := range slices.Sorted(maps.Keys(g.refs)) {
			if _, done := entries[name]; !done {
				entries[name] = g.reference(g.schema.Item(name))
			}
		}
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		b.WriteString("\nfunction " + g.constant("ref", name, "") + "(): unknown {\n  return " + entries[name] + ";\n}\n")
	}
	return b.String()
}

func (g *tsModule) reference(it *Item) string {
	raw, def := g.env(it.Key), g.expr(it.Value)
	if it.Type == nil || it.Type.Pos == (Pos{}) {
		return g.use("unquoted") + "(" + raw + ") ?? " + def
	}
	return g.use("coerced") + "(" + raw + " ?? " + def + ", " + g.kind(it) + ")"
}

// tsOptions are the options that each type's conversion takes; the others are of no consequence.
var tsOptions = map[string][]string{
	"string":   {"minLength", "maxLength", "isLength", "startsWith", "endsWith", "matches", "toUpperCase", "toLowerCase"},
	"number":   {"min", "max", "isInt", "precision", "isDivisibleBy", "coerceToMinMaxRange"},
	"url":      {"prependHttps", "allowedDomains", "allowedProtocols", "noTrailingSlash", "matches"},
	"domain":   {"allowWildcard", "allowSingleLabel", "allowIp", "allowIpV6", "normalize", "matches"},
	"email":    {"normalize"},
	"port":     {"min", "max"},
	"ip":       {"version", "normalize"},
	"duration": {"output", "min", "max"},
	"array":    {"separator", "format", "minLength", "maxLength", "isLength", "unique"},
	"record":   {"entriesMinLength", "entriesMaxLength", "entriesIsLength"},
}

// kind is the conversion of a variable's type. It is made when it is first needed, and
// once.
func (g *tsModule) kind(it *Item) string {
	k := g.typeKind(it.Type)
	if !strings.Contains(k, "(") {
		return k
	}
	name, made := g.constant("kind", it.Key, k), "\nconst %s = /* @__PURE__ */ %s(() => %s);\n"
	if text := fmt.Sprintf(made, name, g.use("lazy"), k); !strings.Contains(g.kinds.String(), text) {
		g.kinds.WriteString(text)
	}
	return name + "()"
}

// typeKind is the expression that makes the conversion of a type.
func (g *tsModule) typeKind(t *Type) string {
	k := g.plainKind(t)
	switch {
	case t == nil || t.secret == nil || t.secret.Kind == NodeUndefined || t.secret.Kind == NodeBool && t.secret.Text == "false":
		return k
	case g.browser && !g.known(t.secret):
		return k
	}
	return g.use("secretKind") + "(" + k + ", () => (" + g.expr(t.secret) + "), " + strconv.FormatBool(compound(t)) + ")"
}

func (g *tsModule) plainKind(t *Type) string {
	if t == nil {
		return g.use("plainKind")
	}
	opts := g.options(t)
	switch t.Name {
	case "string":
		if opts == "{}" {
			return g.use("plainKind")
		}
	case "enum":
		var members []string
		for _, n := range t.Values {
			if n.Kind != NodeUndefined {
				members = append(members, tsMember(n))
			}
		}
		return g.use("enumKind") + "([" + strings.Join(members, ", ") + "] as const)"
	case "array":
		elem := "plainKind"
		if t.Elem != nil {
			elem = g.plainKind(t.Elem)
		} else {
			g.use(elem)
		}
		return g.use("arrayKind") + "(" + elem + ", " + opts + ", " + strconv.FormatBool(compound(t.Elem)) + ")"
	case "record":
		elem, key := g.use("anyKind"), "undefined"
		if t.Elem != nil {
			elem = g.plainKind(t.Elem)
		}
		if t.Key != nil {
			key = g.plainKind(t.Key)
		}
		return g.use("recordKind") + "(" + elem + ", " + key + ", " + opts + ")"
	case "simple-object":
		return g.use("objectKind")
	case "semver", "isoDate", "uuid", "md5", "boolean":
		return g.use(t.Name + "Kind")
	}
	return g.use(t.Name+"Kind") + "(" + opts + ")"
}

// options are those of a type that the conversion takes. In the browser those that depend
// on other variables are left open.
func (g *tsModule) options(t *Type) string {
	var given []string
	for _, name := range tsOptions[t.Name] {
		n := t.Opts[name]
		switch {
		case n == nil:
		case !g.browser || g.known(n):
			before := g.asked
			given = append(given, name+": "+g.optionOf(name, n))
			if g.asked > before { // other variables may change: it is worked out at each check
				given[len(given)-1] = "get " + name + "() { return " + g.optionOf(name, n) + "; }"
			}
		case tsOpen[t.Name+"."+name] != "" && !slices.Contains(given, tsOpen[t.Name+"."+name]):
			given = append(given, tsOpen[t.Name+"."+name])
		}
	}
	if len(given) == 0 {
		return "{}"
	}
	return "{ " + strings.Join(given, ", ") + " }"
}

// optionOf is an option's value; a pattern stands as it does between its quotes.
func (g *tsModule) optionOf(name string, n *Node) string {
	if name == "matches" && n.Kind == NodeCall && n.Text == "regex" && len(n.Args) > 0 {
		return g.use("regex") + "(" + tsString(n.Args[0].Value.Raw) + ", " + tsString(regexFlags(n)) + ")"
	}
	return g.option(n)
}

func (g *tsModule) option(n *Node) string {
	if n.Kind == NodeString {
		return tsString(n.Raw)
	}
	return g.expr(n)
}
