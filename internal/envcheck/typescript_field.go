package envcheck

import (
	"slices"
	"strings"
)

// tsName is a key as the name of a property.
func tsName(key string) string {
	if envName(key) == key {
		return key
	}
	return tsString(key)
}

// tsProperty is the access to a key's property.
func tsProperty(key string) string {
	if tsName(key) == key {
		return "." + key
	}
	return "[" + tsString(key) + "]"
}

// tsString is a text as a literal.
func tsString(s string) string { return textVal(s).json() }

// tsType is the type of a variable's converted values.
func tsType(t *Type) string {
	if t == nil {
		return "string"
	}
	switch t.Name {
	case "number", "port", "duration":
		return "number"
	case "boolean":
		return "boolean"
	case "enum":
		var members []string
		for _, n := range t.Values {
			if lit := tsMember(n); !slices.Contains(members, lit) {
				members = append(members, lit)
			}
		}
		return strings.Join(members, " | ")
	case "array":
		elem := tsType(t.Elem)
		if strings.Contains(elem, " ") && !strings.HasSuffix(elem, ">") {
			elem = "(" + elem + ")"
		}
		return "readonly " + elem + "[]"
	case "record":
		if t.Elem == nil {
			return "Readonly<Record<string, unknown>>"
		}
		return "Readonly<Record<string, " + tsType(t.Elem) + ">>"
	case "simple-object":
		return "Readonly<Record<string, unknown>>"
	}
	return "string"
}

func tsMember(n *Node) string {
	m := member(n)
	if m.scalar != NodeString {
		return m.text
	}
	return tsString(m.text)
}

// tsDoc is the comment above a field.
func tsDoc(s *Schema, it *Item) string {
	var lines []string
	for _, line := range it.Description {
		lines = append(lines, strings.TrimLeft(line, "# "))
	}
	if it.Type != nil && it.Type.Name == "duration" {
		unit := text(it.Type.Opts["output"])
		if unit == "" {
			unit = "ms"
		}
		lines = append(lines, "In "+map[bool]string{true: "milliseconds", false: unit}[durationUnit(unit) <= 1]+".")
	}
	if h := s.requirement(it); strings.HasPrefix(h, "required in") {
		lines = append(lines, strings.ToUpper(h[:1])+h[1:]+".")
	}
	for _, url := range it.Docs {
		if url != "" {
			lines = append(lines, "@see "+url)
		}
	}
	if it.Deprecated != "" {
		lines = append(lines, strings.TrimSuffix("@deprecated "+strings.TrimPrefix(it.Deprecated, "deprecated"), " "))
	}
	var b strings.Builder
	for _, line := range lines {
		line = strings.Map(func(r rune) rune {
			if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 {
				return ' '
			}
			return r
		}, strings.ReplaceAll(line, "*/", `*\/`))
		b.WriteString(strings.TrimRight("   * "+line, " ") + "\n")
	}
	if b.Len() == 0 {
		return ""
	}
	return "  /**\n" + b.String() + "   */\n"
}
