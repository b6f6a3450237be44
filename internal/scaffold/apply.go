package scaffold

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/opsctl/opsctl/internal/errs"
)

// Outcome is what became of a file.
type Outcome string

// The outcomes.
const (
	Created     Outcome = "created"
	Updated     Outcome = "updated" // it was as init had left it
	Merged      Outcome = "merged"  // with the user's changes
	Edited      Outcome = "edited"
	Overwritten Outcome = "overwritten" // the old content is in FILE.orig
	Unchanged   Outcome = "unchanged"
	Kept        Outcome = "kept"     // it differs and was left as it is
	Conflicted  Outcome = "conflict" // left as it is, and the next run asks again
	Settled     Outcome = "settled"  // left as it is, and no run asks about it again
	Refused     Outcome = "refused"
	Left        Outcome = "obsolete" // init would not write it any more

	WouldCreate    Outcome = "would create" // these of a run that changes nothing
	WouldUpdate    Outcome = "would update"
	WouldMerge     Outcome = "would merge"
	WouldEdit      Outcome = "would edit"
	WouldOverwrite Outcome = "would overwrite"
)

// Foresee gives what Apply would make of each change, where nobody is asked.
func Foresee(plan []Change, opts ApplyOptions) []Result {
	outcomes := map[Action]Outcome{
		Create: WouldCreate, Update: WouldUpdate, Merge: WouldMerge, Edit: WouldEdit, Same: Unchanged,
		Differs: Kept, Conflict: Conflicted, Removed: Kept, Obsolete: Left, Refuse: Refused,
	}
	if opts.Keep {
		outcomes[Conflict], outcomes[Refuse] = Settled, Settled
	}
	if opts.Force {
		outcomes[Differs], outcomes[Conflict], outcomes[Removed] = WouldOverwrite, WouldOverwrite, WouldCreate
	}
	results := make([]Result, len(plan))
	for i, c := range plan {
		results[i] = Result{c, outcomes[c.Action]}
	}
	return results
}

// Behind are the changes that a repository in step would not have: what a run would
// write, and what it could not.
func Behind(plan []Change) []Change {
	return slices.DeleteFunc(slices.Clone(plan), func(c Change) bool {
		return slices.Contains([]Action{Same, Differs, Obsolete}, c.Action) || c.Action == Removed && c.settled
	})
}

// Result is a change and what became of it.
type Result struct {
	Change
	Outcome Outcome `json:"outcome"`
}

// ApplyOptions say what may happen to files that differ.
type ApplyOptions struct {
	Force bool // overwrite them, keeping FILE.orig
	Keep  bool // leave those in conflict as they are, for good
	// Ask decides about overwriting one file that differs; nil keeps them all.
	Ask func(context.Context, Change) (bool, error)
	// Done is told of each file as it is dealt with; it may be nil.
	Done func(Result)
}

// applier carries a plan out.
type applier struct {
	*planner
	opts    ApplyOptions
	results []Result
}

// Apply carries the plan out and returns what became of each file. Files are written
// beside their place and renamed into it, so that a killed run leaves whole files
// only; no write follows a symbolic link out of the repository. What was written is
// recorded in .opsctl/init.json. When it fails, the results so far are returned with
// the error.
func Apply(ctx context.Context, s *Stack, plan []Change, opts ApplyOptions) ([]Result, error) {
	root, err := os.OpenRoot(s.Repo)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	old, err := s.record()
	if err != nil {
		return nil, err
	}
	a := &applier{planner: &planner{stack: s, root: root, record: old.clone()}, opts: opts}
	a.record.branch = s.Branch
	if err := a.sweep(plan); err != nil {
		return nil, err
	}
	err = a.files(ctx, plan)
	return a.results, errors.Join(err, a.writeRecord())
}

func (a *applier) files(ctx context.Context, plan []Change) error {
	var schema []byte // the new .env.schema, once it has replaced the user's
	for _, c := range plan {
		if err := ctx.Err(); err != nil {
			return err
		}
		if c.name == exampleFile && schema != nil {
			// The plan made it from the schema that stood there.
			var err error
			if c, err = a.example(Change{New: schema}); err != nil {
				return err
			}
		}
		outcome, err := a.one(ctx, c)
		if err != nil {
			return err
		}
		if c.name == schemaFile && outcome == Overwritten {
			schema = c.rendered
		}
		a.done(Result{c, outcome})
	}
	a.forget(plan)
	return nil
}

func (a *applier) done(r Result) {
	a.note(r)
	a.results = append(a.results, r)
	if a.opts.Done != nil {
		a.opts.Done(r)
	}
}

// note keeps the record: it holds init's version of a file, as of the last time that
// the file took it over or the user turned it down.
func (a *applier) note(r Result) {
	if r.Action == Refuse && r.Outcome == Settled {
		a.record.left[r.name] = withoutLines(r.Why)
	}
	if r.rendered == nil {
		return
	}
	switch r.Outcome {
	case Created, Updated, Merged, Overwritten, Settled, Unchanged:
		a.record.files[r.name] = r.rendered
		delete(a.record.removed, r.name)
	case Kept: // with the user's changes, when init wrote it at all
		if a.record.has(r.name) {
			a.record.files[r.name] = r.rendered
		}
		if r.Action == Removed {
			a.record.removed[r.name] = true
		}
	}
}

// forget drops what is neither written any more nor there: should init write it again,
// it is new.
func (a *applier) forget(plan []Change) {
	for _, name := range a.record.names() {
		if slices.ContainsFunc(plan, func(c Change) bool { return c.name == name }) {
			continue
		}
		if _, err := a.root.Lstat(a.at(name)); err == nil {
			continue
		}
		delete(a.record.files, name)
		delete(a.record.removed, name)
	}
}

func (a *applier) writeRecord() error {
	if len(a.record.files) == 0 {
		return nil
	}
	data, err := a.record.encode()
	if err != nil {
		return err
	}
	c := Change{Path: a.at(recordFile), name: recordFile, New: data}
	old, why, err := current(a.root, c.Path)
	if err != nil {
		return err
	}
	c.Old = old
	r := Result{c, Created}
	switch {
	case why != "":
		r.Action, r.Outcome, r.Why = Refuse, Refused, why
	case bytes.Equal(old, data):
		r.Action, r.Outcome = Same, Unchanged
	default:
		if r.Action = Create; old != nil {
			r.Action, r.Outcome = Update, Updated
		}
		if err := write(a.root, c.Path, data, old); err != nil {
			return err
		}
	}
	a.done(r)
	return nil
}

func (a *applier) one(ctx context.Context, c Change) (Outcome, error) {
	switch c.Action {
	case Same:
		return Unchanged, nil
	case Refuse:
		if a.opts.Keep {
			return Settled, nil
		}
		return Refused, nil
	case Obsolete:
		return Left, nil
	case Create:
		return Created, write(a.root, c.Path, c.New, nil)
	case Update:
		return Updated, write(a.root, c.Path, c.New, c.Old)
	case Merge:
		return Merged, write(a.root, c.Path, c.New, c.Old)
	case Edit:
		return Edited, write(a.root, c.Path, c.New, c.Old)
	}
	return a.decide(ctx, c)
}

// decide deals with a file that is the user's to say about.
func (a *applier) decide(ctx context.Context, c Change) (Outcome, error) {
	yes := a.opts.Force
	// A file that was changed on purpose, or taken away, is not asked about again and again.
	settled := c.Action == Removed || c.rendered == nil || c.Action == Differs && a.record.has(c.name)
	if !yes && a.opts.Ask != nil && !settled && !a.opts.Keep {
		var err error
		if yes, err = a.opts.Ask(ctx, c); err != nil {
			return "", err
		}
	}
	switch {
	case yes && c.Action == Removed:
		return Created, write(a.root, c.Path, c.New, nil)
	case yes:
		if err := keepOriginal(a.root, c); err != nil {
			return "", err
		}
		return Overwritten, write(a.root, c.Path, c.New, c.Old)
	case c.Action != Conflict:
		return Kept, nil
	case a.opts.Keep:
		return Settled, nil
	}
	return Conflicted, nil
}

// keepOriginal copies the file to FILE.orig, or FILE.orig.2 and so on: an earlier
// copy may be the only one of what the user wrote. Who may not read the file may
// not read the copy either.
func keepOriginal(root *os.Root, c Change) error {
	name := c.Path + ".orig"
	for n := 2; ; n++ {
		old, why, err := current(root, name)
		if err != nil {
			return err
		}
		if old == nil && why == "" {
			return writeLike(root, c.Path, name, c.Old, nil)
		}
		if why == "" && string(old) == string(c.Old) {
			return nil
		}
		name = c.Path + ".orig." + string(rune('0'+n))
		if n == 9 {
			return errs.New(errs.Conflict, "%s has too many .orig copies", c.Path).WithHint("remove those you do not need")
		}
	}
}

// write replaces a file in one step and keeps its mode. want is the content that the
// plan saw; a file that has changed since is a conflict.
func write(root *os.Root, name string, data, want []byte) error {
	return writeLike(root, name, name, data, want)
}

// writeLike is write with the mode of another file, like.
func writeLike(root *os.Root, like, name string, data, want []byte) error {
	mode := fs.FileMode(0) // as the umask has it
	if info, err := root.Lstat(like); err == nil {
		mode = info.Mode().Perm()
	}
	now, why, err := current(root, name)
	if err != nil {
		return err
	}
	if why != "" || (now == nil) != (want == nil) || string(now) != string(want) {
		return errs.New(errs.Conflict, "%s was changed by somebody else meanwhile", name).WithHint("run init again")
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return cannotWrite(root, name, err)
	}
	var suffix [6]byte
	if _, err := rand.Read(suffix[:]); err != nil {
		return err
	}
	tmp := path.Join(path.Dir(name), "."+path.Base(name)+"."+hex.EncodeToString(suffix[:])+".tmp")
	if err := writeTemp(root, tmp, data, mode); err != nil {
		return errors.Join(cannotWrite(root, name, err), ignoreMissing(root.Remove(tmp)))
	}
	if err := root.Rename(tmp, name); err != nil {
		return errors.Join(cannotWrite(root, name, err), ignoreMissing(root.Remove(tmp)))
	}
	return nil
}

// cannotWrite names the file and its folder, and not the temporary one that the
// system's error is about.
func cannotWrite(root *os.Root, name string, err error) error {
	dir := filepath.Join(root.Name(), path.Dir(name))
	hint := "see to it that files can be written there, and run init again"
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "make it writable (chmod u+w " + dir + "), or run init as the user who owns it"
	case errors.Is(err, syscall.EROFS):
		hint = "the file system is mounted read-only: run init on a copy that can be written"
	case errors.Is(err, syscall.ENOSPC):
		hint = "make room on the disk, and run init again"
	}
	return errs.New(errs.Failure, "cannot write %s: the folder %s: %s", name, dir, cause(err)).WithHint("%s", hint)
}

// writeTemp writes a new file. With a mode it is readable by nobody else before it
// has that mode, whatever the umask.
func writeTemp(root *os.Root, tmp string, data []byte, mode fs.FileMode) error {
	first := fs.FileMode(0o644)
	if mode != 0 {
		first = 0o600
	}
	f, err := root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, first)
	if err != nil {
		return err
	}
	if mode != 0 {
		err = f.Chmod(mode)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// ignoreMissing drops the error about a temporary file that cannot be there.
func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}
