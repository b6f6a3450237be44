package scaffold

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"

	"github.com/opsctl/opsctl/internal/errs"
)

// Outcome is what became of a file.
type Outcome string

// The outcomes.
const (
	Created     Outcome = "created"
	Edited      Outcome = "edited"
	Overwritten Outcome = "overwritten" // the old content is in FILE.orig
	Unchanged   Outcome = "unchanged"
	Kept        Outcome = "kept" // it differs and was left as it is
	Refused     Outcome = "refused"

	WouldCreate    Outcome = "would create" // these of a run that changes nothing
	WouldEdit      Outcome = "would edit"
	WouldOverwrite Outcome = "would overwrite"
)

// Foresee gives what Apply would make of each change, where nobody is asked.
func Foresee(plan []Change, force bool) []Result {
	outcomes := map[Action]Outcome{Create: WouldCreate, Edit: WouldEdit, Same: Unchanged, Differs: Kept, Refuse: Refused}
	if force {
		outcomes[Differs] = WouldOverwrite
	}
	results := make([]Result, len(plan))
	for i, c := range plan {
		results[i] = Result{c, outcomes[c.Action]}
	}
	return results
}

// Result is a change and what became of it.
type Result struct {
	Change
	Outcome Outcome `json:"outcome"`
}

// ApplyOptions say what may happen to files that differ.
type ApplyOptions struct {
	Force bool // overwrite them, keeping FILE.orig
	// Ask decides about one file that differs; nil keeps them all.
	Ask func(context.Context, Change) (bool, error)
	// Done is told of each file as it is dealt with; it may be nil.
	Done func(Result)
}

// Apply carries the plan out in dir and returns what became of each file. Files are
// written beside their place and renamed into it, so that a killed run leaves whole
// files only; no write follows a symbolic link out of dir. When it fails, the
// results so far are returned with the error.
func Apply(ctx context.Context, dir string, plan []Change, opts ApplyOptions) ([]Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	var results []Result
	var schema []byte // the new .env.schema, once it has replaced the user's
	for _, c := range plan {
		if err := ctx.Err(); err != nil {
			return results, err
		}
		if c.Path == exampleFile && schema != nil {
			// The plan made it from the schema that stood there.
			if c, err = planExample(root, Change{New: schema}); err != nil {
				return results, err
			}
		}
		outcome, err := applyOne(ctx, root, c, opts)
		if err != nil {
			return results, err
		}
		if c.Path == schemaFile && outcome == Overwritten {
			schema = c.New
		}
		r := Result{c, outcome}
		results = append(results, r)
		if opts.Done != nil {
			opts.Done(r)
		}
	}
	return results, nil
}

func applyOne(ctx context.Context, root *os.Root, c Change, opts ApplyOptions) (Outcome, error) {
	switch c.Action {
	case Same:
		return Unchanged, nil
	case Refuse:
		return Refused, nil
	case Create:
		return Created, write(root, c.Path, c.New, nil)
	case Edit:
		return Edited, write(root, c.Path, c.New, c.Old)
	}
	yes := opts.Force
	if !yes && opts.Ask != nil {
		var err error
		if yes, err = opts.Ask(ctx, c); err != nil {
			return "", err
		}
	}
	if !yes {
		return Kept, nil
	}
	if err := keepOriginal(root, c); err != nil {
		return "", err
	}
	return Overwritten, write(root, c.Path, c.New, c.Old)
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
