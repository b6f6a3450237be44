package envcheck

import (
	"maps"
	"math"
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
	optDomains
	optType
	optVersion
	optDigits
	optUnit
	optDuration
	optSeparator
	optFormat
)

// typeDef says which options a type has.
type typeDef struct {
	opts  map[string]optKind
	human string // for .env.example
}

var typeDefs = map[string]typeDef{
	"string": {map[string]optKind{"minLength": optNumber, "maxLength": optNumber, "isLength": optNumber, "startsWith": optText,
		"endsWith": optText, "matches": optPattern, "toUpperCase": optBool, "toLowerCase": optBool, "allowEmpty": optBool}, ""},
	"number": {map[string]optKind{"min": optNumber, "max": optNumber, "isInt": optBool, "precision": optDigits,
		"isDivisibleBy": optNumber, "coerceToMinMaxRange": optBool}, "number"},
	"boolean": {nil, "true or false"},
	"url": {map[string]optKind{"prependHttps": optBool, "allowedDomains": optDomains, "allowedProtocols": optList, "noTrailingSlash": optBool,
		"matches": optPattern}, "URL"},
	"domain": {map[string]optKind{"allowWildcard": optBool, "allowSingleLabel": optBool, "allowIp": optBool, "allowIpV6": optBool,
		"normalize": optBool, "matches": optPattern}, "domain name"},
	"enum":     {nil, "one of"},
	"email":    {map[string]optKind{"normalize": optBool}, "e-mail address"},
	"port":     {map[string]optKind{"min": optNumber, "max": optNumber}, "port number"},
	"ip":       {map[string]optKind{"version": optVersion, "normalize": optBool}, "IP address"},
	"semver":   {nil, "semantic version"},
	"isoDate":  {nil, "ISO date"},
	"uuid":     {nil, "UUID"},
	"md5":      {nil, "MD5 sum in hex"},
	"duration": {map[string]optKind{"output": optUnit, "min": optDuration, "max": optDuration}, "duration such as 30s"},
	"array": {map[string]optKind{"separator": optSeparator, "format": optFormat, "minLength": optNumber, "maxLength": optNumber,
		"isLength": optNumber, "unique": optBool}, "list"},
	"record":        {map[string]optKind{"keyType": optType, "entriesMinLength": optNumber, "entriesMaxLength": optNumber, "entriesIsLength": optNumber}, "JSON object"},
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
	if _, isFunc := functions[n.Text]; isFunc && n.Kind == NodeCall {
		p.report(n.Pos, "schema-plugin", Error, key, "a type that depends on "+n.Text+"() is decided by varlock at run time; opsctl reads the static part of env-spec only",
			"let an option depend on it: @type=url(matches=if(...))")
		return nil
	}
	if !ok {
		names := slices.Sorted(maps.Keys(typeDefs))
		fix := didYouMean(n.Text, names)
		if fix == "" {
			fix = "types: " + strings.Join(names, ", ") + " (types of plugins cannot be used)"
		}
		p.report(n.Pos, "schema-type", Error, key, "unknown type "+n.Text, fix)
		return nil
	}
	if n.Text == "enum" && n.Kind != NodeCall {
		p.report(n.Pos, "schema-type", Error, key, "enum needs at least one value", "write @type=enum(a, b)")
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
			rule := "schema-option" // varlock reads on, without the option
			if t.Name == "array" || t.Name == "record" || t.Name == "enum" {
				rule = "schema-type"
			}
			p.report(a.Pos, rule, Error, key, "the type "+t.Name+" has no option "+a.Name, didYouMean(a.Name, slices.Sorted(maps.Keys(def.opts))))
			continue
		}
		if t.Opts[a.Name] != nil {
			p.report(a.Pos, "schema-duplicate", Error, key, "the option "+a.Name+" is given twice", "keep one")
			continue
		}
		t.Opts[a.Name] = a.Value
		p.typeOption(t, a, kind, key)
	}
	if t.Name == "enum" && len(n.Args) == 0 {
		p.report(n.Pos, "schema-type", Error, key, "enum needs at least one value", "write @type=enum(a, b)")
	}
	return t
}

func (p *schemaParser) typeArg(t *Type, a Arg, key string) {
	switch t.Name {
	case "enum":
		if !isText(a.Value) {
			if _, isFunc := functions[a.Value.Text]; isFunc && a.Value.Kind == NodeCall {
				p.report(a.Pos, "schema-plugin", Error, key, "a value of enum that depends on "+a.Value.Text+"() is made by varlock at run time; opsctl reads the static part of env-spec only",
					"write the values themselves")
				return
			}
			p.report(a.Pos, "schema-type", Error, key, "a value of enum is plain text", "quote it")
			return
		}
		t.Values = append(t.Values, a.Value)
	case "array", "record":
		if t.Elem != nil {
			p.report(a.Pos, "schema-type", Error, key, t.Name+" takes one type of elements", "write array(enum(a, b)) for a choice")
			return
		}
		t.Elem = p.typeOf(a.Value, a.Pos, key)
	default:
		p.report(a.Pos, "schema-option", Error, key, "the type "+t.Name+" takes named options only", "write name=value")
	}
}

// typeOption checks an option's value as far as it is a literal. What varlock
// refuses in array and record is schema-type; elsewhere it ignores what it cannot use.
func (p *schemaParser) typeOption(t *Type, a Arg, kind optKind, key string) {
	v := a.Value
	switch {
	case kind == optType:
		if v.Kind == NodeArray || v.Kind == NodeObject {
			p.report(v.Pos, "schema-type", Error, key, "keyType is a type", "write keyType=enum(a, b)")
		}
		t.Key = p.typeOf(v, a.Pos, key)
		return
	case kind == optPattern:
		p.pattern(v, key)
		return
	case v.Kind == NodeCall:
		p.checkNode(v, key)
		return
	}
	if want := optionWant(kind, v); want != "" {
		rule := "schema-option"
		if t.Name == "array" || t.Name == "record" {
			rule = "schema-type"
		}
		p.report(v.Pos, rule, Error, key, "the option "+a.Name+" of "+t.Name+" is "+want, "")
	}
}

// optionWant says what an option's literal should have been, "" when it is right.
func optionWant(kind optKind, v *Node) string {
	want, ok := "", true
	switch kind {
	case optNumber:
		want, ok = "a number", v.Kind == NodeNumber
	case optBool:
		want, ok = "true or false", v.Kind == NodeBool
	case optDigits:
		f, _ := parseFloat(v.Text)
		want, ok = "a whole number from 0 to 100", v.Kind == NodeNumber && f == math.Trunc(f) && f >= 0 && f <= 100
	case optVersion:
		want, ok = "4 or 6", v.Kind == NodeNumber && (v.Text == "4" || v.Text == "6")
	case optUnit:
		want = "one of ms, seconds, minutes, hours, days, weeks"
		ok = v.Kind == NodeString && slices.Contains([]string{"ms", "seconds", "minutes", "hours", "days", "weeks"}, v.Raw)
	case optSeparator:
		want, ok = "a text that is not empty", v.Kind == NodeString && v.Raw != ""
	case optFormat:
		want, ok = "separator or json", v.Kind == NodeString && (v.Raw == "separator" || v.Raw == "json")
	case optDuration:
		_, valid := parseDuration(text(v))
		want, ok = "a duration such as 30s", (v.Kind == NodeString || v.Kind == NodeNumber) && valid
	case optText:
		want, ok = "a text", v.Kind == NodeString || v.Kind == NodeNumber
	case optList, optDomains:
		want, ok = "a list such as [https, wss]", v.Kind == NodeArray
		if kind == optDomains {
			want = "a list of hosts such as [a.com, b.com:8080]"
			ok = ok && len(v.Args) > 0 || v.Kind == NodeString && domainEntry(v.Raw)
		}
		for _, m := range v.Args {
			ok = ok && m.Value.Kind == NodeString && (kind == optList || domainEntry(m.Value.Raw))
		}
	}
	if ok {
		return ""
	}
	return want
}
