package envcheck

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// Comments of an example are its documentation; those of a .env are somebody's
// notes, and nothing tells a password in them from a word.
func TestInferLeavesOutCommentsOfEnv(t *testing.T) {
	src := "# Old password was hunter2\n\n# --- database ---\n\n# ask Bob, pw swordfish\nDATABASE_URL=postgres://h/d\n# ==== hunter3 ====\nAPI_KEY=x # was LEAK before rotation\n" +
		"# @required @type=email\nMAIL=\n# @example=hunter4\n# opsctl: ignore=required hunter5\n# optional\nTITLE=Shop\n# SMTP_PORT=25\n# JBSWY3DPEHPK3PXP=\n# HUNTERSIX=\n# ------\n# S3\n"
	got := infer(t, ".env", []byte(src), nil)
	want := `# @defaultRequired=true
# @defaultSensitive=inferFromPrefix(NEXT_PUBLIC_)
# ---

# --- database ---

# @type=url(matches=regex("^postgres(ql)?://"))
DATABASE_URL=

API_KEY=

# @required @type=email
MAIL=

# @optional
TITLE=

# @type=port @optional @public
# @example=25
SMTP_PORT=
`
	if string(got.Schema) != want {
		t.Errorf("%s\nwant\n%s", got.Schema, want)
	}
	if want := ".env: 11 comment lines, because they may hold a secret"; strings.Join(got.Skipped, "|") != want {
		t.Errorf("%q, want %q", got.Skipped, want)
	}
	example := string(infer(t, ".env.example", []byte(src), nil).Schema)
	for _, want := range []string{"# ask Bob, pw swordfish\n", "# S3\n"} {
		if !strings.Contains(example, want) {
			t.Errorf("%q of the example is not in\n%s", want, example)
		}
	}
	if got := infer(t, ".env", []byte("A=1\n"), nil); len(got.Skipped) > 0 {
		t.Errorf("%q of a file without comments", got.Skipped)
	}
}

// commentedSecrets are comments of a .env with a secret at %s.
var commentedSecrets = []string{"# %s", "#%s", "# old password was %s", "# %s is the new one", "KEY=x # %s", "KEY=x # was %s before rotation", "KEY= # %s", "# --- %s ---", "# === the %s ===", "# ---\n# %s\n# ---",
	"# @example=%s\nKEY=", "# @deprecated=\"it was %s\"\nKEY=x", "# @docs(https://example.com/?t=%s)\nKEY=x", "# @type=enum(%s, other)\nKEY=", "# @type=string(startsWith=%s)\nKEY=", "# opsctl: ignore=required %s\nKEY=",
	"# @required %s\nKEY=", "# %s=", "# %s=x", "# KEY=%s", "# KEY='%s", "# KEY=\"\n# %s\n# \"", "# @currentEnv=%s\n# ---", "# @import(./%s)\n# ---", "  # pw: %s", "export KEY='a' # %s", "KEY=\"a\nb\" # %s",
	"# required: %s\nKEY=", "# @%s\nKEY=", "%s==", "%s", "# see https://me:%s@example.com", "# TODO(%s)\n#\n# more"}

// randomWord is a secret that no rule tells from a word or a number.
func randomWord(rng *rand.Rand) string {
	switch n := 8 + rng.IntN(12); rng.IntN(5) {
	case 0:
		return randomText(rng, n, "abcdefghijklmnopqrstuvwxyz")
	case 1:
		return randomText(rng, n, "0123456789")
	case 2: // base32
		return randomText(rng, n+8, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
	case 3:
		return randomText(rng, n, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
	default:
		return randomText(rng, n+8, alphanumeric)
	}
}

// No secret of a .env's comments, however it looks, gets into the schema, nor into what is made of that.
func TestInferKeepsSecretsOfComments(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 6))
	for range 2000 {
		var src strings.Builder
		var parts []string
		for i := range 1 + rng.IntN(5) {
			form := commentedSecrets[rng.IntN(len(commentedSecrets))]
			secret := randomWord(rng)
			if strings.HasPrefix(form, "%s") { // a line of its own: what is left of a key over several lines
				secret = randomText(rng, 24, alphanumeric)
			}
			parts = append(parts, secret)
			src.WriteString(strings.ReplaceAll(fmt.Sprintf(form, secret), "KEY", fmt.Sprintf("KEY_%d", i)) + "\n" + []string{"", "\n", "PORT=1\n", "# --- database ---\n"}[rng.IntN(4)])
		}
		src.WriteString("LAST=1\n")
		r, err := InferSchema([]InferSource{{Name: ".env", Data: []byte(src.String())}}, nil)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, src.String())
		}
		s, findings := ParseSchema(".env.schema", r.Schema)
		if len(findings) > 0 {
			t.Fatalf("seed %d: %+v\n%s", seed, findings, r.Schema)
		}
		example, err := RenderExample(s)
		if err != nil {
			t.Fatal(err)
		}
		module, err := RenderTypeScript(s, TypeScriptOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range parts {
			for _, text := range []string{string(r.Schema), string(example), string(module), fmt.Sprint(r.Variables, r.Skipped)} {
				if strings.Contains(text, part) {
					t.Fatalf("seed %d leaks %s\n%s\n---\n%s", seed, part, src.String(), text)
				}
			}
		}
	}
}
