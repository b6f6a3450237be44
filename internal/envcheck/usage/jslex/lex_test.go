package jslex

import (
	"strings"
	"testing"
)

// code gives what of a file is code: the text of names and operators.
func code(src string, jsx bool) (string, bool) {
	toks, loose := Scan(src, jsx)
	var words []string
	for _, t := range toks {
		switch t.Kind {
		case Ident, Punct:
			words = append(words, t.Text)
		case Str:
			words = append(words, "S")
		case Opaque:
			words = append(words, "O")
		}
	}
	return strings.Join(words, " "), loose
}

func TestScan(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"comments", "a // b\n/* c */ d", "a d"},
		{"strings", `a = "b" + 'c\'d'`, "a = S + S"},
		{"a string that does not close", "a = 'b\nc", "a = ' b c"},
		{"a template", "a = `b ${ c } d ${`e${f}`}`", "a = O c O O f O O"},
		{"braces in a template's code", "`${ {a: {}} }` b", "O { a : { } } O b"},
		{"a regular expression", "a = /['\"`]/g; b", "a = O ; b"},
		{"a division", "a / b / c", "a / b / c"},
		{"after a condition", "if (a) /'/.test(b)", "if ( a ) O . test ( b )"},
		{"after a member named as a keyword", "a.else / b / c; a.return < d", "a . else / b / c ; a . return < d"},
		{"after a call", "f(a) / b / c", "f ( a ) / b / c"},
		{"a statement after a block", "{}\n/'/.test(a)", "{ } O . test ( a )"},
		{"an element", "a = <p>Don't {b} `c` // d</p>; e", "a = { b } ; e"},
		{"attributes", "a = <p b='c\nd' e={f('g')} {...h} i />; j", "a = { f ( S ) } { ... h } ; j"},
		{"nested elements", "a = <><b c={<d>it's</d>}>e</b>{f ? <g/> : null}</>; h", "a = { } { f ? : null } ; h"},
		{"an element as an attribute", "a = <b c=<d/>>e's</b>; f", "a = ; f"},
		{"comments in a tag", "a = <b /* it's */ c // isn't\n/>; d", "a = ; d"},
		{"a comparison", "a = b < c && d > e", "a = b < c && d > e"},
		{"a type's parameters", "a = <T,>(b: T) => b; c", "a = < T , > ( b : T ) => b ; c"},
		{"with a bound", "a = <T extends B>(b: T) => 'c'", "a = < T extends B > ( b : T ) => S"},
		{"constant", "a = <const T>(b: T) => b", "a = < const T > ( b : T ) => b"},
		{"of a function type", "type A = <T>(b: T) => void; c", "type A = < T > ( b : T ) => void ; c"},
		{"an element with parentheses", "a = <b>(it's)</b>; c", "a = ; c"},
		{"type arguments of a tag", "a = <B<C> d={e}>f's</B>; g", "a = { e } ; g"},
		{"not a tag at all", "a = <b; c> 'd'", "a = < b ; c > S"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, loose := code(tt.src, true)
			if got != tt.want || loose {
				t.Errorf("%q\n got %s (loose: %v)\nwant %s", tt.src, got, loose, tt.want)
			}
		})
	}
}

// From what does not end, the rest of the file is read tolerantly.
func TestScanGoesOn(t *testing.T) {
	for src, want := range map[string]string{
		"a = <p>it's b; c('d')": "a = < p > it S d ' )",
		"a = `b; c('d') // e":   "a = ` b ; c ( S )",
		"`a ${ b; c `d ${e}` f": "O { b ; c ` d $ { e } ` f",
		"a = <b>{c":             "a = < b > { c",
	} {
		got, loose := code(src, true)
		if !loose {
			t.Errorf("%q was followed: %s", src, got)
		}
		if want != got && !strings.HasPrefix(src, "`") {
			t.Errorf("%q\n got %s\nwant %s", src, got, want)
		}
	}
}

func TestBrackets(t *testing.T) {
	toks, _ := Scan("{ ( a } )", false)
	for i, want := range []int{3, -1, -1, 0, -1} {
		if toks[i].Match != want {
			t.Errorf("token %d %q matches %d, not %d", i, toks[i].Text, toks[i].Match, want)
		}
	}
	if toks[2].Parent != 1 || toks[1].Parent != 0 {
		t.Errorf("parents: %v", toks)
	}
}

// Whatever the text is: tokens come in order, are what the text has there, and pair.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"", "`${`${", "<a b={<c", "'\\", "/[", "a=<T,>()=>`", "<<<", "<a<", "/*", "if(a)/b/", "\u2028'", "<a>{`${<b/>}`}</a>", "}", "({[)]}"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, src string, jsx bool) {
		toks, _ := Scan(src, jsx)
		inOrder(t, src, toks)
		inOrder(t, src, ScanMarkup(src))
	})
}

func inOrder(t *testing.T, src string, toks []Token) {
	t.Helper()
	end := 0
	for i, tok := range toks {
		if tok.Start < end || tok.End <= tok.Start || tok.End > len(src) || src[tok.Start:tok.End] != tok.Text {
			t.Fatalf("token %d %+v after %d", i, tok, end)
		}
		end = tok.End
		if tok.Match >= 0 && toks[tok.Match].Match != i || tok.Parent >= i {
			t.Fatalf("token %d %+v", i, tok)
		}
	}
}

// No part of a file is read again and again: the worst that one can hold takes linear time.
func TestScanIsLinear(t *testing.T) {
	for _, unit := range []string{"'\\", "`${", "<a ", "<a>", "<a b='", "/[\\/", "\\'", "a=<b>(", "`", "<a{", "({[", "=<b c=<d ", "([", "'\n"} {
		l := newLexer(strings.Repeat(unit, 1<<17/len(unit)) + strings.Repeat("}", 1<<16))
		l.tolerant, l.jsx = true, true
		if err := l.run(); err != nil {
			t.Fatal(err)
		}
		MatchBrackets(l.out)
		if l.reread > (maxRetries+4)*len(l.src) {
			t.Errorf("%q: of %d bytes %d were read again", unit, len(l.src), l.reread)
		}
	}
}
