package scaffold

import (
	"bytes"
	"errors"
	"fmt"
)

// configObject is the object literal that a next.config exports.
type configObject struct {
	open, close int // offsets of its braces
	props       map[string]property
	spread      bool // has ...other at its top level
}

// property is a property at the top level of the object.
type property struct {
	start    int // offset of its name
	isString bool
	value    string // the string's content
}

// errShape says that a next.config is written in a way that is not understood.
var errShape = errors.New("its export is not an object literal that can be followed")

// findConfig finds the object that a next.config exports: as a literal, by a
// constant's name, or as the first argument of wrappers such as withSentryConfig.
// Function forms are not followed.
func findConfig(src []byte) (*configObject, error) {
	toks, err := lexJS(src)
	if err != nil {
		return nil, err
	}
	at := exported(toks)
	if at < 0 {
		return nil, errShape
	}
	for range 8 { // wrappers and names, each at most a few deep
		if at >= len(toks) {
			return nil, errShape
		}
		switch t := toks[at]; {
		case t.text == "{":
			return readObject(toks, at)
		case t.text == "(":
			at++
		case t.kind != ident:
			return nil, errShape
		case at+1 < len(toks) && toks[at+1].text == "(" && !toks[at+1].newline:
			at += 2
		case at+1 == len(toks) || endsName(toks[at+1]):
			if at = declared(toks, t.text); at < 0 {
				return nil, errShape
			}
		default:
			return nil, errShape
		}
	}
	return nil, errShape
}

// endsName tells whether the token after a name leaves the name as the whole expression.
func endsName(next token) bool {
	switch next.text {
	case ";", ",", ")", "satisfies", "as":
		return true
	}
	return next.newline && next.kind == ident
}

// exported is the index of the exported expression's first token, or -1. Two
// exports are not followed.
func exported(toks []token) int {
	found := -1
	for i := 0; i+2 < len(toks); i++ {
		at := -1
		switch {
		case toks[i].text == "export" && toks[i+1].text == "default":
			at = i + 2
		case toks[i].text == "module" && toks[i+1].text == "." && toks[i+2].text == "exports" && i+4 < len(toks) && toks[i+3].text == "=":
			at = i + 4
		}
		if at < 0 {
			continue
		}
		if found >= 0 {
			return -1
		}
		found = at
	}
	return found
}

// declared is the index of the initial value of a constant that is declared once and
// never assigned to again, or -1.
func declared(toks []token, name string) int {
	found := -1
	for i := 1; i < len(toks); i++ {
		if toks[i].text != name || toks[i].kind != ident {
			continue
		}
		switch toks[i-1].text {
		case "const", "let", "var":
			if found >= 0 {
				return -1
			}
			found = initializer(toks, i+1)
			if found < 0 {
				return -1
			}
		default:
			if i+1 < len(toks) && (toks[i+1].text == "=" || toks[i+1].text == ".") {
				return -1 // changed after its declaration
			}
		}
	}
	return found
}

// initializer skips a type annotation and the equals sign.
func initializer(toks []token, i int) int {
	if i < len(toks) && toks[i].text == ":" {
		for i++; i < len(toks) && toks[i].text != "="; i++ {
			switch toks[i].text {
			case ";", "{", "(", ")", "}":
				return -1 // a type that is too complicated to follow
			}
		}
	}
	if i+1 < len(toks) && toks[i].text == "=" && toks[i+1].text != "=" {
		return i + 1
	}
	return -1
}

// readObject reads the properties of the literal whose brace is toks[at].
func readObject(toks []token, at int) (*configObject, error) {
	obj := &configObject{open: toks[at].start, props: map[string]property{}}
	depth := 0
	expectKey := false
	for i := at; i < len(toks); i++ {
		switch t := toks[i]; {
		case t.kind == punct && (t.text == "{" || t.text == "(" || t.text == "["):
			depth++
			expectKey = depth == 1
		case t.kind == punct && (t.text == "}" || t.text == ")" || t.text == "]"):
			if depth--; depth == 0 {
				obj.close = t.start
				return obj, nil
			}
			expectKey = false
		case depth == 1 && t.text == ",":
			expectKey = true
		case depth == 1 && expectKey && t.text == "...":
			obj.spread, expectKey = true, false
		case depth == 1 && expectKey && (t.kind == ident || t.kind == str):
			readProperty(obj, toks, i)
			expectKey = false
		}
	}
	return nil, fmt.Errorf("its object is not closed: %w", errShape)
}

func readProperty(obj *configObject, toks []token, i int) {
	name := toks[i].text
	if toks[i].kind == str {
		name = name[1 : len(name)-1]
	}
	p := property{start: toks[i].start}
	if i+3 < len(toks) && toks[i+1].text == ":" && toks[i+2].kind == str && (toks[i+3].text == "," || toks[i+3].text == "}") {
		v := toks[i+2].text
		p.isString, p.value = true, v[1:len(v)-1]
	}
	obj.props[name] = p
}

// configEdit is what addStandalone did.
type configEdit struct {
	src     []byte // the file as it should be; the input when nothing had to change
	refused string // why it was not edited, and what to do; "" when src is right
}

// addStandalone puts output: "standalone" into a next.config, leaving everything else
// as it is. The result is read again before it is returned; a file that is not
// understood is refused with instructions.
func addStandalone(src []byte) configEdit {
	const todo = `add output: "standalone" to it by hand`
	obj, err := findConfig(src)
	if err != nil {
		return configEdit{src: src, refused: fmt.Sprintf("%v; %s", err, todo)}
	}
	if p, ok := obj.props["output"]; ok {
		switch {
		case p.isString && p.value == "standalone":
			return configEdit{src: src}
		case p.isString:
			return configEdit{src: src, refused: fmt.Sprintf(`line %d sets output to %q, and the image needs "standalone"`, lineAt(src, p.start), p.value)}
		default:
			return configEdit{src: src, refused: fmt.Sprintf(`line %d computes output; see to it that it is "standalone" in the image's build`, lineAt(src, p.start))}
		}
	}
	if obj.spread {
		return configEdit{src: src, refused: "it copies another object in, which may set output; " + todo}
	}
	out := insertProperty(src, obj)
	again, err := findConfig(out)
	if err != nil || again.props["output"].value != "standalone" || len(again.props) != len(obj.props)+1 {
		return configEdit{src: src, refused: "the edited file could not be read back; " + todo}
	}
	return configEdit{src: out}
}

// insertProperty writes the property as the object's first, in the file's own layout.
func insertProperty(src []byte, obj *configObject) []byte {
	quote := `"`
	if bytes.Count(src, []byte("'")) > bytes.Count(src, []byte(`"`)) {
		quote = "'"
	}
	prop := "output: " + quote + "standalone" + quote + ","
	newline := "\n"
	if bytes.Contains(src, []byte("\r\n")) {
		newline = "\r\n"
	}
	body := src[obj.open+1 : obj.close]
	var insert string
	switch first := bytes.IndexByte(body, '\n'); {
	case first >= 0 && len(bytes.TrimSpace(body[:first])) == 0:
		insert = newline + indentOf(body[first+1:]) + prop
	case len(bytes.TrimSpace(body)) == 0:
		insert = newline + "  " + prop + newline
		body = nil
	default:
		insert = " " + prop
	}
	out := append([]byte{}, src[:obj.open+1]...)
	out = append(out, insert...)
	out = append(out, body...)
	return append(out, src[obj.close:]...)
}

// indentOf is the white space that the first line with content begins with.
func indentOf(body []byte) string {
	for line := range bytes.Lines(body) {
		if trimmed := bytes.TrimLeft(line, " \t"); len(bytes.TrimSpace(trimmed)) > 0 {
			return string(line[:len(line)-len(trimmed)])
		}
	}
	return "  "
}
