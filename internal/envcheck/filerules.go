package envcheck

import (
	"context"
	"path"
	"strings"
)

// fileRules checks each file as a file: its lines, its keys, who tracks it.
func (c *checker) fileRules(ctx context.Context) {
	known := c.schema.Keys()
	for _, l := range c.files {
		if strings.HasPrefix(l.text, bom) && c.add(Finding{File: l.name, Line: 1, Col: 1, Rule: "E-BOM", Level: Warning,
			Message: "the file begins with a byte order mark, which fly's importer takes for part of the first key, and varlock refuses", Fix: "save it as UTF-8 without BOM"}) {
			c.repairBOM(l)
		}
		c.duplicates(l)
		for i := range l.app.Entries {
			e := &l.app.Entries[i]
			if l.last[e.Key] == e {
				c.keyRules(l, e, known)
			}
		}
		c.differences(l)
	}
	c.tracked(ctx)
	c.dockerignore()
}

// maxComparisons bounds how many pairs of keys are compared to find a slip:
// a file of another program may hold thousands of unknown keys.
const maxComparisons = 100_000

// maySuggest reports whether one more key may be compared with n others.
func (c *checker) maySuggest(n int) bool {
	c.compared += n
	return c.compared <= maxComparisons
}

// keyRules checks the name of an assignment.
func (c *checker) keyRules(l *loaded, e *Entry, known []string) {
	it := c.schema.Item(e.Key)
	switch {
	case e.Key == "NODE_ENV" && c.opts.Reader == Next:
		c.line(l, e, "node-env", Error, "NODE_ENV is set in a file; Next.js sets it itself, and next build breaks on another value", "remove the line")
	case it == nil && c.shownKey(e.Key) != "":
		fix := ""
		if c.maySuggest(len(known)) {
			fix = didYouMean(e.Key, known)
		}
		fix = unknownFix(e.Key, c.schema.Name, fix)
		c.line(l, e, "unknown-key", Warning, e.Key+" is not in the schema", fix)
	case it == nil:
		c.line(l, e, "unknown-key", Warning, "a line that assigns to a name of "+itoa(len(e.Key))+" characters that is not in the schema",
			"if it belongs to the value above, put that in double quotes")
	case it.Deprecated != "":
		msg := e.Key + " is deprecated"
		if it.Deprecated != "deprecated" {
			msg += ": " + it.Deprecated
		}
		c.line(l, e, "deprecated", Warning, msg, "remove the line when nothing reads it")
	}
}

// line reports something about an assignment, at its key; false when that is silenced.
func (c *checker) line(l *loaded, e *Entry, rule string, level Level, msg, fix string) bool {
	return c.add(Finding{File: l.name, Line: e.Pos.Line, Col: e.Pos.Col, Rule: rule, Level: level, Key: c.shownKey(e.Key), Message: msg, Fix: fix})
}

// shownKey is the key where it can be printed.
func (c *checker) shownKey(key string) string {
	if c.schema.Item(key) != nil || isPlausibleKey(key) {
		return key
	}
	return ""
}

// IsPlausibleName reports whether a name may be printed though no schema knows it.
func IsPlausibleName(key string) bool { return isPlausibleKey(key) }

// isPlausibleKey reports whether a key looks like the name of a variable and
// not like a secret, or a line of one that happens to hold a =, such as the last
// line of an unquoted private key. Only such a key is ever printed.
func isPlausibleKey(key string) bool {
	if envName(key) != key || key == "" || len(key) > 64 || secretKind("", key) != "" {
		return false
	}
	digits, upper, lower := 0, 0, 0
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'A' && c <= 'Z':
			upper++
		case c != '_':
			lower++
		}
	}
	switch {
	case upper > 0 && lower > 0: // Base64 looks like this, and names hardly do
		return false
	case !strings.Contains(key, "_"):
		return upper > 0 && (len(key) <= 8 || len(key) <= 16 && digits <= 1)
	}
	return true
}

// duplicates reports a key that is set twice in a file.
func (c *checker) duplicates(l *loaded) {
	if len(l.last) == len(l.app.Entries) {
		return
	}
	first := map[string]*Entry{}
	for i := range l.app.Entries {
		e := &l.app.Entries[i]
		prev := first[e.Key]
		if prev == nil {
			first[e.Key] = e
			continue
		}
		level, msg := Error, " is set again with another value; the first is on line "
		if prev.Raw == e.Raw {
			level, msg = Warning, " is set again; the first is on line "
		}
		name := c.shownKey(e.Key)
		if name == "" {
			name = "a name"
		}
		if c.line(l, e, "duplicate", level, name+msg+itoa(prev.Pos.Line)+"; the last one wins", "keep one line") {
			c.repairDuplicate(l, prev, e)
		}
	}
}

// tracked reports files with local or production values that git tracks.
func (c *checker) tracked(ctx context.Context) {
	if c.opts.Tracked == nil {
		return
	}
	var names []string
	for _, l := range c.files {
		base := path.Base(l.name)
		if base == ".env" || base == ".env.production" || strings.HasSuffix(base, ".local") {
			names = append(names, l.name)
		}
	}
	if len(names) == 0 {
		return
	}
	tracked, err := c.opts.Tracked(ctx, c.opts.Dir, names)
	if err != nil { // no git, or no repository: nothing is tracked
		return
	}
	for _, name := range tracked {
		c.add(Finding{File: name, Line: 1, Col: 1, Rule: "git-tracked", Level: Error, Message: name + " is tracked by git",
			Fix: "git rm --cached " + name + ", add it to .gitignore, and replace the secrets it held: they stay in the history"})
	}
}

// dockerignore reports .env files that a Docker build would copy into the image.
func (c *checker) dockerignore() {
	if len(c.files) == 0 {
		return
	}
	if _, err := c.opts.ReadFile(join(c.opts.Dir, "Dockerfile")); err != nil {
		return
	}
	data, err := c.opts.ReadFile(join(c.opts.Dir, ".dockerignore"))
	patterns := strings.Fields(string(data))
	for _, l := range c.files {
		if err == nil && ignored(patterns, l.name) || strings.ContainsAny(l.name, `/\`) || !strings.HasPrefix(l.name, ".env") || IsExampleName(l.name) {
			continue // nothing reads it there
		}
		c.add(Finding{File: l.name, Line: 1, Col: 1, Rule: "dockerignore", Level: Warning,
			Message: l.name + " is not in .dockerignore: a COPY puts it into the image, where the app may read it instead of the platform's values",
			Fix:     "add .env* to .dockerignore, and !.env.example after it if that file is needed"})
	}
}

// ignored reports whether patterns of a .dockerignore leave out a file at the root; the last match decides.
func ignored(patterns []string, name string) bool {
	out := false
	for _, p := range patterns {
		keep := strings.HasPrefix(p, "!")
		p = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(p, "!"), "/"), "**/")
		if ok, err := path.Match(strings.TrimSuffix(p, "/"), name); err == nil && ok {
			out = !keep
		}
	}
	return out
}

// unknownKeys lists the keys of the files that the schema does not know.
func (c *checker) unknownKeys() []string {
	var out []string
	for _, l := range c.files {
		for i := range l.app.Entries {
			e := &l.app.Entries[i]
			if l.last[e.Key] == e && c.schema.Item(e.Key) == nil && isPlausibleKey(e.Key) {
				out = append(out, e.Key)
			}
		}
	}
	return out
}
