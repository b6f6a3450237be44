// Package ui is everything opsctl shows on a terminal.
//
// The rules of the screen:
//
//   - stdout carries data, stderr carries everything else;
//   - no escape code reaches a pipe, a dumb terminal, CI or a NO_COLOR user;
//   - messages are lower case and have no full stop; errors start with "error:",
//     the next step with "hint:";
//   - colour never is the only signal: each state has a mark of its own;
//   - only the sixteen ANSI colours are used, so that themes decide the shades;
//   - a question is asked only of a terminal, and never with --no-input.
package ui

import (
	"bytes"
	"io"
	"os"

	"github.com/charmbracelet/colorprofile"
	"golang.org/x/term"
)

// Color says when to use colour.
type Color string

// The values of --color.
const (
	ColorAuto   Color = "auto"
	ColorAlways Color = "always"
	ColorNever  Color = "never"
)

// Streams are the three standard streams and what is known about them.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer

	inTTY, outTTY, errTTY bool
	rawOut, rawErr        io.Writer
	getenv                func(string) string
	width                 func() int
}

// System returns the process's streams, with colour on automatic.
func System(getenv func(string) string) *Streams {
	s := &Streams{
		In: os.Stdin, rawOut: os.Stdout, rawErr: os.Stderr,
		inTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		outTTY: term.IsTerminal(int(os.Stdout.Fd())),
		errTTY: term.IsTerminal(int(os.Stderr.Fd())),
		getenv: getenv,
		width: func() int {
			if w, _, err := term.GetSize(int(os.Stdout.Fd())); err == nil && w > 0 {
				return w
			}
			return 80
		},
	}
	s.SetColor(ColorAuto)
	return s
}

// Test returns streams over buffers, without a terminal.
func Test() (s *Streams, out, errOut *bytes.Buffer) {
	out, errOut = &bytes.Buffer{}, &bytes.Buffer{}
	s = &Streams{
		In: &bytes.Buffer{}, rawOut: out, rawErr: errOut,
		getenv: func(string) string { return "" },
		width:  func() int { return 80 },
	}
	s.SetColor(ColorAuto)
	return s, out, errOut
}

// SetColor decides for both output streams whether colours pass.
func (s *Streams) SetColor(c Color) {
	s.Out = &colorprofile.Writer{Forward: s.rawOut, Profile: s.profile(c, s.outTTY)}
	s.Err = &colorprofile.Writer{Forward: s.rawErr, Profile: s.profile(c, s.errTTY)}
}

func (s *Streams) profile(c Color, tty bool) colorprofile.Profile {
	switch {
	case c == ColorNever:
		return colorprofile.NoTTY
	case c == ColorAlways:
		return colorprofile.ANSI
	case s.getenv("NO_COLOR") != "" || s.getenv("TERM") == "dumb":
		return colorprofile.NoTTY
	case forced(s.getenv("CLICOLOR_FORCE")):
		return colorprofile.ANSI
	case !tty || isCI(s.getenv):
		return colorprofile.NoTTY
	default:
		return colorprofile.ANSI
	}
}

func forced(v string) bool { return v != "" && v != "0" }

func isCI(getenv func(string) string) bool {
	v := getenv("CI")
	return v != "" && v != "false" && v != "0"
}

// OutTTY tells whether stdout is a terminal.
func (s *Streams) OutTTY() bool { return s.outTTY && s.getenv("TERM") != "dumb" && !isCI(s.getenv) }

// Live tells whether lines on stderr may be redrawn: a terminal, not dumb, not CI.
func (s *Streams) Live() bool {
	return s.errTTY && s.getenv("TERM") != "dumb" && !isCI(s.getenv)
}

// CanPrompt tells whether a question would reach a person.
func (s *Streams) CanPrompt() bool { return s.inTTY && s.errTTY && !isCI(s.getenv) }

// Raw are the output streams as a child process should inherit them: where they
// are files, what it writes stays in order with what opsctl writes.
func (s *Streams) Raw() (out, errOut io.Writer) { return s.rawOut, s.rawErr }

// Width is the terminal's width in columns; 80 where there is none.
func (s *Streams) Width() int { return s.width() }
