package envcheck

import (
	"context"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// nextScript reads inputs as JSON from stdin and answers what the real
// @next/env makes of each in an environment that holds only OUT.
const nextScript = `
const { processEnv } = require(process.argv[1] + "/@next/env");
const inputs = JSON.parse(require("fs").readFileSync(0, "utf8"));
for (const k of Object.keys(process.env)) delete process.env[k];
process.env.OUT = "outer";
const answers = inputs.map((contents) => {
  for (const k of Object.keys(process.env)) if (k !== "OUT") delete process.env[k];
  process.env.OUT = "outer";
  let error = "";
  const log = { error: (m, e) => { error = String(e) }, info() {} };
  const [, parsed] = processEnv([{ path: ".env", contents, env: {} }], "/", log, true);
  return error ? { error } : { vars: parsed };
});
process.stdout.write(JSON.stringify(answers));
`

// TestNextAgreesWithNextEnv compares the Next.js reader with the real
// @next/env on generated inputs.
func TestNextAgreesWithNextEnv(t *testing.T) {
	modules := npmModules(t, "@next/env")
	inputs := slices.DeleteFunc(generated(5000), func(text string) bool {
		// Node does not survive two references that grow: it runs out of memory, not of stack.
		_, err := Read(Next, "f", []byte(text), map[string]string{"OUT": "outer"})
		return err != nil && strings.Count(text, "$") > 1
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	in, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(ctx, "node", "-e", nextScript, modules)
	cmd.Stdin = strings.NewReader(string(in))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []recorded
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(inputs) {
		t.Fatalf("%d answers: %v", len(answers), err)
	}
	different := 0
	for i, want := range answers {
		got, err := Read(Next, "f", []byte(inputs[i]), map[string]string{"OUT": "outer"})
		if want.Error != "" {
			if err == nil {
				t.Errorf("%q\n got %q\nwant the error %s", inputs[i], got.Vars, want.Error)
				different++
			}
			continue
		}
		delete(got.Vars, "OUT") // Next.js does not report what the process had
		if err != nil || !maps.Equal(got.Vars, want.Vars) {
			t.Errorf("%q\n got %q (%v)\nwant %q", inputs[i], got.Vars, err, want.Vars)
			different++
		}
		if different > 10 {
			t.Fatal("and so on")
		}
	}
}

// generated makes inputs of the pieces that readers stumble over.
func generated(n int) []string {
	pieces := []string{
		"A", "B", "C=", "A=", "B=", "OUT=", "=", ":", ": ", " ", "\t", "\n", "\n", "\n", "\r\n", "\r", "#", " #", "'", `"`, "`", `\`, `\n`, `\r`, `\t`, `\"`, `\'`, `\$`,
		"$", "$$", "${", "}", "$A", "$B", "${A}", "${B}", "${OUT}", "$OUT", ":-", "-", ":+", "${A:-x}", "${C:-$B}", "x", "y z", "1", "é", "export ", "export", ".", "\u00a0", "\ufeff", "\u2028",
		"A='", "B=\"", "C=`", "'\n", "\"\n", "`\n", "$&", "$'", "$`", "\v", "\f", "_", "[", "(", "$(x)", "10=", "2=", "key ",
	}
	rng := rand.New(rand.NewPCG(3, 4))
	out := make([]string, n)
	for i := range out {
		var b strings.Builder
		for range 1 + rng.IntN(14) {
			b.WriteString(pieces[rng.IntN(len(pieces))])
		}
		out[i] = b.String()
	}
	return out
}
