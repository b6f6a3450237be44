package envcheck

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// itemDecorators sets the fields of an item from its decorators.
func (p *schemaParser) itemDecorators(it *Item) {
	p.twice(it.Decorators, it.Key)
	seen := map[string]bool{}
	for _, d := range it.Decorators {
		if seen[d.Name] && !d.Call { // reported; the first one counts
			continue
		}
		if seen[d.Name] = true; !p.usable(d, false, it.Key) {
			continue
		}
		switch d.Name {
		case "required":
			it.Required, it.opposite = orTrue(d), false
		case "optional":
			it.optional(orTrue(d))
		case "sensitive":
			it.Sensitive = p.sensitive(d, it.Key)
		case "public":
			it.public(orTrue(d))
		case "type":
			it.Type = p.typeOf(d.Value, d.Pos, it.Key)
		case "example":
			if it.Example = d.Value; d.Value == nil {
				p.report(d.Pos, "schema-decorator", Warning, it.Key, "@example without a value", `write @example="..."`)
			}
		case "docs", "docsUrl":
			p.docs(d, it)
		case "deprecated":
			p.deprecated(d, it)
		case "tag":
			p.tags(d, it)
		}
	}
}

func orTrue(d Decorator) *Node {
	if d.Value == nil {
		return &Node{Kind: NodeBool, Text: "true", Raw: "true", Pos: d.Pos}
	}
	return d.Value
}

// negate is the condition not(n), for @optional and @public.
func negate(n *Node) *Node {
	if n.Kind == NodeBool {
		b := boolNode(n.Text != "true")
		b.Pos = n.Pos
		return b
	}
	return &Node{Kind: NodeCall, Text: "not", Args: []Arg{{Pos: n.Pos, Value: n}}, Pos: n.Pos}
}

// optional takes @optional. With a condition it is @required with the
// opposite one, except that undefined leaves the default.
func (it *Item) optional(n *Node) {
	switch n.Kind {
	case NodeBool:
		if it.Optional = n.Text == "true"; !it.Optional {
			it.Required, it.opposite = negate(n), false
		}
	case NodeUndefined:
		it.Required, it.opposite = n, false
	default:
		it.Required, it.opposite = negate(n), true
	}
}

func (it *Item) public(n *Node) {
	switch {
	case n.Kind == NodeBool && n.Text == "true":
		it.Public = true
	case n.Kind == NodeUndefined:
		it.Sensitive = n
	default: // undefined leaves the default, so only false declares a secret
		it.Sensitive = negate(n)
		it.secret = &Node{Kind: NodeCall, Text: "eq", Args: []Arg{{Pos: n.Pos, Value: n}, {Pos: n.Pos, Value: boolNode(false)}}, Pos: n.Pos}
	}
}

// sensitive takes @sensitive, @sensitive=bool and @sensitive={enabled=bool, ...}.
func (p *schemaParser) sensitive(d Decorator, key string) *Node {
	n := orTrue(d)
	if n.Kind != NodeObject {
		return n
	}
	cond := &Node{Kind: NodeBool, Text: "true", Raw: "true", Pos: d.Pos}
	for _, a := range n.Args {
		switch {
		case a.Name != "enabled" && a.Name != "preventLeaks" && a.Name != "allowShortValue":
			p.report(a.Pos, "schema-decorator", Error, key, "@sensitive has no option "+a.Name, didYouMean(a.Name, []string{"enabled", "preventLeaks", "allowShortValue"}))
		case notBool(a.Value, p.schema) || a.Value.Kind == NodeUndefined:
			p.report(a.Value.Pos, "schema-decorator", Error, key, "the option "+a.Name+" of @sensitive is true or false", "")
		case a.Name == "enabled":
			cond = a.Value
		}
	}
	return cond
}

// conditions checks what decides whether an item is required or sensitive:
// true, false or, for the default, undefined.
func (p *schemaParser) conditions(it *Item) {
	for _, d := range it.Decorators {
		switch d.Name {
		case "required", "optional", "sensitive", "public", "dynamic", "static":
		default:
			continue
		}
		v := d.Value
		if d.Call || v == nil || d.Name == "sensitive" && v.Kind == NodeObject || !notBool(v, p.schema) {
			continue
		}
		rule, fix := "schema-decorator", ""
		if v.Kind == NodeCall {
			rule, fix = "schema-function", "compare: eq($NAME, value), or not(isEmpty($NAME))"
		}
		p.report(v.Pos, rule, Error, it.Key, "@"+d.Name+" is true or false", fix)
	}
}

// plausible reports @sensitive where no secret can be.
func (p *schemaParser) plausible(it *Item) {
	if what := it.noSecret(p.schema.CurrentEnv); what != "" {
		p.report(it.Sensitive.Pos, "schema-conflict", Error, it.Key, what+noSecretMessage, noSecretFix)
	}
}

const (
	noSecretMessage = " cannot be sensitive: it is never masked in logs"
	noSecretFix     = "write @public, or give it @type=string"
)

// noSecret says what an item is that is declared a secret but can be none. It also
// notes, for the check of the value, on what condition the item was declared a secret.
func (it *Item) noSecret(currentEnv string) string {
	n := it.Sensitive
	if it.Type != nil {
		it.Type.secret = nil
	}
	if it.Public || n == nil || n.Kind == NodeUndefined || n.Kind == NodeBool && n.Text == "false" || it.Type == nil {
		return ""
	}
	if it.Type.secret = n; it.secret != nil {
		it.Type.secret = it.secret
	}
	switch it.Type.Name {
	case "boolean", "number", "port", "duration":
		return "a " + it.Type.Name
	}
	if it.Key == currentEnv {
		return "the name of the environment"
	}
	return ""
}

func (p *schemaParser) docs(d Decorator, it *Item) {
	if !d.Call {
		p.report(d.Pos, "schema-deprecated", Warning, it.Key, "@docsUrl is the old spelling of @docs", "write @docs("+text(d.Value)+")")
		it.Docs = append(it.Docs, text(d.Value))
		return
	}
	if n := len(d.Value.Args); n == 0 || n > 2 {
		p.report(d.Pos, "schema-decorator", Warning, it.Key, "@docs takes a URL, or a title and a URL", "write @docs(https://...)")
		return
	}
	it.Docs = append(it.Docs, text(d.Value.Args[len(d.Value.Args)-1].Value))
}

func (p *schemaParser) deprecated(d Decorator, it *Item) {
	switch v := orTrue(d); {
	case v.Kind == NodeBool && v.Text == "true", v.Kind == NodeString && v.Text == "":
		it.Deprecated = "deprecated"
	case v.Kind == NodeString:
		it.Deprecated = v.Text
	}
}

func (p *schemaParser) tags(d Decorator, it *Item) {
	if len(d.Value.Args) == 0 {
		p.report(d.Pos, "schema-decorator", Error, it.Key, "@tag takes names", "write @tag(web, build)")
		return
	}
	for _, a := range d.Value.Args {
		name := text(a.Value)
		first := name != "" && (isIdentStart(name[0]) || name[0] >= '0' && name[0] <= '9')
		if a.Name != "" || !first || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			p.report(a.Pos, "schema-decorator", Error, it.Key, "a tag begins with a letter or digit, and is made of letters, digits, _ and -", "")
			continue
		}
		it.Tags = append(it.Tags, name)
	}
}

// HasTag reports whether the item carries the tag.
func (it *Item) HasTag(tag string) bool { return slices.Contains(it.Tags, tag) }

// Rule finds an opsctl rule of the item.
func (it *Item) Rule(name string) (Rule, bool) {
	for _, r := range it.Rules {
		if r.Name == name {
			return r, true
		}
	}
	return Rule{}, false
}

// extensionRule says how an opsctl rule is written.
type extensionRule struct {
	value bool
	usage string
	check func(value string) string // what is wrong with the value, "" for nothing
	ref   bool                      // the value names a key
}

var extensionRules = map[string]extensionRule{
	"pair":           {value: true, usage: "pair=KEY", ref: true},
	"same-host-not":  {value: true, usage: "same-host-not=KEY", ref: true},
	"base64":         {value: true, usage: "base64=BYTES", check: checkCount},
	"hex":            {value: true, usage: "hex=BYTES", check: checkCount},
	"pooled":         {usage: "pooled"},
	"direct":         {usage: "direct"},
	"allow-local":    {usage: "allow-local"},
	"allow-test-key": {usage: "allow-test-key"},
	"phase":          {value: true, usage: "phase=build or phase=runtime", check: checkPhase},
	"expires":        {value: true, usage: "expires=YYYY-MM-DD", check: checkDate},
	"ignore":         {value: true, usage: "ignore=RULE reason"},
}

func checkCount(v string) string {
	if len(v) > 5 || v == "0" || strings.Trim(v, "0123456789") != "" {
		return "the number of bytes is a positive number"
	}
	return ""
}

func checkPhase(v string) string {
	if v != "build" && v != "runtime" {
		return "a phase is build or runtime"
	}
	return ""
}

func checkDate(v string) string {
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		return "not a date"
	}
	return ""
}

// checkRules checks that the keys and rules named by opsctl rules exist; the header's have no key.
func (p *schemaParser) checkRules(rules []Rule, key string) {
	for _, r := range rules {
		if extensionRules[r.Name].ref && p.schema.byKey[r.Value] == nil {
			p.report(r.Pos, "schema-reference", Error, key, r.Name+" names "+r.Value+", which is no item of this file", didYouMean(r.Value, p.schema.Keys()))
		}
		if _, ok := silenceable()[r.Value]; r.Name == "ignore" && !ok {
			p.report(r.Pos, "schema-rule", Error, key, "ignore names an unknown rule "+r.Value, didYouMean(r.Value, slices.Sorted(maps.Keys(silenceable()))))
		}
	}
}
