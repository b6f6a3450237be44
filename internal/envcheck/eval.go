package envcheck

import (
	"regexp"
	"slices"
	"strings"
)

// valKind is the kind of an evaluated expression.
type valKind int

const (
	valUndefined valKind = iota
	valNull              // of JSON
	valText              // a text, a number or a truth value
	valPattern
	valArray
	valObject
	valUnknown // made elsewhere: present, not checked
)

// val is an evaluated expression, as JavaScript would hold it: 3 and "3" differ.
type val struct {
	kind   valKind
	text   string
	scalar NodeKind       // of a text: NodeString, NodeNumber or NodeBool
	num    float64        // of a number
	list   []val          // of an array, or the values of an object
	names  []string       // of an object
	origin string         // of a collection: the key that holds it; two are one only if it is the same
	re     *regexp.Regexp // of a pattern; nil where RE2 cannot match it
}

// evaluator evaluates expressions in one environment.
type evaluator struct {
	schema   *Schema
	env      string                          // the current environment's name
	supplied func(key string) (string, bool) // values from files and the process
	known    map[string]val                  // the values of keys that were evaluated
	own      map[string]val                  // and those that the schema itself gives
	visiting map[string]bool                 // keys being evaluated, to stop at a circle
	large    map[string]bool                 // keys whose own value has no end in sight
	patterns map[[2]string]*regexp.Regexp    // compiled, by pattern and flags; nil value: not compilable
}

func newEvaluator(s *Schema, env string, supplied func(string) (string, bool)) *evaluator {
	return &evaluator{schema: s, env: env, supplied: supplied, known: map[string]val{}, own: map[string]val{},
		visiting: map[string]bool{}, large: map[string]bool{}, patterns: map[[2]string]*regexp.Regexp{}}
}

func textVal(s string) val { return val{kind: valText, text: s} }

func numberVal(f float64) val {
	return val{kind: valText, text: jsNumber(f), scalar: NodeNumber, num: f}
}

func boolVal(b bool) val {
	v := val{kind: valText, text: "false", scalar: NodeBool}
	if b {
		v.text = "true"
	}
	return v
}

// unquoted gives a text the kind that it has in a file without quotes.
func unquoted(s string) val {
	switch {
	case s == "true" || s == "false":
		return boolVal(s == "true")
	case isPlainNumber(s):
		f, _ := parseFloat(s)
		return numberVal(f)
	}
	return textVal(s)
}

func (v val) empty() bool {
	return v.kind == valUndefined || v.kind == valText && v.scalar == NodeString && v.text == ""
}

// truthy: false, "", 0 and undefined are false, as in JavaScript; "false" is a text, so it is true.
func (v val) truthy() bool {
	switch {
	case v.empty():
		return false
	case v.kind == valText && v.scalar == NodeBool:
		return v.text == "true"
	case v.kind == valText && v.scalar == NodeNumber:
		return v.num != 0
	}
	return true
}

// same is JavaScript's ===.
func (v val) same(o val) bool {
	switch {
	case v.kind != o.kind:
		return false
	case v.kind == valArray || v.kind == valObject:
		return v.origin != "" && v.origin == o.origin
	}
	return v.kind == valUndefined || v.kind == valText && v.scalar == o.scalar && v.text == o.text
}

const (
	// maxReferences bounds how many references deep a value may hang on others.
	maxReferences = 10_000
	// maxValue bounds the bytes that a schema may make one value of.
	maxValue = 1 << 20
)

// key gives the value of a key, supplied or else the default, in the form that its type
// gives it. Each key is evaluated once: what refers to it twice must not cost twice.
func (e *evaluator) key(name string) val {
	if v, ok := e.known[name]; ok {
		return v
	}
	v := e.find(name)
	e.known[name] = v
	return v
}

func (e *evaluator) find(name string) val {
	it := e.schema.Item(name)
	v, ok := e.supplied(name)
	switch {
	case ok && it == nil:
		return textVal(v)
	case ok && it.Type != nil && it.Type.Pos == (Pos{}):
		// Without a declared type it is what it would be in a file without quotes, wherever
		// it comes from: whether a flag is set must not depend on which of them holds it.
		return unquoted(v)
	case ok:
		return e.guarded(it, func() val { return e.typed(it, textVal(v)) })
	case it == nil && isBuiltin(name):
		return val{kind: valUnknown}
	case it == nil:
		return val{}
	}
	return e.ownValue(it)
}

// ownValue is the value that the schema itself gives an item.
func (e *evaluator) ownValue(it *Item) val {
	if v, ok := e.own[it.Key]; ok {
		return v
	}
	v := e.guarded(it, func() val { return e.typed(it, e.eval(it.Value)) })
	if !e.visiting[it.Key] {
		e.own[it.Key] = v
	}
	return v
}

// guarded evaluates an item unless that is under way already, which is a circle, or
// hangs on too many others; a value that is too large counts as made elsewhere.
func (e *evaluator) guarded(it *Item, value func() val) val {
	switch {
	case e.visiting[it.Key]:
		return val{}
	case len(e.visiting) >= maxReferences:
		e.large[it.Key] = true
		return val{kind: valUnknown}
	}
	e.visiting[it.Key] = true
	defer delete(e.visiting, it.Key)
	v := value()
	v.origin = it.Key
	if len(v.text) > maxValue {
		e.large[it.Key] = true
		return val{kind: valUnknown}
	}
	return v
}

// absent reports that the schema itself gives an item no value: none, an
// empty text, or white space where a list belongs.
func (e *evaluator) absent(it *Item) bool {
	v := e.eval(it.Value)
	return v.empty() || e.typed(it, v).kind == valUndefined
}

// typed brings a value into the form of its type; one that does not fit stays as it is.
func (e *evaluator) typed(it *Item, v val) val {
	if v.kind == valText && v.empty() && compound(it.Type) {
		return val{} // an empty text is no list and no object
	}
	if it.Type == nil || v.empty() || v.kind == valUnknown || v.kind == valPattern {
		return v
	}
	if out, bad := e.coerce(it.Type, v); bad.msg == "" {
		return out
	}
	return v
}

// eval evaluates an expression.
func (e *evaluator) eval(n *Node) val {
	if n == nil {
		return val{}
	}
	switch n.Kind {
	case NodeUndefined:
		return val{}
	case NodeNumber:
		f, _ := parseFloat(n.Text)
		return numberVal(f)
	case NodeBool:
		return boolVal(n.Text == "true")
	case NodeArray, NodeObject:
		v := val{kind: valArray}
		if n.Kind == NodeObject {
			v.kind = valObject
		}
		for _, a := range n.Args {
			m := e.eval(a.Value)
			if m.kind == valUnknown {
				return m
			}
			v.set(a.Name, m)
		}
		v.text = v.join()
		return v
	case NodeCall:
		return e.call(n)
	}
	return textVal(n.Text)
}

// set adds a member; in an object the later of two with one name counts.
func (v *val) set(name string, m val) {
	if i := slices.Index(v.names, name); v.kind == valObject && i >= 0 {
		v.list[i] = m
		return
	}
	v.list = append(v.list, m)
	if v.kind == valObject {
		v.names = append(v.names, name)
	}
}

// join is what a collection looks like within a text.
func (v val) join() string {
	if v.kind == valObject {
		return "[object Object]"
	}
	parts := make([]string, len(v.list))
	for i, m := range v.list {
		parts[i] = m.text
	}
	return strings.Join(parts, ",")
}

func (e *evaluator) pattern(p, flags string) val {
	id := [2]string{p, flags}
	re, ok := e.patterns[id]
	if !ok {
		re = compilePattern(p, flags)
		e.patterns[id] = re
	}
	return val{kind: valPattern, text: p, re: re}
}

func (e *evaluator) call(n *Node) val {
	arg := func(i int) val {
		if i < len(n.Args) {
			return e.eval(n.Args[i].Value)
		}
		return val{}
	}
	if def, ok := functions[n.Text]; !ok || len(n.Args) < def.min {
		return val{kind: valUnknown}
	}
	switch n.Text {
	case "ref":
		return e.key(refName(n))
	case "concat":
		return e.concat(n)
	case "fallback":
		for i := range n.Args {
			if v := arg(i); !v.empty() {
				return v
			}
		}
		return val{}
	case "if":
		switch yes := arg(0).truthy(); {
		case len(n.Args) == 1:
			return boolVal(yes)
		case yes:
			return arg(1)
		}
		return arg(2)
	case "ifs":
		for i := 0; i+1 < len(n.Args); i += 2 {
			if arg(i).truthy() {
				return arg(i + 1)
			}
		}
		if len(n.Args)%2 == 1 {
			return arg(len(n.Args) - 1)
		}
		return val{}
	case "eq":
		return boolVal(arg(0).same(arg(1)))
	case "not":
		return boolVal(!arg(0).truthy())
	case "isEmpty":
		return boolVal(arg(0).empty())
	case "forEnv":
		return boolVal(slices.ContainsFunc(n.Args, func(a Arg) bool { return e.eval(a.Value).text == e.env }))
	case "regex":
		return e.pattern(arg(0).text, regexFlags(n))
	case "remap":
		return e.remap(n)
	}
	return val{kind: valUnknown}
}

func (e *evaluator) concat(n *Node) val {
	var b strings.Builder
	for _, a := range n.Args {
		v := e.eval(a.Value)
		if v.kind == valUnknown {
			return v
		}
		if b.WriteString(v.text); b.Len() > 2*maxValue {
			break // more is too much for its key anyhow
		}
	}
	return textVal(b.String())
}

// remap is remap(value, match, result, ..., default); a match is exact or a
// pattern. The older form names results: remap(value, result=match).
func (e *evaluator) remap(n *Node) val {
	in := e.eval(n.Args[0].Value)
	if in.kind == valUnknown {
		return in
	}
	rest := n.Args[1:]
	for len(rest) > 0 {
		if rest[0].Name != "" {
			if e.matches(in, e.eval(rest[0].Value)) {
				return textVal(rest[0].Name)
			}
			rest = rest[1:]
			continue
		}
		if len(rest) == 1 {
			return e.eval(rest[0].Value)
		}
		if e.matches(in, e.eval(rest[0].Value)) {
			return e.eval(rest[1].Value)
		}
		rest = rest[2:]
	}
	return in
}

func (e *evaluator) matches(in, m val) bool {
	if m.kind == valText && m.scalar == NodeString {
		if pattern, flags, ok := regexLiteral(m.text); ok && validPattern(pattern, flags) {
			m = e.pattern(pattern, flags)
		}
	}
	if m.kind == valPattern {
		if in.kind == valUndefined || m.re == nil {
			return false
		}
		match, _ := matchPattern(m.re, in.text)
		return match
	}
	return in.same(m)
}

// required says whether the item must have a value in this environment.
func (e *evaluator) required(it *Item) bool {
	if it.Optional {
		return false
	}
	if cond := it.Required; cond != nil {
		if it.opposite {
			cond = cond.Args[0].Value
		}
		switch v := e.eval(cond); {
		case v.kind == valUndefined:
		case it.opposite:
			return !v.truthy()
		default:
			return v.truthy()
		}
	}
	return e.schema.requiredByDefault(it)
}
