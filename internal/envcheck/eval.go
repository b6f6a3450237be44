package envcheck

import (
	"regexp"
	"strings"
)

// valKind is the kind of an evaluated expression.
type valKind int

const (
	valUndefined valKind = iota
	valText
	valPattern
	valUnknown // made elsewhere: present, not checked
)

// val is an evaluated expression. Numbers and truth values are kept as text,
// as they come from files; truthy tells them apart.
type val struct {
	kind valKind
	text string
	re   *regexp.Regexp // of a pattern; nil when RE2 cannot compile it
}

// evaluator evaluates expressions in one environment.
type evaluator struct {
	schema   *Schema
	env      string                          // the current environment's name
	supplied func(key string) (string, bool) // values from files and the process
	visiting map[string]bool                 // keys being evaluated, to stop at a circle
	patterns map[[2]string]*regexp.Regexp    // compiled, by pattern and flags; nil value: not compilable
}

func newEvaluator(s *Schema, env string, supplied func(string) (string, bool)) *evaluator {
	return &evaluator{schema: s, env: env, supplied: supplied, visiting: map[string]bool{}, patterns: map[[2]string]*regexp.Regexp{}}
}

func textVal(s string) val { return val{kind: valText, text: s} }

func boolVal(b bool) val {
	if b {
		return textVal("true")
	}
	return textVal("false")
}

func (v val) empty() bool { return v.kind == valUndefined || v.kind == valText && v.text == "" }

// truthy: false, "", 0 and undefined are false, as in env-spec.
func (v val) truthy() bool {
	return !v.empty() && !(v.kind == valText && (v.text == "false" || v.text == "0"))
}

// key gives the value of a key: supplied, else the default.
func (e *evaluator) key(name string) val {
	it := e.schema.Item(name)
	if v, ok := e.supplied(name); ok {
		if it != nil && it.Type != nil && it.Type.Name == "boolean" {
			if b, ok := parseBool(v); ok {
				return boolVal(b)
			}
		}
		return textVal(v)
	}
	if it == nil && strings.HasPrefix(name, "VARLOCK_") {
		return val{kind: valUnknown}
	}
	if it == nil || it.Value == nil || e.visiting[name] {
		return val{}
	}
	e.visiting[name] = true
	defer delete(e.visiting, name)
	return e.eval(it.Value)
}

// eval evaluates an expression.
func (e *evaluator) eval(n *Node) val {
	if n == nil {
		return val{}
	}
	switch n.Kind {
	case NodeUndefined:
		return val{}
	case NodeRegex:
		return e.pattern(n.Text, n.Flags)
	case NodeArray, NodeObject:
		return val{kind: valUnknown}
	case NodeCall:
		return e.call(n)
	}
	return textVal(n.Text)
}

func (e *evaluator) pattern(p, flags string) val {
	id := [2]string{p, flags}
	re, ok := e.patterns[id]
	if !ok {
		re, _ = compilePattern(p, flags)
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
		if len(n.Args) == 2 && arg(0).truthy() || len(n.Args) == 3 && arg(0).truthy() {
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
		a, b := arg(0), arg(1)
		return boolVal(a.kind == b.kind && a.text == b.text)
	case "not":
		return boolVal(!arg(0).truthy())
	case "isEmpty":
		return boolVal(arg(0).empty())
	case "forEnv":
		for i := range n.Args {
			if arg(i).text == e.env {
				return boolVal(true)
			}
		}
		return boolVal(false)
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
		b.WriteString(v.text)
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
			if matches(in, e.eval(rest[0].Value)) {
				return textVal(rest[0].Name)
			}
			rest = rest[1:]
			continue
		}
		if len(rest) == 1 {
			return e.eval(rest[0].Value)
		}
		if matches(in, e.eval(rest[0].Value)) {
			return e.eval(rest[1].Value)
		}
		rest = rest[2:]
	}
	return in
}

func matches(in, m val) bool {
	if m.kind == valPattern {
		return m.re != nil && m.re.MatchString(in.text)
	}
	return in.kind == m.kind && in.text == m.text
}

// required says whether the item must have a value in this environment.
func (e *evaluator) required(it *Item) bool {
	switch {
	case it.Optional:
		return false
	case it.Required != nil:
		return e.eval(it.Required).truthy()
	}
	return e.schema.requiredByDefault(it)
}
