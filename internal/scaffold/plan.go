package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/opsctl/opsctl/internal/errs"
)

// Action is what init would do with a file.
type Action string

// The actions. Only Create and Edit are carried out without being asked for.
const (
	Create  Action = "create"  // it is not there
	Same    Action = "same"    // it is there, as init would write it
	Edit    Action = "edit"    // the user's file, with a few lines added
	Differs Action = "differs" // it is there and says something else
	Refuse  Action = "refuse"  // it needs a change that init cannot make safely
)

// Change is one file of the plan.
type Change struct {
	Path   string `json:"path"` // relative to the repository, with slashes
	Action Action `json:"action"`
	Why    string `json:"why,omitempty"` // for Edit and Refuse
	Old    []byte `json:"-"`             // what stands there; nil when nothing does
	New    []byte `json:"-"`             // what init would write
	Diff   string `json:"diff,omitempty"`
}

// The schema, and the example that is made from it.
const (
	schemaFile  = ".env.schema"
	exampleFile = ".env.example"
)

// Plan compares what init would write with what is in dir, in the order in which
// it is shown. It changes nothing.
func Plan(dir string, s *Stack, opts Options) ([]Change, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	files, err := render(newView(s, opts))
	if err != nil {
		return nil, err
	}
	var plan []Change
	for _, f := range files {
		c, err := compare(root, f.path, f.data)
		if err != nil {
			return nil, err
		}
		plan = append(plan, c)
		if f.path == schemaFile {
			ex, err := planExample(root, c)
			if err != nil {
				return nil, err
			}
			plan = append(plan, ex)
		}
	}
	for _, edit := range []func(*os.Root, *Stack) (*Change, error){planNextConfig, planGitignore} {
		c, err := edit(root, s)
		if err != nil {
			return nil, err
		}
		if c != nil {
			plan = append(plan, *c)
		}
	}
	return plan, nil
}

// compare makes the change for a file that init renders.
func compare(root *os.Root, name string, data []byte) (Change, error) {
	c := Change{Path: name, New: data}
	old, why, err := current(root, name)
	switch {
	case err != nil:
		return c, err
	case why != "":
		c.Action, c.Why = Refuse, why
	case old == nil:
		c.Action = Create
	case bytes.Equal(old, data):
		c.Action, c.Old = Same, old
	default:
		c.Action, c.Old = Differs, old
	}
	c.Diff = c.unified()
	return c, nil
}

// current reads a file of the repository; nil when it is not there. The text says
// why a file that is there cannot be compared or written.
func current(root *os.Root, name string) (data []byte, why string, err error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", nil
	case err != nil:
		return nil, unreachable(root, name, err), nil
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, "it is a symbolic link, which init does not write through", nil
	case !info.Mode().IsRegular():
		return nil, "it is not a file", nil
	}
	data, err = root.ReadFile(name)
	if err != nil {
		return nil, "", errs.Wrap(err, errs.Failure, "read %s", name)
	}
	if data == nil {
		data = []byte{}
	}
	return data, "", nil
}

// unreachable says why a path leads nowhere in the repository. os.Root refuses one
// that a symbolic link leads out of it.
func unreachable(root *os.Root, name string, err error) string {
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := root.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return dir + " is a symbolic link out of the repository, and init writes nothing there"
		}
	}
	return "it cannot be reached inside the repository: " + cause(err)
}

// cause is the system's reason, without the path.
func cause(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err.Error()
	}
	return err.Error()
}

// unified is the change as a unified diff; "" when nothing changes.
func (c Change) unified() string {
	if c.Action == Same || c.Action == Refuse {
		return ""
	}
	oldName := "a/" + c.Path
	if c.Action == Create {
		oldName = "/dev/null"
	}
	return string(diff.Diff(oldName, c.Old, "b/"+c.Path, c.New))
}

// planExample renders .env.example from the schema that will be in place: the
// user's own where there is one.
func planExample(root *os.Root, schema Change) (Change, error) {
	src := schema.New
	if schema.Old != nil {
		src = schema.Old
	}
	data, why := example(src)
	if why != "" {
		return Change{Path: exampleFile, Action: Refuse, Why: why}, nil
	}
	return compare(root, exampleFile, data)
}

func planNextConfig(root *os.Root, s *Stack) (*Change, error) {
	if s.Config == "" {
		return nil, nil
	}
	old, why, err := current(root, s.Config)
	if err != nil {
		return nil, err
	}
	c := &Change{Path: s.Config, Old: old}
	if why != "" {
		c.Action, c.Why = Refuse, why
		return c, nil
	}
	edit := addStandalone(old)
	c.New = edit.src
	switch {
	case edit.refused != "":
		c.Action, c.Why = Refuse, edit.refused
	case bytes.Equal(edit.src, old):
		c.Action = Same
	default:
		c.Action, c.Why = Edit, `output: "standalone" is what the image runs`
	}
	c.Diff = c.unified()
	return c, nil
}

func planGitignore(root *os.Root, _ *Stack) (*Change, error) {
	old, why, err := current(root, ".gitignore")
	if err != nil {
		return nil, err
	}
	c := &Change{Path: ".gitignore", Old: old}
	if why != "" {
		c.Action, c.Why = Refuse, why
		return c, nil
	}
	c.New = editGitignore(old)
	switch {
	case old == nil:
		c.Action = Create
	case bytes.Equal(old, c.New):
		c.Action = Same
	default:
		c.Action, c.Why = Edit, ".env stays out of git, .env.example and .env.schema belong into it"
	}
	c.Diff = c.unified()
	return c, nil
}
