package envcheck

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Example is a file that breaks a rule, and one that does not.
type Example struct {
	Schema string        `json:"schema,omitempty"` // "" for one that lists the keys of the files, all optional
	File   string        `json:"file,omitempty"`   // which file Bad and Good are; "" for .env; may be ProcessName, GitFiles or the schema
	Bad    string        `json:"bad"`              // "" for no file
	Good   string        `json:"good"`
	Files  []ExampleFile `json:"files,omitempty"` // beside it
	At     string        `json:"at,omitempty"`    // where the bad one is reported, file:line; "" for the first line of File
	Level  Level         `json:"level,omitempty"` // that it is reported at; "" for the rule's
	Scan   bool          `json:"scan,omitempty"`  // it is source code, for opsctl env scan
	Env    string        `json:"env,omitempty"`   // --env
	Phase  string        `json:"phase,omitempty"` // --phase
	Today  string        `json:"today,omitempty"` // the date of the check, for what expires
	Pad    int           `json:"pad,omitempty"`   // bytes of comments that follow the bad one
}

// ExampleFile is a file beside an example.
type ExampleFile struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// GitFiles stands for a file name in an example: what git ls-files prints.
const GitFiles = "git ls-files"

// Place is where the bad example is reported.
func (e Example) Place() string {
	switch {
	case e.At != "":
		return e.At
	case e.File == ProcessName:
		return ProcessName
	}
	return e.Name() + ":1"
}

// WantLevel is the level that the bad example is reported at.
func (e Example) WantLevel(r RuleDoc) Level {
	if e.Level != "" {
		return e.Level
	}
	return r.Level
}

// Name is the file that Bad and Good are.
func (e Example) Name() string {
	if e.File == "" {
		return ".env"
	}
	return e.File
}

// Run checks the bad example, or the good one. One of source code is not checked.
func (e Example) Run(ctx context.Context, bad bool) (*Report, error) {
	text := e.Good
	if bad {
		text = e.Bad
	}
	files := map[string]string{".env.schema": e.Schema, e.Name(): lines(text)}
	if text == "" {
		delete(files, e.Name())
	}
	if bad && e.Pad > 0 {
		files[e.Name()] += strings.Repeat("# padding\n", e.Pad/10+1)
	}
	for _, f := range e.Files {
		files[f.Name] = lines(f.Text)
	}
	if e.Schema == "" && e.Name() != ".env.schema" {
		files[".env.schema"] = e.plainSchema()
	}
	o := Options{Env: e.Env, Phase: e.Phase}
	o.ReadFile = func(path string) ([]byte, error) {
		text, ok := files[filepath.ToSlash(path)]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return []byte(text), nil
	}
	switch e.File {
	case ProcessName:
		f, err := Read(Dotenv, e.File, []byte(files[e.File]), nil)
		if err != nil {
			return nil, err
		}
		o.Process = f.Vars
	case GitFiles:
		tracked := strings.Fields(files[GitFiles])
		o.Tracked = func(_ context.Context, _ string, names []string) ([]string, error) {
			return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !slices.Contains(tracked, n) }), nil
		}
	}
	if day, err := time.Parse(time.DateOnly, e.Today); err == nil {
		o.Now = func() time.Time { return day }
	}
	return Check(ctx, o)
}

// lines ends a text with a line end.
func lines(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// plainSchema lists the keys that the example's files set, all optional.
func (e Example) plainSchema() string {
	texts := []string{e.Bad, e.Good}
	for _, f := range e.Files {
		texts = append(texts, f.Text)
	}
	var keys []string
	for _, text := range texts {
		for line := range strings.Lines(text) {
			name, _, ok := strings.Cut(line, "=")
			if name = strings.TrimSpace(strings.TrimPrefix(name, "export ")); ok && envName(name) == name && name != "" && !slices.Contains(keys, name) {
				keys = append(keys, name)
			}
		}
	}
	return "# @defaultRequired=false\n# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)\n# ---\n\n" + strings.Join(keys, "=\n") + "=\n"
}
