package envcheck

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// coerceArray reads a list: a literal of the schema, JSON in brackets, or
// texts with a separator between them. Blank text is a missing value.
func (e *evaluator) coerceArray(t *Type, v val) (val, problem) {
	in := v
	switch s := strings.TrimFunc(v.text, isJSSpace); {
	case v.kind == valArray:
	case v.kind != valText || v.scalar != NodeString:
		return v, bad("is not a list", "")
	case s == "":
		return val{}, problem{}
	case strings.HasPrefix(s, "["):
		var err error
		if in, err = parseJSON(s); err != nil || in.kind != valArray {
			return v, bad("begins with [ but is not a JSON array", "")
		}
	default:
		in = val{kind: valArray}
		for part := range strings.SplitSeq(s, e.separator(t)) {
			if part = strings.TrimFunc(part, isJSSpace); part != "" {
				in.list = append(in.list, textVal(part))
			}
		}
	}
	out := val{kind: valArray}
	for i, m := range in.list {
		m, p := e.coerceMember(t.Elem, m)
		if p.msg != "" {
			p.msg = "element " + itoa(i+1) + " " + p.msg
			return v, p
		}
		out.list = append(out.list, m)
	}
	out.text = out.join()
	return out, problem{}
}

// blank reports a text that counts as no value at all: white space where a list or a record belongs.
func (e *evaluator) blank(it *Item, text string) bool {
	return it.Type != nil && (it.Type.Name == "array" || it.Type.Name == "record") && strings.TrimFunc(text, isJSSpace) == ""
}

func (e *evaluator) separator(t *Type) string {
	if sep := e.opt(t, "separator").text; sep != "" {
		return sep
	}
	return ","
}

// coerceMember brings a member of a collection into its type, by default string.
func (e *evaluator) coerceMember(t *Type, m val) (val, problem) {
	switch {
	case t == nil, t.Name == "string" && m.kind == valNull:
		return textVal(m.text), problem{}
	case m.kind == valNull:
		return m, bad("is null", "")
	}
	return e.coerce(t, m)
}

// compound types have no spelling in a list with separators.
func compound(t *Type) bool {
	return t != nil && (t.Name == "array" || t.Name == "record" || t.Name == "simple-object")
}

func (e *evaluator) checkArray(t *Type, v val) problem {
	if e.opt(t, "minLength").kind == valUndefined && e.opt(t, "isLength").kind == valUndefined && len(v.list) == 0 {
		return bad("is an empty list", "add an element, or minLength=0 to the type")
	}
	if p := e.checkLength(t, len(v.list), "", "elements"); p.msg != "" {
		return p
	}
	seen := map[string]bool{}
	separated := e.opt(t, "format").text != "json" && !compound(t.Elem)
	for i, m := range v.list {
		id := m.json()
		if e.opt(t, "unique").truthy() && seen[id] {
			return bad("has the same element twice (number "+itoa(i+1)+")", "")
		}
		seen[id] = true
		if separated && strings.Contains(m.text, e.separator(t)) {
			return bad("has the separator within element "+itoa(i+1), "add format=json or another separator to the type")
		}
		if t.Elem == nil {
			continue
		}
		if p := e.validate(t.Elem, m); p.msg != "" {
			p.msg = "element " + itoa(i+1) + " " + p.msg
			return p
		}
	}
	return problem{}
}

// coerceRecord reads a record or a simple-object: a literal of the schema, or JSON in braces.
func (e *evaluator) coerceRecord(t *Type, v val) (val, problem) {
	in := v
	if v.kind != valObject {
		s := strings.TrimFunc(v.text, isJSSpace)
		if v.kind == valText && v.scalar == NodeString && s == "" && t.Name == "record" {
			return val{}, problem{}
		}
		var err error
		if in, err = parseJSON(s); v.kind != valText || v.scalar != NodeString || err != nil || in.kind != valObject {
			return v, bad("is not a JSON object", "")
		}
	}
	if t.Name == "simple-object" || t.Elem == nil {
		return in, problem{}
	}
	out := val{kind: valObject, names: in.names, text: "[object Object]"}
	for _, m := range in.list {
		m, p := e.coerceMember(t.Elem, m)
		if p.msg != "" {
			p.msg = "an entry " + p.msg
			return v, p
		}
		out.list = append(out.list, m)
	}
	return out, problem{}
}

func (e *evaluator) checkRecord(t *Type, v val) problem {
	if e.opt(t, "entriesMinLength").kind == valUndefined && e.opt(t, "entriesIsLength").kind == valUndefined && len(v.list) == 0 {
		return bad("is an empty object", "add an entry, or entriesMinLength=0 to the type")
	}
	if p := e.checkLength(t, len(v.list), "entries", "entries"); p.msg != "" {
		return p
	}
	for i, name := range v.names {
		if t.Key != nil {
			key, p := e.coerce(t.Key, textVal(name))
			if p.msg == "" {
				p = e.validate(t.Key, key)
			}
			if p.msg != "" {
				p.msg = "a key " + p.msg
				return p
			}
		}
		if t.Elem == nil {
			continue
		}
		if p := e.validate(t.Elem, v.list[i]); p.msg != "" {
			p.msg = "an entry " + p.msg
			return p
		}
	}
	return problem{}
}

var errDeepJSON = errors.New("nested too deeply")

// parseJSON reads JSON with the order of its members.
func parseJSON(s string) (val, error) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	v, err := readJSON(d, 0)
	if err != nil {
		return v, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return v, errors.New("text after the JSON value")
	}
	return v, nil
}

func readJSON(d *json.Decoder, depth int) (val, error) {
	token, err := d.Token()
	switch {
	case err != nil:
		return val{}, err
	case depth > 200:
		return val{}, errDeepJSON
	}
	switch x := token.(type) {
	case nil:
		return val{kind: valNull}, nil
	case string:
		return textVal(x), nil
	case bool:
		return boolVal(x), nil
	case json.Number:
		f, _ := x.Float64() // too large a number is infinite, as in JavaScript
		return numberVal(f), nil
	case json.Delim:
		return readMembers(d, x, depth)
	}
	return val{}, errors.New("not JSON")
}

func readMembers(d *json.Decoder, open json.Delim, depth int) (val, error) {
	v := val{kind: valArray}
	if open == '{' {
		v.kind = valObject
	}
	for d.More() {
		name := ""
		if v.kind == valObject {
			token, err := d.Token()
			if err != nil {
				return v, err
			}
			name, _ = token.(string)
		}
		m, err := readJSON(d, depth+1)
		if err != nil {
			return v, err
		}
		v.set(name, m)
	}
	v.text = v.join()
	_, err := d.Token()
	return v, err
}

// json is the value as JSON.
func (v val) json() string {
	switch {
	case v.kind == valArray:
		parts := make([]string, len(v.list))
		for i, m := range v.list {
			parts[i] = m.json()
		}
		return "[" + strings.Join(parts, ",") + "]"
	case v.kind == valObject:
		var parts []string
		for _, i := range v.order() {
			if v.list[i].kind != valUndefined { // JSON has no place for it
				parts = append(parts, textVal(v.names[i]).json()+":"+v.list[i].json())
			}
		}
		return "{" + strings.Join(parts, ",") + "}"
	case v.kind == valText && v.scalar != NodeString && !math.IsInf(v.num, 0):
		return v.text
	case v.kind != valText || v.scalar == NodeNumber:
		return "null"
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if enc.Encode(v.text) != nil {
		return ""
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// order lists an object's members as JavaScript does: names that are an index
// first, by their number, then the others as they were written.
func (v val) order() []int {
	order := make([]int, len(v.list))
	index := make([]uint64, len(v.list))
	for i, name := range v.names {
		order[i], index[i] = i, math.MaxUint64
		n, err := strconv.ParseUint(name, 10, 32)
		if err == nil && n < math.MaxUint32 && name == strconv.FormatUint(n, 10) {
			index[i] = n
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(index[a], index[b]) })
	return order
}

// environ is the value as it stands in the environment of a process.
func (e *evaluator) environ(t *Type, v val) string {
	switch {
	case v.kind == valArray && t != nil && t.Name == "array" && e.opt(t, "format").text != "json" && !compound(t.Elem):
		parts := make([]string, len(v.list))
		for i, m := range v.list {
			parts[i] = m.text
		}
		return strings.Join(parts, e.separator(t))
	case v.kind == valArray || v.kind == valObject:
		return v.json()
	}
	return v.text
}
