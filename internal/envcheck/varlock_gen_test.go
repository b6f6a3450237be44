package envcheck

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
)

// schemaGen makes schemas by the grammar of env-spec, mostly right ones, with
// values that fit and values that do not.
type schemaGen struct {
	rng      *rand.Rand
	keys     []string          // of the schema being made
	refs     []string          // keys to which an expression may refer
	typed    map[string]string // type of each key, "" for none
	env      string            // key of @currentEnv, "" for none
	sloppy   bool              // let mistakes in
	comments bool              // in a decorator: a further line begins with #
	imports  []string          // @import decorators of the file being made
	imported bool              // the file being made is one that is imported
}

func (g *schemaGen) pick(from ...string) string { return from[g.rng.IntN(len(from))] }

func (g *schemaGen) one(in int) bool { return g.rng.IntN(in) == 0 }

// project makes a schema and a .env file for it.
func (g *schemaGen) project() varlockCase {
	g.keys, g.typed, g.env = nil, map[string]string{}, ""
	mistakes := g.pick("", "", "", "", "", "", "header", "items", "items", "items") // one of the header hides those of the items
	for i := range 1 + g.rng.IntN(6) {
		g.keys = append(g.keys, g.pick("A", "B_URL", "PORT", "NAME", "FLAG", "KEY", "MODE", "list", "x.y", "z-1", "NEXT_PUBLIC_X")+strings.Repeat("_", i))
	}
	for _, key := range g.keys {
		if !g.one(3) {
			g.typed[key] = g.pick(allTypes...)
		}
	}
	if !g.one(8) {
		g.env = g.pick("APP_ENV", "NODE_ENV")
	}
	var files map[string]string
	g.imports = nil
	if mistakes == "" && g.one(4) {
		files = g.importedFiles()
	}
	var b strings.Builder
	g.sloppy = mistakes == "header"
	g.header(&b)
	own := g.rng.Perm(len(g.keys)) // in any order: a reference may be to what comes later
	if files != nil {
		own = own[:1+g.rng.IntN(len(own))] // the others are only imported
	}
	spoiled := g.rng.IntN(len(own)) // the one item with mistakes
	for i, at := range own {
		g.sloppy = mistakes == "items" && i == spoiled
		if g.refs = g.keys[:at]; g.sloppy && g.one(4) {
			g.refs = append(slices.Clone(g.keys), "NOPE") // circles and references to nothing
		}
		g.item(&b, g.keys[at])
	}
	g.sloppy = false
	text := b.String()
	if mistakes == "" && g.one(5) {
		text = g.mutate(text)
	}
	c := varlockCase{Files: map[string]string{".env.schema": text}}
	maps.Copy(c.Files, files)
	process := g.values(c)
	flag := g.env
	if flag == "" {
		flag = noFlag
	}
	return inEnvironments(c, flag, process)
}

var allTypes = []string{"string", "number", "boolean", "url", "domain", "enum", "email", "port", "ip", "semver", "isoDate", "uuid", "md5", "duration",
	"array", "record", "simple-object"}

func (g *schemaGen) header(b *strings.Builder) {
	for !g.one(3) {
		b.WriteString(g.pick("# Some words.\n", "#\n", "# a @word in text\n", "# ---\n", "# === part ===\n", "\n", "# opsctl: ignore=tls private\n"))
	}
	decs := slices.Clone(g.imports)
	if g.env != "" && !g.imported {
		decs = append(decs, "@currentEnv=$"+g.env)
	}
	if !g.one(3) {
		decs = append(decs, "@defaultRequired="+g.pick("true", "false", "infer", "infer", `"infer"`))
	}
	if !g.one(3) {
		decs = append(decs, "@defaultSensitive="+g.pick("true", "false", "inferFromPrefix(NEXT_PUBLIC_)", `inferFromPrefix("NEXT_")`))
	}
	if g.one(4) {
		decs = append(decs, g.pick("@redactLogs=false", "@preventLeaks", "@disableProcessEnvInjection", "@injectUndefinedAsEmpty=true", "@cache=memory",
			"@defaultDynamic=inferFromSensitive", "@auditIgnorePaths(dist, 'a b')", "@encryptInjectedEnv=false", "@generateTypes(lang=ts, path=env.d.ts)"))
	}
	if g.sloppy && g.one(3) {
		decs = append(decs, g.pick("@required", "@nope", "@defaultRequired=1", "@defaultRequired", "@todo later", "@defaultSensitive=x", "@currentEnv=X",
			"@currentEnv=$NOPE", "@type=string", "@defaultRequired()", "@cache=never", "@disable=1", "@see here", "@defaultSensitive=forEnv(a)", "@redactLogs=$A"))
	}
	for _, d := range decs {
		b.WriteString("# " + d + g.pick("\n", " # a reason\n", "\n", "\n"))
	}
	b.WriteString(g.pick("# ---\n", "# ---\n", "# ----\n\n", "\n", "# ###\n"))
	if g.sloppy && g.one(6) {
		b.WriteString(g.pick("# no divider\n", "  # indented\n", "A: b\n", "A\n"))
	}
	if g.env != "" && !g.imported {
		b.WriteString(g.pick("# @type=enum(development, test, production) @public\n", "", "# @public\n") + g.env + "=" + g.pick("development", "test", "", `"production"`) + "\n")
	}
}

func (g *schemaGen) item(b *strings.Builder, key string) {
	for g.one(3) {
		b.WriteString(g.pick("\n", "# About this key.\n", "# --- part ---\n\n", "#no blank\n"))
	}
	var decs []string
	if t := g.typed[key]; t != "" {
		g.comments = true
		decs = append(decs, "@type="+g.typeSpec(t, 0))
		g.comments = false
	}
	said := map[string]bool{}
	for g.one(2) {
		d := g.decorator()
		name, _, _ := strings.Cut(strings.FieldsFunc(d, func(r rune) bool { return r == '=' || r == '(' })[0], " ")
		for _, pair := range exclusive {
			if name == "@"+pair[1] {
				name = "@" + pair[0]
			}
		}
		if g.sloppy || !said[name] {
			decs = append(decs, d)
		}
		said[name] = true
	}
	g.rng.Shuffle(len(decs), func(i, j int) { decs[i], decs[j] = decs[j], decs[i] })
	post := ""
	if len(decs) > 0 && g.one(8) {
		post, decs = " # "+decs[0], decs[1:]
		post = strings.ReplaceAll(post, "\n#", "")
	}
	for i, d := range decs {
		switch {
		case i == 0 || g.one(2):
			if i > 0 {
				b.WriteString(g.pick("\n", " # words\n"))
			}
			b.WriteString(g.pick("# ", "#", "#\t", "#  ") + d)
		default:
			b.WriteString(g.pick(" ", "  ", map[bool]string{true: "\t", false: " "}[g.sloppy]) + d)
		}
	}
	if len(decs) > 0 {
		b.WriteString("\n")
		if g.one(8) {
			b.WriteString(g.pick("# words below\n", "# opsctl: ignore=tls why\n"))
		}
	}
	b.WriteString(g.pick("", "", "", "", "export ", " ") + key + g.pick("=", "=", "=", " ="))
	b.WriteString(g.defaultValue(key))
	if post == "" {
		post = g.pick("", "", "", " # comment", "#c", " ")
	}
	b.WriteString(post + "\n")
}

func (g *schemaGen) decorator() string {
	cond := func() string {
		if g.one(2) {
			return g.pick("true", "false", "undefined")
		}
		return g.condition(0)
	}
	switch g.rng.IntN(9) {
	case 0:
		return g.pick("@required", "@required="+cond(), "@required="+cond())
	case 1:
		return g.pick("@optional", "@optional="+cond())
	case 2:
		return g.pick("@sensitive", "@sensitive=false", "@sensitive="+cond(), "@sensitive={preventLeaks=false}", "@sensitive={enabled="+g.pick("true", "false")+", allowShortValue=true}")
	case 3:
		return g.pick("@public", "@public=false", "@public", "@public="+cond())
	case 4:
		return "@example=" + g.pick(`"a b"`, "a", "12", `'it''s'`, `'$NOPE'`, "[a, b]", `"\$x"`, "a@b.c", "https://x/#y")
	case 5:
		return g.pick("@docs(https://a.b/c)", `@docs("A title", https://a.b)`, `@docs("A title",`+"\n#  https://a.b)", "@docsUrl=https://a.b", "@docs()")
	case 6:
		return g.pick("@tag(a)", "@tag(a, b-1)", "@deprecated", `@deprecated="use B"`, "@internal", "@auditIgnore", "@icon=mdi:x", "@placeholder=abc", "@dynamic", "@static")
	case 7:
		if g.sloppy {
			return g.pick("@tag(-a)", "@tag", "@docs=x", "@nope", "@required()", "@defaultRequired=true", "@type", "@required=yes", "@required=1", "@sensitive={x=1}",
				"@sensitive=[a]", "@todo: later", "@optional=$NAME", "stray words", "@requird", "@a-b", "@type=nope", "@placeholder=1", "@public={a=1}", "@required=if(true, a, true)",
				"@docs(a", `@example="open`, "@example=", "@required=forEnv()", "@required=nope(1)", "@note", "@type=enum", "@tag(a,,b)")
		}
	}
	return g.pick("@required", "@internal=false", "@auditIgnore=true")
}

// condition makes an expression that is true or false.
func (g *schemaGen) condition(depth int) string {
	if depth > 2 {
		return g.pick("true", "false")
	}
	n := func() string { return g.condition(depth + 1) }
	switch g.rng.IntN(9) {
	case 0, 1:
		if g.env == "" && !g.sloppy {
			return "false"
		}
		return "forEnv(" + g.pick("production", "test", "development, test", `"production"`, "staging") + ")"
	case 2:
		return "eq(" + g.expr(depth+1) + g.sep() + g.expr(depth+1) + ")"
	case 3:
		return "not(" + n() + ")"
	case 4:
		return "isEmpty(" + g.expr(depth+1) + ")"
	case 5:
		return "if(" + n() + g.sep() + n() + g.pick("", g.sep()+n()) + ")"
	case 6:
		return "if(" + n() + ")"
	case 7:
		return "ifs(" + n() + g.sep() + n() + g.sep() + n() + ")"
	}
	return "not(" + g.expr(depth+1) + ")"
}

// sep is a comma, or one with a line break where that is allowed.
func (g *schemaGen) sep() string {
	if !g.comments {
		return g.pick(", ", ",", " , ")
	}
	return g.pick(", ", ",", " , ", ", ", ",\n#  ")
}

// expr makes an expression of any kind.
func (g *schemaGen) expr(depth int) string {
	if depth > 2 || g.one(2) {
		return g.atom()
	}
	e := func() string { return g.expr(depth + 1) }
	switch g.rng.IntN(7) {
	case 0:
		return "concat(" + e() + g.sep() + e() + ")"
	case 1:
		return "fallback(" + e() + g.sep() + e() + g.sep() + e() + ")"
	case 2:
		return "if(" + g.condition(depth+1) + g.sep() + e() + g.sep() + e() + ")"
	case 3:
		return "remap(" + e() + g.sep() + g.pick(`regex("^[a-m]")`, "a", "/^x/i", "1", `"1"`) + g.sep() + e() + g.pick("", g.sep()+e()) + ")"
	case 4:
		return g.condition(depth + 1)
	case 5:
		return "ref(" + strings.TrimPrefix(g.ref(), "$") + ")"
	}
	if g.sloppy {
		return g.pick("concat(a)", "eq(a)", "nope(a)", "regex(a)", "ref()", "if()", "not(a, b)", "eq(a, b=c)", "remap(a, b)", "ifs()", "fallback(a)", "ref($A)",
			"remap("+g.ref()+", yes=a, no=b)", "concat(a b, c)", `concat("a, b)`)
	}
	return "ifs(" + g.condition(depth+1) + g.sep() + e() + g.sep() + e() + ")"
}

// ref is a reference to an item, or a plain text where there is none.
func (g *schemaGen) ref() string {
	if len(g.refs) > 0 {
		if key := g.pick(g.refs...); !strings.ContainsAny(key, ".-") {
			return "$" + key
		}
	}
	if g.env != "" {
		return "$" + g.env
	}
	return "$VARLOCK_OS"
}

func (g *schemaGen) atom() string {
	key := strings.TrimPrefix(g.ref(), "$")
	return g.pick("a", "true", "false", "undefined", "1", "0", "1.5", "007", "1e3", "-1", `"a b"`, `'$x'`, `"\$x"`, "`q`", `""`, `"it\"s"`, "/a/b", map[bool]string{true: "x=y", false: "x-y"}[g.sloppy],
		"$"+key, "${"+key+"}", "${"+key+":-d}", `"p-$`+key+`-s"`, `"${`+key+`-d e}"`, "pre$"+key, "$", "a#b", `"a#b"`, "production", `"back\\slash"`, `"new\nline"`, "é")
}
