package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/ui"
)

// eachCommand visits every command that a user sees.
func eachCommand(c *cobra.Command, visit func(*cobra.Command)) {
	if c.Hidden || c.Name() == "completion" || c.Name() == "help" || c.IsAdditionalHelpTopicCommand() {
		return
	}
	visit(c)
	for _, sub := range c.Commands() {
		eachCommand(sub, visit)
	}
}

func testRoot() *cobra.Command {
	io, _, _ := ui.Test()
	return newRootCmd(newApp(io, func(string) (string, bool) { return "", false }))
}

func TestEveryCommandHasExamples(t *testing.T) {
	eachCommand(testRoot(), func(c *cobra.Command) {
		if !strings.Contains(c.Example, "opsctl") {
			t.Errorf("%s has no example", c.CommandPath())
		}
		if c.Short == "" || strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: short text %q", c.CommandPath(), c.Short)
		}
	})
}

// Examples are typed by people: every flag in them has to exist.
func TestExamplesUseFlagsThatExist(t *testing.T) {
	root := testRoot()
	eachCommand(root, func(c *cobra.Command) {
		for line := range strings.Lines(c.Example) {
			line, _, _ = strings.Cut(line, " #")
			for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '&' || r == '|' || r == ';' }) {
				words := strings.Fields(part)
				if len(words) < 2 || words[0] != "opsctl" {
					continue
				}
				named, rest, err := root.Find(words[1:])
				if err != nil {
					t.Errorf("%s: example %q: %v", c.CommandPath(), strings.TrimSpace(line), err)
					continue
				}
				for _, w := range rest {
					name, _, _ := strings.Cut(strings.TrimPrefix(w, "--"), "=")
					if strings.HasPrefix(w, "--") && named.Flag(name) == nil {
						t.Errorf("%s: example %q: no flag --%s", c.CommandPath(), strings.TrimSpace(line), name)
					}
				}
			}
		}
	})
}

// BenchmarkStartup runs `opsctl --help` and, in the same run, a program that
// only links the same libraries; "x-bare" is the ratio of the two.
func BenchmarkStartup(b *testing.B) {
	dir := b.TempDir()
	build := func(name, pkg string) string {
		out := filepath.Join(dir, name)
		if text, err := exec.CommandContext(b.Context(), "go", "build", "-ldflags", "-s -w", "-o", out, pkg).CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", pkg, err, text)
		}
		return out
	}
	opsctl, bare := build("opsctl", "."), build("bare", "./testdata/barestack")
	run := func(path string) time.Duration {
		began := time.Now()
		if err := exec.CommandContext(b.Context(), path, "--help").Run(); err != nil {
			b.Fatal(err)
		}
		return time.Since(began)
	}
	run(bare)
	run(opsctl) // both are in the page cache now
	var ours, floor time.Duration
	for b.Loop() { // in turns, so that the machine's moods fall on both
		floor += run(bare)
		ours += run(opsctl)
	}
	b.ReportMetric(ours.Seconds()*1000/float64(b.N), "ms/start")
	b.ReportMetric(float64(ours)/float64(floor), "x-bare")
}
