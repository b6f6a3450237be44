package ui

import (
	"fmt"
	"io"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
)

// Table prints rows in aligned columns under a faint header. Cells may be
// styled. The last column is cut to the width; nothing else is.
func Table(w io.Writer, width int, header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	line := func(cells []string, style func(string) string) {
		var b strings.Builder
		used := 0
		for i, cell := range cells {
			last := i == len(cells)-1
			if last && width-used > 8 {
				cell = ansi.Truncate(cell, width-used, "…")
			}
			b.WriteString(style(cell))
			if !last {
				pad := widths[i] - lipgloss.Width(cell) + 2
				b.WriteString(strings.Repeat(" ", pad))
				used += widths[i] + 2
			}
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
	line(header, Faint)
	for _, row := range rows {
		line(row, func(s string) string { return s })
	}
}
