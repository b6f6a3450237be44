package envcheck

import (
	"strings"
	"unicode/utf16"
)

// problem is what is wrong with a value; the zero problem is none. Its text
// comes from the schema and holds nothing of the value but its length.
type problem struct {
	level    Level
	msg, fix string
}

func bad(msg, fix string) problem { return problem{Error, msg, fix} }

// checkType checks a value that is not empty against a type.
func (e *evaluator) checkType(t *Type, v string) problem { return e.check(t, textVal(v)) }

// check brings a value into the form of its type, as varlock does, and checks that form.
func (e *evaluator) check(t *Type, v val) problem {
	if t == nil || v.kind == valUnknown {
		return problem{}
	}
	out, p := e.coerce(t, v)
	if p.msg != "" || out.kind == valUndefined {
		return p
	}
	if p = e.validate(t, out); p.msg != "" && p.level == Error {
		return p
	}
	if s := e.secrecy(t, out); s.msg != "" {
		return s
	}
	if p.msg == "" && t.Name == "number" && !e.opt(t, "coerceToMinMaxRange").truthy() {
		if f, _ := parseFloat(strings.TrimFunc(v.text, isJSSpace)); f != out.num {
			return problem{Warning, "is rounded when varlock reads it, but not when the app reads the variable itself", "write the rounded number"}
		}
	}
	return p
}

// coerce brings a value into the form of its type. Undefined means that the
// value counts as missing.
func (e *evaluator) coerce(t *Type, v val) (val, problem) {
	switch t.Name {
	case "number":
		return e.coerceNumber(t, v)
	case "port":
		return coercePort(v)
	case "boolean":
		return coerceBool(v)
	case "enum":
		return coerceEnum(t, v)
	case "duration":
		return e.coerceDuration(t, v)
	case "array":
		return e.coerceArray(t, v)
	case "record", "simple-object":
		return e.coerceRecord(t, v)
	}
	s := v.text
	if t.Name == "domain" {
		s = strings.TrimFunc(s, isJSSpace)
	}
	switch {
	case t.Name == "md5", t.Name != "url" && e.opt(t, "normalize").truthy():
		s = jsLower(s)
	case t.Name == "string":
		if e.opt(t, "toUpperCase").truthy() {
			s = jsUpper(s)
		}
		if e.opt(t, "toLowerCase").truthy() {
			s = jsLower(s)
		}
	case t.Name == "url" && e.opt(t, "prependHttps").truthy() && !hasScheme(s):
		s = "https://" + s
	}
	return textVal(s), problem{}
}

// validate checks a value that has the form of its type.
func (e *evaluator) validate(t *Type, v val) problem {
	switch t.Name {
	case "string":
		return e.checkString(t, v.text)
	case "number":
		return e.checkNumber(t, v.num)
	case "url":
		return e.checkURL(t, v.text)
	case "enum":
		return checkEnum(t, v)
	case "port":
		return e.checkPort(t, v.num)
	case "ip":
		return e.checkIP(t, v.text)
	case "duration":
		return e.checkDuration(t, v.num)
	case "array":
		return e.checkArray(t, v)
	case "record":
		return e.checkRecord(t, v)
	case "domain":
		return e.checkDomain(t, v.text)
	case "isoDate":
		return checkISODate(v.text)
	}
	if ok := simpleTypes[t.Name]; ok != nil && !ok(v.text) {
		return bad("is not "+article(typeDefs[t.Name].human), "")
	}
	return problem{}
}

// secrecy checks what was declared a secret: masking in logs works on texts
// of three characters or more.
func (e *evaluator) secrecy(t *Type, v val) problem {
	if t.secret == nil || !e.eval(t.secret).truthy() {
		return problem{}
	}
	texts, others := leaves(v, nil, 0)
	if t.Name == "array" || t.Name == "record" || t.Name == "simple-object" {
		if others > 0 {
			return bad("holds elements that are no text, which are never masked in logs", "give it a type with texts, such as array(string)")
		}
	}
	for _, s := range texts {
		if n := length(s); n < 3 {
			return bad("has "+itoa(n)+" characters, too few to be masked in logs", "use a longer secret, or say @public")
		}
	}
	if t.Pos == (Pos{}) && t.Name == "string" && v.kind == valText && v.scalar == NodeString && unquoted(v.text).scalar != NodeString {
		return problem{Warning, "looks like a number or a truth value, which varlock refuses as a secret where it stands in a file without quotes", "add @type=string to the schema"}
	}
	return problem{}
}

// leaves lists the texts within a value and counts its other scalars.
func leaves(v val, texts []string, others int) ([]string, int) {
	switch {
	case v.kind == valArray || v.kind == valObject:
		for _, m := range v.list {
			texts, others = leaves(m, texts, others)
		}
	case v.kind == valText && v.scalar != NodeString:
		others++
	case v.kind == valText && v.text != "":
		texts = append(texts, v.text)
	}
	return texts, others
}

func article(s string) string {
	if s == "" || strings.HasPrefix(s, "true") {
		return s
	}
	if strings.ContainsRune("aeioAEIO", rune(s[0])) {
		return "an " + s
	}
	return "a " + s
}

// opt evaluates an option; undefined when it is not given. What stands in
// quotes counts as it is written there.
func (e *evaluator) opt(t *Type, name string) val {
	n := t.Opts[name]
	if n != nil && n.Kind == NodeString {
		return textVal(n.Raw)
	}
	return e.eval(n)
}

func (e *evaluator) number(t *Type, name string) (float64, bool) {
	v := e.opt(t, name)
	return v.num, v.kind == valText && v.scalar == NodeNumber
}

// length is the length as JavaScript counts it.
func length(s string) int { return len(utf16.Encode([]rune(s))) }

func (e *evaluator) checkLength(t *Type, n int, prefix, unit string) problem {
	names := []string{"isLength", "minLength", "maxLength"}
	if prefix != "" {
		names = []string{prefix + "IsLength", prefix + "MinLength", prefix + "MaxLength"}
	}
	if want, ok := e.number(t, names[0]); ok && float64(n) != want {
		return bad("has "+itoa(n)+" "+unit+", must have "+jsNumber(want), "")
	}
	if least, ok := e.number(t, names[1]); ok && float64(n) < least {
		return bad("has "+itoa(n)+" "+unit+", must have at least "+jsNumber(least), "")
	}
	if most, ok := e.number(t, names[2]); ok && float64(n) > most {
		return bad("has "+itoa(n)+" "+unit+", may have at most "+jsNumber(most), "")
	}
	return problem{}
}

func (e *evaluator) checkString(t *Type, v string) problem {
	if p := e.checkLength(t, length(v), "", "characters"); p.msg != "" {
		return p
	}
	if s := e.opt(t, "startsWith").text; !strings.HasPrefix(v, s) {
		return bad("does not start with "+shown(t.Opts["startsWith"], s), "")
	}
	if s := e.opt(t, "endsWith").text; !strings.HasSuffix(v, s) {
		return bad("does not end with "+shown(t.Opts["endsWith"], s), "")
	}
	return e.checkMatches(t, v)
}

// shown is a text from the schema that may be printed: one that stands in the
// schema as it is. What was made from other variables may hold a secret.
func shown(n *Node, s string) string {
	if isText(n) && (n.Text == s || n.Raw == s) {
		return s
	}
	if n != nil {
		for _, a := range n.Args {
			if shown(a.Value, s) == s {
				return s
			}
		}
	}
	return "what the schema asks for"
}

func (e *evaluator) checkMatches(t *Type, v string) problem {
	n := t.Opts["matches"]
	if n == nil {
		return problem{}
	}
	m := e.opt(t, "matches")
	if n.Kind == NodeCall && n.Text == "regex" && len(n.Args) > 0 {
		m = e.pattern(n.Args[0].Value.Raw, regexFlags(n))
	}
	if m.kind == valText && !m.empty() { // a text stands for a pattern, in the old spelling
		pattern, flags, ok := regexLiteral(m.text)
		if !ok || !validPattern(pattern, flags) {
			pattern, flags = m.text, ""
		}
		if !validPattern(pattern, flags) {
			return bad("is to match a pattern that is none", "put a regular expression into what the schema refers to")
		}
		m = e.pattern(pattern, flags)
	}
	if m.kind != valPattern || m.re == nil {
		return problem{}
	}
	match, certain := matchPattern(m.re, v)
	switch {
	case !certain:
		return problem{Warning, "has an end of a line other than \\n: its pattern is not checkable here", "write line ends as \\n"}
	case !match:
		return bad("does not match "+shown(n, m.text), "")
	}
	return problem{}
}
