package deploy

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// VariableRules are what else is known of an environment's variables.
type VariableRules struct {
	BuildOnly []string          // only the build of the image needs them
	Plain     map[string]string // set by the release itself, not as secrets
	Required  []string          // names that the app has to have at run time
}

// Wanted is what of an environment's file goes to the platform.
type Wanted struct {
	Secrets map[string]string
	Skipped map[string]string // name to the reason why it does not
	Empty   []string          // of Skipped: the file has no value for it
}

// Want chooses what of a file's variables becomes secrets of the platform. It is
// the one choice of deploy and of env push, so that each finds the other's work done.
func Want(file map[string]string, rules VariableRules) Wanted {
	w := Wanted{Secrets: map[string]string{}, Skipped: map[string]string{}}
	for name, value := range file {
		_, plain := rules.Plain[name]
		switch {
		case name == "NODE_ENV":
			w.Skipped[name] = "the image says it: Next.js sets it itself"
		case name == "PORT":
			w.Skipped[name] = "deploy sets it from web.port"
		case plain:
			w.Skipped[name] = "opsctl.yaml sets it as a plain variable, and wins"
		case slices.Contains(rules.BuildOnly, name):
			w.Skipped[name] = "only the build needs it (phase=build)"
		case value == "":
			w.Skipped[name] = "it is empty in the file"
			w.Empty = append(w.Empty, name)
		default:
			w.Secrets[name] = value
		}
	}
	return w
}

// VariableState is how one variable stands.
type VariableState string

// The states. Unknown is on the platform with a value that nobody here knows.
const (
	VariableAdd     VariableState = "add"     // in the file only
	VariableChange  VariableState = "change"  // another value in the file
	VariableSame    VariableState = "same"    // the same value
	VariableUnknown VariableState = "unknown" // cannot be compared
	VariableOnly    VariableState = "only"    // on the platform only
	VariableSkipped VariableState = "skipped" // in the file, and not for the platform
	VariableMissing VariableState = "missing" // required, and on neither side
	VariableInvalid VariableState = "invalid" // no platform could carry it
)

// Variable is how one name of the file stands against the platform. It never
// holds a value: Here and There are short keyed hashes that say whether two
// values are one, to whoever has this machine's key.
type Variable struct {
	Name   string        `json:"name"`
	State  VariableState `json:"state"`
	Reason string        `json:"reason,omitempty"`
	// Managed is of the managed database, whose value deploy sets, and no push: Here is of that.
	Managed bool   `json:"managed,omitempty"`
	Here    string `json:"here,omitempty"`   // of the file's value
	There   string `json:"there,omitempty"`  // of the platform's, where it is known
	Digest  string `json:"digest,omitempty"` // the platform's own, opaque
	Keep    string `json:"keep,omitempty"`   // of VariableOnly: why it is never pruned
}

// Pushes tells whether a push sets the variable.
func (v Variable) Pushes() bool {
	return !v.Managed && (v.State == VariableAdd || v.State == VariableChange || v.State == VariableUnknown)
}

// Differs tells whether the two sides are not known to be alike.
func (v Variable) Differs() bool {
	return v.State != VariableSame && v.State != VariableSkipped
}

// VariableRequest asks how an environment's file stands against its platform.
type VariableRequest struct {
	App      platform.AppSpec
	Wanted   Wanted
	Rules    VariableRules
	Postgres *platform.DatabaseSpec // as in Request
	Redis    *platform.CacheSpec    // as in Request
}

// VariablePlan is the answer: what a push would set.
type VariablePlan struct {
	App       string
	Variables []Variable // sorted by name
	State     *platform.State

	values map[string]string
	prints *Fingerprints
}

// PrepareVariables compares and changes nothing.
func (e *Engine) PrepareVariables(ctx context.Context, req VariableRequest) (*VariablePlan, error) {
	p := &Prepared{Request: Request{App: req.App, Secrets: req.Wanted.Secrets, Postgres: req.Postgres, Redis: req.Redis}}
	var err error
	if p.prints, err = OpenFingerprints(e.StateDir); err != nil {
		return nil, err
	}
	if err := e.observe(ctx, p); err != nil {
		return nil, err
	}
	if p.Observed.State == nil {
		return nil, errs.New(errs.NotFound, "no app %q on %s yet", req.App.Name, e.Platform.Name()).
			WithHint("run: opsctl deploy, which makes it and sets the variables too")
	}
	c := comparison{
		req: req, prints: p.prints, database: map[string]string{}, prefix: strings.ToUpper(e.Platform.Name()) + "_",
		changes: p.prints.Compare(p.secrets, p.platformSecrets()), there: map[string]platform.Secret{},
	}
	if p.Request.Postgres != nil { // as deploy finds it: not with a database of the app's own
		c.database = map[string]string{PooledURL: p.secrets[PooledURL], DirectURL: p.secrets[DirectURL]}
	}
	if p.Request.Redis != nil {
		c.database[RedisURL] = p.secrets[RedisURL]
	}
	for _, s := range p.platformSecrets() {
		c.there[s.Name] = s
	}
	plan := &VariablePlan{App: req.App.Name, State: p.Observed.State, values: req.Wanted.Secrets, prints: p.prints}
	for _, name := range c.names() {
		plan.Variables = append(plan.Variables, c.variable(name))
	}
	return plan, nil
}

// Select lists the variables for which a condition holds.
func (p *VariablePlan) Select(is func(Variable) bool) []Variable {
	var out []Variable
	for _, v := range p.Variables {
		if is(v) {
			out = append(out, v)
		}
	}
	return out
}

// comparison is the work of PrepareVariables once everything is known.
type comparison struct {
	req      VariableRequest
	prints   *Fingerprints
	changes  map[string]SecretChange
	there    map[string]platform.Secret
	database map[string]string // the managed database's URLs; empty values while there is none
	prefix   string            // of the platform's own variables
}

func (c *comparison) names() []string {
	names := map[string]bool{}
	for _, m := range []map[string]string{c.req.Wanted.Secrets, c.req.Wanted.Skipped, c.database} {
		for name := range m {
			names[name] = true
		}
	}
	for name := range c.there {
		names[name] = true
	}
	for _, name := range c.req.Rules.Required {
		if _, plain := c.req.Rules.Plain[name]; !plain && name != "NODE_ENV" && name != "PORT" {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (c *comparison) variable(name string) Variable {
	v := Variable{Name: name}
	value, wanted := c.req.Wanted.Secrets[name]
	skipped, inFile := c.req.Wanted.Skipped[name]
	secret, there := c.there[name]
	if there {
		v.Digest, v.There = secret.Digest, c.prints.there(secret)
	}
	url, managed := c.database[name]
	switch {
	case managed:
		if v.Managed = true; url != "" {
			v.Here = short(c.prints.mac(name, url))
		}
		if v.State, v.Reason = c.compared(name, url); v.State == VariableSame && v.Reason == "" {
			v.Reason = "deploy keeps it"
		} else if v.State != VariableSame {
			v.Reason = "the next deploy sets it"
		}
		what := "database"
		if name == RedisURL {
			what = "Redis"
		}
		v.Reason = "of the managed " + what + ": " + v.Reason
		if wanted {
			v.Reason += "; " + directAlone
		}
	case wanted:
		v.Here = short(c.prints.mac(name, value))
		v.State, v.Reason = c.compared(name, value)
	case there:
		v.State, v.Reason = VariableOnly, skipped
		if v.Keep = c.keep(name); v.Reason == "" && secret.Pending {
			v.Reason = "on the platform only, and " + notEverywhere
		}
	case inFile && !(slices.Contains(c.req.Rules.Required, name) && slices.Contains(c.req.Wanted.Empty, name)):
		v.State, v.Reason = VariableSkipped, skipped
	default:
		v.State, v.Reason = VariableMissing, "required, and neither the file nor the platform has it"
	}
	return v
}

// directAlone is said of a direct URL in the file that nothing comes of.
const directAlone = "the file's value is not used, since it does not set " + PooledURL + " too"

const notEverywhere = "not every instance has it yet"

func (c *comparison) compared(name, value string) (VariableState, string) {
	if why := invalid(name, value); why != "" {
		return VariableInvalid, why
	}
	switch c.changes[name] {
	case SecretNew:
		return VariableAdd, ""
	case SecretChanged:
		return VariableChange, ""
	case SecretPending:
		return VariableSame, notEverywhere + ": the next deploy or restart brings it"
	case SecretUnknown:
		return VariableUnknown, "it was not set from this machine, so it cannot be compared"
	default:
		return VariableSame, ""
	}
}

// keep says why a variable that only the platform has is never pruned; "" when it may be.
func (c *comparison) keep(name string) string {
	switch {
	case name == PooledURL || name == DirectURL || name == RedisURL:
		return "a database's URL"
	case strings.HasPrefix(name, c.prefix):
		return "the platform's own"
	case slices.Contains(c.req.Rules.Required, name):
		return "the schema requires it"
	case slices.Contains(c.req.Wanted.Empty, name):
		return "the file has it, without a value"
	default:
		return ""
	}
}

// maxVariable is the longest NAME=value that Linux gives to a program, with the
// byte that ends it: no machine starts with a longer one. Fly.io publishes no
// limit of its own.
const maxVariable = 128 << 10

var environmentName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

// invalid says why a variable cannot be in a program's environment; "" when it can.
func invalid(name, value string) string {
	switch size := len(name) + len(value) + 2; {
	case !environmentName().MatchString(name):
		return "a platform takes letters, digits and underscores in a name, and no digit first"
	case strings.ContainsRune(value, 0):
		return "its value holds a NUL byte"
	case size > maxVariable:
		return fmt.Sprintf("it has %d bytes, and no program can be given a variable of more than %d", size, maxVariable)
	default:
		return ""
	}
}

// carries is invalid as an error.
func carries(name, value string) error {
	if why := invalid(name, value); why != "" {
		return errs.New(errs.CheckFailed, "%s cannot be set: %s", name, why).WithHint("rename it, or take it out of the file")
	}
	return nil
}
