package envcheck

import "slices"

// text is the literal text of a node, "" for anything else.
func text(n *Node) string {
	if !isText(n) {
		return ""
	}
	return n.Text
}

// isText reports whether the node is a literal.
func isText(n *Node) bool {
	return n != nil && n.Kind != NodeCall && n.Kind != NodeArray && n.Kind != NodeObject
}

// refName is the name that a ref call refers to.
func refName(n *Node) string {
	if n != nil && n.Kind == NodeCall && n.Text == "ref" && len(n.Args) == 1 && n.Args[0].Name == "" && n.Args[0].Value.Kind == NodeString {
		return n.Args[0].Value.Text
	}
	return ""
}

// inferType is the type of an item that declares none.
func inferType(v *Node) *Type {
	t := &Type{Name: "string"}
	if v == nil {
		return t
	}
	switch v.Kind {
	case NodeArray:
		t.Name = "array"
		for i, a := range v.Args {
			name := inferType(a.Value).Name
			if name != "number" && name != "boolean" || i > 0 && t.Elem.Name != name {
				t.Elem = nil
				break
			}
			t.Elem = &Type{Name: name}
		}
	case NodeObject:
		t.Name = "record"
	default:
		if kind := outcome(v); kind == "number" || kind == "boolean" {
			t.Name = kind
		}
	}
	return t
}

// outcome is the JavaScript type that an expression has for sure, "" when it
// depends. As in env-spec, only the branches of an outermost if() are looked at.
func outcome(n *Node) string {
	switch n.Kind {
	case NodeString:
		return "string"
	case NodeNumber:
		return "number"
	case NodeBool:
		return "boolean"
	case NodeCall:
	default:
		return ""
	}
	switch n.Text {
	case "concat":
		return "string"
	case "eq", "not", "isEmpty", "forEnv":
		return "boolean"
	case "if":
		inner := func(i int) string {
			if v := n.Args[i].Value; v.Kind != NodeCall || v.Text != "if" {
				return outcome(v)
			}
			return ""
		}
		switch {
		case len(n.Args) == 1:
			return "boolean"
		case len(n.Args) == 2:
			return inner(1)
		case len(n.Args) > 2 && inner(1) == inner(2):
			return inner(1)
		}
	}
	return ""
}

// results lists the arguments of a call of which one becomes its value.
func results(n *Node) []Arg {
	switch n.Text {
	case "fallback":
		return n.Args
	case "if":
		if len(n.Args) > 1 {
			return n.Args[1:min(3, len(n.Args))]
		}
	case "ifs", "remap":
		first := 1
		if n.Text == "remap" {
			first = 2
		}
		var out []Arg
		for i := first; i < len(n.Args); i += 2 {
			out = append(out, n.Args[i])
		}
		if last := len(n.Args) - 1; last >= first-1 && (last-first)%2 != 0 {
			return append(out, n.Args[last]) // the default
		} else if n.Text == "remap" {
			return append(out, n.Args[0]) // what matches nothing stays
		}
		return out
	}
	return nil
}

// patternResult finds a regex() that may become the value of an expression, or a part of it.
func patternResult(n *Node) *Node {
	if n == nil || isText(n) {
		return nil
	}
	parts := n.Args // of a collection or a text
	if n.Kind == NodeCall && n.Text != "concat" {
		parts = results(n)
	}
	if n.Kind == NodeCall && n.Text == "regex" {
		return n
	}
	for _, a := range parts {
		if p := patternResult(a.Value); p != nil {
			return p
		}
	}
	return nil
}

// notBool reports an expression that is, in one of its branches, neither true
// nor false nor undefined.
func notBool(n *Node, s *Schema) bool {
	if n == nil || n.Kind == NodeBool || n.Kind == NodeUndefined {
		return false
	}
	if n.Kind != NodeCall {
		return true
	}
	switch n.Text {
	case "ref":
		it := s.Item(refName(n))
		return it != nil && it.Type != nil && it.Type.Name != "boolean"
	case "concat", "regex":
		return true
	case "remap":
		if len(n.Args) > 1 && n.Args[len(n.Args)-1].Name != "" {
			return true // named results are texts
		}
	}
	return slices.ContainsFunc(results(n), func(a Arg) bool { return notBool(a.Value, s) })
}
