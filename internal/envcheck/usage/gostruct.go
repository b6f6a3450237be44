package usage

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// goTypes are the structs of all packages, by folder and name.
type goTypes struct {
	*collected
	known   map[string]bool
	byName  map[string]*goStruct
	folders map[string][]string // by name of a struct, the longest first
	reached map[string]bool     // what a root or another struct holds
	rooted  map[string]bool     // by a call
	steps   int                 // fields that were looked at, in all
}

// resolveStructs adds the uses by structs, each by the prefixes under which libraries
// fill it.
func (c *collected) resolveStructs(known map[string]bool) {
	t := &goTypes{collected: c, known: known, byName: map[string]*goStruct{}, folders: map[string][]string{}, reached: map[string]bool{}, rooted: map[string]bool{}}
	files := slices.Clone(c.golang)
	slices.SortStableFunc(files, func(a, b goFile) int { return cmp.Or(cmp.Compare(a.dir, b.dir), cmp.Compare(a.file, b.file)) })
	for _, f := range files {
		for i := range f.structs {
			name := f.structs[i].name
			t.byName[f.dir+"\x00"+name] = &f.structs[i]
			t.folders[name] = append(t.folders[name], f.dir)
		}
	}
	for _, folders := range t.folders {
		slices.SortFunc(folders, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	}
	for _, f := range files {
		for _, r := range f.roots {
			if dir, s := t.root(f.dir, r); s != nil {
				t.rooted[dir+"\x00"+r.kind] = true
				if r.envconfig {
					t.envconfig(dir, s, r.prefix, 0)
				} else {
					t.fill(dir, s, r.prefix, 0)
				}
			}
		}
	}
	for _, f := range files {
		for i := range f.structs {
			t.holds(f.dir, &f.structs[i])
		}
	}
	for _, f := range files {
		for i := range f.structs {
			if key := f.dir + "\x00" + f.structs[i].name; !t.reached[key] && !t.rooted[key] {
				t.fill(f.dir, &f.structs[i], "", 0)
			}
		}
	}
}

// root is the struct that a call fills, and its folder.
func (t *goTypes) root(dir string, r goRoot) (string, *goStruct) {
	if r.pkg == "" {
		return dir, t.byName[dir+"\x00"+r.kind]
	}
	for _, folder := range t.folders[r.kind] {
		if r.pkg == folder || strings.HasSuffix(r.pkg, "/"+folder) {
			return folder, t.byName[folder+"\x00"+r.kind]
		}
	}
	return "", nil
}

// holds notes which structs are fields of others, that are about the environment.
func (t *goTypes) holds(dir string, s *goStruct) {
	for _, f := range s.fields {
		folder, inner := t.inner(dir, f)
		if inner != nil && inner != f.inline && !f.skipped && (s.tagged || inner.tagged) && inner != s {
			t.reached[folder+"\x00"+f.kind] = true
		}
		if f.inline != nil {
			t.holds(dir, f.inline)
		}
	}
}

// inner is the struct that a field holds, or nil, and its folder.
func (t *goTypes) inner(dir string, f goField) (string, *goStruct) {
	switch {
	case f.inline != nil:
		return dir, f.inline
	case f.kind == "":
		return "", nil
	}
	return t.root(dir, goRoot{pkg: f.pkg, kind: f.kind})
}

// fill adds the names of a struct with tags of env.
func (t *goTypes) fill(dir string, s *goStruct, prefix string, depth int) {
	if depth > maxSchemas {
		return
	}
	for _, f := range s.fields {
		if t.steps++; t.steps > maxTotal {
			return
		}
		folder, inner := t.inner(dir, f)
		switch {
		case f.skipped:
		case f.use.Name != "":
			t.add(f.use, prefix+f.use.Name)
		case inner != nil && inner != s && !f.many: // of many, the names have numbers
			t.fill(folder, inner, prefix+f.prefix, depth+1)
		}
	}
}

func (t *goTypes) add(u Use, name string) {
	if u.Name = name; isName(name) && len(t.uses) < maxTotal {
		t.uses = append(t.uses, u)
	}
}

// envconfig adds the names of a struct as envconfig makes them: PREFIX_NAME, where NAME
// is that of the tag or of the field.
func (t *goTypes) envconfig(dir string, s *goStruct, prefix string, depth int) {
	if depth > maxSchemas {
		return
	}
	for _, f := range s.fields {
		if t.steps++; t.steps > maxTotal {
			return
		}
		folder, inner := t.inner(dir, f)
		name := f.use.Name
		if name == "" {
			name = f.name
			if f.words {
				name = splitWords(name)
			}
		}
		key := strings.ToUpper(name)
		if prefix != "" {
			key = strings.ToUpper(prefix) + "_" + key
		}
		exported := f.embedded || f.name != "" && unicode.IsUpper(rune(f.name[0]))
		switch {
		case f.skipped || !exported || !f.envs:
		case inner != nil && !f.many && f.embedded:
			t.envconfig(folder, inner, prefix, depth+1)
		case inner != nil && !f.many && inner != s:
			t.envconfig(folder, inner, key, depth+1)
		case f.embedded, strings.Contains(f.pkg, ".") && f.use.Name == "" && !f.use.Optional && !f.use.Asserted && !f.words: // it may be a struct
		case f.use.Name != "" && t.known[f.use.Name] && !t.known[key]: // the tag's name alone is tried, too
			t.add(f.use, f.use.Name)
		default:
			t.add(f.use, key)
		}
	}
}

var (
	camelWords = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Z]+|[A-Z]+[^A-Z]+|[A-Z]+`) })
	acronym    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Z]+)([A-Z][^A-Z]+)$`) })
)

// splitWords is a field's name with its words apart: HTTPPort is HTTP_Port.
func splitWords(name string) string {
	var out []string
	for _, w := range camelWords().FindAllString(name, -1) {
		if m := acronym().FindStringSubmatch(w); m != nil {
			out = append(out, m[1], m[2])
		} else {
			out = append(out, w)
		}
	}
	return strings.Join(out, "_")
}
