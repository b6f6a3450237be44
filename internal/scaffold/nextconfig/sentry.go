package nextconfig

import (
	"fmt"
	"regexp"
	"strings"
)

// Version 11 of the SDK has the wrapper in a module of its own, and so has 10 from
// 10.73 on; "@sentry/nextjs" itself is for the running app.
const (
	sentryModule  = "@sentry/nextjs/config"
	sentrySDK     = "@sentry/nextjs"
	sentryWrapper = "withSentryConfig"
)

var slug = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)

// options are the lines of what the wrapper is told. A build without Sentry's token
// has nothing to upload: it makes no source maps, and it stays quiet instead of warning
// in every log that there is no token. Telemetry would be the only other connection.
func (s Sentry) options(st style) []string {
	var out []string
	if s.Org != "" {
		out = append(out, "org: "+st.quoted(s.Org)+",")
	}
	if s.Project != "" {
		out = append(out, "project: "+st.quoted(s.Project)+",")
	}
	return append(out,
		"// Only a build that has the token uploads source maps; all others stay offline.",
		"silent: !process.env.SENTRY_AUTH_TOKEN,",
		"sourcemaps: { disable: !process.env.SENTRY_AUTH_TOKEN },",
		"telemetry: false,")
}

// todo says how to wrap the configuration by hand.
func (s Sentry) todo() string {
	return fmt.Sprintf(`export the configuration as %s(…, { silent: !process.env.SENTRY_AUTH_TOKEN, sourcemaps: { disable: !process.env.SENTRY_AUTH_TOKEN }, telemetry: false }), with %s from %q, by hand`,
		sentryWrapper, sentryWrapper, sentryModule)
}

// sentryWrapper wraps the exported configuration.
func (e *edit) sentryWrapper(s Sentry) {
	if e.sentry {
		return
	}
	if !slug.MatchString(s.Org) || !slug.MatchString(s.Project) {
		e.refuse("Sentry's organisation %q or project %q is not a name as Sentry has them in its addresses", s.Org, s.Project)
		return
	}
	expr, why := e.wrappable()
	if why != "" {
		e.refuse("%s; %s", why, s.todo())
		return
	}
	imp, why := e.sentryImport()
	if why != "" {
		e.refuse("%s; %s", why, s.todo())
		return
	}
	f := e.f
	start, end := f.toks[expr.start].start, f.toks[expr.end-1].end
	outer := indentAt(f.src, start)
	suffix := ", {" + e.style.newline
	for _, line := range s.options(e.style) {
		suffix += outer + e.style.indent + line + e.style.newline
	}
	suffix += outer + "})"
	printed, err := normalise(sentryWrapper+"(a"+suffix+";", f.loader)
	if err != nil {
		e.refuse("the options for Sentry do not parse; %s", s.todo())
		return
	}
	code := strings.TrimSuffix(strings.TrimPrefix(printed, sentryWrapper+"(a"), ";")
	if e.export.fn != nil {
		suffix += ";" // a declaration needs none, an expression might take in the next line
	}
	e.insertions = append(e.insertions, imp...)
	e.insertions = append(e.insertions,
		insertion{start, sentryWrapper + "(", []string{sentryWrapper + "(", " " + sentryWrapper + "("}},
		insertion{end, suffix, []string{code, code + ";"}})
	e.wrapped = true
	e.done = append(e.done, "Sentry's "+sentryWrapper)
}

// wrappable is the expression to wrap, or why there is none.
func (e *edit) wrappable() (expr span, why string) {
	f := e.f
	if fn := e.export.fn; fn != nil && fn.name >= 0 {
		for i := range f.toks {
			if i != fn.name && f.isIdent(i) && f.text(i) == f.text(fn.name) && !f.isName(i) {
				return span{}, fmt.Sprintf("line %d uses %s, which would be no declaration any more if it were wrapped", f.line(i), f.text(i))
			}
		}
	}
	d := e.export.decl
	if d == nil {
		return e.export.expr, ""
	}
	if d.kind != variable {
		return span{}, fmt.Sprintf("line %d exports %s in a list", f.line(d.at), d.name)
	}
	for _, c := range f.changes(d) {
		if c.kind == reassigned {
			return span{}, fmt.Sprintf("line %d assigns to %s again", f.line(c.at), d.name)
		}
	}
	return d.init, ""
}

// sentryImport brings the wrapper's name into the file.
func (e *edit) sentryImport() (ins []insertion, why string) {
	f := e.f
	if ds := f.decls[sentryWrapper]; len(ds) > 0 {
		for _, t := range f.toks {
			if t.kind == str && strings.HasPrefix(unquote(t.text), sentrySDK) {
				return nil, "" // imported and not used yet
			}
		}
		return nil, fmt.Sprintf("line %d declares another %s", f.line(ds[0].at), sentryWrapper)
	}
	q, st := e.style.quoted(sentryModule), e.style
	text, code := "import { "+sentryWrapper+" } from "+q, `import{`+sentryWrapper+`}from"`+sentryModule+`";`
	useImport := !e.commonJS || len(f.imports) > 0
	if !useImport {
		text, code = "const { "+sentryWrapper+" } = require("+q+")", `const{`+sentryWrapper+`}=require("`+sentryModule+`");`
	}
	last := -1
	switch {
	case len(f.imports) > 0:
		last = f.imports[len(f.imports)-1].end
	case !useImport:
		last = f.requires()
	}
	next := max(last, f.directives())
	if f.is(next, "(") || f.is(next, "[") || next < len(f.toks) && f.toks[next].kind == opaque {
		st.semicolon = ";" // or the next line would be taken for a part of it
	}
	text += st.semicolon
	if last > 0 {
		at := f.endOfLine(f.toks[last-1].end, f.commentsBefore(last))
		return []insertion{{at, st.newline + text, []string{code}}}, ""
	}
	at := f.head()
	if at == bomLen(f.src) {
		return []insertion{{at, text + st.newline + st.newline, []string{code}}}, ""
	}
	text = st.newline + st.newline + text
	if !f.blankLine(at) {
		text += st.newline
	}
	return []insertion{{at, text, []string{code}}}, ""
}

// directives is the token behind 'use strict' and its like at the top.
func (f *file) directives() int {
	i := 0
	for i < len(f.toks) && f.toks[i].kind == str && f.exprEnd(i) == i+1 {
		i = f.skipSemicolon(i + 1)
	}
	return i
}

// requires is the token behind the requires at the top of a file, or -1.
func (f *file) requires() int {
	i, last := f.directives(), -1
	for i < len(f.toks) {
		end := -1
		switch {
		case f.is(i, "require"):
			end = f.exprEnd(i)
		case f.is(i, "const") || f.is(i, "let") || f.is(i, "var"):
			j := i + 2
			if m := f.toks[min(i+1, len(f.toks)-1)].match; m > i {
				j = m + 1
			}
			if f.is(j, "=") && f.is(j+1, "require") {
				end = f.exprEnd(j)
			}
		}
		if f.is(end, ",") || end < 0 {
			break
		}
		i = f.skipSemicolon(end)
		last = i
	}
	return last
}

// head is the offset behind what has to stay on top of a file: a shebang, directives
// and comments that are about the whole file.
func (f *file) head() int {
	if i := f.directives(); i > 0 {
		return f.endOfLine(f.toks[i-1].end, f.commentsBefore(i))
	}
	at := bomLen(f.src)
	for _, c := range f.commentsBefore(0) {
		if f.aboutFile(f.src[c.start:c.end]) || f.blankLine(c.end) {
			at = c.end
		}
	}
	return at
}

// aboutFile tells whether a comment is about the whole file.
func (f *file) aboutFile(comment string) bool {
	if strings.HasPrefix(comment, "#!") || strings.HasPrefix(comment, "/*!") {
		return true
	}
	lower := strings.ToLower(comment)
	for _, word := range []string{"@ts-check", "@ts-nocheck", "eslint-", "@license", "copyright", "spdx-"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	return false
}

func bomLen(src string) int {
	if strings.HasPrefix(src, "\ufeff") {
		return len("\ufeff")
	}
	return 0
}
