package envcheck

import (
	"fmt"
	"strings"
)

// Reader names a way of reading a .env file.
type Reader string

// The readers.
const (
	Next    Reader = "next"    // @next/env: dotenv 16 and dotenv-expand 10
	Compose Reader = "compose" // docker compose's env_file: compose-go
	Dotenv  Reader = "dotenv"  // dotenv alone, without expansion
)

// Readers lists them.
func Readers() []Reader { return []Reader{Next, Compose, Dotenv} }

// ReaderOf is how an app of a stack, as opsctl.yaml names it, reads its own .env
// files: Next.js with its own rules, a plain Node.js server with dotenv. Python's and
// Go's readers are nearest to compose's, and an app in a container gets what compose reads.
func ReaderOf(stack string) Reader {
	switch stack {
	case "node":
		return Dotenv
	case "go", "django", "fastapi", "docker":
		return Compose
	}
	return Next
}

// With gives the readers of an app: its own and docker compose's, once each.
func (r Reader) With() []Reader {
	if r == Compose {
		return []Reader{Compose}
	}
	return []Reader{r, Compose}
}

// File is what a reader makes of a .env file.
type File struct {
	Name    string
	Vars    map[string]string // as the program sees them; the last of a repeated key wins
	Entries []Entry           // assignments in file order

	problems []*ReadError // every place the reader refuses, not only the first
}

// Entry is one assignment with its place.
type Entry struct {
	Key      string
	Value    string // after quotes, escapes and expansion
	Raw      string // the value as written, quotes and all
	Pos      Pos    // of the key
	ValuePos Pos    // of the value's first character, or where it would stand
	EndLine  int    // last line of the value
	Bare     bool   // a key without = (compose takes it from the outer environment)
	Quote    byte   // ' " ` or 0
}

// ReadError says why a reader refuses a file. It never holds a value of the file.
type ReadError struct {
	File   string
	Reader Reader
	Pos    Pos
	Reason string
}

// Error gives file:line:col and the reason.
func (e *ReadError) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s refuses the file: %s", e.File, e.Pos.Line, e.Pos.Col, e.Reader, e.Reason)
}

// Read reads the text of a .env file as the named reader does. The outer
// environment is what the program runs in: Next.js expands and prefers it,
// compose expands from it. When the reader refuses the file the error is a
// *ReadError and the File still holds the entries that could be made out,
// so that a checker can go on.
//
// Expansion is bounded: a value that refers to itself, on which Next.js dies
// with a stack overflow, is an error here too.
func Read(reader Reader, file string, src []byte, outer map[string]string) (*File, error) {
	text := strings.TrimPrefix(string(src), "\ufeff") // a byte order mark takes no column
	switch reader {
	case Next:
		return readNext(file, text, outer, true)
	case Dotenv:
		return readNext(file, text, outer, false)
	case Compose:
		return readCompose(file, text, outer)
	}
	return nil, fmt.Errorf("unknown reader %q", reader)
}

// Last gives the last entry of each key, which is the one that counts.
func (f *File) Last() map[string]*Entry {
	last := make(map[string]*Entry, len(f.Entries))
	for i := range f.Entries {
		last[f.Entries[i].Key] = &f.Entries[i]
	}
	return last
}
