package scaffold

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/envcheck"
)

// What init writes must be right in the eyes of the commands that read it.
func TestRenderedFilesAreValid(t *testing.T) {
	for name, sh := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			stack, plan := planOf(t, sh)
			if _, err := Apply(t.Context(), stack, plan, ApplyOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(stack.Repo, stack.Dir)
			none := func(string) (string, bool) { return "", false }
			p, err := config.NewLoader(none).Project(config.Global{Config: filepath.Join(dir, "opsctl.yaml")})
			if err != nil {
				t.Fatal(err)
			}
			if p.App != stack.App || p.Web.Health != stack.HealthPath || p.Environments["production"].Instances != 2 || p.Web.Port != stack.Port {
				t.Errorf("opsctl.yaml says %+v", p)
			}
			if !slices.Equal(p.Release.Command, stack.Release) {
				t.Errorf("the release command is %v", p.Release.Command)
			}
			for _, file := range []string{".env.schema", ".env.example"} {
				if _, findings := envcheck.ParseSchema(file, []byte(content(t, dir, file))); len(findings) > 0 {
					t.Errorf("%s: %+v", file, findings)
				}
			}
		})
	}
}
