package envcheck

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// The first line of every module that RenderTypeScript makes, around the schema's name.
const (
	tsFirst = "// Generated from "
	tsBy    = " by `opsctl env types`. Edit the schema, not this file."
)

// IsGeneratedTypeScript reports whether a file is a module that RenderTypeScript made,
// and not one of the user's or of another generator's.
func IsGeneratedTypeScript(src []byte) bool {
	line, _, _ := bytes.Cut(src, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	return bytes.HasPrefix(line, []byte(tsFirst)) && bytes.HasSuffix(line, []byte(tsBy)) && len(line) > len(tsFirst)+len(tsBy)
}

// TypeScriptOptions say what a module has besides its objects.
type TypeScriptOptions struct {
	// Declare says that the module declares the variables on process.env and
	// import.meta.env too, for code that reads them there.
	Declare bool
}

// RenderTypeScript renders a TypeScript module from a schema: an object env with a
// typed getter for each variable, and an object publicEnv with those alone that the
// framework puts into the code for the browser. Nothing of the other variables hangs
// on publicEnv, so that a bundler leaves them out where env is not imported.
//
// A getter reads process.env (or import.meta.env where the bundler is Vite) when it is
// used, converts the text and fails with the variable's name, never its value. It
// accepts what Check accepts. The module imports nothing, and the text is the
// same for the same schema.
func RenderTypeScript(s *Schema, o TypeScriptOptions) ([]byte, error) {
	g := &tsModule{schema: s, bundle: bundleOf(s), used: map[string]bool{}, refs: map[string]bool{}, reads: map[string]bool{}, names: map[string]string{}, asking: map[string]bool{}}
	g.split = slices.ContainsFunc(s.Items, func(it *Item) bool { return it.Key != "NODE_ENV" && g.public(it) })
	var public, own, publicGetters, getters strings.Builder
	for _, it := range s.Items {
		typ := tsType(it.Type)
		if !g.always(it) {
			typ += " | undefined"
		}
		fields := &own
		if g.split && g.public(it) {
			fields = &public
			g.browser = true
			publicGetters.WriteString("  get " + tsName(it.Key) + "() {\n    return " + g.value(it) + ";\n  },\n")
			g.browser = false
		}
		fields.WriteString(tsDoc(s, it) + "  readonly " + tsName(it.Key) + ": " + typ + ";\n")
		getters.WriteString(g.getter(it))
	}
	constants := g.references() + g.kinds.String()
	runtime, err := tsRuntime(g.used)
	if err != nil {
		return nil, errs.Wrap(err, errs.Failure, "render the module of %s", s.Name)
	}
	var b strings.Builder
	b.WriteString(tsFirst + baseName(s.Name) + tsBy + "\n/* eslint-disable */\n\n" + g.intro())
	if o.Declare {
		b.WriteString(g.declarations())
	}
	extends := ""
	if g.split {
		extends = " extends PublicEnv"
		b.WriteString("export interface PublicEnv {\n" + public.String() + "}\n\n")
	}
	b.WriteString("export interface Env" + extends + " {\n" + own.String() + "}\n\n" + g.host())
	if g.split {
		b.WriteString("export const publicEnv: PublicEnv = /* @__PURE__ */ Object.freeze({\n" + publicGetters.String() + "} satisfies PublicEnv);\n\n")
	}
	b.WriteString("export const env: Env = /* @__PURE__ */ Object.freeze({\n" + getters.String() + "} satisfies Env);\n")
	b.WriteString(constants)
	b.WriteString(strings.NewReplacer("SCHEMA_FILE", baseName(s.Name), "BUNDLE_HINT", g.bundle.hint()).Replace(runtime))
	return []byte(b.String()), nil
}

// intro is the comment at the head of the module.
func (g *tsModule) intro() string {
	lines := []string{"The environment, as " + baseName(g.schema.Name) + " describes it."}
	if g.split {
		lines = append(lines, "",
			"  import { publicEnv } from \"./env\"; // in code for the browser",
			"  import { env } from \"./env\"; // on the server: all variables", "",
			"In the browser "+g.bundle.hint()+". Code that gets there",
			"imports publicEnv only: a production build then leaves out env, and with it the",
			"names, defaults and patterns of all other variables. What depends on one of them",
			"is checked by env on the server, and not by publicEnv.")
	} else {
		lines = append(lines, "In the browser "+g.bundle.hint()+".")
	}
	lines = append(lines, "",
		"A variable is read and checked when it is used, so that a build needs only what",
		"it uses; with SKIP_ENV_VALIDATION=1 one that is missing is undefined and no error.")
	var b strings.Builder
	b.WriteString("/**\n")
	for _, line := range lines {
		b.WriteString(strings.TrimRight(" * "+line, " ") + "\n")
	}
	return b.String() + " */\n\n"
}

// tsModule collects what the module needs besides its getters.
type tsModule struct {
	schema  *Schema
	bundle  tsBundle
	split   bool              // there is a publicEnv
	browser bool              // what is being made is for the browser too
	used    map[string]bool   // pieces of the run time
	refs    map[string]bool   // variables that an expression refers to
	asked   int               // how often one does
	reads   map[string]bool   // variables that are written out as the bundler looks for them
	names   map[string]string // what each constant of the module is
	kinds   strings.Builder   // the constants of types
	asking  map[string]bool   // variables of which it is being asked what they depend on
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
	case g.browser && !g.known(cond):
		return "false", true // the server checks it
	case it.opposite:
		return g.use("holds") + "(" + g.expr(cond.Args[0].Value) + ", " + byDefault + ", true)", false
	}
	return g.use("holds") + "(" + g.expr(cond) + ", " + byDefault + ")", false
}

// getter is the property of env for one variable.
func (g *tsModule) getter(it *Item) string {
	var b strings.Builder
	fmt.Fprintf(&b, "  get %s() {\n", tsName(it.Key))
	public := ""
	if g.split && g.public(it) {
		public = "publicEnv" + tsProperty(it.Key)
	}
	switch {
	case public != "" && g.knownItem(it):
		b.WriteString("    return " + public + ";\n  },\n")
		return b.String()
	case public != "":
		fmt.Fprintf(&b, "    if (%s()) return %s;\n", g.use("inBrowser"), public)
	case it.Key != "NODE_ENV":
		fmt.Fprintf(&b, "    %s(%s);\n", g.use("server"), tsString(it.Key))
	}
	b.WriteString("    return " + g.value(it) + ";\n  },\n")
	return b.String()
}

// value is the expression that reads and checks one variable.
func (g *tsModule) value(it *Item) string {
	required, fixed := g.required(it)
	read := func(how, or string) string {
		value := g.env(it.Key)
		if or == "||" && it.Type != nil && (it.Type.Name == "array" || it.Type.Name == "record") {
			value += "?.trim()" // blank text is no list
		}
		switch {
		case it.Value == nil || it.Value.Kind == NodeUndefined:
		case !g.browser || g.known(it.Value):
			value += " " + or + " " + g.expr(it.Value)
		case how == "required":
			value += " " + or + " " + g.use("setAtBuild") + "(" + tsString(it.Key) + ")"
		}
		return g.use(how) + "(" + tsString(it.Key) + ", " + value + ", " + g.kind(it) + ")"
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
		allowed := "true"
		if n := it.Type.Opts["allowEmpty"]; !g.browser || g.known(n) {
			allowed = g.option(n)
		}
		call += " ?? " + g.use("blank") + "(" + g.env(it.Key) + ", " + allowed + ")"
	}
	return call
}
