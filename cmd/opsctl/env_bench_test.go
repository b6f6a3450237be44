package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// BenchmarkEnvCheck runs `opsctl env check` on 50 and on 10,000 variables of eight
// types, each with four lines of schema, as a whole process; and beside it, in the
// same run, what npm has for the work: varlock (the same schema), dotenvx and
// @next/env (which only read the file). OPSCTL_NPM is a node_modules folder that
// holds them and Node 22 (scripts/npm.sh); without it only opsctl is measured.
//
// "ms" is opsctl's own time, "NAME-x" how many times as long the other takes.
func BenchmarkEnvCheck(b *testing.B) {
	opsctl := filepath.Join(b.TempDir(), "opsctl")
	if text, err := exec.CommandContext(b.Context(), "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", opsctl, ".").CombinedOutput(); err != nil {
		b.Fatalf("build: %v\n%s", err, text)
	}
	for _, n := range []int{50, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			dir := b.TempDir()
			writeProject(b, dir, n)
			peers := npmPeers()
			took := make(map[string]time.Duration, len(peers)+1)
			rounds := map[string]int{}
			run := func(name string, args []string) {
				cmd := exec.CommandContext(b.Context(), args[0], args[1:]...)
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "NO_COLOR=1")
				var out bytes.Buffer
				cmd.Stderr = &out
				began := time.Now()
				if err := cmd.Run(); err != nil {
					b.Fatalf("%s: %v\n%s", name, err, out.Bytes())
				}
				took[name] += time.Since(began)
				rounds[name]++
			}
			for b.Loop() { // in turns, so that the machine's moods fall on all
				run("opsctl", []string{opsctl, "env", "check"})
				for name, args := range peers {
					if rounds[name] < 5 || n < 1000 { // some take ten seconds a round
						run(name, args)
					}
				}
			}
			each := func(name string) float64 { return took[name].Seconds() / float64(rounds[name]) }
			b.ReportMetric(each("opsctl")*1000, "ms")
			for name := range peers {
				b.ReportMetric(each(name)/each("opsctl"), name+"-x")
			}
			b.ReportMetric(0, "ns/op") // of all together: means nothing
		})
	}
}

// npmPeers are the commands to compare with, where they are there.
func npmPeers() map[string][]string {
	modules := os.Getenv("OPSCTL_NPM")
	node := filepath.Join(modules, "node", "bin", "node")
	peers := map[string][]string{}
	if modules == "" {
		return peers
	}
	if path, err := filepath.Glob(filepath.Join(modules, "@dotenvx", "dotenvx", "src", "cli", "dotenvx.js")); err == nil && len(path) == 1 {
		peers["dotenvx"] = []string{node, path[0], "get"}
	}
	if path := filepath.Join(modules, "varlock", "bin", "cli.js"); exists(path) {
		peers["varlock"] = []string{node, path, "load"}
	}
	if path := filepath.Join(modules, "@next", "env"); exists(path) {
		peers["next-env"] = []string{node, "-e", `require(process.argv[1]).loadEnvConfig(process.cwd(), true)`, path}
	}
	return peers
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// writeProject writes a schema and a .env of n variables.
func writeProject(tb testing.TB, dir string, n int) {
	tb.Helper()
	kinds := []struct{ dec, value string }{
		{"string(minLength=3)", "some text %d"}, {"number(min=0)", "%d"}, {"boolean", "true"}, {"url", "https://example.com/%d"},
		{"enum(a, b)", "a"}, {"email", "user%d@example.com"}, {"port", "80"}, {`string(matches=regex("^v"))`, "v%d"},
	}
	var schema, env strings.Builder
	schema.WriteString("# @defaultSensitive=false\n# ---\n\n")
	for i := range n {
		k := kinds[i%len(kinds)]
		fmt.Fprintf(&schema, "# Variable number %d.\n# @type=%s @required\nVAR_%d=\n\n", i, k.dec, i)
		fmt.Fprintf(&env, "VAR_%d=%s\n", i, strings.ReplaceAll(k.value, "%d", fmt.Sprint(i)))
	}
	for name, text := range map[string]string{".env.schema": schema.String(), ".env": env.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}
