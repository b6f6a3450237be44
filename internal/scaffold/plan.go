package scaffold

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/opsctl/opsctl/internal/errs"
)

// Action is what init would do with a file.
type Action string

// The actions. Create, Update, Merge and Edit are carried out without being asked for.
const (
	Create   Action = "create"   // it is not there
	Same     Action = "same"     // it is there, as init would write it
	Update   Action = "update"   // it is there as init last wrote it, and init has something new
	Merge    Action = "merge"    // both have changed it, in different places
	Edit     Action = "edit"     // the user's file, with a few lines added
	Differs  Action = "differs"  // the user's, or changed by the user since init last wrote it; nothing is new
	Conflict Action = "conflict" // both have changed the same lines
	Removed  Action = "removed"  // init wrote it and the user took it away
	Obsolete Action = "obsolete" // init wrote it and would not do so any more
	Refuse   Action = "refuse"   // it needs a change that init cannot make safely
)

// Change is one file of the plan.
type Change struct {
	Path   string `json:"path"` // relative to the repository, with slashes
	Action Action `json:"action"`
	Why    string `json:"why,omitempty"`
	Old    []byte `json:"-"` // what stands there; nil when nothing does
	New    []byte `json:"-"` // what would stand there
	Diff   string `json:"diff,omitempty"`

	name     string // as the record has it: seen from the app's folder
	settled  bool   // a run has seen that the user took it away
	rendered []byte // what init writes, before a merge; nil for an edit
}

// The schema, and the example that is made from it.
const (
	schemaFile  = ".env.schema"
	exampleFile = ".env.example"
)

// planner compares what init would write with what is in the repository.
type planner struct {
	stack  *Stack
	root   *os.Root // the repository
	record *record
	plan   []Change
}

// Plan compares what init would write with what is in the repository, in the order in
// which it is shown. It changes nothing.
func Plan(s *Stack, opts Options) ([]Change, error) {
	root, err := os.OpenRoot(s.Repo)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	app, err := fs.Sub(root.FS(), s.Dir)
	if err != nil {
		return nil, err
	}
	rec, err := readRecord(app)
	if err != nil {
		return nil, err
	}
	files, err := render(s, opts, app)
	if err != nil {
		return nil, err
	}
	p := &planner{stack: s, root: root, record: rec}
	for _, f := range files {
		c, err := p.compare(f.path, f.data)
		if err != nil {
			return nil, err
		}
		p.plan = append(p.plan, c)
		if f.path == schemaFile {
			ex, err := p.example(c)
			if err != nil {
				return nil, err
			}
			p.plan = append(p.plan, ex)
		}
	}
	for _, edit := range []func(Options) error{p.nextConfig, p.gitignore, p.obsolete} {
		if err := edit(opts); err != nil {
			return nil, err
		}
	}
	for i := range p.plan {
		if c := &p.plan[i]; c.Action == Refuse && p.record.left[c.name] == withoutLines(c.Why) {
			c.Action, c.rendered = Differs, nil
			c.Why = "left to you: " + c.Why
		}
	}
	return p.plan, nil
}

// at is a path, seen from the app's folder, in the repository.
func (p *planner) at(name string) string { return path.Join(p.stack.Dir, name) }

// compare makes the change for a file that init renders: a three-way comparison of
// what init last wrote, what stands there, and what it would write.
func (p *planner) compare(name string, data []byte) (Change, error) {
	c := Change{Path: p.at(name), name: name, New: data, rendered: data}
	old, why, err := current(p.root, c.Path)
	if err != nil {
		return c, err
	}
	c.Old = old
	base, written := p.record.files[name]
	if bytes.Contains(old, []byte("\r\n")) { // a checkout on Windows: the lines' ends are no change
		data, base = withCRLF(data), withCRLF(base)
		c.New = data
	}
	switch {
	case why != "":
		c.Action, c.Why = Refuse, why
	case old == nil && written:
		c.Action, c.Why, c.settled = Removed, "you took it away; --force writes it again", p.record.removed[name]
	case old == nil:
		c.Action = Create
	case bytes.Equal(old, data):
		c.Action = Same
	case !written:
		c.Action = Differs
	case bytes.Equal(base, data):
		c.Action, c.Why = Differs, "with your changes"
	case bytes.Equal(base, old):
		c.Action = Update
	default:
		c.threeWay(base)
	}
	if c.Diff == "" {
		c.Diff = c.unified()
	}
	return c, nil
}

// threeWay brings init's changes into a file that the user has changed as well.
func (c *Change) threeWay(base []byte) {
	merged, ok := merge(base, c.Old, c.New)
	if !ok && c.name == schemaFile {
		merged, ok = addVariables(c.Old, c.New)
	}
	if ok {
		c.Action, c.New, c.Why = Merge, merged, "your changes and init's"
		if bytes.Equal(merged, c.Old) {
			c.Action, c.Why = Differs, "with your changes" // and init's are among them
		}
		return
	}
	c.Action = Conflict
	c.Why = "you and init changed the same lines: take over what you want of the diff, then --keep; or --force"
	c.Diff = unified(c.Path, base, c.New) // what is new, and not what the user has made of it
}

var lineNumber = lazily(`line \d+`)

// withoutLines is a reason that stays the same when lines are added above its place.
func withoutLines(why string) string { return lineNumber.ReplaceAllString(why, "line") }

func withCRLF(text []byte) []byte {
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\n"), []byte("\r\n"))
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

// unified is the change as a unified diff; "" when nothing would change.
func (c Change) unified() string {
	switch c.Action {
	case Same, Refuse, Removed, Obsolete:
		return ""
	}
	return unified(c.Path, c.Old, c.New)
}

// example renders .env.example from the schema that will be in place: the user's own
// where there is one.
func (p *planner) example(schema Change) (Change, error) {
	src := schema.New
	if schema.Action == Differs || schema.Action == Conflict {
		src = schema.Old
	}
	data, why := example(src)
	if why != "" {
		return Change{Path: p.at(exampleFile), name: exampleFile, Action: Refuse, Why: why}, nil
	}
	return p.compare(exampleFile, data)
}

// obsolete lists what init wrote once and would not write any more.
func (p *planner) obsolete(Options) error {
	planned := map[string]bool{}
	for _, c := range p.plan {
		planned[c.name] = true
	}
	for _, name := range p.record.names() {
		if planned[name] {
			continue
		}
		c := Change{Path: p.at(name), name: name, Action: Obsolete, Why: "init wrote it and no longer would: remove it when you do not need it"}
		old, _, err := current(p.root, c.Path)
		if err != nil {
			return err
		}
		if old != nil {
			c.Old = old
			p.plan = append(p.plan, c)
		}
	}
	return nil
}
