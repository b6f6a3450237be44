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
	for _, d := range it.Decorators {
		if !p.misplaced(d, false, it.Key) {
			continue
		}
		if d.Call && !slices.Contains(repeatable, d.Name) {
			p.report(d.Pos, "schema-decorator", Error, it.Key, "@"+d.Name+" takes a value, not arguments", "write @"+d.Name+"=...")
			continue
		}
		switch d.Name {
		case "required":
			it.Required = orTrue(d)
			p.checkNode(it.Required, it.Key)
		case "optional":
			p.flag(d, it.Key, func(v bool) { it.Optional = v })
		case "sensitive":
			it.Sensitive = sensitiveNode(d)
			p.checkNode(it.Sensitive, it.Key)
		case "public":
			p.flag(d, it.Key, func(v bool) { it.Public = v })
		case "type":
			it.Type = p.typeOf(d.Value, d.Pos, it.Key)
		case "example":
			if it.Example = d.Value; d.Value == nil {
				p.report(d.Pos, "schema-decorator", Error, it.Key, "@example without a value", `write @example="..."`)
			}
		case "docs", "docsUrl":
			p.docs(d, it)
		case "deprecated":
			if it.Deprecated = text(d.Value); it.Deprecated == "" || it.Deprecated == "true" {
				it.Deprecated = "deprecated"
			}
		case "tag":
			p.tags(d, it)
		}
	}
}

func orTrue(d Decorator) *Node {
	if d.Value == nil {
		return &Node{Kind: NodeBool, Text: "true", Pos: d.Pos}
	}
	return d.Value
}

// sensitiveNode takes @sensitive, @sensitive=bool and @sensitive={enabled=bool, ...}.
func sensitiveNode(d Decorator) *Node {
	n := orTrue(d)
	if n.Kind != NodeObject {
		return n
	}
	for _, a := range n.Args {
		if a.Name == "enabled" {
			return a.Value
		}
	}
	return &Node{Kind: NodeBool, Text: "true", Pos: d.Pos}
}

func (p *schemaParser) flag(d Decorator, key string, set func(bool)) {
	if d.Value != nil && d.Value.Kind != NodeBool {
		p.report(d.Pos, "schema-decorator", Error, key, "@"+d.Name+" is true or false", "")
		return
	}
	set(d.Value == nil || d.Value.Text == "true")
}

func (p *schemaParser) docs(d Decorator, it *Item) {
	url := text(d.Value)
	if d.Call {
		if n := len(d.Value.Args); n == 0 || n > 2 {
			p.report(d.Pos, "schema-decorator", Error, it.Key, "@docs takes a URL, or a title and a URL", "")
			return
		}
		url = text(d.Value.Args[len(d.Value.Args)-1].Value)
	} else if d.Name == "docs" && d.Value == nil {
		p.report(d.Pos, "schema-decorator", Error, it.Key, "@docs takes a URL, or a title and a URL", "write @docs(https://...)")
		return
	}
	it.Docs = append(it.Docs, url)
}

func (p *schemaParser) tags(d Decorator, it *Item) {
	if d.Value == nil || !d.Call {
		p.report(d.Pos, "schema-decorator", Error, it.Key, "@tag takes names", "write @tag(web, build)")
		return
	}
	for _, a := range d.Value.Args {
		name := text(a.Value)
		if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != "" {
			p.report(a.Pos, "schema-decorator", Error, it.Key, "a tag is made of letters, digits, _ and -", "")
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
		if _, ok := ruleTable[r.Value]; r.Name == "ignore" && !ok {
			p.report(r.Pos, "schema-rule", Error, key, "ignore names an unknown rule "+r.Value, didYouMean(r.Value, slices.Sorted(maps.Keys(ruleTable))))
		}
	}
}
