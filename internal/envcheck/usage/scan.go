package usage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"runtime"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/opsctl/opsctl/internal/errs"
)

// Options say what to scan.
type Options struct {
	Roots []string // folders to scan; default all of it
	// Ignored tells whether git ignores a file or folder (the name of a folder has no
	// slash at its end); nil: nothing is ignored.
	Ignored func(name string) bool
	// Exclude tells whether a file or folder is left out by the user's wish.
	Exclude func(name string) bool
	// Names are variables to look out for: where code or a file of configuration has the
	// name as a word of its own, that counts as a use that is no read.
	Names []string
	// Workers is how many files are read at once; default: one for each processor.
	Workers int
}

const (
	maxFile  = 1 << 20 // a larger file is taken for generated
	maxUses  = 2000    // of one file: more is no code that somebody wrote
	maxTotal = 200_000 // of all files
)

// Scan reads the source below fsys and lists which variables it uses. The result is the
// same whatever the number of workers. An error means that the source could not be
// walked, or that ctx ended; a single file that cannot be read is a note.
func Scan(ctx context.Context, fsys fs.FS, o Options) (*Result, error) {
	known := make(map[string]bool, len(o.Names))
	for _, n := range o.Names {
		known[n] = true
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	jobs := make(chan job, 64)
	parts := make([]*collected, workers)
	var wg sync.WaitGroup
	for i := range workers {
		parts[i] = newCollected()
		wg.Go(func() {
			for j := range jobs {
				if ctx.Err() == nil {
					parts[i].read(fsys, j, known)
				}
			}
		})
	}
	err := walk(ctx, fsys, o, jobs)
	close(jobs)
	wg.Wait()
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, err
	}
	return merge(parts, known), nil
}

// job is a file to read.
type job struct {
	name string
	lang language
}

// walk sends the files that count.
func walk(ctx context.Context, fsys fs.FS, o Options, jobs chan<- job) error {
	skip := func(name string) bool {
		return o.Ignored != nil && o.Ignored(name) || o.Exclude != nil && o.Exclude(name)
	}
	roots := o.Roots
	if len(roots) == 0 {
		roots = []string{"."}
	}
	for _, root := range roots {
		if err := walkRoot(ctx, fsys, root, skip, jobs); err != nil {
			return err
		}
	}
	return nil
}

func walkRoot(ctx context.Context, fsys fs.FS, root string, skip func(string) bool, jobs chan<- job) error {
	return fs.WalkDir(fsys, root, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil && name == root:
			return errs.Wrap(err, errs.Usage, "read the source").WithHint("name a folder that exists and can be read")
		case err != nil:
			return nil //nolint:nilerr // a folder that cannot be read: what is in it is nobody's source here
		case ctx.Err() != nil:
			return ctx.Err()
		case e.IsDir():
			if name != root && (spareFolder(e.Name()) || skip(name)) {
				return fs.SkipDir
			}
			return nil
		}
		lang := languageOf(name)
		if lang == none || !e.Type().IsRegular() || skip(name) { // a symbolic link is not followed
			return nil
		}
		if info, err := e.Info(); err != nil || info.Size() > maxFile {
			return nil //nolint:nilerr // it went away, or is too large
		}
		select {
		case jobs <- job{name, lang}:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// spareFolder tells whether a folder holds what others wrote or what was built, or is
// hidden. The one hidden folder that counts is GitHub's, for its workflows.
func spareFolder(name string) bool {
	switch name {
	case "node_modules", "dist", "build", "out", "coverage", "vendor", "venv", "__pycache__", "bower_components", "jspm_packages":
		return true
	}
	return strings.HasPrefix(name, ".") && name != ".github"
}

// collected is what one worker found.
type collected struct {
	uses     []Use
	dynamic  []Dynamic
	notes    []Note
	files    int
	bytes    int64
	packages map[string]bool
	inlined  map[string]bool
	defaults map[string]bool // by form and name: what a declaration elsewhere gives a default
	golang   []goFile
	calls    []call
	wrappers map[string]int
}

func newCollected() *collected {
	return &collected{packages: map[string]bool{}, inlined: map[string]bool{}, defaults: map[string]bool{}, wrappers: map[string]int{}}
}

// file is a file being read.
type file struct {
	*collected
	name  string
	lang  language
	src   string
	test  bool
	known map[string]bool
	lines []int           // offset of each line, made when first needed
	seen  map[int]bool    // offsets of uses
	weak  map[string]bool // names that are read or mentioned
	count int
}

// read reads one file.
func (c *collected) read(fsys fs.FS, j job, known map[string]bool) {
	data, err := readSmall(fsys, j.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		reason := err
		if pe, ok := errors.AsType[*fs.PathError](err); ok {
			reason = pe.Err
		}
		c.notes = append(c.notes, Note{File: j.name, Message: fmt.Sprintf("cannot be read: %v", reason)})
		return
	case len(data) > maxFile, bytes.IndexByte(data, 0) >= 0, !utf8.Valid(data):
		return
	}
	c.files++
	c.bytes += int64(len(data))
	f := &file{
		collected: c, name: j.name, lang: j.lang, src: string(data), test: isTest(j.name), known: known,
		seen: map[int]bool{}, weak: map[string]bool{},
	}
	f.scan()
	if f.count > maxUses {
		c.notes = append(c.notes, Note{File: j.name, Message: fmt.Sprintf("only its first %d uses are listed", maxUses)})
	}
}

// readSmall reads no more of a file than its limit and a byte, whatever it grows to.
func readSmall(fsys fs.FS, name string) ([]byte, error) {
	in, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return io.ReadAll(io.LimitReader(in, maxFile+1))
}

// scan reads the file's text.
func (f *file) scan() {
	switch f.lang {
	case script, component:
		f.scanScript()
	case python:
		f.scanPython()
	case golang:
		f.scanGo()
	case none:
	default:
		f.scanOther()
	}
}

// use adds a use of the name at an offset.
func (f *file) use(u Use, offset int) {
	if !isName(u.Name) || f.seen[offset] && !u.NotReads {
		return
	}
	if f.count++; f.count > maxUses {
		return
	}
	f.seen[offset] = true
	if !u.NotReads {
		f.weak[u.Name] = true // no mention of it is worth a line
	}
	u.File, u.Test = f.name, f.test
	u.Line, u.Col = f.position(offset)
	if u.Lang == "" {
		u.Lang = langName(f.lang, f.name)
	}
	f.uses = append(f.uses, u)
}

// mention adds a use that is no read, once for each name.
func (f *file) mention(name, form string, offset int) {
	if f.weak[name] || f.seen[offset] {
		return
	}
	f.weak[name] = true
	f.use(Use{Name: name, Form: form, NotReads: true}, offset)
}

func (f *file) cannotKnow(d Dynamic, offset int) {
	if f.count++; f.count > maxUses {
		return
	}
	d.File, d.Test = f.name, f.test
	d.Line, d.Col = f.position(offset)
	f.dynamic = append(f.dynamic, d)
}

func (f *file) note(offset int, message string) {
	line, _ := f.position(offset)
	f.notes = append(f.notes, Note{File: f.name, Line: line, Message: message})
}

// position is the line and the column, in characters, of an offset.
func (f *file) position(offset int) (line, col int) {
	if f.lines == nil {
		f.lines = []int{0}
		for i := range len(f.src) {
			if f.src[i] == '\n' {
				f.lines = append(f.lines, i+1)
			}
		}
	}
	lo, hi := 0, len(f.lines)
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; f.lines[mid] <= offset {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lo + 1, 1 + utf8.RuneCountInString(f.src[f.lines[lo]:offset])
}

// merge puts together what the workers found, in an order of its own.
func merge(parts []*collected, known map[string]bool) *Result {
	all := newCollected()
	for _, p := range parts {
		all.uses = append(all.uses, p.uses...)
		all.dynamic = append(all.dynamic, p.dynamic...)
		all.notes = append(all.notes, p.notes...)
		all.golang = append(all.golang, p.golang...)
		all.calls = append(all.calls, p.calls...)
		all.files += p.files
		all.bytes += p.bytes
		maps.Copy(all.packages, p.packages)
		maps.Copy(all.inlined, p.inlined)
		maps.Copy(all.defaults, p.defaults)
		keepLeast(all.wrappers, p.wrappers)
	}
	for i := range all.uses {
		if u := &all.uses[i]; all.defaults[u.Form+u.Name] {
			u.Optional, u.Asserted = true, false
		}
	}
	all.resolveCalls()
	all.resolveGo()
	all.resolveStructs(known)
	all.resolveViper(known)
	r := &Result{
		Uses: all.uses, Dynamic: all.dynamic, Notes: all.notes, Files: all.files, Bytes: all.bytes,
		packages: all.packages, inlined: all.inlined,
	}
	r.sort()
	if len(r.Uses) > maxTotal {
		r.Uses = r.Uses[:maxTotal]
		r.Notes = append(r.Notes, Note{File: ".", Message: fmt.Sprintf("only the first %d uses are listed", maxTotal)})
	}
	return r
}

// keepLeast merges maps. Of two values for one key, of two files, the lesser one stays,
// so that the order of the files does not matter.
func keepLeast[V cmp.Ordered](to, from map[string]V) {
	for key, v := range from {
		if old, ok := to[key]; !ok || v < old {
			to[key] = v
		}
	}
}

// isTest tells whether a file is a test by its name or folder.
func isTest(name string) bool {
	for dir := range strings.SplitSeq(path.Dir(name), "/") {
		switch dir {
		case "test", "tests", "e2e", "__tests__", "__mocks__", "cypress", "playwright", "testdata", "fixtures":
			return true
		}
	}
	base := path.Base(name)
	stem, ext := strings.TrimSuffix(base, path.Ext(base)), path.Ext(base)
	switch ext {
	case ".go":
		return strings.HasSuffix(stem, "_test")
	case ".py":
		return strings.HasPrefix(base, "test_") || strings.HasSuffix(stem, "_test") || stem == "conftest"
	}
	for _, end := range []string{".test", ".spec", ".stories", ".cy", ".e2e"} {
		if strings.HasSuffix(stem, end) {
			return true
		}
	}
	for _, tool := range []string{"playwright", "vitest", "jest", "cypress"} {
		if base != ext && strings.HasPrefix(base, tool+".") {
			return true
		}
	}
	return false
}
