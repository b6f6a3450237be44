package envcheck

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// TypeScriptHead begins every module that RenderTypeScript makes, so that one can be told from a file of the user's.
const TypeScriptHead = "// Generated from "

// RenderTypeScript renders a TypeScript module from a schema: an object env with
// a typed getter for each variable, which reads process.env (or import.meta.env
// where the bundler is Vite) when it is used, converts the text and fails with the variable's name, never its value. It
// accepts what Check accepts. The module imports nothing, and the text is the
// same for the same schema.
func RenderTypeScript(s *Schema) ([]byte, error) {
	g := &tsModule{schema: s, bundle: bundleOf(s), used: map[string]bool{}, refs: map[string]bool{}}
	var fields, getters strings.Builder
	for _, it := range s.Items {
		typ := tsType(it.Type)
		if !g.always(it) {
			typ += " | undefined"
		}
		fields.WriteString(tsDoc(s, it) + "  readonly " + tsName(it.Key) + ": " + typ + ";\n")
		getters.WriteString(g.getter(it))
	}
	refs := g.references()
	runtime, err := tsRuntime(g.used)
	if err != nil {
		return nil, errs.Wrap(err, errs.Failure, "render the module of %s", s.Name)
	}
	var b strings.Builder
	fmt.Fprintf(&b, TypeScriptHead+"%s by `opsctl env types`. Edit the schema, not this file.\n/* eslint-disable */\n\n", baseName(s.Name))
	fmt.Fprintf(&b, tsIntro, g.bundle.hint())
	b.WriteString("export interface Env {\n" + fields.String() + "}\n\n")
	b.WriteString(g.ambient())
	b.WriteString("export const env: Env = /* @__PURE__ */ Object.freeze({\n" + getters.String() + "} satisfies Env);\n")
	b.WriteString(refs)
	b.WriteString(strings.NewReplacer("SCHEMA_FILE", baseName(s.Name), "BUNDLE_HINT", g.bundle.hint()).Replace(runtime))
	return []byte(b.String()), nil
}

const tsIntro = `/**
 * The environment. A variable is read and checked when it is used, so that a
 * build needs only what it uses; with SKIP_ENV_VALIDATION=1 one that is missing
 * is undefined and no error. In the browser %s.
 */
`

// declaredElsewhere are the variables that Next.js and @types/node declare.
var declaredElsewhere = []string{"NODE_ENV", "TZ"}

// tsModule collects what the module needs besides its getters.
type tsModule struct {
	schema *Schema
	bundle tsBundle
	used   map[string]bool // pieces of the run time
	refs   map[string]bool // variables that an expression refers to
}

func (g *tsModule) use(name string) string {
	g.used[name] = true
	return name
}

// always tells whether reading the variable gives a value or throws.
func (g *tsModule) always(it *Item) bool {
	required, fixed := g.required(it)
	return fixed && required == "true" || hasDefault(it)
}

// hasDefault tells whether the schema itself gives a value, whatever the environment.
func hasDefault(it *Item) bool {
	n := it.Value
	switch {
	case n == nil || n.Kind == NodeUndefined:
		return false
	case n.Kind == NodeArray || n.Kind == NodeObject:
		return true
	case n.Kind == NodeCall:
		return false
	case it.Type != nil && (it.Type.Name == "array" || it.Type.Name == "record"):
		return strings.TrimFunc(n.Text, isJSSpace) != ""
	}
	return n.Text != ""
}

// required is the expression that says whether the variable must have a value,
// and whether it is the same in every environment.
func (g *tsModule) required(it *Item) (expr string, fixed bool) {
	byDefault := strconv.FormatBool(g.schema.requiredByDefault(it))
	cond := it.Required
	switch {
	case it.Optional:
		return "false", true
	case cond == nil || cond.Kind == NodeUndefined:
		return byDefault, true
	case isText(cond):
		e := newEvaluator(g.schema, "", func(string) (string, bool) { return "", false })
		return strconv.FormatBool(e.required(it)), true
	case it.opposite:
		return g.use("holds") + "(" + g.expr(cond.Args[0].Value) + ", " + byDefault + ", true)", false
	}
	return g.use("holds") + "(" + g.expr(cond) + ", " + byDefault + ")", false
}

// getter reads one variable.
func (g *tsModule) getter(it *Item) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  get %s() {\n", tsName(it.Key))
	if !g.bundle.has(it.Key) && it.Key != "NODE_ENV" {
		fmt.Fprintf(&b, "    %s(%s);\n", g.use("server"), tsString(it.Key))
	}
	required, fixed := g.required(it)
	read := func(how, or string) string {
		value := g.env(it.Key)
		if or == "||" && it.Type != nil && (it.Type.Name == "array" || it.Type.Name == "record") {
			value += "?.trim()" // blank text is no list
		}
		if it.Value != nil && it.Value.Kind != NodeUndefined {
			value += " " + or + " " + g.expr(it.Value)
		}
		return g.use(how) + "(" + tsString(it.Key) + ", " + value + ", " + g.kind(it.Type) + ")"
	}
	lenient, or := "optional", "??"
	if hasDefault(it) { // an optional one that is empty has its default
		lenient, or = "required", "||"
	}
	var call string
	switch {
	case fixed && required == "true":
		call = read("required", "??")
	case fixed:
		call = read(lenient, or)
	case lenient == "optional":
		call = strings.Replace(read("when", "??"), "when(", "when("+required+", ", 1)
	default:
		call = required + " ? " + read("required", "??") + " : " + read(lenient, or)
	}
	if lenient == "optional" && required != "true" && it.Type != nil && it.Type.Name == "string" && it.Type.Opts["allowEmpty"] != nil {
		call += " ?? " + g.use("blank") + "(" + g.env(it.Key) + ", " + g.option(it.Type.Opts["allowEmpty"]) + ")"
	}
	b.WriteString("    return " + call + ";\n")
	b.WriteString("  },\n")
	return b.String()
}

// tsName is a key as the name of a property.
func tsName(key string) string {
	if envName(key) == key {
		return key
	}
	return tsString(key)
}

// tsString is a text as a literal.
func tsString(s string) string { return textVal(s).json() }

// tsType is the type of a variable's converted values.
func tsType(t *Type) string {
	if t == nil {
		return "string"
	}
	switch t.Name {
	case "number", "port", "duration":
		return "number"
	case "boolean":
		return "boolean"
	case "enum":
		var members []string
		for _, n := range t.Values {
			if lit := tsMember(n); !slices.Contains(members, lit) {
				members = append(members, lit)
			}
		}
		return strings.Join(members, " | ")
	case "array":
		elem := tsType(t.Elem)
		if strings.Contains(elem, " ") && !strings.HasSuffix(elem, ">") {
			elem = "(" + elem + ")"
		}
		return "readonly " + elem + "[]"
	case "record":
		if t.Elem == nil {
			return "Readonly<Record<string, unknown>>"
		}
		return "Readonly<Record<string, " + tsType(t.Elem) + ">>"
	case "simple-object":
		return "Readonly<Record<string, unknown>>"
	}
	return "string"
}

func tsMember(n *Node) string {
	m := member(n)
	if m.scalar != NodeString {
		return m.text
	}
	return tsString(m.text)
}

// tsDoc is the comment above a field.
func tsDoc(s *Schema, it *Item) string {
	var lines []string
	for _, line := range it.Description {
		lines = append(lines, strings.TrimLeft(line, "# "))
	}
	if it.Type != nil && it.Type.Name == "duration" {
		unit := text(it.Type.Opts["output"])
		if unit == "" {
			unit = "ms"
		}
		lines = append(lines, "In "+map[bool]string{true: "milliseconds", false: unit}[durationUnit(unit) <= 1]+".")
	}
	if h := s.requirement(it); strings.HasPrefix(h, "required in") {
		lines = append(lines, strings.ToUpper(h[:1])+h[1:]+".")
	}
	for _, url := range it.Docs {
		if url != "" {
			lines = append(lines, "@see "+url)
		}
	}
	if it.Deprecated != "" {
		lines = append(lines, strings.TrimSuffix("@deprecated "+strings.TrimPrefix(it.Deprecated, "deprecated"), " "))
	}
	var b strings.Builder
	for _, line := range lines {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 {
				return ' '
			}
			return r
		}, strings.ReplaceAll(line, "*/", `*\/`))
		b.WriteString(strings.TrimRight("   * "+line, " ") + "\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "  /**\n" + b.String() + "   */\n"
}
