package nextconfig

import "strings"

// style is how a file is written.
type style struct {
	quote     string
	semicolon string // ";" or ""
	newline   string
	indent    string
}

func (f *file) styleOf(e export) style {
	s := style{quote: `"`, newline: "\n", indent: "  "}
	if n := strings.Count(f.src, "\r\n"); n > 0 && 2*n >= strings.Count(f.src, "\n") {
		s.newline = "\r\n"
	}
	single, double := 0, 0
	inner := "" // how statements end further in
	for _, t := range f.toks {
		switch {
		case t.kind == str && t.text[0] == '\'':
			single++
		case t.kind == str:
			double++
		case t.kind != punct || t.text != ";" || t.newline:
		case t.parent < 0:
			s.semicolon = ";"
		case f.is(t.parent, "{"):
			inner = ";"
		}
	}
	if s.semicolon == "" && e.fn != nil {
		s.semicolon = inner // a declaration does not show it
	}
	if single+double == 0 { // then what the comments do
		single, double = strings.Count(f.src, "'"), strings.Count(f.src, `"`)
	}
	if single > double {
		s.quote = "'"
	}
	for line := range strings.Lines(f.src) {
		blank := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if rest := line[len(blank):]; blank == "" || strings.TrimSpace(rest) == "" || rest[0] == '*' {
			continue
		}
		s.indent = blank
		break
	}
	return s
}

func (s style) quoted(text string) string { return s.quote + text + s.quote }

// indentOf is the white space that the first line with content begins with, if that is
// further in than the line around it.
func (s style) indentOf(body, outer string) string {
	for line := range strings.Lines(body) {
		trimmed := strings.TrimLeft(line, " \t")
		if strings.TrimSpace(trimmed) == "" {
			continue
		}
		if blank := line[:len(line)-len(trimmed)]; len(blank) > len(outer) {
			return blank
		}
		break
	}
	return outer + s.indent
}

// indentAt is the white space that the line of an offset begins with.
func indentAt(src string, offset int) string {
	line := src[strings.LastIndexAny(src[:offset], "\n\r")+1:]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// onOwnLine tells whether nothing but white space stands before an offset on its line.
func onOwnLine(src string, offset int) bool {
	start := strings.LastIndexAny(src[:offset], "\n\r") + 1
	return strings.TrimSpace(src[start:offset]) == ""
}

// endOfLine is the offset behind the comments that follow another offset on its line.
func (f *file) endOfLine(at int, comments []span) int {
	for _, c := range comments {
		if c.start < at || strings.ContainsAny(f.src[at:c.start], "\n\r") {
			break
		}
		if strings.ContainsAny(f.src[c.start:c.end], "\n\r") {
			break // it goes on in the next line
		}
		at = c.end
	}
	return at
}

// blankLine tells whether an empty line follows an offset at the end of a line, or
// nothing does.
func (f *file) blankLine(at int) bool {
	rest := strings.TrimLeft(f.src[at:], " \t")
	_, after, more := strings.Cut(rest, "\n")
	next, _, _ := strings.Cut(after, "\n")
	return !more || strings.TrimSpace(next) == ""
}
