package scaffold

import (
	"path/filepath"
	"testing"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/envcheck"
)

// What init writes must be right in the eyes of the commands that read it.
func TestRenderedFilesAreValid(t *testing.T) {
	for name, dir := range shapes(t) {
		t.Run(name, func(t *testing.T) {
			stack, plan := mustPlan(t, dir)
			if _, err := Apply(t.Context(), dir, plan, ApplyOptions{Force: true}); err != nil {
				t.Fatal(err)
			}
			none := func(string) (string, bool) { return "", false }
			p, err := config.NewLoader(none).Project(config.Global{Config: filepath.Join(dir, "opsctl.yaml")})
			if err != nil {
				t.Fatal(err)
			}
			if p.App != stack.App || p.Web.Health != stack.HealthPath() || p.Environments["production"].Instances != 2 {
				t.Errorf("opsctl.yaml says %+v", p)
			}
			if (len(p.Release.Command) > 0) != stack.Migrator() {
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
