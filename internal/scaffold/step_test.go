package scaffold

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// step is a repository that init has been run in, and what a later run makes of it.
type step struct {
	t   *testing.T
	dir string
}

func stepped(t *testing.T) step {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "package.json", `{"name": "x", "dependencies": {"next": "16.4.6", "pg": "8"}}`)
	put(t, dir, "package-lock.json", `{}`)
	put(t, dir, "app/page.js", ``)
	s := step{t, dir}
	s.run(ApplyOptions{})
	return s
}

// run runs init again, and returns what became of each file.
func (s step) run(opts ApplyOptions) map[string]Outcome {
	s.t.Helper()
	stack, plan := mustPlan(s.t, s.dir)
	results, err := Apply(s.t.Context(), stack, plan, opts)
	if err != nil {
		s.t.Fatal(err)
	}
	outcomes := map[string]Outcome{}
	for _, r := range results {
		outcomes[r.Path] = r.Outcome
	}
	return outcomes
}

func (s step) behind() []string {
	s.t.Helper()
	_, plan := mustPlan(s.t, s.dir)
	var names []string
	for _, c := range Behind(plan) {
		names = append(names, c.Path)
	}
	return names
}

func (s step) replace(name, old, text string) {
	s.t.Helper()
	src := content(s.t, s.dir, name)
	if !strings.Contains(src, old) {
		s.t.Fatalf("%s has no %q", name, old)
	}
	put(s.t, s.dir, name, strings.Replace(src, old, text, 1))
}

func TestLaterRuns(t *testing.T) {
	const file = "Dockerfile"
	node24 := func(s step) { put(s.t, s.dir, ".nvmrc", "24") }
	elsewhere := func(s step) { s.replace(file, "EXPOSE 3000\n", "EXPOSE 3000\nLABEL mine=1\n") }
	sameLine := func(s step) { s.replace(file, "FROM node:22-alpine AS base", "FROM node:22.9-alpine AS base") }
	tests := []struct {
		name     string
		do       []func(step)
		opts     ApplyOptions
		want     Outcome
		behind   bool // before the run
		mine     bool // the user's change is in the file afterwards
		inits    bool // init's change is
		settled  bool // nothing is behind after the run
		original bool // there is a .orig
	}{
		{"nothing changed", nil, ApplyOptions{}, Unchanged, false, false, false, true, false},
		{"init's own", []func(step){node24}, ApplyOptions{}, Updated, true, false, true, true, false},
		{"the user's own", []func(step){elsewhere}, ApplyOptions{}, Kept, false, true, false, true, false},
		{"both", []func(step){elsewhere, node24}, ApplyOptions{}, Merged, true, true, true, true, false},
		{"the same line", []func(step){sameLine, node24}, ApplyOptions{}, Conflicted, true, true, false, false, false},
		{"the same line, kept", []func(step){sameLine, node24}, ApplyOptions{Keep: true}, Settled, true, true, false, true, false},
		{"the same line, forced", []func(step){sameLine, node24}, ApplyOptions{Force: true}, Overwritten, true, false, true, true, true},
		{"the user's own, forced", []func(step){elsewhere}, ApplyOptions{Force: true}, Overwritten, false, false, false, true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := stepped(t)
			for _, do := range tt.do {
				do(s)
			}
			if got := slices.Contains(s.behind(), file); got != tt.behind {
				t.Errorf("behind: %v", got)
			}
			if got := s.run(tt.opts)[file]; got != tt.want {
				t.Errorf("it is %s, want %s", got, tt.want)
			}
			text := content(t, s.dir, file)
			if mine := strings.Contains(text, "LABEL mine") || strings.Contains(text, "22.9"); mine != tt.mine {
				t.Errorf("the user's change is there: %v", mine)
			}
			if inits := strings.Contains(text, "FROM node:24-alpine"); inits != tt.inits {
				t.Errorf("init's change is there: %v", inits)
			}
			if left := s.behind(); (len(left) == 0) != tt.settled {
				t.Errorf("behind afterwards: %v", left)
			}
			if _, err := os.Stat(filepath.Join(s.dir, file+".orig")); (err == nil) != tt.original {
				t.Errorf("the original: %v", err)
			}
		})
	}
}

// After --keep only what is new after it is brought in.
func TestKeepSettlesOneChangeOnly(t *testing.T) {
	s := stepped(t)
	s.replace("Dockerfile", "FROM node:22-alpine AS base", "FROM node:22.9-alpine AS base")
	put(t, s.dir, ".nvmrc", "24")
	s.run(ApplyOptions{Keep: true})
	put(t, s.dir, "next.config.mjs", "export default { output: 'standalone', basePath: '/x' };\n")
	if got := s.run(ApplyOptions{})["Dockerfile"]; got != Merged {
		t.Errorf("it is %s", got)
	}
	text := content(t, s.dir, "Dockerfile")
	if !strings.Contains(text, "22.9") || !strings.Contains(text, "/x/livez") {
		t.Error("the merge lost something")
	}
}

func TestRemovedAndObsolete(t *testing.T) {
	s := stepped(t)
	if err := os.Remove(filepath.Join(s.dir, "fly.toml")); err != nil {
		t.Fatal(err)
	}
	if got := s.behind(); !slices.Equal(got, []string{"fly.toml"}) {
		t.Errorf("before a run has seen it, behind: %v", got)
	}
	for range 2 {
		if got := s.run(ApplyOptions{})["fly.toml"]; got != Kept {
			t.Errorf("it is %s", got)
		}
		if got := s.behind(); len(got) > 0 {
			t.Errorf("after a run has seen it, behind: %v", got)
		}
	}
	if _, err := os.Stat(filepath.Join(s.dir, "fly.toml")); err == nil {
		t.Error("what the user took away came back")
	}
	if got := s.run(ApplyOptions{Force: true})["fly.toml"]; got != Created {
		t.Errorf("forced, it is %s", got)
	}

	put(t, s.dir, "package.json", `{"name": "x", "dependencies": {"next": "16.4.6"}}`)
	if got := s.run(ApplyOptions{})[".github/workflows/backup.yml"]; got != Left {
		t.Errorf("without a database, its backup is %s", got)
	}
	if got := s.behind(); len(got) > 0 {
		t.Errorf("behind: %v", got)
	}
	if err := os.Remove(filepath.Join(s.dir, ".github/workflows/backup.yml")); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.run(ApplyOptions{})[".github/workflows/backup.yml"]; ok {
		t.Error("it is still mentioned after it is gone")
	}
	// What is wanted again is new.
	put(t, s.dir, "package.json", `{"name": "x", "dependencies": {"next": "16.4.6", "pg": "8"}}`)
	if got := s.run(ApplyOptions{})[".github/workflows/backup.yml"]; got != Created {
		t.Errorf("with a database again, its backup is %s", got)
	}
}

// A checkout with Windows' line ends is no change, and keeps them.
func TestWindowsLineEnds(t *testing.T) {
	s := stepped(t)
	for _, name := range []string{"Dockerfile", "opsctl.yaml", "docker-compose.yml", ".env.schema", ".opsctl/init.json"} {
		put(t, s.dir, name, strings.ReplaceAll(content(t, s.dir, name), "\n", "\r\n"))
	}
	if got := s.behind(); len(got) > 0 {
		t.Errorf("behind: %v", got)
	}
	s.replace("Dockerfile", "EXPOSE 3000\r\n", "EXPOSE 3000\r\nLABEL mine=1\r\n")
	put(t, s.dir, ".nvmrc", "24")
	if got := s.run(ApplyOptions{})["Dockerfile"]; got != Merged {
		t.Errorf("it is %s", got)
	}
	text := content(t, s.dir, "Dockerfile")
	if !strings.Contains(text, "FROM node:24-alpine AS base\r\n") || !strings.Contains(text, "LABEL mine") || strings.Contains(strings.ReplaceAll(text, "\r\n", ""), "\n") {
		t.Errorf("the merge is\n%q", text)
	}
}

// How a variable is described is the user's; what the code begins to read is added.
func TestSchemaKeepsDescriptions(t *testing.T) {
	s := stepped(t)
	put(t, s.dir, "lib/mail.js", "process.env.MAIL_HOST")
	s.run(ApplyOptions{})
	s.replace(".env.schema", "# What is it for, and of which @type?\n# @optional @public\nMAIL_HOST=", "# Where letters go.\n# @type=string @optional @public\nMAIL_HOST=smtp.example.com")
	if got := s.behind(); len(got) > 0 && !slices.Equal(got, []string{".env.example"}) {
		t.Errorf("behind: %v", got)
	}
	put(t, s.dir, "lib/mail.js", "process.env.MAIL_HOST + process.env.MAIL_FROM + process.env.MAIL_PORT")
	if got := s.run(ApplyOptions{})[".env.schema"]; got != Merged {
		t.Errorf("it is %s", got)
	}
	text := content(t, s.dir, ".env.schema")
	for _, want := range []string{"# Where letters go.\n", "MAIL_HOST=smtp.example.com\n", "MAIL_FROM=\n", "MAIL_PORT=\n"} {
		if strings.Count(text, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(text, want), text)
		}
	}
	if got := s.behind(); len(got) > 0 {
		t.Errorf("behind: %v", got)
	}
	// Where a variable is read is nothing that a file says: moving the code changes none.
	put(t, s.dir, "lib/mail.js", "")
	put(t, s.dir, "lib/post.js", "process.env.MAIL_HOST + process.env.MAIL_FROM + process.env.MAIL_PORT")
	if got := s.behind(); len(got) > 0 {
		t.Errorf("after the code was moved, behind: %v", got)
	}
}

// What a killed run has left goes with the next, and what a running one works on stays.
func TestStaleTemporaryFiles(t *testing.T) {
	s := stepped(t)
	old, fresh, other := ".Dockerfile.0123456789ab.tmp", ".fly.toml.0123456789ab.tmp", ".mine.tmp"
	for _, name := range []string{old, fresh, other} {
		put(t, s.dir, name, "")
	}
	for _, name := range []string{old, other} {
		past := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(s.dir, name), past, past); err != nil {
			t.Fatal(err)
		}
	}
	s.run(ApplyOptions{})
	for name, want := range map[string]bool{old: false, fresh: true, other: true} {
		if _, err := os.Stat(filepath.Join(s.dir, name)); (err == nil) != want {
			t.Errorf("%s is there: %v", name, err == nil)
		}
	}
}

func TestRecordThatIsBroken(t *testing.T) {
	for _, src := range []string{"", "{", `{"schema": "opsctl.init.record/v2"}`, `{"schema": "opsctl.init.record/v1", "files": {"Dockerfile": "x"}}`, "[]"} {
		dir := stepped(t).dir
		put(t, dir, recordFile, src)
		_, err := Detect(t.Context(), dir, DetectOptions{})
		if errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), recordFile) || errs.HintOf(err) == "" {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestRecordKeepsEveryByte(t *testing.T) {
	r := &record{removed: map[string]bool{"gone": true}, files: map[string][]byte{"a": []byte("x\r\ny"), "b/c": []byte("\n\n"), "empty": {}, "html": []byte("<&>\u2028")}}
	src, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	put(t, dir, recordFile, string(src))
	got, err := readRecord(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	if !got.removed["gone"] {
		t.Error("what was taken away is forgotten")
	}
	for name, want := range r.files {
		if string(got.files[name]) != string(want) {
			t.Errorf("%s became %q", name, got.files[name])
		}
	}
}

// A run that fails half-way records what it did, so that the next one goes on.
func TestRecordAfterAFailure(t *testing.T) {
	dir := small(t)
	stack, plan := mustPlan(t, dir)
	put(t, dir, "docker-compose.yml", "it appeared meanwhile\n")
	if _, err := Apply(t.Context(), stack, plan, ApplyOptions{}); errs.CodeOf(err) != errs.Conflict {
		t.Fatalf("got %v", err)
	}
	r, err := readRecord(os.DirFS(dir))
	if err != nil || !r.has("opsctl.yaml") || r.has("docker-compose.yml") {
		t.Errorf("the record holds %v, %v", r.names(), err)
	}
}
