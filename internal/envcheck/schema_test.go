package envcheck

import (
	"testing"
)

func TestSeedSchemaParsesWithoutFinding(t *testing.T) {
	s, fs := ParseSchema(".env.schema", sharedFile(t, "fixtures/seed.env.schema"))
	for _, f := range fs {
		t.Errorf("finding: %+v", f)
	}
	if len(s.Items) != 10 {
		t.Errorf("%d items, want 10", len(s.Items))
	}
	out, err := RenderExample(s)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s", out)
}
