// Package usage finds the environment variables that source code reads: in JavaScript
// and TypeScript (also in Vue, Svelte and Astro files), Python and Go, and in the files
// beside the code that use variables, such as those of docker compose.
//
// It reads tokens, not text: what stands in a comment, a string or a regular expression
// is no use. A name that cannot be known from one file (or, in Go, one package) is
// reported as a Dynamic, never guessed.
package usage

import (
	"cmp"
	"slices"
)

// Use is a place where a variable is used.
type Use struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Line     int    `json:"line"`
	Col      int    `json:"col"` // in characters
	Lang     string `json:"lang"`
	Form     string `json:"form"`                // how it is written, such as process.env
	Optional bool   `json:"optional,omitempty"`  // it has a default, or the code checks whether it is there
	Asserted bool   `json:"asserted,omitempty"`  // it has to be there: process.env.X!, os.environ["X"], or a check that ends the program
	Test     bool   `json:"test,omitempty"`      // in a test
	Client   bool   `json:"client,omitempty"`    // in a file with "use client"
	Indirect bool   `json:"indirect,omitempty"`  // by another name for process.env, a pattern or a constant: nothing that replaces process.env.NAME in a bundle finds it
	NotReads bool   `json:"not_reads,omitempty"` // the file sets it, hands it on or mentions it; no code is seen to read it here
}

// Dynamic is a read of variables whose names cannot be known.
type Dynamic struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Form   string `json:"form"`
	Whole  bool   `json:"whole,omitempty"` // the whole environment is handed on
	Test   bool   `json:"test,omitempty"`
	Client bool   `json:"client,omitempty"`
}

// Note is something about a file that the result may suffer from.
type Note struct {
	File    string `json:"file"`
	Line    int    `json:"line"` // 0: the file as a whole
	Message string `json:"message"`
}

// Result is what the source uses, sorted by file and place.
type Result struct {
	Uses    []Use
	Dynamic []Dynamic
	Notes   []Note
	Files   int // files that were read
	Bytes   int64

	packages map[string]bool
	inlined  map[string]bool
}

// DependsOn tells whether a package.json of the source names the package; a name that
// ends in a slash stands for a scope, such as "@clerk/".
func (r *Result) DependsOn(pkg string) bool { return r.packages[pkg] }

// HasPackages tells whether the source has a package.json that names packages.
func (r *Result) HasPackages() bool { return len(r.packages) > 0 }

// Inlined tells whether the configuration of the bundler puts a value in the place of the
// variable: env of next.config, or a definition such as Vite's.
func (r *Result) Inlined(name string) bool { return r.inlined[name] }

// Form of uses that are not reads of a program.
const (
	formMention = "mention"     // the name stands in code, or in a file of configuration
	formSchema  = "schema"      // the key of an object that validates the environment
	formNextEnv = "next config" // env of next.config
	formAstro   = "astro:env"
	formNest    = "ConfigService" // of NestJS
)

func (r *Result) sort() {
	slices.SortFunc(r.Uses, func(a, b Use) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Form, b.Form))
	})
	r.Uses = slices.CompactFunc(r.Uses, func(a, b Use) bool {
		return a.File == b.File && a.Line == b.Line && a.Col == b.Col && a.Name == b.Name
	})
	slices.SortFunc(r.Dynamic, func(a, b Dynamic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col), cmp.Compare(a.Form, b.Form))
	})
	r.Dynamic = slices.CompactFunc(r.Dynamic, func(a, b Dynamic) bool {
		return a.File == b.File && a.Line == b.Line && a.Col == b.Col
	})
	slices.SortFunc(r.Notes, func(a, b Note) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Message, b.Message))
	})
}

// isName tells whether a text can be a variable's name.
func isName(s string) bool {
	if s == "" || len(s) > 200 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	for i := range len(s) {
		if !isWordByte(s[i]) {
			return false
		}
	}
	return true
}

func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// isUpper tells whether a text is a name in capital letters, as most variables have.
func isUpper(s string) bool {
	if !isName(s) {
		return false
	}
	letters := false
	for i := range len(s) {
		if s[i] >= 'a' && s[i] <= 'z' {
			return false
		}
		letters = letters || s[i] >= 'A' && s[i] <= 'Z'
	}
	return letters
}
