package envcheck

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// Options say what to check. The zero value of a field means its default.
type Options struct {
	Dir           string            // where the files are; default the current directory
	Files         []string          // the file that wins first; default NextFiles of the environment, those that exist
	SchemaPath    string            // default .env.schema
	Env           string            // name of the environment; default development
	Phase         string            // build or runtime; default both
	Reader        Reader            // how the app itself reads .env files; default Next
	Process       map[string]string // the process environment, which wins over files; nil: not looked at
	NamesOnly     bool              // values are not there (CI without secrets): check names only
	Strict        bool              // a warning fails the check too
	AllowTestKeys bool              // test keys may stand in production (a preview deployment)

	ReadFile func(path string) ([]byte, error) // default ReadRegular
	// InProcess tells whether the process has a variable to which a value may refer,
	// without looking at its value; nil: only Process is asked.
	InProcess func(name string) bool
	// Elsewhere tells whether a key has a value that cannot be read here, such as a
	// secret on the platform: it counts as present; nil: no key has.
	Elsewhere func(key string) bool
	// Tracked gives those of the files in dir that git tracks; nil: not checked.
	Tracked func(ctx context.Context, dir string, files []string) ([]string, error)
	Now     func() time.Time // for expires; nil: not checked
}

// Report is the result of a check.
type Report struct {
	Env       string   `json:"env"`
	Files     []string `json:"files"`
	Variables int      `json:"variables"` // keys of the schema
	OK        bool     `json:"ok"`
	Errors    int      `json:"errors"`
	Warnings  int      `json:"warnings"`
	Infos     int      `json:"infos"`
	Silenced  int      `json:"silenced"` // by # opsctl: ignore=
	Omitted   int      `json:"omitted"`  // counted but not listed: more than 200 of one rule in one file
	Unread    []string `json:"unread"`   // files that cannot be read; each has a finding
	// NotChecked counts the required keys that no other file has: an unread one may.
	NotChecked int       `json:"not_checked"`
	Findings   []Finding `json:"findings"`
	Fixed      []Repair  `json:"fixed,omitzero"` // by Fix, when the caller asked for it
	Keys       []string  `json:"-"`              // of the schema
	SchemaFile string    `json:"-"`              // the schema that was read
	Strict     bool      `json:"-"`              // as in Options
}

// Check validates files, and the process environment when given, against the
// schema. An error means that the check could not be made (errs.Usage); what
// it found is in the report, sorted by file and line.
func Check(ctx context.Context, o Options) (*Report, error) {
	c, err := run(ctx, o)
	if err != nil {
		return nil, err
	}
	return c.report(), nil
}

// run makes a check, and leaves what it found in the checker.
func run(ctx context.Context, o Options) (*checker, error) {
	envGiven := o.Env != ""
	o = o.withDefaults()
	schema, findings, err := LoadSchema(o.Dir, o.SchemaPath, o.Env, o.ReadFile)
	if err != nil {
		return nil, err
	}
	c := &checker{opts: o, schema: schema, findings: findings, values: map[string]*value{}, failed: map[string]bool{},
		kept: map[[2]string]int{}, omitted: map[Level]int{},
		envGiven: envGiven, prod: Mode(o.Env) == "production"}
	if err := c.load(); err != nil {
		return nil, err
	}
	c.eval = newEvaluator(schema, c.environment(), c.supplied)
	c.fileRules(ctx)
	c.valueRules()
	c.schemaSecrets()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

func (o Options) withDefaults() Options {
	if o.SchemaPath == "" {
		o.SchemaPath = ".env.schema"
	}
	if o.Env == "" {
		o.Env = cmp.Or(o.Process["NODE_ENV"], "development")
	}
	if o.Reader == "" {
		o.Reader = Next
	}
	if o.ReadFile == nil {
		o.ReadFile = ReadRegular
	}
	return o
}

// value is what a key has in this environment.
type value struct {
	item *Item // nil for a key that the schema does not know
	key  string
	text string
	file string // a file, or ProcessName
	pos  Pos    // of the value
	raw  string // as written in the file
}

// ProcessName stands for a file name where a value comes from the process.
const ProcessName = "(process)"

// loaded is a .env file as both readers see it.
type loaded struct {
	name         string
	app, compose *File // as the app's own reader reads it in its environment; compose with none
	alone        *File // the app's reading with no environment, to compare with compose
	appErr       *ReadError
	last         map[string]*Entry
	text         string
	src          *source          // of text, made when first needed
	refs         map[string][]int // lines whose values refer to a name, made when first needed
}

// checker holds the state of one check.
type checker struct {
	opts     Options
	schema   *Schema
	eval     *evaluator
	files    []*loaded
	values   map[string]*value // the value that counts, by key
	unread   []string          // files that cannot be read
	names    map[string]bool   // every name that a file sets, made when first needed
	skipped  int               // required keys that an unread file may hold
	failed   map[string]bool   // keys whose value has an error already
	findings []Finding
	silenced int
	compared int               // pairs of keys compared to find slips
	kept     map[[2]string]int // findings by file and rule
	omitted  map[Level]int
	secrets  map[string]string // sensitive value to key, made when first needed
	prisma   *bool             // the project uses Prisma; nil: not looked yet
	envGiven bool              // Options.Env was given
	prod     bool              // the app runs as in production
	edits    map[string][]edit // repairs by file
}

// supplied gives a key's value from the files or the process. The variable
// that names the environment has the value that was asked for.
func (c *checker) supplied(key string) (string, bool) {
	if key == c.schema.CurrentEnv || key == "NODE_ENV" {
		if v, ok := c.fixed(key); ok {
			return v, true
		}
	}
	v := c.values[key]
	if v == nil {
		return "", false
	}
	return v.text, true
}

// fixed is the value of a key that names the environment. NODE_ENV is set by
// Next.js itself, whatever a file says.
func (c *checker) fixed(key string) (string, bool) {
	if v := c.opts.Process[key]; v != "" && !c.opts.NamesOnly {
		return v, true
	}
	if key == "NODE_ENV" {
		return Mode(c.opts.Env), true
	}
	return c.opts.Env, c.envGiven
}

// environment is the name that forEnv() compares with.
func (c *checker) environment() string {
	if c.schema.CurrentEnv == "" {
		return c.opts.Env
	}
	e := newEvaluator(c.schema, "", c.supplied)
	return e.key(c.schema.CurrentEnv).text
}

// reportedEnv is the environment's name for people: the one that was asked for, or
// else the one that the process says it is.
func (c *checker) reportedEnv() string {
	if v := c.opts.Process[c.schema.CurrentEnv]; v != "" && !c.envGiven {
		return v
	}
	return c.opts.Env
}

// load reads the files, first the one that wins, as Next.js does.
func (c *checker) load() error {
	names := c.opts.Files
	if len(names) == 0 {
		names = NextFiles(Mode(c.opts.Env))
	}
	env := maps.Clone(c.opts.Process)
	if env == nil {
		env = map[string]string{}
	}
	for _, name := range names {
		data, err := c.opts.ReadFile(join(c.opts.Dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			if len(c.opts.Files) > 0 {
				return errs.New(errs.Usage, "%s does not exist", name).WithHint("name a .env file, or none for the files that Next.js loads")
			}
			continue
		} else if err != nil {
			c.add(Finding{File: name, Line: 1, Col: 1, Rule: "file", Level: Error, Message: "the file cannot be read: " + readReason(err),
				Fix: readFix(err)})
			c.unread = append(c.unread, name)
			continue
		}
		if msg, pos := checkText(name, data); msg != "" {
			c.add(Finding{File: name, Line: pos.Line, Col: pos.Col, Rule: "file", Level: Error, Message: msg, Fix: "save it as plain UTF-8 text"})
			c.unread = append(c.unread, name)
			continue
		}
		c.loadFile(name, data, env)
	}
	for _, key := range slices.Sorted(maps.Keys(c.opts.Process)) {
		if it := c.schema.Item(key); it != nil {
			c.values[key] = &value{item: it, key: key, text: c.opts.Process[key], file: ProcessName, pos: Pos{1, 1}}
		}
	}
	return nil
}

// readReason is the cause without the path, which the finding has already.
func readReason(err error) string {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// readFix is the next step where it does not follow from the reason.
func readFix(err error) string {
	if errors.Is(err, fs.ErrPermission) {
		return "make it readable for the user that runs the check, for instance with chmod u+r"
	}
	return "put a regular file with KEY=value lines in its place"
}

func (c *checker) loadFile(name string, data []byte, env map[string]string) {
	l := &loaded{name: name, text: string(data)}
	var err error
	l.app, err = Read(c.opts.Reader, name, data, env)
	if c.opts.Reader != Compose { // of which the problems are findings of their own
		errors.As(err, &l.appErr)
	}
	if l.alone = l.app; len(env) > 0 {
		l.alone, _ = Read(c.opts.Reader, name, data, nil)
	}
	l.compose, _ = Read(Compose, name, data, nil)
	l.last = l.app.Last()
	c.files = append(c.files, l)
	maps.Copy(env, l.app.Vars) // Next.js lets the next file see these
	for key, e := range l.last {
		if _, process := c.opts.Process[key]; c.values[key] == nil && !process {
			c.values[key] = &value{item: c.schema.Item(key), key: key, text: e.Value, raw: e.Raw, file: name, pos: e.ValuePos}
		}
	}
}

// add takes a finding, unless the schema silences its rule; false then.
func (c *checker) add(f Finding) bool {
	if c.isSilenced(f) {
		c.silenced++
		return false
	}
	id := [2]string{f.File, f.Rule}
	if c.kept[id]++; c.kept[id] > maxFindings {
		c.omitted[f.Level]++
		return true
	}
	c.findings = append(c.findings, f)
	return true
}

// isSilenced reports whether the schema silences a finding's rule: in its header
// for every key and file, above a key for that key.
func (c *checker) isSilenced(f Finding) bool {
	rules := c.schema.Rules
	if it := c.schema.Item(f.Key); it != nil {
		rules = slices.Concat(rules, it.Rules)
	}
	return slices.ContainsFunc(rules, func(r Rule) bool { return r.Name == "ignore" && r.Value == f.Rule })
}

// maxFindings bounds how many findings of one rule in one file are kept; the
// rest are counted.
const maxFindings = 200

// at reports something about a value, where the value stands.
func (c *checker) at(v *value, rule string, level Level, msg, fix string) {
	if level == Error {
		c.failed[v.key] = true
	}
	c.add(Finding{File: v.file, Line: v.pos.Line, Col: v.pos.Col, Rule: rule, Level: level, Key: v.key, Message: v.key + " " + msg, Fix: fix})
}

func (c *checker) report() *Report {
	r := &Report{
		Env: c.reportedEnv(), Files: []string{}, Variables: len(c.schema.Items), Silenced: c.silenced, Findings: SortFindings(c.findings),
		Errors: c.omitted[Error], Warnings: c.omitted[Warning], Infos: c.omitted[Info],
	}
	r.Omitted = r.Errors + r.Warnings + r.Infos
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	r.Keys, r.SchemaFile, r.Strict = c.schema.Keys(), c.schema.Name, c.opts.Strict
	r.Unread, r.NotChecked = append([]string{}, c.unread...), c.skipped
	for _, f := range c.files {
		r.Files = append(r.Files, f.name)
	}
	for _, f := range r.Findings {
		switch f.Level {
		case Error:
			r.Errors++
		case Warning:
			r.Warnings++
		case Info:
			r.Infos++
		}
	}
	r.OK = r.Errors == 0 && !(c.opts.Strict && r.Warnings > 0)
	return r
}
