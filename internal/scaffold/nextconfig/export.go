package nextconfig

import (
	"fmt"
	"slices"
)

// findExport finds what the file exports as its configuration.
func (f *file) findExport() (export, error) {
	var found []export
	var lines []int
	for i := range f.toks {
		if f.toks[i].kind != ident {
			continue
		}
		e, ok, err := f.exportAt(i)
		if err != nil {
			return export{}, err
		}
		if !ok {
			continue
		}
		if f.toks[i].parent >= 0 {
			return export{}, fmt.Errorf("line %d: the configuration is exported from within a block", f.line(i))
		}
		found, lines = append(found, e), append(lines, f.line(i))
	}
	switch len(found) {
	case 0:
		return export{}, fmt.Errorf("it exports no configuration")
	case 1:
		return found[0], nil
	}
	last := found[len(found)-1]
	for i, e := range found[1:] {
		// module.exports = withX(module.exports) goes on from the one before.
		if !e.common || !f.mentionsExports(e.expr) {
			return export{}, fmt.Errorf("lines %d and %d both export a configuration", lines[i], lines[i+1])
		}
		last.earlier = append(last.earlier, found[i].expr)
	}
	return last, nil
}

// isExports tells whether module.exports begins at token i.
func (f *file) isExports(i int) bool {
	return f.is(i, "module") && f.is(i+1, ".") && f.is(i+2, "exports") && !f.isName(i)
}

func (f *file) mentionsExports(expr span) bool {
	for i := expr.start; i < expr.end; i++ {
		if f.isExports(i) {
			return true
		}
	}
	return false
}

// exportAt reads the export that begins at token i.
func (f *file) exportAt(i int) (export, bool, error) {
	var e export
	switch {
	case f.is(i-1, "."):
		return e, false, nil
	case f.isExports(i) && f.is(i+3, "="):
		e.common = true
		return f.exported(e, i+4)
	case !f.keyword(i, "export"):
		return e, false, nil
	case f.is(i+1, "="):
		e.common = true
		return f.exported(e, i+2)
	case f.is(i+1, "default"):
		return f.exported(e, i+2)
	case f.is(i+1, "{"):
		return f.exportList(e, i+1)
	}
	return e, false, nil
}

// exported completes an export whose expression begins at token i.
func (f *file) exported(e export, i int) (export, bool, error) {
	e.expr = span{i, f.exprEnd(i)}
	// A declaration ends with its brace, whatever comes behind.
	for _, fn := range f.funcs {
		if start := fn.start; f.is(start, "function") && (start == i || start == i+1 && f.is(i, "async")) {
			if !e.common {
				e.expr.end, e.fn = fn.body.end, fn
			}
			break
		}
	}
	if end := e.expr.end; e.fn == nil && end < len(f.toks) && !f.is(end, ";") && !f.toks[end].newline {
		return e, false, fmt.Errorf("line %d: the end of the exported configuration cannot be found", f.line(i))
	}
	return e, true, nil
}

// exportList reads export { name as default }.
func (f *file) exportList(e export, open int) (export, bool, error) {
	end := f.toks[open].match
	for j := open + 1; j < end; j++ {
		if !f.is(j, "default") || !f.is(j+1, ",") && !f.is(j+1, "}") {
			continue
		}
		if f.is(end+1, "from") || !f.is(j-1, "as") {
			return e, false, fmt.Errorf("line %d: the configuration comes from another file, which is not read", f.line(j))
		}
		if e.decl = f.resolve(j - 2); e.decl == nil {
			return e, false, fmt.Errorf("line %d: %s is not declared once in this file", f.line(j), f.text(j-2))
		}
		return e, true, nil
	}
	return e, false, nil
}

// exportChanges finds what is assigned to module.exports after the configuration.
func (f *file) exportChanges() []change {
	var out []change
	for i := range f.toks {
		if !f.isExports(i) || f.is(i+3, "=") {
			continue
		}
		if c, ok := f.changeOf(i, i+3, -1); ok {
			out = append(out, c)
		}
	}
	return out
}

// returns finds the values that a function returns; those of functions within it are
// not its own.
func (f *file) returns(fn *function) ([]span, error) {
	inner := make([]span, 0, 8)
	for _, g := range f.funcs {
		if g != fn && g.block && g.body.start > fn.body.start && g.body.end <= fn.body.end {
			inner = append(inner, g.body)
		}
	}
	skip := map[int]int{}
	for _, s := range inner {
		skip[s.start] = s.end
	}
	var out []span
	for i := fn.body.start + 1; i < fn.body.end-1; i++ {
		if end, ok := skip[i]; ok {
			i = end - 1
			continue
		}
		if !f.keyword(i, "return") {
			continue
		}
		if i+1 < len(f.toks) && f.toks[i+1].newline || f.is(i+1, ";") || f.is(i+1, "}") {
			return nil, fmt.Errorf("line %d: the function returns without a configuration", f.line(i))
		}
		out = append(out, span{i + 1, f.exprEnd(i + 1)})
	}
	return out, nil
}

// usesSentry tells whether the file wraps something in Sentry's wrapper already.
func (f *file) usesSentry() bool {
	for i := range f.toks {
		switch {
		case !f.is(i, sentryWrapper) || f.inImport(i):
		case f.isName(i):
			if f.is(i+1, "(") || f.is(i+1, ":") { // Sentry.withSentryConfig(…), { withSentryConfig: name }
				return true
			}
		case !slices.ContainsFunc(f.decls[sentryWrapper], func(d *decl) bool { return d.at == i }):
			return true
		}
	}
	return false
}

// inImport tells whether token i is in an import. A renamed one counts as used.
func (f *file) inImport(i int) bool {
	return slices.ContainsFunc(f.imports, func(imp span) bool {
		return i >= imp.start && i < imp.end && !f.is(i+1, "as")
	})
}
