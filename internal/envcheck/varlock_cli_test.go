package envcheck

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/tools/txtar"
)

// cliAnswer is what `varlock load --format json-full` prints, as far as it is compared.
type cliAnswer struct {
	Config map[string]struct {
		Value  any     `json:"value"`
		EnvStr *string `json:"envStr"`
	} `json:"config"`
	Errors struct {
		Root        []string          `json:"root"`
		ConfigItems map[string]string `json:"configItems"`
	} `json:"errors"`
}

// TestVarlockDriver holds the script that drives varlock's library, on which
// the other tests rely, to varlock's own command on a sample of the cases.
func TestVarlockDriver(t *testing.T) {
	varlockModules(t)
	g := &schemaGen{rng: rand.New(rand.NewPCG(1, 20))}
	all := varlockTraps(t)
	for range 600 {
		all = append(all, g.project())
	}
	var cases []varlockCase
	for i, c := range all {
		text := strings.Join(slices.Collect(maps.Values(c.Files)), "")
		if strings.Contains(text, "exec(") || strings.Contains(text, "$(") || strings.Contains(text, "@generate") || i%50 != 7 {
			continue // the command would run and write things
		}
		c.name, c.Envs = all[i].String(), c.Envs[len(c.Envs)-1:]
		cases = append(cases, c)
	}
	if len(cases) < 20 {
		t.Fatalf("a sample of %d", len(cases))
	}
	answers := askVarlock(t, cases)
	gate := make(chan bool, 2)
	for i, c := range cases {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			gate <- true
			defer func() { <-gate }()
			if diff := compareCLI(answers[i][0], runVarlock(t, c)); diff != "" {
				t.Errorf("%s\n%s", diff, c.name)
			}
		})
	}
}

// runVarlock starts varlock's command in a folder with the case's files.
func runVarlock(t *testing.T, c varlockCase) cliAnswer {
	t.Helper()
	modules := varlockModules(t)
	dir := t.TempDir()
	for name, text := range c.Files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(modules, "node", "bin", "node"), filepath.Join(modules, "varlock", "bin", "cli.js"), "load", "--format", "json-full")
	cmd.Dir, cmd.Env = dir, varlockEnviron(t)
	for k, v := range c.Envs[0] {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.Output()
	exit, failed := errors.AsType[*exec.ExitError](err)
	if err != nil && (!failed || exit.ExitCode() != 1) {
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	var answer cliAnswer
	if i := bytes.IndexByte(out, '{'); i < 0 {
		answer.Errors.Root = []string{"no answer"} // varlock gave up
	} else if err := json.Unmarshal(out[i:], &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if failed != (len(answer.Errors.Root)+len(answer.Errors.ConfigItems) > 0) {
		t.Errorf("varlock's exit status says %v, its errors %+v", err, answer.Errors)
	}
	return answer
}

// compareCLI says how the driver's answer differs from the command's.
func compareCLI(driver varlockAnswer, cli cliAnswer) string {
	if len(driver.Refused) > 0 {
		if len(cli.Errors.Root)+len(cli.Errors.ConfigItems) == 0 {
			return "the driver says that the schema is refused, the command accepts it: " + strings.Join(driver.Refused, "; ")
		}
		return ""
	}
	if len(cli.Errors.Root) > 0 {
		return "the command refuses the schema, the driver says it is accepted: " + strings.Join(cli.Errors.Root, "; ")
	}
	for key, k := range driver.Keys {
		_, invalid := cli.Errors.ConfigItems[key]
		if invalid != (len(k.Errors) > 0) {
			return key + " is invalid for one of them only: " + strings.Join(k.Errors, "; ") + cli.Errors.ConfigItems[key]
		}
		item, shown := cli.Config[key]
		if !shown || invalid { // @internal is not shown
			continue
		}
		got := ""
		switch v := item.Value.(type) {
		case string:
			got = v
		case nil:
		default:
			b, _ := json.Marshal(v)
			got = string(b)
		}
		if item.EnvStr != nil {
			got = *item.EnvStr
		}
		if want := k.Value; want != nil && *want != got {
			return key + " has two values: " + *want + " and " + got
		}
	}
	return ""
}

// TestVarlockLoadsWhatIsWritten loads every schema that opsctl writes, shows
// in its documentation or keeps as an example: varlock must accept it, as opsctl does.
func TestVarlockLoadsWhatIsWritten(t *testing.T) {
	varlockModules(t)
	texts := map[string]string{"the seed": readTestdata(t, "varlock/seed.env.schema")}
	root := filepath.Join("..", "..")
	for _, dir := range []string{"internal", "cmd", "examples", "templates"} {
		collectSchemas(t, root, dir, texts)
	}
	var cases []varlockCase
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		c := varlockCase{name: name, Files: map[string]string{".env.schema": texts[name]}}
		flag := "NODE_ENV"
		if s, _ := ParseSchema("", []byte(texts[name])); s.CurrentEnv != "" {
			flag = s.CurrentEnv
		}
		cases = append(cases, inEnvironments(c, flag, nil))
	}
	accepted := 0
	for i, answers := range askVarlock(t, cases) {
		for e, answer := range answers {
			v := cases[i].opsctl(t, e)
			if len(answer.Refused) > 0 && len(v.refused) == 0 {
				t.Errorf("%s, which opsctl accepts: %q\n%s", cases[i].name, answer.Refused, texts[cases[i].name])
				break
			}
			if len(answer.Refused) == 0 {
				accepted++
			}
		}
	}
	t.Logf("%d schemas, %d loads accepted", len(cases), accepted)
	if len(cases) < 50 || accepted < 100 {
		t.Errorf("only %d schemas were found, %d loads accepted: the test looks in the wrong place", len(cases), accepted)
	}
}

// collectSchemas finds the schemas below a folder: files of their own, and those within txtar archives.
func collectSchemas(t *testing.T, root, dir string, texts map[string]string) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		schema := strings.HasSuffix(path, ".env.schema")
		if !schema && !strings.HasSuffix(path, ".txtar") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if schema {
			texts[path] = string(data)
			return nil
		}
		for _, f := range txtar.Parse(data).Files {
			if strings.HasSuffix(f.Name, ".env.schema") && len(f.Data) > 0 {
				texts[path+": "+f.Name] = string(f.Data)
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}
