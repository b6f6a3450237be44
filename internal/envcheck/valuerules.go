package envcheck

import (
	"strings"
)

// valueRules checks the value that counts for each key of the schema, then keys together.
func (c *checker) valueRules() {
	var unknown []string
	listed := false
	for _, it := range c.schema.Items {
		v := c.values[it.Key]
		switch {
		case it.Key == "NODE_ENV" && c.opts.Process["NODE_ENV"] == "":
			continue // rule node-env
		case v == nil:
			if !c.needed(it) {
				c.defaultValue(it)
				continue
			}
			if len(c.unread) > 0 { // it may well be there
				c.skipped++
				continue
			}
			if !listed {
				unknown, listed = c.unknownKeys(), true
			}
			c.missing(it, unknown)
		case c.opts.NamesOnly:
		case v.text == "", c.eval.blank(it, v.text):
			c.emptyValue(it, v)
		default:
			c.value(it, v)
		}
	}
	if !c.opts.NamesOnly {
		c.crossRules()
	}
	c.envFlag()
	c.phaseRules()
}

// needed reports whether a key without a value in file and process has to have one.
func (c *checker) needed(it *Item) bool {
	if r, ok := it.Rule("phase"); ok && c.opts.Phase != "" && r.Value != c.opts.Phase {
		return false
	}
	if !c.eval.required(it) || c.elsewhere(it.Key) {
		return false
	}
	return c.eval.absent(it)
}

func (c *checker) elsewhere(key string) bool {
	return c.opts.Elsewhere != nil && c.opts.Elsewhere(key)
}

// missing reports a required key that has no value, at its place in the schema.
func (c *checker) missing(it *Item, unknown []string) {
	where := "is in no file"
	if names := c.fileNames(); names != "" {
		where = "is not in " + names
	}
	if c.opts.Process != nil {
		where += " nor in the process environment"
	}
	fix := "add " + it.Key + "= with its value"
	if len(c.files) > 0 {
		fix += " to " + c.files[0].name
	}
	if c.maySuggest(len(unknown)) {
		if s := suggest(it.Key, unknown); s != "" {
			fix = "is " + s + " meant? rename it"
		}
	}
	c.add(Finding{File: it.File, Line: it.Pos.Line, Col: it.Pos.Col, Rule: "required", Level: Error, Key: it.Key,
		Message: it.Key + " is required" + c.inEnv(it) + " but " + where, Fix: fix})
}

func (c *checker) fileNames() string {
	var names []string
	for _, l := range c.files {
		names = append(names, l.name)
	}
	return strings.Join(names, ", ")
}

// inEnv names the environment where the requirement depends on it.
func (c *checker) inEnv(it *Item) string {
	if it.Required != nil && it.Required.Kind == NodeCall {
		return " in " + c.eval.env
	}
	return ""
}

func (c *checker) emptyValue(it *Item, v *value) {
	if c.elsewhere(it.Key) {
		return
	}
	if c.eval.required(it) {
		if len(c.unread) > 0 && v.file != ProcessName { // an unread file may set it, or what it refers to
			c.skipped++
			return
		}
		c.at(v, "required", Error, "is required"+c.inEnv(it)+" but empty", "give it a value")
		return
	}
	if strings.Trim(v.raw, "\"'` ") != "" { // something is written there: why it is read as nothing is another rule's
		return
	}
	if it.Type != nil && c.eval.opt(it.Type, "allowEmpty").truthy() { // of no help to a required one, as in varlock
		return
	}
	if it.Type != nil {
		switch it.Type.Name {
		case "number", "port", "boolean", "duration":
			c.at(v, "empty", Warning, "is set but empty: what reads it as a "+it.Type.Name+" gets an empty text and not the default; Python's int() raises an error, JavaScript's Number() gives 0",
				"remove the line, or give it a value")
			return
		}
	}
	c.at(v, "empty", Info, "is set but empty", "remove the line")
}

// defaultValue checks the schema's own value against its type.
func (c *checker) defaultValue(it *Item) {
	v := c.eval.eval(it.Value)
	if c.eval.large[it.Key] {
		c.add(Finding{File: it.File, Line: it.ValuePos.Line, Col: it.ValuePos.Col, Rule: "schema-default", Level: Error, Key: it.Key,
			Message: "the default of " + it.Key + " has no end in sight: it has more than " + itoa(maxReferences) + " references in a row, or more than 1 MiB", Fix: "write it out"})
		return
	}
	if v.empty() || c.opts.NamesOnly {
		return
	}
	if p := c.eval.check(it.Type, v); p.msg != "" {
		c.add(Finding{File: it.File, Line: it.ValuePos.Line, Col: it.ValuePos.Col, Rule: "schema-default", Level: p.level, Key: it.Key,
			Message: "the default of " + it.Key + " " + p.msg, Fix: p.fix})
	}
}

// value checks one value. The rules that know what was meant come before the
// type, which could only say that something does not match.
func (c *checker) value(it *Item, v *value) {
	c.swapped(v)
	c.placeholder(it, v)
	c.shape(v)
	c.keyMode(it, v)
	c.publishable(v)
	c.urlPassword(v)
	if !c.failed[it.Key] {
		if p := c.eval.checkType(it.Type, v.text); p.msg != "" {
			c.at(v, "type", p.level, p.msg, c.typeFix(it, v, p))
		}
	}
	if !c.failed[it.Key] {
		c.urlRules(it, v)
	}
	c.publicSecret(v)
	c.extension(it, v)
}

// typeFix adds did-you-mean for an enum whose value may be shown.
func (c *checker) typeFix(it *Item, v *value, p problem) string {
	if it.Type.Name != "enum" || c.schema.IsSensitive(it) {
		return p.fix
	}
	var names []string
	for _, n := range it.Type.Values {
		names = append(names, n.Text)
	}
	return didYouMean(v.text, names)
}

// shape reports blanks around a value and quotes inside it.
func (c *checker) shape(v *value) {
	t := v.text
	switch {
	case strings.TrimSpace(t) != t:
		c.at(v, "whitespace", Warning, "begins or ends with white space", "remove it; in quotes it is part of the value")
	case len(t) > 1 && (t[0] == '"' || t[0] == '\'') && t[len(t)-1] == t[0]:
		c.at(v, "nested-quotes", Warning, "has quotes inside the value", "platforms take quotes as data: paste the value without them")
	case len(t) > 1 && t[0] == '#' && isBlank(t[1]):
		c.at(v, "comment-value", Warning, "is a comment: where a value is missing, it looks set", "give it a value, or leave it out; a comment stands on a line of its own")
	}
}
