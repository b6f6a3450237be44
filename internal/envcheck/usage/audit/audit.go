// Package audit compares the variables that source code uses with .env.schema, in both
// directions.
package audit

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/envcheck/usage"
	"github.com/opsctl/opsctl/internal/errs"
)

// The rules.
const (
	Undeclared = "scan-undeclared"
	Unused     = "scan-unused"
	Client     = "scan-client"
	Computed   = "scan-computed"
	Unknown    = "scan-dynamic"
)

// Options say how to compare.
type Options struct {
	Tests bool // what tests read has to be in the schema too
	// Partial says that not all of the source was scanned: what is unused is not known then.
	Partial bool
}

// Result is what a comparison found.
type Result struct {
	Findings []envcheck.Finding // sorted
	Silenced int                // by # opsctl: ignore=
}

// Compare holds the uses against the schema.
func Compare(schema *envcheck.Schema, used *usage.Result, o Options) Result {
	c := &comparison{schema: schema, used: used, opts: o, byName: map[string][]usage.Use{}}
	for _, u := range used.Uses {
		c.byName[u.Name] = append(c.byName[u.Name], u)
	}
	c.undeclared()
	if !o.Partial {
		c.unused()
	}
	c.client()
	c.dynamic()
	return Result{Findings: envcheck.SortFindings(c.findings), Silenced: c.silenced}
}

type comparison struct {
	schema   *envcheck.Schema
	used     *usage.Result
	opts     Options
	byName   map[string][]usage.Use
	findings []envcheck.Finding
	silenced int
}

// add takes a finding, unless the schema silences its rule for all keys or for its own.
func (c *comparison) add(f envcheck.Finding) {
	rules := c.schema.Rules
	if it := c.schema.Item(f.Key); it != nil {
		rules = slices.Concat(rules, it.Rules)
	}
	if slices.ContainsFunc(rules, func(r envcheck.Rule) bool { return r.Name == "ignore" && r.Value == f.Rule }) {
		c.silenced++
		return
	}
	c.findings = append(c.findings, f)
}

// undeclared reports each variable that code reads and the schema does not have, once,
// where it matters most. That the variable may be missing, because every read has a
// default or a check, or because only tests read it, makes it a warning.
func (c *comparison) undeclared() {
	for name, uses := range c.byName {
		if c.schema.Item(name) != nil {
			continue
		}
		var worst *usage.Use
		level, places := envcheck.Warning, 0
		for i := range uses {
			u := &uses[i]
			if u.NotReads || setBySystem(name, u.Form) || c.used.Inlined(name) && !isBundlerConfig(u.File) {
				continue
			}
			places++
			needed := !u.Optional && (!u.Test || c.opts.Tests)
			if worst == nil || needed && level == envcheck.Warning {
				worst = u
			}
			if needed {
				level = envcheck.Error
			}
		}
		if worst == nil {
			continue
		}
		msg := name + " is read here and is not in the schema"
		switch {
		case level == envcheck.Error:
		case worst.Test && c.onlyTests(uses):
			msg = name + " is read by tests only and is not in the schema"
		default:
			msg = name + " is read here, with a default or a check, and is not in the schema"
		}
		if places > 1 {
			msg += fmt.Sprintf(" (%d places)", places)
		}
		c.add(envcheck.Finding{File: worst.File, Line: worst.Line, Col: worst.Col, Rule: Undeclared, Level: level, Key: name, Message: msg, Fix: c.suggestion(name)})
	}
}

// isBundlerConfig tells whether a file may define what others find in process.env: its
// own reads are of the real environment.
func isBundlerConfig(name string) bool {
	return strings.Contains(path.Base(name), ".config.")
}

func (c *comparison) onlyTests(uses []usage.Use) bool {
	return !slices.ContainsFunc(uses, func(u usage.Use) bool { return !u.Test && !u.NotReads })
}

// suggestion is the way out: the name that was meant, or a line for the schema.
func (c *comparison) suggestion(name string) string {
	var near []string
	for _, key := range c.schema.Keys() {
		if d := len(key) - len(name); len(name) < 100 && d <= 1+len(name)/3 && -d <= 1+len(name)/3 {
			near = append(near, key)
		}
	}
	if s := errs.Closest(name, near); s != "" {
		return "did you mean " + s + "? Else add " + name + "= to the schema"
	}
	return "add " + name + "= to the schema, with its type and whether it is required"
}

// unused reports what the schema has and nothing uses.
func (c *comparison) unused() {
	referred := c.referred()
	for _, it := range c.schema.Items {
		if len(c.byName[it.Key]) > 0 || referred[it.Key] || it.Deprecated != "" || hasDecorator(it.Decorators, "auditIgnore") ||
			reader(it.Key, c.used.DependsOn) != "" {
			continue
		}
		fix := "remove it, or say who reads it: @auditIgnore above the key, with a comment"
		if n := c.computedReads(); n > 0 {
			fix += fmt.Sprintf("; %d of the code's reads have a name that cannot be known", n)
		}
		c.add(envcheck.Finding{File: it.File, Line: it.Pos.Line, Col: it.Pos.Col, Rule: Unused, Level: envcheck.Warning, Key: it.Key,
			Message: it.Key + " is in the schema and nothing reads it", Fix: fix})
	}
}

func (c *comparison) computedReads() int {
	n := 0
	for _, d := range c.used.Dynamic {
		if !d.Whole && !d.Test {
			n++
		}
	}
	return n
}

// referred are the keys to which the schema itself refers.
func (c *comparison) referred() map[string]bool {
	out := map[string]bool{c.schema.CurrentEnv: true}
	var visit func(n *envcheck.Node)
	visit = func(n *envcheck.Node) {
		if n == nil {
			return
		}
		if n.Kind == envcheck.NodeCall && n.Text == "ref" && len(n.Args) > 0 && n.Args[0].Value != nil {
			out[n.Args[0].Value.Text] = true
		}
		for _, a := range n.Args {
			visit(a.Value)
		}
	}
	for _, it := range c.schema.Items {
		visit(it.Value)
		for _, d := range it.Decorators {
			visit(d.Value)
		}
	}
	return out
}

func hasDecorator(ds []envcheck.Decorator, name string) bool {
	return slices.ContainsFunc(ds, func(d envcheck.Decorator) bool {
		return d.Name == name && (d.Value == nil || d.Value.Kind != envcheck.NodeBool || d.Value.Text == "true")
	})
}

// client reports what is undefined in the browser: Next.js puts there what begins with
// NEXT_PUBLIC_, where the code says process.env.NAME, and nothing else.
func (c *comparison) client() {
	if !c.isNext() {
		return
	}
	for _, u := range c.used.Uses {
		if !u.Client || u.Test || u.NotReads || !strings.HasSuffix(u.Form, "process.env") || u.Name == "NODE_ENV" || u.Name == "NEXT_RUNTIME" ||
			strings.HasPrefix(u.Name, "__NEXT") || c.used.Inlined(u.Name) {
			continue
		}
		f := envcheck.Finding{File: u.File, Line: u.Line, Col: u.Col, Key: u.Name}
		switch {
		case !envcheck.IsPublicName(u.Name):
			f.Rule, f.Level = Client, envcheck.Error
			f.Message = u.Name + ` is read in a file with "use client": in the browser it is undefined`
			f.Fix = "read it on the server and hand down what the browser may see"
			if !c.schema.SensitiveKey(u.Name) {
				f.Fix += ", or name it NEXT_PUBLIC_" + u.Name + " if everybody may see it"
			}
			if u.Optional {
				f.Level = envcheck.Warning
				f.Message += ", so that its default or check decides there"
			}
		case u.Indirect:
			f.Rule, f.Level = Computed, envcheck.Warning
			f.Message = u.Name + " is not read as process.env." + u.Name + ", and Next.js puts only that into the bundle: in the browser it is undefined"
			f.Fix = "write process.env." + u.Name
		default:
			continue
		}
		c.add(f)
	}
}

// isNext tells whether "use client" means Next.js's: a package.json says so, or there is none.
func (c *comparison) isNext() bool {
	return c.used.DependsOn("next") || !c.used.HasPackages()
}

// dynamic tells of the reads whose name cannot be known.
func (c *comparison) dynamic() {
	for _, d := range c.used.Dynamic {
		if d.Test && !c.opts.Tests {
			continue
		}
		f := envcheck.Finding{File: d.File, Line: d.Line, Col: d.Col}
		switch {
		case d.Client && !d.Whole && c.isNext() && strings.HasPrefix(d.Form, "process.env"):
			f.Rule, f.Level = Computed, envcheck.Warning
			f.Message = `a computed name in a file with "use client": Next.js puts only process.env.NEXT_PUBLIC_NAME into the bundle, so that in the browser it is undefined`
			f.Fix = "write out each variable: process.env.NEXT_PUBLIC_NAME"
		case d.Whole:
			f.Rule, f.Level, f.Message = Unknown, envcheck.Info, "the whole environment is handed on: what is read of it cannot be known"
		default:
			f.Rule, f.Level, f.Message = Unknown, envcheck.Info, "the name of the variable is computed, so that it cannot be known"
		}
		c.add(f)
	}
}

// IgnoredPaths gives the test of @auditIgnorePaths(...) in the schema's header: whether
// a path, seen from the schema's folder, is left out. It is nil when there is none.
func IgnoredPaths(schema *envcheck.Schema) func(name string) bool {
	var patterns []string
	for _, d := range schema.Header {
		if d.Name != "auditIgnorePaths" || d.Value == nil {
			continue
		}
		for _, a := range d.Value.Args {
			if a.Value != nil && a.Value.Text != "" {
				patterns = append(patterns, path.Clean(strings.TrimPrefix(a.Value.Text, "/")))
			}
		}
	}
	if len(patterns) == 0 {
		return nil
	}
	return func(name string) bool {
		return slices.ContainsFunc(patterns, func(p string) bool {
			if name == p || strings.HasPrefix(name, p+"/") {
				return true
			}
			ok, err := doublestar.Match(p, name)
			return ok && err == nil
		})
	}
}
