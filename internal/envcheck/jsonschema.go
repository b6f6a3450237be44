package envcheck

import (
	"bytes"
	"encoding/json"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// jsonProperty is what JSON Schema says of one variable. Its value is a text, as all
// values of an environment are, so that bounds of numbers cannot be said.
type jsonProperty struct {
	Type        string         `json:"type,omitempty"`
	Description string         `json:"description,omitempty"`
	Enum        []string       `json:"enum,omitempty"`
	MinLength   int            `json:"minLength,omitempty"`
	MaxLength   *int           `json:"maxLength,omitempty"`
	Pattern     string         `json:"pattern,omitempty"`
	AllOf       []jsonProperty `json:"allOf,omitempty"`
	AnyOf       []jsonProperty `json:"anyOf,omitempty"`
	Not         *jsonProperty  `json:"not,omitempty"`
	MediaType   string         `json:"contentMediaType,omitempty"`
	Default     string         `json:"default,omitempty"`
	Examples    []string       `json:"examples,omitempty"`
	Deprecated  bool           `json:"deprecated,omitempty"`
	WriteOnly   bool           `json:"writeOnly,omitempty"` // a secret
}

// RenderJSONSchema renders a JSON Schema (2020-12) of the environment: an object with
// a text for each variable. What Check accepts it accepts; of what Check refuses it
// refuses what can be said in JSON Schema by a validator in any language. It holds
// neither example nor default of a sensitive variable.
func RenderJSONSchema(s *Schema) ([]byte, error) {
	r := &jsonSchema{schema: s, e: newEvaluator(s, "", func(string) (string, bool) { return "", false })}
	var properties bytes.Buffer
	required := []string{}
	for i, it := range s.Items {
		if i > 0 {
			properties.WriteByte(',')
		}
		always, envs := r.required(it)
		if always && !hasDefault(it) && !madeElsewhere(it) {
			required = append(required, it.Key)
		}
		if len(envs) > 0 {
			r.conditions = append(r.conditions, r.condition(it, envs))
		}
		properties.Write(jsonText(it.Key))
		properties.WriteByte(':')
		properties.Write(jsonText(r.property(it, always)))
	}
	doc := struct {
		Schema     string          `json:"$schema"`
		Title      string          `json:"title"`
		Type       string          `json:"type"`
		Properties json.RawMessage `json:"properties"`
		Required   []string        `json:"required"`
		Additional jsonProperty    `json:"additionalProperties"`
		AllOf      []jsonCondition `json:"allOf,omitempty"`
	}{"https://json-schema.org/draft/2020-12/schema", "Environment of " + baseName(s.Name), "object",
		append(append([]byte{'{'}, properties.Bytes()...), '}'), required, jsonProperty{Type: "string"}, r.conditions}
	var out bytes.Buffer
	if err := json.Indent(&out, jsonText(doc), "", "  "); err != nil {
		return nil, err
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// jsonText is the JSON of a value; < and & stand as they are.
func jsonText(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // texts, lists and structures of these always have one
		return []byte("null")
	}
	return bytes.TrimSpace(b.Bytes())
}

type jsonSchema struct {
	schema     *Schema
	e          *evaluator
	conditions []jsonCondition
}

// jsonCondition is a variable that must be there in some environments.
type jsonCondition struct {
	If   jsonObject `json:"if"`
	Then jsonObject `json:"then"`
}

type jsonObject struct {
	Properties map[string]jsonProperty `json:"properties"`
	Required   []string                `json:"required,omitempty"`
}

func (r *jsonSchema) condition(it *Item, envs []string) jsonCondition {
	current := r.schema.CurrentEnv
	c := jsonCondition{
		If:   jsonObject{Properties: map[string]jsonProperty{current: {Enum: envs}}, Required: []string{current}},
		Then: jsonObject{Properties: map[string]jsonProperty{it.Key: {MinLength: 1}}},
	}
	if !hasDefault(it) && !madeElsewhere(it) {
		c.Then.Required = []string{it.Key}
	}
	return c
}

// madeElsewhere tells that a value is made of others, which may be there or not.
func madeElsewhere(it *Item) bool { return it.Value != nil && it.Value.Kind == NodeCall }

// required tells whether the variable must have a value in every environment, or in which.
func (r *jsonSchema) required(it *Item) (always bool, envs []string) {
	cond := it.Required
	switch {
	case it.Optional:
	case cond == nil || cond.Kind == NodeUndefined:
		return r.schema.requiredByDefault(it), nil
	case isText(cond):
		return r.e.required(it), nil
	case !it.opposite && cond.Kind == NodeCall && cond.Text == "forEnv" && r.schema.Item(r.schema.CurrentEnv) != nil:
		for _, a := range cond.Args {
			if !isText(a.Value) {
				return false, nil
			}
			envs = append(envs, text(a.Value))
		}
	}
	return false, envs
}

func (r *jsonSchema) property(it *Item, always bool) jsonProperty {
	form := r.form(it.Type)
	blank := jsonProperty{Enum: []string{""}}
	if compound(it.Type) { // blank text is no list
		blank = jsonProperty{Pattern: `^\s*$`}
	}
	p := form
	switch {
	case always:
		p.MinLength = max(1, p.MinLength)
	case len(jsonText(form)) > len("{}"):
		p = jsonProperty{AnyOf: []jsonProperty{blank, form}}
	}
	p.Type = "string"
	p.Description = strings.TrimSpace(strings.Join(it.Description, "\n"))
	if p.Description == "" {
		p.Description = typeSummary(it.Type)
	}
	p.Deprecated = it.Deprecated != ""
	p.WriteOnly = r.schema.IsSensitive(it)
	if it.Type != nil && slices.Contains([]string{"record", "simple-object"}, it.Type.Name) {
		p.MediaType = "application/json"
	}
	if p.WriteOnly {
		return p
	}
	if n := it.Value; n != nil && isText(n) && n.Kind != NodeUndefined {
		p.Default = n.Text
	}
	if n := it.Example; n != nil && isText(n) && n.Kind != NodeUndefined && n.Text != "" {
		p.Examples = []string{n.Text}
	}
	return p
}

// jsonPatterns are the forms of types, in what regular expressions of JavaScript, Go,
// Python and others have in common; what is bounded more closely is left to Check.
var jsonPatterns = map[string]string{
	"number":        `^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$`,
	"boolean":       `^\s*([tT]([rR][uU][eE])?|[fF]([aA][lL][sS][eE])?|[yY][eE][sS]|[nN][oO]|[oO][nN]|[oO][fF][fF]|[01])\s*$`,
	"port":          `^\s*(\+?0*([0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])|-0+|[+-]?[0-9]+E[+-]?[0-9]+)\s*$`,
	"email":         `@`,
	"semver":        `^[0-9]+\.[0-9]+\.[0-9]+([+-][0-9A-Za-z.+-]+)?$`,
	"uuid":          `^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-5][0-9a-fA-F]{3}-[089abAB][0-9a-fA-F]{3}-[0-9a-fA-F]{12}$`,
	"md5":           `^[0-9a-fA-F]{32}$`,
	"isoDate":       `^[+-]?[0-9]{4}`,
	"duration":      `^\s*[0-9]+(\.[0-9]+)?\s*[A-Za-z]*\s*$`,
	"record":        `^\s*\{`,
	"simple-object": `^\s*\{`,
}

const ipv4Pattern = `^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])){3})$`

// form is what can be said of a type's values.
func (r *jsonSchema) form(t *Type) (p jsonProperty) {
	if t == nil {
		return p
	}
	patterns := []string{jsonPatterns[t.Name]}
	switch t.Name {
	case "enum":
		for _, n := range t.Values {
			if m := member(n).text; n.Kind != NodeUndefined && !slices.Contains(p.Enum, m) {
				p.Enum = append(p.Enum, m)
			}
		}
	case "ip":
		patterns = []string{ipv4Pattern}
		if n, ok := r.e.number(t, "version"); ok && n == 6 {
			patterns = []string{`:`}
		}
	case "url":
		if t.Opts["prependHttps"] == nil {
			patterns = append(patterns, `^\s*[A-Za-z][A-Za-z0-9+.-]*:`)
		}
		if text(t.Opts["noTrailingSlash"]) == "true" {
			p.Not = &jsonProperty{Pattern: `^[^?#]*/([?#]|$)`}
		}
		if t.Opts["prependHttps"] == nil {
			patterns = append(patterns, portablePattern(t.Opts["matches"]))
		}
	case "string":
		patterns = append(patterns, r.stringForm(t, &p)...)
	}
	patterns = slices.DeleteFunc(patterns, func(s string) bool { return s == "" })
	if len(patterns) == 1 {
		p.Pattern = patterns[0]
	} else {
		for _, s := range patterns {
			p.AllOf = append(p.AllOf, jsonProperty{Pattern: s})
		}
	}
	return p
}

// stringForm takes the options of a text. Lengths are counted in characters here and
// in units of UTF-16 by Check: beyond the basic plane the two differ.
func (r *jsonSchema) stringForm(t *Type, p *jsonProperty) (patterns []string) {
	if n, ok := literalNumber(t.Opts["minLength"]); ok {
		p.MinLength = n
	}
	if n, ok := literalNumber(t.Opts["maxLength"]); ok {
		p.MaxLength = &n
	}
	if n, ok := literalNumber(t.Opts["isLength"]); ok {
		p.MinLength, p.MaxLength = n, &n
	}
	if t.Opts["toUpperCase"] != nil || t.Opts["toLowerCase"] != nil {
		return nil // what is compared is another text
	}
	if n := t.Opts["startsWith"]; isText(n) {
		patterns = append(patterns, "^"+regexp.QuoteMeta(r.e.opt(t, "startsWith").text))
	}
	if n := t.Opts["endsWith"]; isText(n) {
		patterns = append(patterns, regexp.QuoteMeta(r.e.opt(t, "endsWith").text)+"$")
	}
	return append(patterns, portablePattern(t.Opts["matches"]))
}

func literalNumber(n *Node) (int, bool) {
	if n == nil || n.Kind != NodeNumber {
		return 0, false
	}
	f, ok := parseFloat(n.Text)
	return int(f), ok && f == float64(int(f)) && f >= 0
}

// portablePattern is the pattern of matches=regex("...") where it means the same to
// JavaScript and to RE2, so that it may be taken to mean the same to all; "" elsewhere.
func portablePattern(n *Node) string {
	if n == nil || n.Kind != NodeCall || n.Text != "regex" || len(n.Args) != 1 || n.Args[0].Value == nil || n.Args[0].Value.Kind != NodeString {
		return ""
	}
	pattern := n.Args[0].Value.Raw
	source, bad := translatePattern(pattern, "")
	if bad != nil {
		return ""
	}
	// That . also stands for the other line ends in RE2 refuses nothing more.
	there, err := syntax.Parse(strings.ReplaceAll(source, `[^\n\r\x{2028}\x{2029}]`, "."), syntax.Perl)
	here, hereErr := syntax.Parse(pattern, syntax.Perl)
	if err != nil || hereErr != nil || there.String() != here.String() {
		return ""
	}
	return pattern
}
