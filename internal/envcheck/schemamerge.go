package envcheck

import (
	"cmp"
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

// adopt takes over an imported item. Where this schema has the item as well,
// what it says itself counts, and the imported one fills in the rest.
func (s *Schema) adopt(from *Schema, it *Item) {
	from.settle(it)
	it.imported = true
	own := s.byKey[it.Key]
	if own == nil {
		s.byKey[it.Key] = it
		s.Items = append(s.Items, it)
		return
	}
	if it.Key == s.CurrentEnv && it.Value != nil {
		s.redefined = append(s.redefined, it)
	}
	s.settle(own)
	own.fill(it)
}

// settle writes into an item of this file what its header decides on it.
func (s *Schema) settle(it *Item) {
	if it.imported {
		return
	}
	if it.requiredHere == nil && s.says("defaultRequired") {
		b := s.requiredByDefault(it)
		it.requiredHere = &b
	}
	if it.secretHere == nil && s.says("defaultSensitive") {
		b := s.sensitiveByDefault(it)
		it.secretHere = &b
	}
}

// plainRequired is the condition under which an item is required, undefined where
// the default decides; nil where it says nothing.
func (it *Item) plainRequired() *Node {
	switch {
	case it.Optional:
		return boolNode(false)
	case !it.opposite:
		return it.Required
	}
	return unlessUndefined(it.Required)
}

// plainSensitive is the condition under which an item is a secret, undefined where
// the default decides; nil where it says nothing.
func (it *Item) plainSensitive() *Node {
	switch {
	case it.Public:
		return boolNode(false)
	case it.secret != nil:
		return unlessUndefined(it.Sensitive)
	}
	return it.Sensitive
}

// unlessUndefined is the condition not(cond), undefined where cond is.
func unlessUndefined(not *Node) *Node {
	if not.Kind != NodeCall {
		return not
	}
	cond, undefined := not.Args[0].Value, &Node{Kind: NodeUndefined}
	call := func(name string, args ...*Node) *Node {
		n := &Node{Kind: NodeCall, Text: name, Pos: cond.Pos}
		for _, a := range args {
			n.Args = append(n.Args, Arg{Pos: cond.Pos, Value: a})
		}
		return n
	}
	return call("if", call("eq", cond, undefined), undefined, not)
}

// fill takes from another definition of the item what this one leaves open.
func (it *Item) fill(o *Item) {
	switch other := o.plainRequired(); {
	case other == nil:
	case it.Required == nil && !it.Optional:
		it.Required, it.Optional, it.opposite = o.Required, o.Optional, o.opposite
	case !it.Optional && it.Required.Kind != NodeBool: // it may be undefined
		it.Required = &Node{Kind: NodeCall, Text: "fallback", Pos: it.Required.Pos,
			Args: []Arg{{Pos: it.Required.Pos, Value: it.plainRequired()}, {Pos: it.Required.Pos, Value: other}}}
		it.opposite = false
	}
	switch other := o.plainSensitive(); {
	case other == nil:
	case it.Sensitive == nil && !it.Public:
		it.Sensitive, it.Public, it.secret = o.Sensitive, o.Public, o.secret
	case !it.Public && it.Sensitive.Kind != NodeBool:
		it.Sensitive = &Node{Kind: NodeCall, Text: "fallback", Pos: it.Sensitive.Pos,
			Args: []Arg{{Pos: it.Sensitive.Pos, Value: it.plainSensitive()}, {Pos: it.Sensitive.Pos, Value: other}}}
		it.secret = nil
	}
	it.merged = true
	if it.requiredHere == nil {
		it.requiredHere = o.requiredHere
	}
	if it.secretHere == nil {
		it.secretHere = o.secretHere
	}
	declared := it.Type != nil && it.Type.Pos != Pos{}
	if other := o.Type != nil && o.Type.Pos != (Pos{}); !declared && (other || it.Value == nil) {
		it.Type = o.Type
	}
	if it.Value == nil {
		it.Value, it.valueFile = o.Value, cmp.Or(o.valueFile, o.File)
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
	for _, d := range o.Decorators {
		d.file = o.File
		it.inherited = append(it.inherited, d)
	}
	it.inherited = append(it.inherited, o.inherited...)
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
	for _, it := range s.Items {
		if !it.merged {
			continue
		}
		if what := it.noSecret(s.CurrentEnv); what != "" {
			report(it.File, it.Pos, "schema-conflict", it.Key, what+noSecretMessage, noSecretFix)
		}
	}
	for _, it := range s.redefined { // which environment it is decides on the imports
		report(it.File, it.Pos, "schema-import", it.Key, it.Key+" says which environment it is, and has its value before the imports are read", "leave its value here empty")
	}
	check := func(file, key string, n *Node) {
		walkCalls(n, func(n *Node) {
			name := refName(n)
			switch {
			case n.Text == "forEnv" && s.CurrentEnv == "":
				report(file, n.Pos, "schema-function", key, "forEnv() needs @currentEnv in the header", "add # @currentEnv=$NODE_ENV to the header")
			case name != "" && s.byKey[name] == nil && !isBuiltin(name):
				report(file, n.Pos, "schema-reference", key, "$"+name+" is no item of the schema or its imports", didYouMean(name, s.Keys()))
			}
		})
	}
	for _, imp := range s.Imports {
		check(s.Name, "", imp.Enabled)
	}
	for _, it := range s.Items {
		check(cmp.Or(it.valueFile, it.File), it.Key, it.Value)
		for _, d := range it.Decorators {
			check(it.File, it.Key, d.Value)
		}
		for _, d := range it.inherited {
			check(d.file, it.Key, d.Value)
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
