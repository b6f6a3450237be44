package usage

import "strings"

// py is a Python file being read.
type py struct {
	*file
	toks     []pyToken
	names    map[string]pyMeaning // what a name of the module stands for
	consts   map[string]string    // names of constants that hold a text; "" for one assigned twice
	classes  map[string]*pyClass
	wrappers map[string]int
	imported map[int]bool // tokens of imports
	found    []occurrence // of reads, for judgeAll
	guards   []guard
	prefixes []pyPrefix
}

// pyMeaning is what a name stands for.
type pyMeaning int

const (
	pyOS        pyMeaning = iota + 1 // the module os
	pyEnviron                        // os.environ
	pyGetenv                         // os.getenv
	pyEnvClass                       // Env of django-environ or environs, whose instances are called with a name
	pyEnvModule                      // the module that has it
	pyEnvCall                        // such an instance, or decouple's config
)

// scanPython reads a Python file.
func (f *file) scanPython() {
	if !strings.Contains(f.src, "env") && !strings.Contains(f.src, "config") && !strings.Contains(f.src, "Settings") && !f.hasKnown() {
		return
	}
	p := &py{
		file: f, toks: pyScan(f.src), names: map[string]pyMeaning{"os": pyOS}, consts: map[string]string{},
		classes: map[string]*pyClass{}, wrappers: map[string]int{}, imported: map[int]bool{},
	}
	p.declarations()
	for i := range p.toks {
		p.at(i)
	}
	p.judgeAll()
	p.settings()
	p.wrapped()
	if len(f.known) > 0 {
		for i, t := range p.toks {
			if (t.kind == pyName || t.kind == pyString) && f.known[t.text] {
				f.mention(t.text, formMention, p.offset(i))
			}
		}
	}
}

func (p *py) is(i int, text string) bool {
	return i >= 0 && i < len(p.toks) && p.toks[i].text == text && (p.toks[i].kind == pyName || p.toks[i].kind == pyPunct)
}

func (p *py) text(i int) string {
	if i < 0 || i >= len(p.toks) {
		return ""
	}
	return p.toks[i].text
}

func (p *py) isName(i int) bool { return i >= 0 && i < len(p.toks) && p.toks[i].kind == pyName }

// lit is the text of a string, or of a constant of the module.
func (p *py) lit(i int) string {
	switch {
	case i < 0 || i >= len(p.toks):
		return ""
	case p.toks[i].kind == pyString:
		return p.toks[i].text
	case p.toks[i].kind == pyName:
		return p.consts[p.toks[i].text]
	}
	return ""
}

// declarations reads imports, constants and names for parts of the environment.
func (p *py) declarations() {
	for i := range p.toks {
		t := &p.toks[i]
		if t.kind != pyName || t.parent >= 0 {
			continue
		}
		switch {
		case t.first && t.text == "from":
			p.fromImport(i)
		case t.first && t.text == "import":
			p.importModules(i)
		case t.first && (p.is(i+1, "=") || p.is(i+1, ":")):
			value := i + 2
			if p.is(i+1, ":") { // NAME: str = "X"
				for n := 0; n < 10 && value < len(p.toks) && !p.is(value, "=") && !p.toks[value].first; n++ {
					value++
				}
				if !p.is(value, "=") {
					continue
				}
				value++
			}
			p.assignment(i, value)
		case t.first && t.text == "class":
			p.class(i)
		}
	}
}

func (p *py) assignment(i, value int) {
	name := p.text(i)
	if _, again := p.consts[name]; again {
		p.consts[name] = ""
	} else if after := value + 1; value < len(p.toks) && p.toks[value].kind == pyString && (after >= len(p.toks) || p.toks[after].first) {
		p.consts[name] = p.toks[value].text
	} else {
		p.consts[name] = ""
	}
	if end := p.environ(value); end > 0 && !p.is(end, ".") && !p.is(end, "[") {
		p.names[name] = pyEnviron
		return
	}
	// env = Env(...), environ.Env(...), config = Config(...)
	if p.names[p.text(value)] == pyEnvClass && p.is(value+1, "(") {
		p.names[name] = pyEnvCall
	}
	if p.names[p.text(value)] == pyEnvModule && p.is(value+1, ".") && p.is(value+3, "(") {
		switch p.text(value + 2) {
		case "Env", "FileAwareEnv", "Config":
			p.names[name] = pyEnvCall
		}
	}
}

// fromImport reads from MODULE import NAME as OTHER, …
func (p *py) fromImport(i int) {
	j, module := i+1, ""
	for ; j < len(p.toks) && !p.is(j, "import"); j++ {
		if p.toks[j].first {
			return
		}
		module += p.text(j)
	}
	for j++; j < len(p.toks); j++ {
		if p.toks[j].first && p.toks[j].parent < 0 && !p.is(j, ")") {
			return
		}
		p.imported[j] = true
		if !p.isName(j) || p.is(j-1, "as") || p.is(j, "as") {
			continue
		}
		bound := p.text(j)
		if p.is(j+1, "as") {
			bound = p.text(j + 2)
		}
		if kind := importedName(module, p.text(j)); kind != 0 {
			p.names[bound] = kind
		}
	}
}

// importedName is what a name of a module stands for.
func importedName(module, name string) pyMeaning {
	switch module + "." + name {
	case "os.environ":
		return pyEnviron
	case "os.getenv":
		return pyGetenv
	case "environ.Env", "environ.FileAwareEnv", "environs.Env", "environs.FileAwareEnv", "starlette.config.Config", "decouple.Config", "decouple.AutoConfig":
		return pyEnvClass
	case "decouple.config", "environs.env":
		return pyEnvCall
	}
	// An instance that another module of the program has.
	if name == "env" && module != "os" && module != "alembic" && module != "fabric.api" {
		return pyEnvCall
	}
	return 0
}

// importModules reads import os, environ as e.
func (p *py) importModules(i int) {
	for j := i + 1; j < len(p.toks) && !p.toks[j].first; j++ {
		p.imported[j] = true
		bound := p.text(j)
		if p.is(j+1, "as") {
			bound = p.text(j + 2)
		}
		if !p.is(j-1, "import") && !p.is(j-1, ",") {
			continue
		}
		switch p.text(j) {
		case "os":
			if !p.is(j+1, ".") {
				p.names[bound] = pyOS
			}
		case "environ", "environs", "decouple":
			p.names[bound] = pyEnvModule
		}
	}
}

// environ is the token behind os.environ at token i, or 0.
func (p *py) environ(i int) int {
	if !p.isName(i) || p.is(i-1, ".") {
		return 0
	}
	switch p.names[p.text(i)] {
	case pyOS:
		if p.is(i+1, ".") && p.is(i+2, "environ") {
			return i + 3
		}
	case pyEnviron:
		return i + 1
	}
	return 0
}

// at reads the use that begins at a token.
func (p *py) at(i int) {
	if !p.isName(i) || p.is(i-1, ".") || p.imported[i] {
		return
	}
	if end := p.environ(i); end > 0 {
		p.environUse(i, end)
		return
	}
	switch p.names[p.text(i)] {
	case pyOS:
		if p.is(i+1, ".") && p.is(i+2, "getenv") && p.is(i+3, "(") {
			p.lookup(i, i+3, "os.getenv")
		}
	case pyGetenv:
		if p.is(i+1, "(") {
			p.lookup(i, i+1, "os.getenv")
		}
	case pyEnvCall:
		p.envCall(i)
	case pyEnvModule, pyEnvClass:
		p.envScheme(i)
	}
}

// environUse reads what is done with os.environ.
func (p *py) environUse(start, end int) {
	whole := func() { p.cannotKnow(Dynamic{Form: "os.environ", Whole: true}, p.toks[start].start) }
	switch {
	case p.is(end, "["):
		closing := p.toks[end].match
		switch {
		case closing < 0 || p.is(closing+1, "=") || p.is(start-1, "del"):
		case closing == end+2 && isName(p.lit(end+1)):
			u := Use{Form: "os.environ", Optional: p.caught(start)}
			u.Asserted = !u.Optional
			p.readAt(p.lit(end+1), end+1, u, start, closing+1)
		default:
			p.wrapper(end + 1)
			p.cannotKnow(Dynamic{Form: "os.environ[...]"}, p.toks[start].start)
		}
	case p.is(end, ".") && p.is(end+2, "("):
		switch p.text(end + 1) {
		case "get", "pop", "setdefault", "__getitem__", "__contains__":
			p.lookup(start, end+2, "os.environ")
		case "update", "clear", "popitem":
		default: // copy, items, keys, values
			whole()
		}
	case p.is(start-1, "in") && (p.lit(start-2) != "" || p.is(start-2, "not") && p.lit(start-3) != ""):
		at := start - 2
		if p.is(at, "not") {
			at--
		}
		p.containment(at, start, end)
	case p.is(end, "="):
	case p.is(start-1, "=") && p.toks[start].parent < 0: // a name for it, see assignment
	default:
		whole()
	}
}

// lookup reads a call whose first argument is a name, and whose second is a default.
func (p *py) lookup(start, open int, form string) {
	at := open + 1
	if p.is(at, "key") && p.is(at+1, "=") {
		at += 2
	}
	end := p.toks[open].match
	name := p.lit(at)
	if !isName(name) || !p.is(at+1, ")") && !p.is(at+1, ",") {
		if p.isName(at) {
			p.wrapper(at)
		}
		if end > open+1 {
			p.cannotKnow(Dynamic{Form: form + "(...)"}, p.toks[start].start)
		}
		return
	}
	u := Use{Form: form, Optional: p.hasDefault(at, end)}
	if empty := p.is(at+2, "None") || p.lit(at+2) == "" && at+2 < len(p.toks) && p.toks[at+2].kind == pyString; u.Optional && !empty {
		p.read(name, at, u)
		return
	}
	p.readAt(name, at, u, start, end+1)
}

// readAt adds a read whose value is the expression from start to end.
func (p *py) readAt(name string, token int, u Use, start, end int) {
	n := len(p.uses)
	if p.read(name, token, u); len(p.uses) > n && len(p.found) < maxUses {
		p.found = append(p.found, occurrence{name: name, start: start, end: end, uses: []int{n}})
	}
}

// containment reads "X" in os.environ and "X" not in os.environ, the name at a token.
func (p *py) containment(at, start, end int) {
	n := len(p.uses)
	p.read(p.lit(at), at, Use{Form: "os.environ", Optional: true})
	if len(p.uses) > n {
		p.found = append(p.found, occurrence{name: p.lit(at), start: at, end: end, uses: []int{n}, absent: p.is(start-2, "not")})
	}
}

// hasDefault tells whether an argument follows the name at a token. That it is None is
// a default like others: somebody wrote it.
func (p *py) hasDefault(at, end int) bool {
	if !p.is(at+1, ",") {
		return false
	}
	for j := at + 2; j < end; j++ {
		switch {
		case p.is(j, "default") && p.is(j+1, "="):
			return true
		case j == at+2 && !p.is(j+1, "="):
			return !p.is(j, ")")
		}
		if m := p.toks[j].match; m > j {
			j = m
		}
	}
	return false
}

func (p *py) read(name string, token int, u Use) {
	u.Name = name
	p.use(u, p.offset(token))
}

// offset is where a name begins, in quotes or without.
func (p *py) offset(token int) int {
	t := &p.toks[token]
	if t.kind != pyString {
		return t.start
	}
	quotes := 1 // at the end, and before it the text
	if t.end-t.start >= len(t.text)+6 {
		quotes = 3
	}
	return t.end - quotes - len(t.text)
}
