package envcheck

import (
	"cmp"
	"slices"
)

// Level says how bad a finding is.
type Level string

// The levels. An error fails a check; a warning fails it with Options.Strict.
const (
	Error   Level = "error"
	Warning Level = "warning"
	Info    Level = "info"
)

// Pos is a place in a file: both numbers count from 1, Col in characters.
// The zero Pos means the file as a whole.
type Pos struct {
	Line int `json:"line"`
	Col  int `json:"col"`
}

// Finding is one thing to put right, or to know.
type Finding struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Col     int    `json:"col"`
	Rule    string `json:"rule"` // stable id, such as required or E-DOLLAR
	Level   Level  `json:"level"`
	Key     string `json:"key,omitempty"`
	Message string `json:"message"`
	Fix     string `json:"fix,omitempty"`
}

// SortFindings orders by file, line, column and rule, and drops exact repeats.
func SortFindings(fs []Finding) []Finding {
	slices.SortStableFunc(fs, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Key, b.Key), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(fs)
}
