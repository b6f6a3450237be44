package usage

// envCall reads env("X"), env.bool("X", default=…) and config("X").
func (p *py) envCall(i int) {
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
	p.read(name, at, Use{Form: form, Optional: optional, Asserted: !optional})
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
	for j := open + 1; j < p.toks[open].match; j++ {
		if p.isName(j) && p.is(j+1, "=") && isUpper(p.text(j)) && (p.is(j-1, "(") || p.is(j-1, ",")) {
			p.read(p.text(j), j, Use{Form: "Env()", Optional: p.is(j+2, "(")})
		}
		if m := p.toks[j].match; m > j {
			j = m
		}
	}
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
