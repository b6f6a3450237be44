package envcheck

import (
	"maps"
	"slices"
	"strings"
)

// optKind is what an option of a type takes.
type optKind int

const (
	optText optKind = iota
	optNumber
	optBool
	optPattern
	optList
	optType
)

// typeDef says which options a type has.
type typeDef struct {
	opts  map[string]optKind
	human string // for .env.example
}

var typeDefs = map[string]typeDef{
	"string": {map[string]optKind{"minLength": optNumber, "maxLength": optNumber, "isLength": optNumber, "startsWith": optText,
		"endsWith": optText, "matches": optPattern, "toUpperCase": optBool, "toLowerCase": optBool, "allowEmpty": optBool}, ""},
	"number": {map[string]optKind{"min": optNumber, "max": optNumber, "isInt": optBool, "precision": optNumber,
		"isDivisibleBy": optNumber, "coerceToMinMaxRange": optBool}, "number"},
	"boolean": {nil, "true or false"},
	"url": {map[string]optKind{"prependHttps": optBool, "allowedDomains": optList, "noTrailingSlash": optBool,
		"matches": optPattern}, "URL"},
	"enum":     {nil, "one of"},
	"email":    {map[string]optKind{"normalize": optBool}, "e-mail address"},
	"port":     {map[string]optKind{"min": optNumber, "max": optNumber}, "port number"},
	"ip":       {map[string]optKind{"version": optNumber, "normalize": optBool}, "IP address"},
	"semver":   {nil, "semantic version"},
	"isoDate":  {nil, "ISO date"},
	"uuid":     {nil, "UUID"},
	"md5":      {nil, "MD5 sum in hex"},
	"duration": {map[string]optKind{"output": optText, "min": optText, "max": optText}, "duration such as 30s"},
	"array": {map[string]optKind{"separator": optText, "format": optText, "minLength": optNumber, "maxLength": optNumber,
		"isLength": optNumber, "unique": optBool}, "list"},
	"record": {map[string]optKind{"keyType": optType, "valueType": optType, "separator": optText, "format": optText,
		"entriesMinLength": optNumber, "entriesMaxLength": optNumber, "entriesIsLength": optNumber}, "JSON object"},
	"simple-object": {nil, "JSON object"},
}

// typeOf reads the value of @type; nil when it cannot be used, then nothing is checked.
func (p *schemaParser) typeOf(n *Node, pos Pos, key string) *Type {
	if n == nil {
		p.report(pos, "schema-type", Error, key, "@type without a type", "write @type=string")
		return nil
	}
	if !isText(n) && n.Kind != NodeCall {
		p.report(n.Pos, "schema-type", Error, key, "a type is a name, or a name with options", "write @type=string(minLength=1)")
		return nil
	}
	def, ok := typeDefs[n.Text]
	if !ok {
		names := slices.Sorted(maps.Keys(typeDefs))
		fix := didYouMean(n.Text, names)
		if fix == "" {
			fix = "types: " + strings.Join(names, ", ") + " (types of plugins cannot be used)"
		}
		p.report(n.Pos, "schema-type", Error, key, "unknown type "+n.Text, fix)
		return nil
	}
	t := &Type{Name: n.Text, Pos: n.Pos, Opts: map[string]*Node{}}
	for _, a := range n.Args {
		if a.Name == "" {
			p.typeArg(t, a, key)
			continue
		}
		kind, ok := def.opts[a.Name]
		if !ok {
			p.report(a.Pos, "schema-option", Error, key, "the type "+t.Name+" has no option "+a.Name, didYouMean(a.Name, slices.Sorted(maps.Keys(def.opts))))
			continue
		}
		if t.Opts[a.Name] != nil {
			p.report(a.Pos, "schema-duplicate", Error, key, "the option "+a.Name+" is given twice", "keep one")
		}
		t.Opts[a.Name] = a.Value
		p.typeOption(t, a, kind, key)
	}
	if t.Name == "enum" && len(t.Values) == 0 {
		p.report(n.Pos, "schema-type", Error, key, "enum needs at least one value", "write @type=enum(a, b)")
	}
	return t
}

func (p *schemaParser) typeArg(t *Type, a Arg, key string) {
	switch {
	case t.Name == "enum":
		if !isText(a.Value) {
			p.report(a.Pos, "schema-type", Error, key, "a value of enum is plain text", "quote it")
			return
		}
		t.Values = append(t.Values, a.Value)
	case (t.Name == "array" || t.Name == "record") && t.Elem == nil:
		t.Elem = p.typeOf(a.Value, a.Pos, key)
	case t.Name == "string" && a.Value.Kind == NodeRegex:
		t.Opts["matches"] = a.Value
		p.pattern(a.Value, key)
	default:
		p.report(a.Pos, "schema-option", Error, key, "the type "+t.Name+" takes named options only", "write name=value")
	}
}

// typeOption checks an option's value as far as it is a literal.
func (p *schemaParser) typeOption(t *Type, a Arg, kind optKind, key string) {
	v := a.Value
	switch {
	case kind == optType:
		if typ := p.typeOf(v, a.Pos, key); a.Name == "keyType" {
			t.Key = typ
		} else {
			t.Elem = typ
		}
		return
	case kind == optPattern:
		p.pattern(v, key)
		return
	case v.Kind == NodeCall:
		p.checkNode(v, key)
		return
	}
	want := ""
	switch kind {
	case optNumber:
		if v.Kind != NodeNumber {
			want = "a number"
		}
	case optBool:
		if v.Kind != NodeBool {
			want = "true or false"
		}
	case optList:
		if v.Kind != NodeArray && !isText(v) {
			want = "a list such as [a.com, b.com]"
		}
	case optText:
		if !isText(v) {
			want = "a text"
		} else if (a.Name == "min" || a.Name == "max") && t.Name == "duration" {
			if _, ok := parseDuration(v.Text); !ok {
				want = "a duration such as 30s"
			}
		}
	}
	if want != "" {
		p.report(v.Pos, "schema-option", Error, key, "the option "+a.Name+" of "+t.Name+" is "+want, "")
	}
}

// inferType is the type of an item that declares none.
func inferType(v *Node) *Type {
	t := &Type{Name: "string"}
	if v == nil {
		return t
	}
	switch v.Kind {
	case NodeNumber:
		t.Name = "number"
	case NodeBool:
		t.Name = "boolean"
	case NodeArray:
		t.Name = "array"
	case NodeObject:
		t.Name = "record"
	}
	return t
}
