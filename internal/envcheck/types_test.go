package envcheck

import (
	"strings"
	"testing"
)

// TestTypes lists, for each type and option, values that pass and values that
// do not, parted by blanks. An underscore stands for a blank in a value.
func TestTypes(t *testing.T) {
	tests := []struct{ typ, good, bad string }{
		{"string", "a", ""},
		{"string(minLength=2, maxLength=3)", "ab abc", "a abcd"},
		{"string(isLength=2)", "ab 😀", "a abc"}, // UTF-16 units, as JavaScript counts
		{"string(startsWith=a, endsWith=z)", "az abz", "a z za"},
		{`string(matches=regex("^a(b|c)$"))`, "ab ac", "a abc"},
		{`string(matches=/^ab$/i)`, "ab AB", "abc"},
		{"string(toUpperCase=true, startsWith=A)", "a A", "b"},
		{`string(matches=regex("^.{2}$"))`, "ab 😀", "a 😀b"}, // units, unless the flag u is there
		{`string(matches=regex("^.{2}$", "u"))`, "ab 😀b", "😀"},
		{`string(matches=regex("^[^a]\ude00$"))`, "😀", "a"},
		{`string(matches=regex("^[ßks]$", "i"))`, "ß K S", "ẞ \u212a ſ"},
		{`string(matches=regex("^[ßks]$", "iu"))`, "ß K S ẞ \u212a ſ", "x"},
		{`string(toUpperCase=true, isLength=3)`, "ßx abc", "ßxy"},
		{`string(toLowerCase=true, endsWith=ς)`, "ΑΣ", "ΑΣΑ"},
		{"url(allowedDomains=[bücher.de, 1.2.3.4])", "http://BÜCHER.de http://xn--bcher-kva.de http://１.2.3.4", "http://b.de"},
		{"number", "1 -1.5 .5 1e3 +1", "x 1x 0x10 1_000 NaN Infinity"},
		{"number(min=1, max=3)", "1 3", "0 4"},
		{"number(isDivisibleBy=5)", "0 10", "7"},
		{"number(isInt=true)", "1", ""},
		{"number(precision=100)", "1.5", ""},
		{"number(min=1, coerceToMinMaxRange=true)", "0", ""},
		{"boolean", "true FALSE yes no on off 1 0 t f _on_", "2 maybe y"},
		{"url", "https://a.b postgres://u:p@h:5432/d redis://h", "a.b /x http:// :// https://a_b.c"},
		{"url(prependHttps=true)", "a.b https://a.b", "http://"},
		{"url(allowedDomains=[a.b, c.d:80])", "https://a.b/x https://A.b:8080 http://c.d", "https://c.d https://x.a.b https://a.b@x.y"},
		{"url(noTrailingSlash=true)", "https://a.b https://a.b/x https://a.b/x?/", "https://a.b/ https://a.b/x/ https://a.b/x/?q"},
		{`url(matches=regex("^https:"))`, "https://a", "http://a"},
		{"enum(a, 1)", "a 1", "b 01"},
		{"email", `a@b.co a.b+c@d.example "a_b"@c.de a@[1.2.3.4]`, "a a@b a@b. @b.co a_b@c.de a@b.c .a@b.co"},
		{"port", "0 65535 +1", "65536 -1 1.0 1e3 x 80abc"},
		{"port(min=1024, max=2000)", "1024", "80 3000"},
		{"ip", "127.0.0.1", "::1 256.0.0.1 x"},
		{"ip(version=6)", "::1", "127.0.0.1"},
		{"semver", "1.2.3 1.2.3-rc.1+b", "1.2 v1.2.3 01.2.3"},
		{"isoDate", "2026-01-31 2026-01-31T10:00:00Z 2026-01-31T10:00:00.5+02:00 2026-W05-6 2026031 20260131T1000 2026-01", "2026-13-01 31.1.2026 202601 2026-0131 2026-01-31T10:00.5:30"},
		{"uuid", "123e4567-e89b-12d3-a456-426614174000 00000000-0000-0000-0000-000000000000", "123e4567 123e4567-e89b-72d3-a456-426614174000"},
		{"md5", "d41d8cd98f00b204e9800998ecf8427e D41D8CD98F00B204E9800998ECF8427E", "d41d"},
		{"duration", "30s 500ms 2days 1.5h 1000 3weeks 2_WK 0", "s 30x fast -5s 0.1ms"},
		{"duration(min=1s, max=1m)", "1s 60000", "999 61s"},
		{"array(number)", "1,2 1,_2", "1,x"},
		{"array(separator=;)", "a;b", ""},
		{"array(format=json, minLength=2)", `["a","b"] a,b ["a,b","c"]`, `["a"] a ["a",`},
		{"array(unique=true, maxLength=2)", "a,b", "a,a a,b,c"},
		{"record", `{"a":1}`, "a [1] {}"},
		{"record(entriesMinLength=0)", "{}", "[]"},
		{"record(port, keyType=enum(a, b))", `{"a":1}`, `{"c":1} {"a":"x"}`},
		{"record(number, entriesMinLength=1)", `{"a":1}`, `{} {"a":"x"}`},
		{"simple-object", `{"a":{}} {}`, "1 x"},
		{"domain", "example.com a.b.example", "localhost https://a.b a.b:80 1.2.3.4 *.a.b -a.b aſ.b"},
		{"domain(allowWildcard=true, allowSingleLabel=true, allowIp=true, allowIpV6=true)", "*.a.b localhost 1.2.3.4 [::1] ::1", "a_b"},
		{"url(allowedProtocols=[https, wss])", "https://a wss://a", "http://a"},
	}
	seen := map[string]bool{}
	for _, tt := range tests {
		s, findings := ParseSchema("s", []byte("# @type="+tt.typ+"\nK=\n"))
		if len(findings) > 0 {
			t.Errorf("%s: %+v", tt.typ, findings)
			continue
		}
		typ := s.Item("K").Type
		seen[typ.Name] = true
		e := newEvaluator(s, "development", func(string) (string, bool) { return "", false })
		for v := range strings.FieldsSeq(tt.good) {
			if p := e.checkType(typ, strings.ReplaceAll(v, "_", " ")); p.msg != "" {
				t.Errorf("%s: %q %s", tt.typ, v, p.msg)
			}
		}
		for v := range strings.FieldsSeq(tt.bad) {
			if p := e.checkType(typ, strings.ReplaceAll(v, "_", " ")); p.level != Error {
				t.Errorf("%s accepts %q (%+v)", tt.typ, v, p)
			}
		}
	}
	for name := range typeDefs {
		if !seen[name] {
			t.Errorf("the type %s has no test", name)
		}
	}
}

// TestFunctions evaluates defaults in an environment called production, where SET=v is given.
func TestFunctions(t *testing.T) {
	tests := []struct{ expr, want string }{
		{"plain # comment", "plain"},
		{`"a\nb \"c\" \$x"`, "a\nb \"c\" $x"},
		{`'a\nb $SET'`, `a\nb $SET`},
		{"$SET", "v"},
		{"a-${SET}-b", "a-v-b"},
		{"${EMPTY:-d}", "d"},
		{"${EMPTY-d}", "d"},
		{"ref(SET)", "v"},
		{"concat(a, $SET, b)", "avb"},
		{"fallback($EMPTY, '', x, y)", "x"},
		{"if(eq($SET, v), yes, no)", "yes"},
		{"if(not($SET), yes, no)", "no"},
		{"if(isEmpty($EMPTY), yes, no)", "yes"},
		{"ifs(false, a, eq($SET, v), b, c)", "b"},
		{"ifs(false, a, c)", "c"},
		{"if(forEnv(staging, production), yes, no)", "yes"},
		{"if(0, yes, no)", "no"},
		{"remap($SET, a, 1, v, 2, 3)", "2"},
		{`remap($SET, regex("^[uv]$"), m, other)`, "m"},
		{"remap($SET, a, 1, other)", "other"},
		{"\"\"\"two\nlines\"\"\"", "two\nlines"},
		{"{\"a\": 1}", `{"a": 1}`},
		{"undefined", ""},
		{"", ""},
	}
	for _, tt := range tests {
		s, findings := ParseSchema("s", []byte("# @currentEnv=$APP_ENV\n# ---\nAPP_ENV=production\nSET=\nEMPTY=\nK="+tt.expr+"\n"))
		if len(findings) > 0 {
			t.Errorf("%s: %+v", tt.expr, findings)
			continue
		}
		e := newEvaluator(s, "production", func(key string) (string, bool) { return "v", key == "SET" })
		if got := e.key("K"); got.text != tt.want {
			t.Errorf("%s = %q, want %q", tt.expr, got.text, tt.want)
		}
	}
}

func TestImports(t *testing.T) {
	p := project{
		".env.schema":        "# @import(./shared/.env.schema, omit=[SKIPPED])\n# @import(./gone, allowMissing=true)\n# @import(./off, enabled=forEnv(test)) @currentEnv=$APP_ENV\n# ---\nAPP_ENV=development\n# @optional\nOWN=$SHARED\n",
		"shared/.env.schema": "# @defaultSensitive=false @defaultRequired=true\n# @import(../.env.schema)\n# ---\n# @type=port\nSHARED=\nSKIPPED=\nOWN=2\n",
		".env":               "SHARED=x\n",
	}
	_, text := p.check(t, Options{})
	want := ".env:1:8 error type SHARED is not a port number (0 to 65535) | \n" +
		"shared/.env.schema:2:3 error schema-import schemas import each other in a circle, or more than 10 deep | remove one @import\n"
	if text != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	delete(p, "shared/.env.schema")
	if _, text := p.check(t, Options{}); !strings.Contains(text, ".env.schema:1:3 error schema-import") {
		t.Errorf("got\n%s", text)
	}
}

func TestConditions(t *testing.T) {
	schema := `# @currentEnv=$APP_ENV @defaultSensitive=false
# ---
APP_ENV=local
# @required=if(eq($MODE, smtp), true, false)
SMTP_URL=
# @optional
MODE=
`
	for _, tt := range []struct{ env, file, want string }{
		{"", "MODE=smtp\n", "SMTP_URL is required in local"},
		{"", "MODE=log\n", ""},
		{"", "MODE=smtp\nAPP_ENV=demo\n", "required in demo"},
		{"staging", "MODE=smtp\nAPP_ENV=demo\n", "required in staging"},
	} {
		_, text := project{".env.schema": schema, ".env": tt.file}.check(t, Options{Env: tt.env})
		if (tt.want == "") != (text == "") || !strings.Contains(text, tt.want) {
			t.Errorf("%q in %q: got %q, want %q", tt.file, tt.env, text, tt.want)
		}
	}
}

// FuzzTypes checks a value against a type; neither may bring the checker down,
// and what a message says must not hold the value.
func FuzzTypes(f *testing.F) {
	for _, s := range [][2]string{{"string(matches=regex(\"^(?<a>[^\\\\]x{2,3}?)|\\\\u{41}$\", \"iu\"))", "ax"}, {"url(allowedDomains=[a.b:1, '[::1]'])", "https://u:p@xn--a.b:1/?#"},
		{"array(record(port, keyType=enum(a)))", `[{"a":1e999}]`}, {"isoDate", "2026-W05-6T10"}, {"duration(min=1s, output=hours)", "1.5 WK"},
		{"domain(allowIpV6=true)", "[::1]"}, {"number(precision=2, isDivisibleBy=0)", "1e3"}, {"email", "\"a b\"@c.de"}, {"enum(1, true, 'x')", "1"},
		{"string(matches=/[\\d-z]{1,}\\cA\\07\\x41(?!b)/)", "é"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, typ, v string) {
		s, _ := ParseSchema("s", []byte("# @type="+typ+"\nK=\n"))
		it := s.Item("K")
		if it == nil || it.Type == nil {
			return
		}
		e := newEvaluator(s, "development", func(string) (string, bool) { return "", false })
		p := e.checkType(it.Type, v)
		if len(v) > 6 && strings.Contains(p.msg, v) && !strings.Contains(typ, v) && !strings.Contains(p.msg, "is to match") && !strings.Contains(bad(typeDefs[it.Type.Name].human, "").msg, v) {
			t.Fatalf("%s: the message holds the value %q: %s", typ, v, p.msg)
		}
	})
}

// TestSpelling lists defaults with what stands in the environment: JSON has no
// undefined members, and JavaScript puts names that are an index first.
func TestSpelling(t *testing.T) {
	for _, tt := range []struct{ schema, want string }{
		{"K={a=undefined}", "{}"},
		{"K={a=undefined, b=1}", `{"b":1}`},
		{`# @type=record
K='{"2":1,"b":{"10":1,"9":2},"1":2,"01":3}'`, `{"1":2,"2":1,"b":{"9":2,"10":1},"01":3}`},
		{"# @type=string(toUpperCase=true)\nK='ß ŉ'", "SS ʼN"},
		{"# @type=string(toLowerCase=true)\nK='ΑΣ İ'", "ας i̇"},
	} {
		s, findings := ParseSchema("s", []byte(tt.schema+"\n"))
		e := newEvaluator(s, "development", func(string) (string, bool) { return "", false })
		if got := e.environ(s.Item("K").Type, e.key("K")); got != tt.want || len(findings) > 0 {
			t.Errorf("%s: %s, want %s %+v", tt.schema, got, tt.want, findings)
		}
	}
}
