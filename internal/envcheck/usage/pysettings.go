package usage

import "strings"

// pyClass is a class statement.
type pyClass struct {
	at         int // the token of its name
	bases      []string
	body, end  int // tokens
	isSettings int // 0: not known yet, 1: yes, -1: no
}

// class notes the class statement whose keyword is token i.
func (p *py) class(i int) {
	name, j := i+1, i+2
	if !p.isName(name) {
		return
	}
	c := &pyClass{at: name}
	if p.is(j, "(") && p.toks[j].match > 0 {
		for k := j + 1; k < p.toks[j].match; k++ {
			if p.isName(k) && !p.is(k+1, ".") && !p.is(k+1, "=") {
				c.bases = append(c.bases, p.text(k))
			}
		}
		j = p.toks[j].match + 1
	}
	if !p.is(j, ":") {
		return
	}
	c.body = j + 1
	c.end = c.body
	indent := p.column(i)
	for c.end < len(p.toks) {
		t := &p.toks[c.end]
		if t.first && t.parent < 0 && p.column(c.end) <= indent {
			break
		}
		c.end++
		if c.end-c.body > maxClass {
			break
		}
	}
	if _, again := p.classes[p.text(name)]; !again {
		p.classes[p.text(name)] = c
	}
}

const maxClass = 20_000 // tokens

// column is how far a token is indented, when it is the first of its line.
func (p *py) column(i int) int {
	at := p.toks[i].start
	return at - 1 - strings.LastIndexByte(p.src[:at], '\n')
}

// isSettings tells whether a class descends from pydantic's BaseSettings.
func (p *py) isSettings(name string, depth int) bool {
	if name == "BaseSettings" {
		return true
	}
	c := p.classes[name]
	if c == nil || depth > maxClimb {
		return false
	}
	if c.isSettings == 0 {
		c.isSettings = -1
		for _, b := range c.bases {
			if p.isSettings(b, depth+1) {
				c.isSettings = 1
				break
			}
		}
	}
	return c.isSettings == 1
}

// settings reads the fields of pydantic's settings.
func (p *py) settings() {
	if !strings.Contains(p.src, "BaseSettings") {
		return
	}
	for name, c := range p.classes {
		if p.isSettings(name, 0) {
			p.fields(c, pyFields{prefix: p.option(name, "env_prefix", 0), delimiter: p.option(name, "env_nested_delimiter", 0)})
		}
	}
}

// option is a text in the configuration of a class or of the one it descends from,
// such as env_prefix.
func (p *py) option(name, key string, depth int) string {
	c := p.classes[name]
	if c == nil || depth > maxClimb {
		return ""
	}
	for i := c.body; i < c.end; i++ {
		if p.is(i, key) && p.is(i+1, "=") {
			return p.lit(i + 2)
		}
		if p.toks[i].kind == pyString && p.toks[i].text == key && p.is(i+1, ":") {
			return p.lit(i + 2)
		}
	}
	for _, b := range c.bases {
		if text := p.option(b, key, depth+1); text != "" {
			return text
		}
	}
	return ""
}

// fields reads the fields of a class of settings: NAME: type, with a default or none.
func (p *py) fields(c *pyClass, in pyFields) {
	indent := -1
	for i := c.body; i < c.end; i++ {
		t := &p.toks[i]
		if !t.first || t.parent >= 0 {
			continue
		}
		if indent < 0 {
			indent = p.column(i)
		}
		if p.column(i) != indent || t.kind != pyName || !p.is(i+1, ":") || strings.HasPrefix(t.text, "_") || t.text == "model_config" {
			continue
		}
		end, equals := i+2, 0
		nested := "" // the class whose fields are the variables
		for ; end < c.end && (!p.toks[end].first || p.toks[end].parent >= 0); end++ {
			if p.is(end, "=") && equals == 0 && p.toks[end].parent < 0 {
				equals = end
			}
			if equals == 0 && p.isName(end) && (p.classes[p.text(end)] != nil || p.is(end, "ClassVar")) {
				nested = p.text(end)
			}
		}
		if in.depth > 0 {
			delete(p.seen, t.start) // the class may stand in several others
		}
		if nested == "" {
			p.field(i, equals, end, in)
			continue
		}
		key := strings.ToUpper(in.prefix + t.text)
		if inner := p.classes[nested]; in.delimiter != "" && inner != nil && !p.isSettings(nested, 0) && in.depth < maxSchemas {
			if p.known[key] { // it may be given as a whole, in JSON
				p.field(i, equals, end, in)
				continue
			}
			p.fields(inner, pyFields{prefix: key + in.delimiter, delimiter: in.delimiter, optional: in.optional || equals > 0, depth: in.depth + 1})
		}
	}
}

// pyFields is how the fields of a class are named.
type pyFields struct {
	prefix    string
	delimiter string // between the names of a class in a class; "" when those are JSON
	optional  bool   // the whole class has a default
	depth     int
}

// field reads one field, whose value, if any, is between two tokens.
func (p *py) field(i, equals, end int, in pyFields) {
	u := Use{Form: "BaseSettings"}
	u.Optional = in.optional || equals > 0 && !(p.is(equals+1, ".") && p.is(equals+2, ".")) // = ...
	value := equals + 1
	if equals == 0 || !p.is(value, "Field") || !p.is(value+1, "(") {
		u.Asserted = !u.Optional
		p.read(strings.ToUpper(in.prefix+p.text(i)), i, u)
		return
	}
	u.Optional = in.optional || p.fieldDefault(value+1, end)
	u.Asserted = !u.Optional
	found := false
	for j := value + 2; j < end && j < p.toks[value+1].match; j++ {
		if key := p.text(j); p.is(j+1, "=") && (key == "alias" || key == "validation_alias" || key == "env") {
			for k := j + 2; k < end && !(p.is(k, ",") && p.toks[k].parent == value+1); k++ {
				if name := p.text(k); p.toks[k].kind == pyString && isName(name) {
					found = true
					p.read(strings.ToUpper(name), k, u)
				}
			}
		}
		if m := p.toks[j].match; m > j {
			j = m
		}
	}
	if !found {
		p.read(strings.ToUpper(in.prefix+p.text(i)), i, u)
	}
}

// fieldDefault tells whether the arguments of Field(...) give a default.
func (p *py) fieldDefault(open, end int) bool {
	for j := open + 1; j < end && j < p.toks[open].match; j++ {
		switch {
		case p.is(j+1, "=") && (p.is(j, "default") || p.is(j, "default_factory")):
			return !p.is(j+2, ".")
		case j == open+1 && !p.is(j+1, "="):
			return !p.is(j, ".")
		}
		if m := p.toks[j].match; m > j {
			j = m
		}
	}
	return false
}
