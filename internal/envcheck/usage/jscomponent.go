package usage

import (
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck/usage/jslex"
)

// componentTokens are the tokens of the code in a Vue, Svelte or Astro file.
func componentTokens(src, ext string) []jslex.Token {
	var toks []jslex.Token
	rest := []byte(src) // what is no script
	add := func(from, to int) {
		part, _ := jslex.Scan(src[from:to], false)
		for _, t := range part {
			t.Start, t.End = t.Start+from, t.End+from
			toks = append(toks, t)
		}
	}
	blank := func(from, to int) {
		for i := from; i < to; i++ {
			if rest[i] != '\n' {
				rest[i] = ' '
			}
		}
	}
	start, lower := 0, asciiLower(src)
	if ext == ".astro" {
		if from, to := frontmatter(src); to > 0 {
			add(from, to)
			start = to + 3
			blank(0, start)
		}
	}
	for start < len(src) {
		from, to, end, isScript := rawElement(lower, start)
		if end == 0 {
			break
		}
		if isScript {
			add(from, to)
		}
		blank(from, to)
		start = end
	}
	if ext != ".vue" { // whose templates know nothing of the environment
		toks = append(toks, jslex.ScanMarkup(string(rest))...)
	}
	for i := range toks {
		toks[i].Match, toks[i].Parent = -1, -1
	}
	jslex.MatchBrackets(toks)
	return toks
}

// frontmatter is the code between the lines of three dashes at the top of a file.
func frontmatter(src string) (from, to int) {
	top := len(src) - len(strings.TrimLeft(src, " \t\r\n\ufeff"))
	if !strings.HasPrefix(src[top:], "---") {
		return 0, 0
	}
	from = top + 3
	n := strings.Index(src[from:], "\n---")
	if n < 0 {
		return 0, 0
	}
	return from, from + n + 1
}

// rawElement finds the next script, style or HTML comment in a text of small letters:
// what it holds is from from to to. end is 0 when there is none.
func rawElement(src string, start int) (from, to, end int, isScript bool) {
	for i := start; i < len(src); i++ {
		n := strings.IndexByte(src[i:], '<')
		if n < 0 {
			return 0, 0, 0, false
		}
		i += n
		if strings.HasPrefix(src[i:], "<!--") {
			end = len(src)
			if n := strings.Index(src[i:], "-->"); n >= 0 {
				end = i + n + len("-->")
			}
			return i, end, end, false
		}
		for _, tag := range []string{"script", "style"} {
			name := i + 1 + len(tag)
			if !strings.HasPrefix(src[i+1:], tag) || name < len(src) && (isWordByte(src[name]) || src[name] == '-') {
				continue
			}
			open := tagEnd(src, name)
			if open < 0 {
				return i, len(src), len(src), false
			}
			if src[open-2] == '/' {
				return i, open, open, false
			}
			end = len(src)
			if n := strings.Index(src[open:], "</"+tag); n >= 0 {
				end = open + n
			}
			return open, end, end, tag == "script"
		}
	}
	return 0, 0, 0, false
}

func asciiLower(s string) string {
	out := []byte(s)
	for i, c := range out {
		if c >= 'A' && c <= 'Z' {
			out[i] = c + 'a' - 'A'
		}
	}
	return string(out)
}

// tagEnd is the offset behind the tag whose name ends at i, or -1.
func tagEnd(src string, i int) int {
	var quote byte
	for ; i < len(src); i++ {
		switch c := src[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return -1
}
