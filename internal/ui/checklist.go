package ui

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
)

// nameWidth aligns the details of a checklist's lines.
const nameWidth = 14

// Checklist prints the steps of a long command to stderr as they end, and on
// a live terminal also the one that is running.
type Checklist struct {
	w     io.Writer
	live  bool
	quiet bool
	open  bool // a running line is on the screen
}

// NewChecklist makes a checklist on s.Err; a quiet one prints failures and warnings only.
func NewChecklist(s *Streams, quiet bool) *Checklist {
	return &Checklist{w: s.Err, live: s.Live(), quiet: quiet}
}

// Running shows the step that is under way, on a live terminal only.
func (c *Checklist) Running(name, detail string) {
	if !c.live || c.quiet {
		return
	}
	c.clear()
	fmt.Fprintf(c.w, "%s %s", Cyan("›"), pad(name)+Faint(firstLine(detail)))
	c.open = true
}

// Done prints a step's end. A zero duration is not shown.
func (c *Checklist) Done(mark Mark, name, detail string, took time.Duration) {
	c.clear()
	if c.quiet && mark != Fail && mark != Warn {
		return
	}
	line := fmt.Sprintf("%s %s%s", mark, pad(name), detail)
	if took > 0 {
		if detail != "" {
			line += "  "
		}
		line += Faint(Duration(took))
	}
	fmt.Fprintln(c.w, strings.TrimRight(line, " "))
}

// Note prints an indented line under the last step.
func (c *Checklist) Note(text string) {
	c.clear()
	if c.quiet {
		return
	}
	for l := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		fmt.Fprintln(c.w, "    "+Faint(l))
	}
}

// Close removes a running line that was left open.
func (c *Checklist) Close() { c.clear() }

func (c *Checklist) clear() {
	if c.open {
		fmt.Fprint(c.w, "\r\x1b[K")
		c.open = false
	}
}

func pad(name string) string {
	if n := lipgloss.Width(name); n < nameWidth {
		return name + strings.Repeat(" ", nameWidth-n)
	}
	return name + " "
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
