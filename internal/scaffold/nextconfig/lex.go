package nextconfig

import "github.com/opsctl/opsctl/internal/envcheck/usage/jslex"

// token is a piece of JavaScript or TypeScript source, without comments.
type token struct {
	kind       tokenKind
	text       string
	start, end int
	newline    bool // a line ends between the token before and this one
	match      int  // for a bracket, the token that closes or opens it
	parent     int  // the bracket that the token is directly in, or -1
}

type tokenKind = jslex.Kind

const (
	ident  = jslex.Ident  // names, keywords and numbers
	str    = jslex.Str    // '...' or "..."
	opaque = jslex.Opaque // template literal or regular expression
	punct  = jslex.Punct  // operators and brackets
)

// span is a piece of source by its offsets, or of tokens by their indexes.
type span struct{ start, end int }

// lex splits source into tokens and comments; whatever it cannot follow is an error,
// never a guess. Brackets are paired later.
func lex(src string) ([]token, []span, error) {
	toks, notes, err := jslex.Lex(src)
	if err != nil {
		return nil, nil, err
	}
	out := make([]token, len(toks))
	for i, t := range toks {
		out[i] = token{kind: t.Kind, text: t.Text, start: t.Start, end: t.End, newline: t.Newline, match: t.Match, parent: t.Parent}
	}
	comments := make([]span, len(notes))
	for i, c := range notes {
		comments[i] = span{c.Start, c.End}
	}
	return out, comments, nil
}

func lineAt(src string, offset int) int { return jslex.LineAt(src, offset) }

func wantsOperand(word string) bool { return jslex.WantsOperand(word) }
