package envcheck

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The tests in varlock_*_test.go hold this package to the real varlock. They
// run where OPSCTL_NPM names a node_modules folder with varlock@1.20.0 and
// node@22 (npm install varlock@1.20.0 node@22): its Node.js is the one that runs it.

// varlockCase is one project, loaded in several environments.
type varlockCase struct {
	name  string
	Files map[string]string   `json:"files"`
	Envs  []map[string]string `json:"envs"` // the process environment of each load
}

// varlockAnswer is what varlock makes of a project in one environment.
type varlockAnswer struct {
	Refused []string              `json:"refused"` // mistakes of the schema
	Unread  bool                  `json:"unread"`  // one of them hides all others
	Keys    map[string]varlockKey `json:"keys"`
}

type varlockKey struct {
	Errors    []string `json:"errors"`
	Value     *string  `json:"value"` // nil for undefined
	Required  bool     `json:"required"`
	Sensitive bool     `json:"sensitive"`
}

// threeEnvs are those in which each case is loaded.
var threeEnvs = []string{"development", "test", "production"}

// noFlag stands for the variable that says which environment it is where there is none.
const noFlag = "UNRELATED"

// inEnvironments gives a case its process environments: flag names the
// variable that says which, and more is set in all of them.
func inEnvironments(c varlockCase, flag string, more map[string]string) varlockCase {
	envs := threeEnvs
	if flag == noFlag {
		envs = envs[:1] // they would all be the same
	}
	for _, env := range envs {
		process := maps.Clone(more)
		if process == nil {
			process = map[string]string{}
		}
		process[flag] = env
		c.Envs = append(c.Envs, process)
	}
	return c
}

// varlockModules is the folder with varlock and its Node.js.
func varlockModules(t *testing.T) string {
	t.Helper()
	dir := npmModules(t, "varlock")
	var pkg struct{ Version string }
	data, err := os.ReadFile(filepath.Join(dir, "varlock", "package.json"))
	if err != nil || json.Unmarshal(data, &pkg) != nil || pkg.Version != "1.20.0" {
		t.Fatalf("OPSCTL_NPM is to hold varlock 1.20.0, it holds %q: %v", pkg.Version, err)
	}
	return dir
}

// askVarlock gives varlock's answers, for each case one an environment.
func askVarlock(t *testing.T, cases []varlockCase) [][]varlockAnswer {
	t.Helper()
	modules := varlockModules(t)
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	from, to := filepath.Join(dir, "cases.json"), filepath.Join(dir, "answers.json")
	if err := os.WriteFile(from, in, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(modules, "node", "bin", "node"), filepath.Join("testdata", "varlock", "driver.mjs"), modules, from, to)
	cmd.Env = varlockEnviron(t)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	var answers [][]varlockAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("%d answers for %d cases: %v", len(answers), len(cases), err)
	}
	return answers
}

// varlockEnviron keeps varlock from this machine's settings, and from reporting home.
func varlockEnviron(t *testing.T) []string {
	t.Helper()
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "VARLOCK_TELEMETRY_DISABLED=1", "DO_NOT_TRACK=1"}
}

// opsctlVerdict is what opsctl makes of a project in one environment.
type opsctlVerdict struct {
	schema    *Schema
	findings  []Finding // all findings
	refused   []Finding // errors of the schema
	invalid   map[string]Finding
	values    map[string]*string // by key; nil for undefined
	ours      map[string]Finding // keys with an error of a rule that varlock does not have
	unknown   map[string]bool    // made by varlock at run time
	sensitive map[string]bool
	required  map[string]bool
}

func (c varlockCase) read(path string) ([]byte, error) {
	text, ok := c.Files[filepath.ToSlash(path)]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

// opsctl gives opsctl's verdict on the case in its environment number i.
func (c varlockCase) opsctl(t *testing.T, i int) opsctlVerdict {
	t.Helper()
	o := Options{Env: threeEnvs[i], Process: c.Envs[i], ReadFile: c.read}
	if c.Files[".env"] != "" {
		o.Files = []string{".env"}
	}
	ck, err := run(context.Background(), o)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	v := opsctlVerdict{schema: ck.schema, findings: ck.findings, invalid: map[string]Finding{}, values: map[string]*string{}, ours: map[string]Finding{},
		unknown: map[string]bool{}, sensitive: map[string]bool{}, required: map[string]bool{}}
	for _, f := range ck.findings {
		switch {
		case f.Level != Error:
		case f.Rule == "required" || f.Rule == "type" || f.Rule == "schema-default":
			v.invalid[f.Key] = f
		case strings.HasPrefix(f.Rule, "schema-"):
			v.refused = append(v.refused, f)
		case f.Key != "":
			v.ours[f.Key] = f
		}
	}
	for key, f := range v.ours { // it may stand for the type, which was not asked then
		it, val := ck.schema.Item(key), ck.values[key]
		if _, ok := v.invalid[key]; ok || it == nil || val == nil || val.text == "" || ck.eval.blank(it, val.text) {
			continue
		}
		if p := ck.eval.checkType(it.Type, val.text); p.msg != "" && p.level == Error {
			v.invalid[key] = Finding{Key: key, Rule: "type", Message: key + " " + p.msg + " (behind " + f.Rule + ")"}
		}
	}
	for _, it := range ck.schema.Items {
		v.sensitive[it.Key], v.required[it.Key] = ck.schema.IsSensitive(it), ck.eval.required(it)
		switch out := ck.eval.key(it.Key); out.kind {
		case valUndefined, valNull:
			v.values[it.Key] = nil
		case valUnknown:
			v.unknown[it.Key] = true
		default:
			s := ck.eval.environ(it.Type, out)
			v.values[it.Key] = &s
		}
	}
	return v
}

// varlockSeed is the seed of the generated cases. CI has the same ones each time, so that
// what fails there is the change's; OPSCTL_VARLOCK_SEED=N looks at others.
func varlockSeed(t *testing.T) uint64 {
	t.Helper()
	seed := uint64(101)
	if s := os.Getenv("OPSCTL_VARLOCK_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("repeat this run with OPSCTL_VARLOCK_SEED=%d", seed)
	return seed
}

// TestVarlockAgrees loads generated and hand-picked schemas with varlock and
// with opsctl in three environments. Both must accept or refuse the same
// schemas, find the same keys invalid, and give every valid key the same value.
func TestVarlockAgrees(t *testing.T) {
	varlockModules(t)
	count := 2000
	if s := os.Getenv("OPSCTL_VARLOCK_COUNT"); s != "" {
		count, _ = strconv.Atoi(s)
	}
	seed := varlockSeed(t)
	g := &schemaGen{rng: rand.New(rand.NewPCG(seed, 20))}
	seedSchema := readTestdata(t, "varlock/seed.env.schema")
	cases := varlockTraps(t)
	for i := range count {
		if i%12 == 0 {
			cases = append(cases, g.mutatedSeed(seedSchema))
		} else {
			cases = append(cases, g.project())
		}
		cases[len(cases)-1].name = fmt.Sprintf("generated %d", i)
	}
	start := time.Now()
	answers := askVarlock(t, cases)
	asked := time.Since(start)
	tally := map[string]int{}
	different := 0
	for i, c := range cases {
		if diffs := compareVarlock(t, c, answers[i], tally); len(diffs) > 0 {
			if different++; different <= 15 {
				t.Errorf("%s:\n%s\n%s", c.name, strings.Join(diffs, "\n"), c)
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(tally)) {
		if strings.HasPrefix(what, "type ") || strings.HasPrefix(what, "option ") {
			continue
		}
		t.Logf("%5d %s", tally[what], what)
	}
	t.Logf("%d cases, %d differ; varlock took %s, all %s", len(cases), different, asked.Round(time.Millisecond), time.Since(start).Round(time.Millisecond))
	if count >= 2000 {
		checkCoverage(t, tally, len(cases))
	}
}

func (c varlockCase) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		fmt.Fprintf(&b, "--- %s ---\n%s\n", name, c.Files[name])
	}
	fmt.Fprintf(&b, "--- process: %q", c.Envs[0])
	return b.String()
}

func readTestdata(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
