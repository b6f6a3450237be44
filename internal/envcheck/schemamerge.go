package envcheck

import (
	"slices"
	"strings"
)

// takes reports whether an import brings in a key. A name in pick or omit may
// hold * and ?.
func (imp Import) takes(key string) bool {
	named := func(patterns []string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool { return globMatch(p, key) })
	}
	return key != "" && (len(imp.Pick) == 0 || named(imp.Pick)) && !named(imp.Omit)
}

// globMatch matches a name with * for any characters and ? for one. It goes back to
// the last star only, so that it takes no longer than the product of the lengths.
func globMatch(pattern, name string) bool {
	p, n, star, from := 0, 0, -1, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == name[n]):
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}

// says reports whether the header holds a decorator.
func (s *Schema) says(name string) bool {
	return slices.ContainsFunc(s.Header, func(d Decorator) bool { return d.Name == name })
}

// adopt takes over an imported item; what its own header decided is written
// into it. Where this schema has the item as well, what it says itself counts,
// and the imported one fills in the rest.
func (s *Schema) adopt(from *Schema, it *Item) {
	own := s.byKey[it.Key]
	if own != nil && from.says("defaultRequired") && !s.says("defaultRequired") || own == nil {
		it.settleRequired(from)
	}
	if own != nil && from.says("defaultSensitive") && !s.says("defaultSensitive") || own == nil {
		it.settleSensitive(from)
	}
	if own != nil {
		if it.Key == s.CurrentEnv && it.Value != nil {
			s.redefined = append(s.redefined, it)
		}
		own.fill(it)
		return
	}
	s.byKey[it.Key] = it
	s.Items = append(s.Items, it)
}

func (it *Item) settleRequired(s *Schema) {
	if it.Required == nil && !it.Optional {
		it.Optional = !s.requiredByDefault(it)
		it.Required = boolNode(!it.Optional)
	}
}

func (it *Item) settleSensitive(s *Schema) {
	it.Public = !s.IsSensitive(it)
	if !it.Public && it.Sensitive == nil {
		it.Sensitive = boolNode(true)
	}
}

// fill takes from another definition of the item what this one leaves open.
func (it *Item) fill(o *Item) {
	if it.Required == nil && !it.Optional {
		it.Required, it.Optional, it.opposite = o.Required, o.Optional, o.opposite
	}
	if it.Sensitive == nil && !it.Public {
		it.Sensitive, it.Public = o.Sensitive, o.Public
	}
	declared := it.Type != nil && it.Type.Pos != Pos{}
	if other := o.Type != nil && o.Type.Pos != (Pos{}); !declared && (other || it.Value == nil) {
		it.Type = o.Type
	}
	if it.Value == nil {
		it.Value = o.Value
	}
	if it.Example == nil {
		it.Example = o.Example
	}
	if len(it.Description) == 0 {
		it.Description = o.Description
	}
	if it.Deprecated == "" {
		it.Deprecated = o.Deprecated
	}
	it.Docs = append(it.Docs, o.Docs...)
	it.Tags = append(it.Tags, o.Tags...)
	it.inherited = append(it.inherited, o.Decorators...)
}

func boolNode(b bool) *Node {
	n := &Node{Kind: NodeBool, Text: "false", Raw: "false"}
	if b {
		n.Text, n.Raw = "true", "true"
	}
	return n
}

// references checks, once the imports are there, that each $NAME is an item
// and that forEnv() has an environment.
func (l *loader) references(s *Schema) {
	report := func(file string, pos Pos, rule, key, msg, fix string) {
		l.findings = append(l.findings, Finding{File: file, Line: pos.Line, Col: pos.Col, Rule: rule, Level: Error, Key: key, Message: msg, Fix: fix})
	}
	if s.CurrentEnv != "" && s.byKey[s.CurrentEnv] == nil && !isBuiltin(s.CurrentEnv) {
		for _, d := range s.Header {
			if d.Name == "currentEnv" {
				report(s.Name, d.Value.Pos, "schema-reference", "", "@currentEnv names "+s.CurrentEnv+", which is no item of the schema or its imports", didYouMean(s.CurrentEnv, s.Keys()))
			}
		}
	}
	for _, it := range s.redefined { // which environment it is decides on the imports
		report(it.File, it.Pos, "schema-import", it.Key, it.Key+" says which environment it is, and has its value before the imports are read", "leave its value here empty")
	}
	for _, it := range s.Items {
		nodes := []*Node{it.Value}
		for _, d := range it.Decorators {
			nodes = append(nodes, d.Value)
		}
		for _, n := range nodes {
			walkCalls(n, func(n *Node) {
				name := refName(n)
				switch {
				case n.Text == "forEnv" && s.CurrentEnv == "":
					report(it.File, n.Pos, "schema-function", it.Key, "forEnv() needs @currentEnv in the header", "add # @currentEnv=$NODE_ENV to the header")
				case name != "" && s.byKey[name] == nil && !isBuiltin(name):
					report(it.File, n.Pos, "schema-reference", it.Key, "$"+name+" is no item of the schema or its imports", didYouMean(name, s.Keys()))
				}
			})
		}
	}
}

// walkCalls visits each call within an expression.
func walkCalls(n *Node, visit func(*Node)) {
	if n == nil {
		return
	}
	if n.Kind == NodeCall {
		visit(n)
	}
	for _, a := range n.Args {
		walkCalls(a.Value, visit)
	}
}
