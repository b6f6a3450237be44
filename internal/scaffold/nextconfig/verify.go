package nextconfig

import (
	"errors"
	"fmt"
	"strings"
)

// verify checks an edited file. What esbuild makes of it has to be what it made of the
// original with the insertions and nothing else, and it has to say what it was edited
// to say: to us, and once more without its types and comments.
func (e *edit) verify(name string, out []byte) error {
	edited, err := load(name, out)
	if err != nil {
		return err
	}
	if !inserted(e.f.code, edited.code, e.insertions) {
		return errors.New("something else changed")
	}
	want := e.wanted()
	plain, err := edited.reload()
	if err != nil {
		return err
	}
	for _, f := range []*file{edited, plain} {
		s, err := f.trace()
		if err != nil {
			return err
		}
		if got := s.facts().withoutLines(); got != want {
			return fmt.Errorf("it reads back as %+v", got)
		}
		if e.output && !s.standaloneEverywhere() {
			return errors.New("output does not read back")
		}
	}
	return nil
}

// wanted are the facts that the edited file has to give.
func (e *edit) wanted() Facts {
	want := e.facts().withoutLines()
	want.Sentry = want.Sentry || e.wrapped
	if e.output {
		want.Output = standaloneOutput
	}
	return want
}

func (s *shape) standaloneEverywhere() bool {
	for _, o := range s.objs {
		if set, _ := s.f.option(o, "output", 0); set.state != constant || set.value != standaloneOutput {
			return false
		}
	}
	return true
}

func (f Facts) withoutLines() Facts {
	f.OutputLine, f.BasePathLine, f.DistDirLine = 0, 0, 0
	return f
}

// inserted tells whether edited is the original with the insertions in their order.
func inserted(original, edited string, insertions []insertion) bool {
	choices := [][]string{nil}
	for _, in := range insertions {
		if len(in.code) == 0 {
			continue
		}
		var next [][]string
		for _, c := range choices {
			for _, code := range in.code {
				next = append(next, append(c[:len(c):len(c)], code))
			}
		}
		choices = next
	}
	for _, pieces := range choices {
		if interleaved(original, edited, pieces) {
			return true
		}
	}
	return false
}

// interleaved tells whether edited is the original with all pieces put in, in order.
// It walks through the original once, with how many pieces may have gone before.
func interleaved(original, edited string, pieces []string) bool {
	if len(edited) != len(original)+len(strings.Join(pieces, "")) {
		return false
	}
	reach := make([]bool, len(pieces)+1)
	reach[0] = true
	for i := 0; ; i++ {
		any, at := false, i
		for n := range reach {
			if !reach[n] {
				if n < len(pieces) {
					at += len(pieces[n])
				}
				continue
			}
			if n < len(pieces) {
				if at <= len(edited) && strings.HasPrefix(edited[at:], pieces[n]) {
					reach[n+1] = true
				}
			} else if i == len(original) {
				return true
			}
			if reach[n] = i < len(original) && at < len(edited) && original[i] == edited[at]; reach[n] {
				any = true
			}
			if n < len(pieces) {
				at += len(pieces[n])
			}
		}
		if !any {
			return false
		}
	}
}
