package nextconfig

import (
	"errors"
	"fmt"
	"slices"
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
				next = append(next, append(slices.Clip(c), code))
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
	may := make([]bool, len(pieces)+1)
	may[0] = true
	for i := range len(original) + 1 {
		at, alive := i, false // at: where the edited text is, after n pieces
		for n := range may {
			if n > 0 {
				may[n] = may[n] || may[n-1] && strings.HasPrefix(edited[at:], pieces[n-1])
				at += len(pieces[n-1])
			}
			alive = alive || may[n]
		}
		if !alive || i == len(original) {
			break
		}
		at = i
		for n := range may {
			may[n] = may[n] && original[i] == edited[at]
			if n < len(pieces) {
				at += len(pieces[n])
			}
		}
	}
	return may[len(pieces)]
}
