package nextconfig

import (
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// object is an object literal of the configuration.
type object struct {
	open, close int // tokens of its braces
	members     []member
	typed       bool // TypeScript knows that it is a NextConfig
	doc         bool // a comment says so
}

// member is what stands between two commas of an object literal.
type member struct {
	key   string // "" for a spread, or a key that is computed
	start int    // its first token
	value span   // a property's value, or what is spread; empty for a method
}

// readObject reads the literal whose brace is token open.
func (f *file) readObject(open int) *object {
	o := &object{open: open, close: f.toks[open].match}
	for _, part := range f.args(open) {
		if part.start < part.end {
			o.members = append(o.members, f.readMember(part))
		}
	}
	return o
}

func (f *file) readMember(part span) member {
	m := member{start: part.start}
	i := part.start
	if f.is(i, "...") {
		m.value = span{i + 1, part.end}
		return m
	}
	// get, set, async and * stand before the name of a method.
	for i+1 < part.end && (f.is(i, "*") || (f.is(i, "get") || f.is(i, "set") || f.is(i, "async")) && f.startsKey(i+1)) {
		i++
	}
	switch {
	case f.isIdent(i):
		m.key, i = f.text(i), i+1
	case f.toks[i].kind == str:
		m.key, i = unquote(f.text(i)), i+1
	case f.is(i, "["):
		if i+2 == f.toks[i].match && f.toks[i+1].kind == str {
			m.key = unquote(f.text(i + 1))
		}
		i = f.toks[i].match + 1
	}
	switch {
	case i >= part.end:
		m.value = span{i - 1, i} // { name } is { name: name }
	case f.is(i, ":"):
		m.value = span{i + 1, part.end}
	}
	return m
}

func (f *file) startsKey(i int) bool {
	return f.isIdent(i) || f.toks[i].kind == str || f.is(i, "[") || f.is(i, "*")
}

// unquote is the content of a string literal. One with escapes is taken for "", a
// value that nothing here looks for.
func unquote(text string) string {
	if strings.Contains(text, `\`) {
		return ""
	}
	return text[1 : len(text)-1]
}

// setting is what an object, or the whole configuration, says about an option.
type setting struct {
	state settingState
	value string // of a constant
	at    int    // the token that sets it
	why   string // of a computed one
	maybe bool   // it is not even known whether it is set
}

type settingState int

const (
	unset settingState = iota
	constant
	computed
)

func computedAt(at int, why string) setting { return setting{state: computed, at: at, why: why} }

// option is what an object says about an option, and whether something is spread into
// the object that is not known and may say more.
func (f *file) option(o *object, key string, depth int) (s setting, unknown bool) {
	for _, m := range o.members {
		switch {
		case m.key == key:
			s, unknown = f.stringValue(m.value, depth), false
			s.at = m.start
			if s.state == computed {
				s.why = key + " is computed"
			}
		case m.key != "":
		case f.is(m.start, "..."):
			spread, opaque := f.spread(m.value, key, depth)
			if spread.state != unset {
				s, unknown = spread, false
			}
			if opaque {
				unknown = true
				if s.state != unset {
					s = computedAt(m.start, "what is spread after "+key+" may override it")
				}
			}
		default:
			unknown = true
			if s.state != unset {
				s = computedAt(m.start, "a computed key after "+key+" may override it")
			}
		}
	}
	return s, unknown
}

const (
	maxFollow  = 20   // names that stand for names, and wrappers around wrappers
	maxSpreads = 5000 // in all of a file
)

// spread is what an object says about an option that is spread into another.
func (f *file) spread(expr span, key string, depth int) (s setting, unknown bool) {
	if f.spreads++; depth > maxFollow || f.spreads > maxSpreads {
		return setting{}, true
	}
	expr = f.trim(expr)
	if a, b, ok := f.choice(expr); ok {
		return f.eitherSpread([]span{a, b}, key, depth)
	}
	if f.operator(expr, "||") >= 0 || f.operator(expr, "??") >= 0 {
		return setting{}, true
	}
	if at := f.operator(expr, "&&"); at >= 0 {
		return f.eitherSpread([]span{{at + 1, expr.end}}, key, depth)
	}
	switch {
	case expr.end <= expr.start:
		return setting{}, true
	case f.is(expr.start, "{") && f.toks[expr.start].match == expr.end-1:
		return f.option(f.readObject(expr.start), key, depth+1)
	case f.isIdent(expr.start) && expr.end == expr.start+1:
		d := f.resolve(expr.start)
		if d == nil || d.kind != variable || len(f.changes(d)) > 0 {
			return setting{}, true
		}
		return f.spread(d.init, key, depth+1)
	}
	return setting{}, true
}

// eitherSpread is what objects say of which at most one is spread.
func (f *file) eitherSpread(exprs []span, key string, depth int) (s setting, unknown bool) {
	for _, e := range exprs {
		one, opaque := f.spread(e, key, depth+1)
		unknown = unknown || opaque
		if one.state != unset {
			s = computedAt(one.at, key+" depends on a condition")
		}
	}
	return s, unknown
}

// stringValue evaluates a string.
func (f *file) stringValue(expr span, depth int) setting {
	expr = f.trim(expr)
	dynamic := computedAt(expr.start, "it is computed")
	if expr.end != expr.start+1 || depth > maxFollow {
		return dynamic
	}
	switch t := f.toks[expr.start]; {
	case strings.Contains(t.text, `\`), strings.Contains(t.text, "${"):
		return dynamic
	case t.kind == str, strings.HasPrefix(t.text, "`"):
		return setting{state: constant, value: unquote(t.text), at: expr.start}
	case t.kind == ident:
		if d := f.resolve(expr.start); d != nil && d.kind == variable && len(f.changes(d)) == 0 {
			return f.stringValue(d.init, depth+1)
		}
	}
	return dynamic
}

// trim takes brackets and TypeScript's as, satisfies and ! off an expression.
func (f *file) trim(expr span) span {
	for expr.start < expr.end {
		if f.is(expr.start, "(") && f.toks[expr.start].match == expr.end-1 {
			expr = span{expr.start + 1, expr.end - 1}
			continue
		}
		end := expr.end
		if at := f.typeOperator(expr); at > expr.start {
			end = at
		} else if f.is(expr.end-1, "!") {
			end--
		}
		if end == expr.end {
			break
		}
		expr.end = end
	}
	return expr
}

// typeOperator is the first as or satisfies at the top level of an expression, or -1.
// As names, they stand at the beginning or before an operator.
func (f *file) typeOperator(expr span) int {
	for i := expr.start; i < expr.end; i++ {
		t := &f.toks[i]
		if t.kind == punct && t.match > i {
			i = t.match
			continue
		}
		if i > expr.start && (f.is(i, "as") || f.is(i, "satisfies")) && !f.isName(i) && (f.toks[i-1].kind != punct || f.toks[i-1].match >= 0 || f.is(i-1, "!")) {
			return i
		}
	}
	return -1
}

// operator is the last use of an operator at the top level of an expression, or -1.
func (f *file) operator(expr span, op string) int {
	found := -1
	for i := expr.start; i < expr.end; i++ {
		if t := &f.toks[i]; t.kind == punct && t.match > i {
			i = t.match
		} else if f.is(i, op) {
			found = i
		}
	}
	return found
}

// choice splits a ? b : c. An arrow function may hold one; it is none itself.
func (f *file) choice(expr span) (a, b span, ok bool) {
	question, depth := -1, 0
	for i := expr.start; i < expr.end; i++ {
		switch t := &f.toks[i]; {
		case t.kind != punct:
		case t.match > i:
			i = t.match
		case t.text == "=>" && question < 0:
			return a, b, false
		case t.text == "?":
			if depth++; question < 0 {
				question = i
			}
		case t.text == ":" && question >= 0:
			if depth--; depth == 0 {
				return span{question + 1, i}, span{i + 1, expr.end}, true
			}
		}
	}
	return a, b, false
}

// widens tells whether TypeScript would take a string in the object for any string,
// which no plug-in accepts as an output: where nothing tells it the object's type.
func (f *file) widens(o *object) bool {
	if f.loader != api.LoaderTS || o.typed {
		return false
	}
	before := o.open - 1
	if f.is(before, "(") && f.is(before-1, "=>") {
		before--
	}
	switch {
	case f.is(before, "return") || f.is(before, "=>"):
		var in *function
		for _, fn := range f.funcs {
			if fn.body.start <= o.open && o.close < fn.body.end && (in == nil || fn.body.start > in.body.start) {
				in = fn
			}
		}
		return in == nil || !f.namesConfig(span{in.params.end, in.body.start})
	case f.is(before, "=") && !f.is(before-1, "exports") && !f.is(before-1, "export"):
		return true
	}
	return false
}

// looksLikeConfig tells a configuration by an option that Next.js knows.
func (o *object) looksLikeConfig() bool {
	for _, m := range o.members {
		if m.key != "" && strings.Contains(options, " "+m.key+" ") {
			return true
		}
	}
	return false
}

// options are the options of Next.js that hardly anything else is called by.
const options = " allowedDevOrigins assetPrefix basePath cacheComponents cacheHandler cacheLife compiler crossOrigin " +
	"deploymentId devIndicators distDir eslint experimental exportPathMap generateBuildId generateEtags headers " +
	"htmlLimitedBots i18n images instrumentationClientInject logging modularizeImports onDemandEntries " +
	"optimizeFonts output outputFileTracing outputFileTracingExcludes outputFileTracingIncludes " +
	"outputFileTracingRoot pageExtensions poweredByHeader productionBrowserSourceMaps publicRuntimeConfig " +
	"reactCompiler reactProductionProfiling reactStrictMode redirects rewrites sassOptions serverActions " +
	"serverComponentsExternalPackages serverExternalPackages serverRuntimeConfig skipMiddlewareUrlNormalize " +
	"skipProxyUrlNormalize skipTrailingSlashRedirect swcMinify trailingSlash transpilePackages turbopack " +
	"typedRoutes typescript useFileSystemPublicRoutes viewTransition webpack "
