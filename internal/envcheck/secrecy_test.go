package envcheck

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestSecretsNeverAppear plants random secrets in every key of many broken
// files and looks for any six characters of them in what is reported.
func TestSecretsNeverAppear(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	letters := "abcdefghijkmnpqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ123456789"
	secret := func() string {
		b := make([]byte, 16+rng.IntN(30))
		for i := range b {
			b[i] = letters[rng.IntN(len(letters))]
		}
		return string(b)
	}
	schema := strings.ReplaceAll(ruleSchema, "# @type=enum(debug, info) @public\n", "# @type=enum(debug, info) @sensitive\n") + `
# @type=number
NUM=
# @type=string(minLength=90, matches=regex("^zz"))
STR=
# @type=email
MAIL=
# @type=array(number)
LIST=
# @type=record
REC=
# @type=string(startsWith=$API_KEY)
REFERS=
`
	shapes := []string{
		"%s=%s", "%s='%s$x'", `%s="%s\"a`, "%s=%s#%s", "%s=`%s`", "%s='%s", "%s=$%s$%s", "%s=${%s:-%s}", "%s= # %s", "%s:%s",
		"%s=postgres://u:%s@localhost/x", "%s=postgres://u:%s/%s@db/x", "%s=sk_live_%s", "%s=pk_test_%s", "%s=https://%s@x/%s/", "%s",
		"%s=-----BEGIN PRIVATE KEY-----\n%s\n%s=\n-----END PRIVATE KEY-----", "%s={\"%s\":1}", "%s=1,%s", "%s=<%s>", "%s='\"%s\"'",
		"%s=%s\n%s==\nabc", "%s=\"%s\\u%s\"", "%s=$%s", "%s=${%s", "%s=${%s:?%s}",
	}
	s, _ := ParseSchema("s", []byte(schema))
	for round := range 400 {
		var file strings.Builder
		var planted []string
		for _, key := range s.Keys() {
			if key == "NODE_ENV" || s.Item(key) != nil && !s.IsSensitive(s.Item(key)) {
				continue
			}
			shape := shapes[rng.IntN(len(shapes))]
			args := []any{key}
			for range strings.Count(shape, "%s") - 1 {
				v := secret()
				planted = append(planted, v)
				args = append(args, v)
			}
			fmt.Fprintf(&file, shape+"\n", args...)
			if rng.IntN(8) == 0 {
				fmt.Fprintf(&file, shape+"\n", args...)
			}
		}
		env := []string{"development", "production", "test"}[round%3]
		r, text := project{".env.schema": schema, ".env": file.String()}.check(t, Options{Env: env})
		out, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range planted {
			for i := 0; i+6 <= len(v); i++ {
				if part := v[i : i+6]; strings.Contains(text, part) || strings.Contains(string(out), part) {
					at := strings.Index(string(out), part)
					t.Fatalf("%q, a part of a secret, is in the report: ...%s", part, string(out)[max(0, at-200):min(len(out), at+100)])
				}
			}
		}
		if len(r.Findings) == 0 {
			t.Fatal("a broken file without finding: the test looks at nothing")
		}
	}
}
