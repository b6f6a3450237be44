package usage

import "strings"

// envCall reads env("X"), env.bool("X", default=…) and config("X").
func (p *py) envCall(i int) {
	p.prefixed(i)
	open, method := i+1, ""
	if p.is(open, ".") && p.isName(open+1) {
		method, open = p.text(open+1), open+2
	}
	if !p.is(open, "(") || p.toks[open].match < 0 {
		return
	}
	form := p.text(i) + "()"
	name, at := p.lit(open+1), open+1
	if p.is(at, "var") && p.is(at+1, "=") {
		name, at = p.lit(at+2), at+2
	}
	if name == "" && p.toks[open].match == open+1 { // django-environ's own names
		name = map[string]string{"db": "DATABASE_URL", "db_url": "DATABASE_URL", "cache": "CACHE_URL", "cache_url": "CACHE_URL", "email": "EMAIL_URL", "email_url": "EMAIL_URL", "search_url": "SEARCH_URL"}[method]
		at = i
	}
	if !isUpper(name) || method == "read_env" || method == "prefixed" {
		return
	}
	end := p.toks[open].match
	optional := at != i && p.hasDefault(at, end)
	if !optional && method == "" && p.is(at+1, ",") && !p.is(at+3, "=") {
		optional = true
	}
	var full strings.Builder
	for _, prefix := range p.prefixes {
		if at != i && i >= prefix.from && i < prefix.to {
			full.WriteString(prefix.text)
		}
	}
	full.WriteString(name)
	optional = optional || p.caught(i)
	p.readAt(full.String(), at, Use{Form: form, Optional: optional, Asserted: !optional}, i, end+1)
}

// pyPrefix is what environs puts before the names in a block.
type pyPrefix struct {
	from, to int
	text     string
}

// prefixed reads with env.prefixed("APP_"):
func (p *py) prefixed(i int) {
	if !p.is(i-1, "with") || !p.is(i+1, ".") || !p.is(i+2, "prefixed") || !p.is(i+3, "(") || p.toks[i+3].match < 0 {
		return
	}
	if colon := p.toks[i+3].match + 1; p.is(colon, ":") && len(p.prefixes) < maxClimb {
		from, to := p.suite(i-1, colon)
		p.prefixes = append(p.prefixes, pyPrefix{from, to, p.lit(i + 4)})
	}
}

// envScheme reads Env(DEBUG=(bool, False)).
func (p *py) envScheme(i int) {
	open := i + 1
	if p.is(open, ".") {
		open += 2
	}
	if !p.is(open, "(") {
		return
	}
	form := "env()"
	if p.is(i-1, "=") && p.isName(i-2) {
		form = p.text(i-2) + "()"
	}
	for j := open + 1; j < p.toks[open].match; j++ {
		if name := p.text(j); p.isName(j) && p.is(j+1, "=") && isUpper(name) && (p.is(j-1, "(") || p.is(j-1, ",")) {
			if p.hasSchemeDefault(j + 2) {
				p.defaults[form+name] = true
				p.read(name, j, Use{Form: "Env()", Optional: true})
			} else {
				p.mention(name, "Env()", p.offset(j)) // how it is read, if it is
			}
		}
		if m := p.toks[j].match; m > j {
			j = m
		}
	}
}

// hasSchemeDefault tells whether (type, default) is at a token.
func (p *py) hasSchemeDefault(open int) bool {
	if !p.is(open, "(") {
		return false
	}
	for j := open + 1; j < p.toks[open].match; j++ {
		if p.is(j, ",") && !p.is(j+1, ")") {
			return true
		}
		j = max(j, p.toks[j].match)
	}
	return false
}

// wrapper notes a function that reads the variable whose name is its parameter, the
// name at token i.
func (p *py) wrapper(i int) {
	name := p.text(i)
	for j := i; j >= 0 && j > i-200; j-- {
		if !p.is(j, "def") || !p.toks[j].first || !p.is(j+2, "(") {
			continue
		}
		n := 0
		for k := j + 3; k < p.toks[j+2].match; k++ {
			switch {
			case p.is(k, ","):
				n++
			case p.is(k, name) && (p.is(k-1, "(") || p.is(k-1, ",")):
				if p.is(j+3, "self") || p.is(j+3, "cls") {
					n--
				}
				p.wrappers[p.text(j+1)] = n
				return
			}
			if m := p.toks[k].match; m > k {
				k = m
			}
		}
		return
	}
}

// wrapped reads the calls of such functions.
func (p *py) wrapped() {
	for i := range p.toks {
		n, ok := p.wrappers[p.text(i)]
		if !ok || !p.isName(i) || !p.is(i+1, "(") || p.is(i-1, "def") {
			continue
		}
		for j := i + 2; j < p.toks[i+1].match; j++ {
			if n == 0 {
				if name := p.lit(j); isName(name) && (p.is(j+1, ",") || p.is(j+1, ")")) {
					p.read(name, j, Use{Form: p.text(i) + "()", Optional: p.is(j+1, ",")})
				}
				break
			}
			if p.is(j, ",") {
				n--
			}
			if m := p.toks[j].match; m > j {
				j = m
			}
		}
	}
}
