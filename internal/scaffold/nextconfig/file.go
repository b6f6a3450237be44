package nextconfig

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// What is larger or nested deeper than this is no configuration that a person wrote.
// The bounds also keep esbuild, which is recursive, from using up the stack.
const (
	maxSize   = 1 << 20
	maxDepth  = 100    // brackets within brackets
	maxRun    = 10_000 // tokens between two commas or semicolons
	maxArrows = 50     // a => b => c => …
)

// file is a configuration that parses, with what is declared in it.
type file struct {
	src      string
	loader   api.Loader
	code     string // the source as esbuild prints it: no types, no comments, one layout
	toks     []token
	comments []span
	imports  []span // import statements at the top level, as tokens
	funcs    []*function
	decls    map[string][]*decl
	changed  map[*decl][]change // what changes found
	spreads  int                // how many spreads were looked into

	// lenient files are esbuild's own output, which lost the types that a
	// configuration is recognised by.
	lenient bool
}

// load parses a configuration.
func load(name string, src []byte) (*file, error) {
	loader, err := loaderOf(name)
	if err != nil {
		return nil, err
	}
	if len(src) > maxSize {
		return nil, fmt.Errorf("it has %d bytes, and more than %d are not read", len(src), maxSize)
	}
	f := &file{src: string(src), loader: loader}
	var lexErr error
	if f.toks, f.comments, lexErr = lex(f.src); lexErr == nil {
		lexErr = f.brackets()
	}
	if errors.Is(lexErr, errBounds) {
		return nil, lexErr // not even for esbuild
	}
	// esbuild's message is the better one where both do not understand.
	if f.code, err = normalise(f.src, loader); err != nil {
		return nil, err
	}
	if lexErr != nil {
		return nil, lexErr
	}
	return f, f.scopes()
}

// reload reads esbuild's output as a file of its own.
func (f *file) reload() (*file, error) {
	g := &file{src: f.code, loader: api.LoaderJS, code: f.code, lenient: true}
	var err error
	if g.toks, g.comments, err = lex(g.src); err != nil {
		return nil, err
	}
	if err := g.brackets(); err != nil {
		return nil, err
	}
	return g, g.scopes()
}

func loaderOf(name string) (api.Loader, error) {
	switch path.Ext(name) {
	case ".js", ".mjs", ".cjs":
		return api.LoaderJS, nil
	case ".ts", ".mts", ".cts":
		return api.LoaderTS, nil
	}
	return api.LoaderNone, fmt.Errorf("%s is neither JavaScript nor TypeScript by its name", path.Base(name))
}

// normalise prints source the way esbuild does. The transformation sees nothing but
// the text: esbuild gives it an empty file system, and there is nothing to resolve.
func normalise(src string, loader api.Loader) (string, error) {
	r := api.Transform(src, api.TransformOptions{
		LogLevel:         api.LogLevelSilent,
		LogLimit:         1,
		Loader:           loader,
		Target:           api.ESNext,
		MinifyWhitespace: true,
		Charset:          api.CharsetUTF8,
		LegalComments:    api.LegalCommentsNone,
		// The user's tsconfig.json decides about these in a build; here nothing may vanish.
		TsconfigRaw: `{"compilerOptions":{"verbatimModuleSyntax":true}}`,
	})
	if len(r.Errors) > 0 {
		e := r.Errors[0]
		text := strings.TrimSuffix(e.Text, ".")
		if e.Location == nil {
			return "", fmt.Errorf("it does not parse: %s", text)
		}
		return "", fmt.Errorf("line %d does not parse: %s", e.Location.Line, text)
	}
	return string(bytes.TrimSpace(r.Code)), nil
}

var errBounds = errors.New("no configuration is built like that")

// brackets finds the pairs of brackets.
func (f *file) brackets() error {
	var open []int
	runs := []int{0} // tokens since the last separator, one a level
	arrows := 0
	for i := range f.toks {
		t := &f.toks[i]
		if len(open) > 0 {
			t.parent = open[len(open)-1]
		}
		if runs[len(runs)-1]++; runs[len(runs)-1] > maxRun {
			return fmt.Errorf("line %d: one statement goes on for too long: %w", f.line(i), errBounds)
		}
		if t.kind != punct {
			continue
		}
		switch t.text {
		case "=>":
			before := i - 2 // in front of the parameters
			if f.is(i-1, ")") {
				before = f.toks[i-1].match - 1
			}
			if arrows++; !f.is(before, "=>") {
				arrows = 0
			}
			if arrows > maxArrows {
				return fmt.Errorf("line %d: too many functions that return functions: %w", f.line(i), errBounds)
			}
		case "(", "[", "{":
			if len(open) == maxDepth {
				return fmt.Errorf("line %d: brackets are nested too deep: %w", f.line(i), errBounds)
			}
			open, runs = append(open, i), append(runs, 0)
		case ")", "]", "}":
			if len(open) == 0 || closer(f.toks[open[len(open)-1]].text) != t.text {
				return fmt.Errorf("line %d: a %s closes nothing", f.line(i), t.text)
			}
			o := open[len(open)-1]
			open, runs = open[:len(open)-1], runs[:len(runs)-1]
			t.match, f.toks[o].match, t.parent = o, i, f.toks[o].parent
		case ",", ";":
			runs[len(runs)-1] = 0
		}
	}
	if len(open) > 0 {
		return fmt.Errorf("line %d: a %s is not closed", f.line(open[0]), f.toks[open[0]].text)
	}
	return nil
}

func closer(open string) string {
	switch open {
	case "(":
		return ")"
	case "[":
		return "]"
	}
	return "}"
}

// text is the text of a token, "" outside of the file.
func (f *file) text(i int) string {
	if i < 0 || i >= len(f.toks) {
		return ""
	}
	return f.toks[i].text
}

// is tells whether a token is the operator or keyword, not a string of the same text.
func (f *file) is(i int, text string) bool {
	return i >= 0 && i < len(f.toks) && f.toks[i].text == text && f.toks[i].kind != str && f.toks[i].kind != opaque
}

// keyword tells whether a token is the keyword, not a property of the same name.
func (f *file) keyword(i int, word string) bool {
	return f.is(i, word) && !f.isName(i)
}

// isName tells whether a token is the name of a property rather than a variable or keyword.
func (f *file) isName(i int) bool {
	if f.is(i-1, ".") || f.is(i-1, "?.") {
		return true
	}
	return f.is(i+1, ":") && (f.is(i-1, "{") || f.is(i-1, ",")) && f.is(f.toks[i].parent, "{")
}

func (f *file) isIdent(i int) bool {
	return i >= 0 && i < len(f.toks) && f.toks[i].kind == ident
}

func (f *file) line(i int) int {
	if i >= len(f.toks) {
		return lineAt(f.src, len(f.src))
	}
	return lineAt(f.src, f.toks[i].start)
}

// exprEnd is the index after the expression that begins at token i.
func (f *file) exprEnd(i int) int {
	j := i
	for j < len(f.toks) {
		if j > i && f.endsStatement(j) {
			return j
		}
		t := &f.toks[j]
		if t.kind != punct {
			j++
			continue
		}
		switch t.text {
		case ";", ",", ")", "]", "}":
			return j
		case "(", "[", "{":
			j = t.match + 1
		default:
			j++
		}
	}
	return j
}

// endsStatement tells whether the line break before token j ends a statement, the way
// that JavaScript inserts semicolons.
func (f *file) endsStatement(j int) bool {
	t, prev := &f.toks[j], &f.toks[j-1]
	if !t.newline {
		return false
	}
	switch {
	case prev.kind == ident && !f.isName(j-1) && (wantsOperand(prev.text) || prev.text == "function" || prev.text == "class"):
		return false
	case prev.kind == punct && prev.text != ")" && prev.text != "]" && prev.text != "}" && prev.text != "++" && prev.text != "--" && prev.text != "!":
		return false
	}
	switch {
	case t.kind == ident:
		return t.text != "in" && t.text != "instanceof" && t.text != "extends"
	case t.kind == str:
		return true
	case t.kind == opaque:
		return !strings.HasPrefix(t.text, "`")
	case t.text == "{":
		return prev.text != ")" // else the body of a function
	}
	return t.text == "!" || t.text == "~" || t.text == "@" || t.text == "++" || t.text == "--"
}

// args splits what is in the brackets at token open at its commas. Each part is the
// tokens from start up to end.
func (f *file) args(open int) []span {
	var out []span
	start, end := open+1, f.toks[open].match
	for j := start; j < end; j++ {
		switch t := &f.toks[j]; {
		case t.kind != punct:
		case t.text == "(" || t.text == "[" || t.text == "{":
			j = t.match
		case t.text == ",":
			out = append(out, span{start, j})
			start = j + 1
		}
	}
	if start < end {
		out = append(out, span{start, end})
	}
	return out
}
