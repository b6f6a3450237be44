package scaffold

import (
	"bytes"
	"slices"

	"github.com/aymanbagabas/go-udiff"
)

// merge brings init's changes since base into a file that the user has changed since
// base as well. It works on whole lines, and not at all when both have changed the
// same lines or lines that touch: ok is then false, and what to keep is the user's
// to say.
func merge(base, user, ours []byte) (merged []byte, ok bool) {
	theirs, mine := lineEdits(base, user), lineEdits(base, ours)
	if slices.ContainsFunc(theirs, func(t udiff.Edit) bool {
		return slices.ContainsFunc(mine, func(m udiff.Edit) bool { return t != m && t.Start <= m.End && m.Start <= t.End })
	}) {
		return nil, false
	}
	all, ok := udiff.Merge(theirs, mine)
	if !ok {
		return nil, false
	}
	text, err := udiff.Apply(string(base), all)
	if err != nil || lineCount([]byte(text)) != lineCount(base)+growth(base, theirs, mine) {
		return nil, false // a change was lost in another that is like it
	}
	return []byte(text), true
}

func lineCount(text []byte) int {
	n := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		n++
	}
	return n
}

// growth is how many lines all changes add, those that both sides made counted once.
func growth(base []byte, theirs, mine []udiff.Edit) int {
	n := 0
	for i, e := range append(slices.Clone(theirs), mine...) {
		if i >= len(theirs) && slices.Contains(theirs, e) {
			continue
		}
		n += lineCount([]byte(e.New)) - lineCount(base[e.Start:e.End])
	}
	return n
}

// lineEdits are the changes from one text to another as whole lines.
func lineEdits(from, to []byte) []udiff.Edit { return udiff.Lines(string(from), string(to)) }

// unified is a unified diff of two versions of a file; "" when they are the same. A
// nil version is a file that is not there.
func unified(name string, from, to []byte) string {
	a, b := "a/"+name, "b/"+name
	if from == nil {
		a = "/dev/null"
	}
	if to == nil {
		b = "/dev/null"
	}
	return udiff.Unified(a, b, string(from), string(to))
}
