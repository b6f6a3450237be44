package envcheck

import "strings"

// schemaSecrets reports defaults and examples of the schema that look like real
// secrets: the schema is committed, and .env.example is made from it.
func (c *checker) schemaSecrets() {
	for _, it := range c.schema.Items {
		for _, n := range []*Node{it.Value, it.Example} {
			if !isText(n) {
				continue
			}
			kind := committedSecret(it.Key, n.Text)
			if kind == "" {
				continue
			}
			what, pos, level := "default", it.ValuePos, Error
			if n == it.Example {
				what, pos = "example", n.Pos
			}
			if strings.Contains(n.Text[:min(8, len(n.Text))], "_test_") {
				level = Warning
			}
			c.add(Finding{File: it.File, Line: pos.Line, Col: pos.Col, Rule: "secret-in-schema", Level: level, Key: it.Key,
				Message: "the " + what + " of " + it.Key + " looks like a real secret (" + kind + ")",
				Fix:     "take it out, and replace the secret: it stays in git's history"})
		}
	}
}

// committedSecret is secretKind without what people write in its place: placeholders,
// documented examples, and the passwords of local databases.
func committedSecret(key, text string) string {
	if madePublic(text) || isPlaceholder(text, true) || strings.Contains(strings.ToUpper(text), "EXAMPLE") {
		return ""
	}
	kind := secretKind(key, text)
	if kind != urlWithPassword {
		return kind
	}
	_, rest, _ := strings.Cut(text, "://")
	user, _, _ := strings.Cut(rest, "@")
	if _, pass, _ := strings.Cut(user, ":"); isLocalURL(text) || isExampleHost(text) || len(pass) < 12 || isPlaceholder(pass, true) {
		return ""
	}
	return kind
}
