package envcheck

import (
	"strings"
	"testing"
)

// varlockTraps are the hand-picked schemas of testdata/varlock/traps.txt, and some in several files.
func varlockTraps(t *testing.T) []varlockCase {
	t.Helper()
	var cases []varlockCase
	for line := range strings.Lines(readTestdata(t, "varlock/traps.txt")) {
		if line = strings.TrimSuffix(line, "\n"); line == "" || strings.HasPrefix(line, "// ") {
			continue
		}
		text := line
		if rest, ok := strings.CutPrefix(line, "{}"); ok {
			text = `# @currentEnv=$APP_ENV @defaultRequired=false\n# ---\nAPP_ENV=\n` + rest
		}
		text = strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\t`, "\t", `\r`, "\r").Replace(text)
		c := varlockCase{name: "trap " + line, Files: map[string]string{".env.schema": text + "\n"}}
		flag := noFlag
		if s, _ := ParseSchema("", []byte(text)); s.CurrentEnv != "" {
			flag = s.CurrentEnv
		} else if strings.Contains(text, "APP_ENV") {
			flag = "APP_ENV"
		}
		cases = append(cases, inEnvironments(c, flag, nil))
	}
	return append(append(cases, importTraps()...), environmentTraps()...)
}

// importTraps are schemas in several files.
func importTraps() []varlockCase {
	head := "# @currentEnv=$APP_ENV @defaultRequired=false\n"
	var cases []varlockCase
	for _, imp := range []string{
		"@import(./.env.shared)", "@import(./.env.shared, pick=[A])", "@import(./.env.shared, omit=[A])", "@import(./.env.shared, A)", "@import(./.env.gone)",
		"@import(./.env.gone, allowMissing=true)", "@import(./.env.gone, enabled=false)", "@import(./.env.shared, enabled=forEnv(test))", "@import(.env.shared)",
		"@import(./.env.shared, pick=[A], omit=[B])", "@import(./.env.shared, pick=A)", "@import(./.env.shared, pick=[])", "@import()", "@import", "@import=./.env.shared",
		"@import(https://a.b/.env.x)", "@import(npm:x)", "@import(./shared.env)", "@import($APP_ENV)", "@import(./.env.shared, enabled=yes)", "@import(./.env.shared, A, pick=[B])",
		`@import("./.env.shared")`, "@import(./.env.shared, allowMissing=1)", "@import(./.env.shared) @import(./.env.more)", "@import(pick=[A])",
		"@import(./.env.more) @import(./.env.shared)", "@import(./.env.shared, pick=[A*])", "@import(./.env.shared, omit=['?'])", "@import(./.env.nested)",
		"@import(./.env.loop)", "@import(./.env.dir/)", "@import(./.env.env)", "@import(./.env.env) @import(./.env.shared)", "@import(./.env.more, omit=[E])",
		"@import(./.env.bad)", "@import(./.env.bad, pick=[A])", "@import(./.env.bad, omit=[A])", "@import(./.env.needs)", "@import(./.env.flag)",
	} {
		c := varlockCase{name: "trap " + imp, Files: map[string]string{
			".env.schema": head + "# " + imp + "\n# ---\nAPP_ENV=\nOWN=$APP_ENV\n# @type=port\nB=1\nD=\n",
			".env.shared": "# @defaultRequired=true @defaultSensitive=false\n# ---\n# @type=number\nA=5\nB=2\nC=x\n",
			".env.more":   "# @defaultRequired=false\n# ---\nD=\n# @required=forEnv(test)\nE=\nF=$APP_ENV\nC=y\n# @type=number\nOWN=2\n# @type=string(minLength=3) @required\nB=\n",
			".env.nested": "# @import(./.env.shared, omit=[C])\n# ---\n# @optional @type=email\nA=\nG=$B\nH=$APP_ENV\n",
			".env.loop":   "# @import(./.env.schema)\n# ---\nA=1\n",
			".env.env":    "# @currentEnv=$MODE\n# ---\nMODE=development\nN=forEnv(test)\nB=\n",
			".env.needs":  "A=$OWN\nI=$GONE\n",
			".env.flag":   "# @currentEnv=$APP_ENV\n# ---\nJ=forEnv(test)\n",
			".env.bad":    "A=1\n# @type=nope\nQ=$NOPE\n",
		}}
		cases = append(cases, inEnvironments(c, "APP_ENV", nil))
	}
	return cases
}

// environmentTraps are schemas of which an imported file has the environment's key as well.
func environmentTraps() []varlockCase {
	own := "# @currentEnv=$APP_ENV @import(./.env.x%)\n# ---\nAPP_ENV=development\n"
	var cases []varlockCase
	for _, tt := range []struct{ schema, x, y string }{
		{own, "APP_ENV=x\n", ""},
		{own, "APP_ENV=development\n", ""},
		{own, "APP_ENV=\n", ""},
		{own, "APP_ENV=\"\"\n", ""},
		{own, "# @type=enum(development, test, production)\nAPP_ENV=\n", ""},
		{own, "APP_ENV=$B\nB=x\n", ""},
		{own, "# @currentEnv=$APP_ENV\n# ---\nAPP_ENV=x\nB=forEnv(test)\n", ""},
		{own, "# @import(./.env.y)\n# ---\nB=1\n", "APP_ENV=x\n"},
		{own, "# @import(./.env.y, omit=[APP_ENV])\n# ---\nB=1\n", "APP_ENV=x\n"},
		{strings.ReplaceAll(own, "%", ", omit=[APP_ENV]"), "APP_ENV=x\nB=1\n", ""},
		{strings.ReplaceAll(own, "%", ", pick=[B]"), "APP_ENV=x\nB=1\n", ""},
		{strings.ReplaceAll(own, "%", ", enabled=forEnv(test)"), "APP_ENV=x\n", ""},
		{strings.ReplaceAll(own, "%", ", enabled=false"), "APP_ENV=x\n", ""},
		{strings.ReplaceAll(own, "APP_ENV=development", "APP_ENV="), "APP_ENV=x\n", ""},
		{"# @currentEnv=$APP_ENV @import(./.env.x)\n# ---\nA=1\n", "APP_ENV=x\n", ""},
		{"# @currentEnv=$APP_ENV @import(./.env.x)\n# ---\nA=1\n", "# @import(./.env.y)\n# ---\nAPP_ENV=x\n", "APP_ENV=y\n"},
		{"# @import(./.env.x)\n# ---\nA=1\n", "# @currentEnv=$APP_ENV @import(./.env.y)\n# ---\nAPP_ENV=x\n", "APP_ENV=y\n"},
		{"# @disable @currentEnv=$APP_ENV @import(./.env.x)\n# ---\nAPP_ENV=x\n", "A=1\n", ""},
		{strings.ReplaceAll(own, "%", ""), "# @disable\n# ---\nAPP_ENV=x\nB=1\n", ""},
		{strings.ReplaceAll(own, "%", ""), "# @disable @import(./.env.y)\n# ---\nB=$NOPE\n", "C=1\n"},
		{strings.ReplaceAll(own, "%", ""), "# @import(./.env.y)\n# ---\nB=$C\n", "# @disable\n# ---\nC=1\n"},
	} {
		c := varlockCase{Files: map[string]string{".env.schema": strings.ReplaceAll(tt.schema, "%", ""), ".env.x": tt.x, ".env.y": tt.y}}
		c.name = "trap " + tt.schema
		if tt.y == "" {
			delete(c.Files, ".env.y")
		}
		cases = append(cases, inEnvironments(c, "APP_ENV", nil))
	}
	return cases
}
