package nextconfig

import (
	"fmt"
	"slices"
	"strings"
)

// shape is how a configuration is written.
type shape struct {
	f        *file
	export   export
	objs     []*object // every literal that the configuration may come from
	changes  []change  // what is assigned to them afterwards
	sentry   bool
	commonJS bool
}

// export is where a file says what its configuration is.
type export struct {
	expr    span
	decl    *decl     // for export { name as default }
	common  bool      // module.exports
	earlier []span    // what module.exports was before that, in order
	fn      *function // a function that is declared here rather than an expression
}

// trace finds the configuration of a file.
func (f *file) trace() (*shape, error) {
	s := &shape{f: f}
	var err error
	if s.export, err = f.findExport(); err != nil {
		return nil, err
	}
	s.commonJS = s.export.common
	s.sentry = f.usesSentry()
	t := &tracer{f: f, seen: map[*decl]bool{}, exports: s.export.earlier}
	if s.export.decl != nil {
		err = t.name(s.export.decl.at, s.export.decl)
	} else {
		err = t.expr(s.export.expr, 0)
	}
	if err != nil {
		return nil, err
	}
	s.objs, s.changes = t.objs, t.changes
	if s.export.common {
		s.changes = append(s.changes, f.exportChanges()...)
	}
	slices.SortStableFunc(s.changes, func(a, b change) int { return a.at - b.at })
	return s, nil
}

// tracer follows expressions down to object literals.
type tracer struct {
	f       *file
	objs    []*object
	changes []change
	seen    map[*decl]bool
	exports []span // what module.exports stands for, the latest last
}

// try runs a step that leaves nothing behind if it fails.
func (t *tracer) try(step func() error) error {
	before := *t
	before.seen = map[*decl]bool{}
	for d := range t.seen {
		before.seen[d] = true
	}
	err := step()
	if err != nil {
		*t = before
	}
	return err
}

func (t *tracer) fail(i int, format string, args ...any) error {
	return fmt.Errorf("line %d: %s", t.f.line(i), fmt.Sprintf(format, args...))
}

// expr follows an expression whose value is a configuration, or a function that
// returns one.
func (t *tracer) expr(expr span, depth int) error {
	f := t.f
	typed := false
	if at := f.typeOperator(expr); at > 0 {
		typed = f.namesConfig(span{at, expr.end})
	}
	expr = f.trim(expr)
	if expr.start >= expr.end {
		return t.fail(expr.start, "there is no value where the configuration should be")
	}
	if depth > maxFollow {
		return t.fail(expr.start, "names and wrappers are nested too deep to follow")
	}
	if fn := f.functionIn(expr); fn != nil {
		return t.function(fn, depth+1)
	}
	if a, b, ok := f.choice(expr); ok {
		if err := t.expr(a, depth+1); err != nil {
			return err
		}
		return t.expr(b, depth+1)
	}
	switch first := f.toks[expr.start]; {
	case first.text == "{" && first.match == expr.end-1:
		t.object(expr.start, typed)
		return nil
	case first.kind != ident && first.text != "(", f.is(expr.start, "new"), f.is(expr.start, "class"):
		return t.fail(expr.start, "the configuration is not an object, a function or a call that can be followed")
	case f.isExports(expr.start) && expr.end == expr.start+3 && len(t.exports) > 0:
		before := t.exports[len(t.exports)-1]
		t.exports = t.exports[:len(t.exports)-1]
		return t.expr(before, depth+1)
	case f.is(expr.start, "await"):
		return t.expr(span{expr.start + 1, expr.end}, depth+1)
	case expr.end == expr.start+1:
		return t.name(expr.start, f.resolve(expr.start))
	}
	return t.call(expr, depth+1)
}

func (t *tracer) object(open int, typed bool) {
	if !slices.ContainsFunc(t.objs, func(o *object) bool { return o.open == open }) {
		o := t.f.readObject(open)
		o.typed = typed
		t.objs = append(t.objs, o)
	}
}

// name follows a name, used at token i, to its declaration.
func (t *tracer) name(i int, d *decl) error {
	name := t.f.text(i)
	switch {
	case d == nil:
		return t.fail(i, "%s is not declared once in this file", name)
	case d.kind == imported:
		return t.fail(i, "%s comes from another file, which is not read", name)
	case d.kind == parameter:
		return t.fail(i, "%s is a parameter, whose value is not known", d.name)
	case d.kind == other:
		return t.fail(i, "the declaration of %s cannot be followed", d.name)
	case t.seen[d]:
		return nil // config = withX(config)
	case d.kind == funcDecl:
		t.seen[d] = true
		return t.function(d.fn, 1)
	}
	t.seen[d] = true
	return t.variable(d)
}

func (t *tracer) variable(d *decl) error {
	before := len(t.objs)
	if err := t.expr(d.init, len(t.seen)); err != nil {
		return err
	}
	for _, o := range t.objs[before:] {
		o.typed, o.doc = o.typed || d.typed, o.doc || d.doc
	}
	for _, c := range t.f.changes(d) {
		if c.kind == reassigned {
			if err := t.expr(c.value, len(t.seen)); err != nil {
				return err
			}
		}
		t.changes = append(t.changes, c)
	}
	return nil
}

func (t *tracer) function(fn *function, depth int) error {
	if !fn.block {
		return t.expr(fn.body, depth)
	}
	returns, err := t.f.returns(fn)
	if err != nil {
		return err
	}
	if len(returns) == 0 {
		return t.fail(fn.body.start, "the function returns nothing that can be followed")
	}
	for _, r := range returns {
		if err := t.expr(r, depth); err != nil {
			return err
		}
	}
	return nil
}

// call follows a call to the argument that is the configuration: withX(config),
// withX(options)(config), compose([withX], config), plugins.reduce(…, config).
func (t *tracer) call(expr span, depth int) error {
	f := t.f
	open, callee := f.lastCall(expr)
	if open < 0 {
		return t.fail(expr.start, "the configuration is not an object, a function or a call that can be followed")
	}
	args := f.args(open)
	local := t.localFunction(expr, open)
	arg, ok := configArg(f, callee, args)
	if !ok {
		if local != nil {
			return t.function(local, depth)
		}
		return t.fail(expr.start, "%s is called without an argument that could be the configuration", callee)
	}
	err := t.try(func() error { return t.argument(expr, open, callee, arg, depth) })
	if err != nil && local != nil {
		return t.function(local, depth)
	}
	return err
}

// argument follows an argument, if it is a configuration.
func (t *tracer) argument(expr span, open int, callee string, arg span, depth int) error {
	before := len(t.objs)
	if err := t.expr(arg, depth); err != nil {
		return err
	}
	curried := t.f.is(open-1, ")")
	wraps := strings.HasPrefix(callee, "with") || callee == "reduce" || callee == "reduceRight"
	if t.f.lenient || curried || wraps {
		return nil
	}
	for _, o := range t.objs[before:] {
		if !o.typed && !o.doc && !o.looksLikeConfig() {
			return t.fail(expr.start, "nothing says that what %s is called with is Next.js's configuration", callee)
		}
	}
	return nil
}

// localFunction is the function of this file that an expression calls by its name.
func (t *tracer) localFunction(expr span, open int) *function {
	if open != expr.start+1 {
		return nil
	}
	d := t.f.resolve(expr.start)
	switch {
	case d == nil || t.seen[d]:
		return nil
	case d.kind == funcDecl:
		return d.fn
	case d.kind == variable && d.isConst:
		return t.f.functionIn(t.f.trim(d.init))
	}
	return nil
}

// configArg picks the argument that is the configuration.
func configArg(f *file, callee string, args []span) (span, bool) {
	at := 0
	switch {
	case callee == "assign": // the last one wins
		at = len(args) - 1
	case callee == "reduce" || callee == "reduceRight" || len(args) > 0 && f.is(args[0].start, "["):
		at = 1
	}
	if at < 0 || at >= len(args) || f.is(args[at].start, "...") {
		return span{}, false
	}
	return args[at], true
}

// lastCall is the bracket of the call that gives an expression its value, and the
// name that is called. It is -1 if the expression is no call.
func (f *file) lastCall(expr span) (open int, callee string) {
	open = -1
	i := expr.start
	if f.is(i, "(") {
		i = f.toks[i].match + 1
	} else {
		callee = f.text(i)
		i++
	}
	for i < expr.end {
		switch {
		case (f.is(i, ".") || f.is(i, "?.")) && f.isIdent(i+1):
			open, callee, i = -1, f.text(i+1), i+2
		case f.is(i, "("):
			open, i = i, f.toks[i].match+1
		case f.is(i, "["):
			open, i = -1, f.toks[i].match+1
		case f.is(i, "!"):
			i++
		case f.is(i, "<"):
			if i = f.skipAngles(i); i < 0 || !f.is(i, "(") {
				return -1, ""
			}
		default:
			return -1, ""
		}
	}
	return open, callee
}
