package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// Path is a place in a JSON document: member names and array indexes.
type Path []step

type step struct {
	name  string
	index int // used when isIndex
	array bool
}

// ParsePath reads a path such as a.b[0].c, optionally starting with "$" or
// "$.". A member with a dot or a bracket in its name is written ['a.b'] or
// ["a.b"]. There are no wildcards. The error is a usage error.
func ParsePath(s string) (Path, error) {
	rest, ok := strings.CutPrefix(s, "$")
	if ok {
		if rest == "" {
			return Path{}, nil
		}
		if rest[0] != '.' && rest[0] != '[' {
			rest, ok = s, false // a member whose name starts with "$"
		}
	}
	if !ok {
		rest = "." + rest
		if strings.HasPrefix(s, "[") {
			rest = s
		}
	}
	var p Path
	for rest != "" {
		st, tail, err := parseStep(rest)
		if err != nil {
			return nil, errs.New(errs.Usage, "invalid JSON path %q: %v", s, err).
				WithHint("write it like status or checks.db[0].status")
		}
		p, rest = append(p, st), tail
	}
	return p, nil
}

func parseStep(s string) (step, string, error) {
	if s[0] == '.' {
		end := strings.IndexAny(s[1:], ".[")
		name, rest := s[1:], ""
		if end >= 0 {
			name, rest = s[1:1+end], s[1+end:]
		}
		if name == "" {
			return step{}, "", errors.New("empty name")
		}
		if strings.Contains(name, "]") {
			return step{}, "", errors.New("] without [")
		}
		return step{name: name}, rest, nil
	}
	if s[0] != '[' {
		return step{}, "", fmt.Errorf("unexpected %q", s)
	}
	if len(s) > 1 && (s[1] == '"' || s[1] == '\'') {
		end := strings.Index(s[2:], s[1:2]+"]")
		if end < 0 {
			return step{}, "", errors.New("unclosed quote")
		}
		return step{name: s[2 : 2+end]}, s[2+end+2:], nil
	}
	text, rest, found := strings.Cut(s[1:], "]")
	n, err := strconv.Atoi(text)
	if !found || err != nil || n < 0 || text[0] == '+' {
		return step{}, "", fmt.Errorf("%q is not an index", strings.TrimSuffix(s, "]"))
	}
	return step{index: n, array: true}, rest, nil
}

// String renders the path so that ParsePath reads it back as the same path.
func (p Path) String() string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range p {
		switch {
		case s.array:
			fmt.Fprintf(&b, "[%d]", s.index)
		case s.name == "" || strings.ContainsAny(s.name, ".[]"):
			quote := `"`
			if strings.Contains(s.name, `"]`) {
				quote = "'"
			}
			b.WriteString("[" + quote + s.name + quote + "]")
		default:
			b.WriteString("." + s.name)
		}
	}
	return b.String()
}

// Lookup walks a document decoded by encoding/json. The error says at which
// step there was nothing.
func (p Path) Lookup(doc any) (any, error) {
	for i, s := range p {
		at := p[:i].String()
		if s.array {
			list, ok := doc.([]any)
			if !ok {
				return nil, fmt.Errorf("%s is not an array", at)
			}
			if s.index >= len(list) {
				return nil, fmt.Errorf("%s has only %d elements", at, len(list))
			}
			doc = list[s.index]
			continue
		}
		obj, ok := doc.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("%s is not an object", at)
		}
		if doc, ok = obj[s.name]; !ok {
			return nil, fmt.Errorf("%s has no member %q", at, s.name)
		}
	}
	return doc, nil
}

// decodeJSON reads exactly one document and keeps numbers as they were written.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one document")
	}
	return doc, nil
}

// equalJSON compares a decoded value with the text of an assertion.
func equalJSON(v any, want string) bool {
	switch x := v.(type) {
	case string:
		return x == want || strconv.Quote(x) == want
	case json.Number:
		if x.String() == want {
			return true
		}
		a, aerr := x.Float64()
		b, berr := strconv.ParseFloat(want, 64)
		return aerr == nil && berr == nil && a == b
	default:
		return textOf(v) == want
	}
}

// textOf shows a decoded value: strings bare, everything else as compact JSON.
func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}
