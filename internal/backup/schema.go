package backup

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/backup/archive"
)

// SchemaObject is one object's definition as the archive has it, as a hash.
type SchemaObject struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
	Hash string `json:"hash"`
}

func (o SchemaObject) key() string { return o.Kind + " " + o.Name }

// Sequence is a sequence's state as the archive restores it.
type Sequence struct {
	Schema string `json:"schema"`
	Name   string `json:"name"`
	Last   string `json:"last"`
	Called bool   `json:"called"`
}

// notSchema are entries of the archive that define nothing in the schema, or
// that are compared in another way.
var notSchema = []string{
	"ENCODING", "STDSTRINGS", "SEARCHPATH", "DATABASE", "DATABASE PROPERTIES", "TABLE DATA", "SEQUENCE SET",
	"BLOB", "BLOBS", "BLOB METADATA", "LARGE OBJECTS", "MATERIALIZED VIEW DATA", "STATISTICS DATA",
}

// deparsed are the kinds whose definitions hold expressions that the server
// prints from its parse tree: printing, parsing and printing again may add
// casts and parentheses (a known one: varchar in (...) in a check).
var deparsed = []string{
	"TABLE", "CONSTRAINT", "CHECK CONSTRAINT", "FK CONSTRAINT", "INDEX", "DEFAULT", "VIEW", "MATERIALIZED VIEW",
	"POLICY", "RULE", "TRIGGER", "DOMAIN", "FOREIGN TABLE", "STATISTICS", "PUBLICATION TABLE",
}

// schemaObjects lists what the archive defines, sorted. Objects that share a
// kind and name (operators, casts) are one line with a hash of them all.
func schemaObjects(entries []archive.Entry) []SchemaObject {
	texts := make(map[SchemaObject][]string)
	for _, e := range entries {
		if slices.Contains(notSchema, e.Desc) || isDatabaseEntry(e) {
			continue
		}
		key := SchemaObject{Kind: e.Desc, Name: e.Name()}
		texts[key] = append(texts[key], definition(e))
	}
	out := make([]SchemaObject, 0, len(texts))
	for key, list := range texts {
		slices.Sort(list)
		key.Hash = shortHash(strings.Join(list, "\x00"))
		out = append(out, key)
	}
	slices.SortFunc(out, func(a, b SchemaObject) int { return strings.Compare(a.key(), b.key()) })
	return out
}

// isDatabaseEntry tells entries about the database itself, which pg_restore
// leaves out when it restores into an existing one.
func isDatabaseEntry(e archive.Entry) bool {
	switch e.Desc {
	case "DATABASE", "DATABASE PROPERTIES":
		return true
	case "ACL", "COMMENT", "SECURITY LABEL":
		return strings.HasPrefix(e.Tag, "DATABASE ")
	}
	return false
}

// definition is the entry's text in the form that survives a restore.
func definition(e archive.Entry) string {
	text := strings.TrimSpace(e.Definition)
	switch {
	case slices.Contains(deparsed, e.Desc):
		text = loosen(text)
	case e.Desc == "FUNCTION" || e.Desc == "PROCEDURE":
		// A body behind AS is text and stays; one in SQL (BEGIN ATOMIC, RETURN) is printed from its parse tree.
		head, body, ok := strings.Cut(text, "\n    AS ")
		if text = loosen(head); ok {
			text += "\n    AS " + body
		}
	case e.Desc == "ACL" || e.Desc == "DEFAULT ACL": // the order of grants follows their history
		lines := strings.Split(text, "\n")
		slices.Sort(lines)
		text = strings.Join(lines, "\n")
	}
	return "owner " + e.Owner + "\n" + text
}

// cast matches a type behind "::", as the server prints types.
var cast = regexp.MustCompile(`::(?:"(?:[^"]|"")*"|[\w$]+)(?:\.(?:"(?:[^"]|"")*"|[\w$]+))*(?: varying| precision| with(?:out)? time zone)*(?:\(\d+(?:,\s*-?\d+)?\))?(?: with(?:out)? time zone)?(?:\[\])*`)

// loosen removes what printing an expression again may change: parentheses,
// casts and white space, but not within quotes.
func loosen(sql string) string {
	var out strings.Builder
	for sql != "" {
		i := strings.IndexAny(sql, `'"`)
		if i < 0 {
			out.WriteString(loosenPlain(sql))
			break
		}
		end := quoteEnd(sql, i)
		// A quoted type name belongs to the cast before it.
		if sql[i] == '"' && castBefore(sql[:i]) {
			if m := cast.FindStringIndex(sql[strings.LastIndex(sql[:i], "::"):]); m != nil {
				at := strings.LastIndex(sql[:i], "::")
				out.WriteString(loosenPlain(sql[:at]))
				sql = sql[at+m[1]:]
				continue
			}
		}
		out.WriteString(loosenPlain(sql[:i]))
		out.WriteString(sql[i:end])
		sql = sql[end:]
	}
	return strings.TrimSpace(out.String())
}

var (
	castTail = regexp.MustCompile(`::(?:[\w$]+\.)*$`)
	blanks   = regexp.MustCompile(`\s+`)
	brackets = strings.NewReplacer("(", " ", ")", " ", "[", " [ ", "]", " ] ", ",", " , ", ";", " ; ")
)

func castBefore(s string) bool { return castTail.MatchString(s) }

func loosenPlain(s string) string {
	return blanks.ReplaceAllString(brackets.Replace(cast.ReplaceAllString(s, " ")), " ")
}

// quoteEnd is the end of the quoted part that starts at i; a doubled quote
// does not end it, since the next part starts at once.
func quoteEnd(s string, i int) int {
	escape := s[i] == '\'' && i > 0 && (s[i-1] == 'E' || s[i-1] == 'e')
	for j := i + 1; j < len(s); j++ {
		switch {
		case escape && s[j] == '\\':
			j++
		case s[j] == s[i]:
			return j + 1
		}
	}
	return len(s)
}

// setval matches what pg_dump writes for a sequence's state.
var setval = regexp.MustCompile(`, (-?\d+), (true|false)\);\s*$`)

// sequences reads the sequences' states from the archive.
func sequences(entries []archive.Entry) ([]Sequence, error) {
	out := []Sequence{}
	for _, e := range entries {
		if e.Desc != "SEQUENCE SET" {
			continue
		}
		m := setval.FindStringSubmatch(e.Definition)
		if m == nil {
			return nil, fmt.Errorf("the archive's state of sequence %s is not understood", e.Name())
		}
		out = append(out, Sequence{Schema: e.Schema, Name: e.Tag, Last: m[1], Called: m[2] == "true"})
	}
	slices.SortFunc(out, func(a, b Sequence) int { return strings.Compare(ident(a.Schema, a.Name), ident(b.Schema, b.Name)) })
	return out, nil
}

// ident is a qualified name for people, and the key of comparisons. It is not
// for SQL: keywords stay bare.
func ident(schema, name string) string { return quoteIdent(schema) + "." + quoteIdent(name) }

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]*$`)

// quoteIdent quotes a name where people would.
func quoteIdent(name string) string {
	if plainName.MatchString(name) {
		return name
	}
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}
