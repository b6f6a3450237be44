package ui

import "charm.land/lipgloss/v2"

// The visual language. Every mark also has a shape of its own, so that it
// reads the same without colour.
var (
	green  = lipgloss.NewStyle().Foreground(lipgloss.Green)
	red    = lipgloss.NewStyle().Foreground(lipgloss.Red)
	yellow = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	faint  = lipgloss.NewStyle().Faint(true)
	bold   = lipgloss.NewStyle().Bold(true)
	cyan   = lipgloss.NewStyle().Foreground(lipgloss.Cyan)
)

// Green, Red, Yellow, Cyan, Faint and Bold style a piece of text. The escape codes are
// dropped by the stream when it has no colours.
func Green(s string) string  { return green.Render(s) }
func Red(s string) string    { return red.Render(s) }
func Yellow(s string) string { return yellow.Render(s) }
func Cyan(s string) string   { return cyan.Render(s) }
func Faint(s string) string  { return faint.Render(s) }
func Bold(s string) string   { return bold.Render(s) }

// Mark is the sign in front of a line of a checklist.
type Mark int

// The marks.
const (
	OK Mark = iota
	Fail
	Warn
	Skip
	Info
)

// String is the mark as shown, with its colour.
func (m Mark) String() string {
	switch m {
	case OK:
		return green.Render("✓")
	case Fail:
		return red.Render("✗")
	case Warn:
		return yellow.Render("!")
	case Skip:
		return faint.Render("-")
	default:
		return faint.Render("·")
	}
}
