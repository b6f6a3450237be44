package envcheck

import (
	"strings"
)

// typeSpec makes the value of @type for a type.
func (g *schemaGen) typeSpec(name string, depth int) string {
	if name == "enum" {
		return "enum(" + strings.Join([]string{g.pick("a", "dev", `"a b"`, "1", "true"), g.pick("b", "2", "prod", `"3"`), g.pick("c", "false", "x-y")}[:1+g.rng.IntN(3)], g.sep()) + ")"
	}
	var args []string
	if name == "array" || name == "record" {
		if depth < 2 && !g.one(3) {
			args = append(args, g.typeSpec(g.pick("string", "number", "port", "enum", "email", "boolean", "string", "array", "url"), depth+1))
		}
	}
	for _, opt := range typeOptions[name] {
		if g.one(4) {
			k, vs, _ := strings.Cut(opt, "=")
			args = append(args, k+"="+g.option(vs))
		}
	}
	if g.sloppy && g.one(6) {
		args = append(args, g.pick("mni=1", "min=x", "minLength=abc", "a", "maxLength=1", "matches=1", `matches=regex("(")`, "minLength=", "keyType=nope", "unique=1", "nope"))
	}
	if len(args) == 0 {
		return g.pick(name, name, `"`+name+`"`)
	}
	return name + "(" + strings.Join(args, g.sep()) + g.pick("", "", ",") + ")"
}

// typeOptions lists for each type its options with a choice of values, parted by |.
var typeOptions = map[string][]string{
	"string": {"minLength=0|2|5", "maxLength=3|10", "isLength=3", "startsWith=a|\"p \"|1", "endsWith=z|b|\"\\$\"",
		`matches=regex("^a")|regex("^[a-z]+$", "i")|regex('^\d{2,}$')|/^ab*$/|"b.d"|regex("^(?=a)")|regex("a\/b")|regex("^\$")|if(forEnv(production), regex("^p"), regex("^[^p]"))|regex("[^]")|regex("\p")|/x/i|regex("a{2}?")|regex("^[^b].$", "u")|regex("^..?b")|regex("^[a-zß]+$", "iu")|regex("^[k-s]*S", "i")|regex("^\w{2,}\W?$", "gi")|regex("a$", "m")|regex("^.*z$", "s")`,
		"toUpperCase=true|false", "toLowerCase=true|false", "allowEmpty=true"},
	"number": {"min=0|-5|10", "max=100|10.5", "isInt=true", "precision=0|2", "isDivisibleBy=2|5|0.5", "coerceToMinMaxRange=true"},
	"url": {"prependHttps=true", "allowedDomains=[a.b, localhost]|[a.b:8080]|a.b", "allowedProtocols=[https]|[https, \"redis:\"]", "noTrailingSlash=true",
		`matches=regex("^https:")|regex("^postgres(ql)?://")`},
	"domain":   {"allowWildcard=true", "allowSingleLabel=true", "allowIp=true", "allowIpV6=true", "normalize=true", `matches=regex("b$")`},
	"email":    {"normalize=true"},
	"port":     {"min=1024|0", "max=9000"},
	"ip":       {"version=4|6", "normalize=true"},
	"duration": {"output=ms|seconds|hours", "min=1s|500|\"1 m\"", "max=1h|10d"},
	"array":    {"separator=;|\"|\"|\" \"", "format=json|separator", "minLength=0|1|2", "maxLength=2|5", "isLength=2|1", "unique=true"},
	"record":   {"keyType=enum(a, b)|enum(b, a, ab)|string(minLength=2)", "entriesMinLength=0|1", "entriesMaxLength=1|3", "entriesIsLength=1"},
}

func (g *schemaGen) option(values string) string {
	all := strings.Split(strings.ReplaceAll(values, `"|"`, "\x00"), "|")
	v := strings.ReplaceAll(g.pick(all...), "\x00", `"|"`)
	if strings.Contains(v, "forEnv") && g.env == "" {
		return `regex("^p")`
	}
	return v
}

// goodValues lists, where most of typeValues do not fit, some that often do.
var goodValues = map[string][]string{
	"string": {"az", "ab", "abz", "p z", "aaz"}, "ip": {"1.2.3.4", "::1"}, "domain": {"a.b", "x.b", "1.2.3.4"}, "port": {"1024", "2000", "80"},
	"url": {"https://a.b", "https://a.b:8080/x", "https://localhost"}, "duration": {"30s", "1m"}, "email": {"A@B.CO"},
	"array": {"a,b", "1", "a;b"}, "record": {`{"a":"1"}`, `{"b":"1","a":"2"}`, `{"ab":"1"}`},
}

// typeValues lists values for each type, good and bad.
var typeValues = map[string][]string{
	"string":        {"a", "ab", "abc", "abz", "p x", "a b d", "12", "true", "pz$", "A", "péz", "😀b", "x", "a/b", "bz", "ß", "aſ", "KS", "a😀", "az", "p z", "zzz"},
	"number":        {"0", "1", "-3", "1.5", "1.005", "1e3", "10", "abc", "12abc", "007", "1_0", "0x10", "+5", " 7 ", "Infinity", "-0", ".5", "5.", "9007199254740993", "2.675"},
	"boolean":       {"true", "FALSE", "yes", "on", "1", "0", "2", "maybe", "t", " no "},
	"url":           {"https://a.b", "http://a.b/", "https://a.b:8080/x?y=/", "a.b/c", "postgres://u:p@h:5432/d", "redis://", "https://", "http://a b", "https://A.B/x/", "http://1.2.3", "http://256.1.1.1", "http://[::1]:80/", "http://a:99999", "mailto:a@b", "https://u@", "http://a%zz", "redis://:pw@h/0", "https://a.b/x", "https://localhost", "localhost:3000", "http:/a", "http:\\\\a", "file:///x", "https://a.b:443", "http://0x7f.1", "http://a_b.c/", "http://a|b", "ftp://x/%2", "http://ex%41mple.com", "postgresql://[::1", "a:b", "https://a.b?x/", "http://1.2.3.4.5", "http://a..b", "http://%", "http://a<b", "x://a b", "https://a:b@c:1/", "https://@a", "https://:@", "http://09.1.1.1", "http://a.0x"},
	"domain":        {"a.b", "localhost", "*.a.b", "a.b:80", "1.2.3.4", "::1", "[::1]", "A.B", "-a.b", "a_b.c", "https://a.b", "a..b", "a.b.", "*.", "xn--a.b", "1.2.3", "a.1", "x.b", "a.b.b"},
	"enum":          {"a", "b", "dev", "1", "2", "true", "false", "a b", "A", "3"},
	"email":         {"a@b.co", "a@b", "a.b+c@d.example", "@b.co", "a b@c.de", "A@B.CO", "a@[1.2.3.4]", `"a b"@c.de`, ".a@b.co", "a..b@c.de", "a@b-.co", "é@b.co", "a@b.c1"},
	"port":          {"80", "0", "65535", "65536", "-1", "80.5", "1e3", "80abc", "08", " 80 ", "+80", "9000", "1024", "2000", "1.0"},
	"ip":            {"1.2.3.4", "::1", "256.1.1.1", "01.2.3.4", "fe80::1%eth0", "1.2.3", "::ffff:1.2.3.4", "FE80::A", "1:2:3:4:5:6:7::", "::1:2:3:4:5:6:7:8", "1::2::3", "1:2:3:4:5:6:7:8", "::", "1.2.3.4%a", "12345::"},
	"semver":        {"1.2.3", "1.2", "v1.2.3", "1.2.3-rc.1+b.01", "1.2.3-01", "01.2.3", "1.2.3-", "1.2.3+", "1.2.3-a-b"},
	"isoDate":       {"2026-01-31", "2026-02-30", "2026-13-01", "20260131", "2026-W05", "2026W056", "2026-031", "2026-01", "202601", "2026", "2026-01-31T10:00", "2026-01-31T10:00:00Z", "2026-01-31 10:00:00.5+02:00", "2026-01-31T1000", "2026-01-31T10:0000", "2026-01-31T24:00", "2026-01-31T25", "2026-01-31T10", "2026-0131", "+2026-01-31", "2026-01-31T10:00Z", "2026-01-31T10:00+2", "2026-01-31T10.5", "2026-01-31T", "2026-366", "2026-367", "2026-W53", "2026-01-31T10:00.5", "2026-01-31T10:00.5:00", "2026-01-31T10:00:00,123-0530"},
	"uuid":          {"123e4567-e89b-12d3-a456-426614174000", "00000000-0000-0000-0000-000000000000", "123e4567-e89b-72d3-a456-426614174000", "123E4567-E89B-12D3-A456-426614174000", "123e4567e89b12d3a456426614174000", "123e4567-e89b-12d3-c456-426614174000"},
	"md5":           {"d41d8cd98f00b204e9800998ecf8427e", "D41D8CD98F00B204E9800998ECF8427E", "d41d8", "z41d8cd98f00b204e9800998ecf8427e"},
	"duration":      {"30s", "500ms", "2days", "1.5h", "1000", "3 weeks", "1H", "-5s", "0.1ms", "0", "s", "5x", "1e3", "10 wk", "0.5", "1.5.5s", "1month", " 1m ", "07s"},
	"array":         {"a,b", "1,2", "1, x", "a;b", `["a","b"]`, "[1,2]", "[1,", `["a,b"]`, ",", "a", "a,a", "a|b|c", `[["x"]]`, "[null]", "[]", "80, 443", "a@b.co", "true,no", "  ", "1 2", `[{"a":1}]`, `["a"] x`, "a,,b", "dev,1"},
	"record":        {`{"a":1}`, `{"a":"x","b":2}`, "{}", "[1]", "x", `{"a":null}`, `{"a":{"b":1}}`, `{"ab":"a@b.co"}`, `{"a":1,"a":2}`, "{a:1}", `{"a":true}`, `{"a":[1,2]}`, `{"a":80}`, `{"a":"b"}`, `{"b":8080,"a":90}`},
	"simple-object": {`{"a":1}`, "{}", "[]", "x", "null", `{"a":{"b":[1]}}`, "1"},
	"":              {"a", "x y", "1", "true", "false", "0", "007", "abc", "production", "/a/b", "é"},
}

// value is one for a key, as a text.
func (g *schemaGen) value(key string) string {
	vs := typeValues[g.typed[key]]
	switch {
	case g.one(12):
		vs = typeValues[g.pick(allTypes...)]
	case goodValues[g.typed[key]] != nil && g.one(3):
		vs = goodValues[g.typed[key]]
	}
	return g.pick(vs...)
}

// defaultValue is what stands after = in the schema.
func (g *schemaGen) defaultValue(key string) string {
	switch g.rng.IntN(6) {
	case 0, 1:
		return ""
	case 2:
		return g.expr(0)
	case 3:
		if t := g.typed[key]; t == "array" || g.one(8) {
			return g.pick("[]", "[a, b]", "[1, 2]", `["a b", 'c',]`, "[a, [b]]", "[\n  a, # one\n  b\n]", "[a b]", "[,]", "["+g.ref()+"]", "[true, false]")
		} else if t == "record" || t == "simple-object" || g.one(8) {
			return g.pick("{a=1}", `{a = "x", b=2}`, "{}", `{"a":1}`, "{a=1 b=2}", "{a={b=1}}", "{a=[1]}", "{a}", "{\n a=1,\n}")
		}
	}
	return g.spell(g.value(key))
}

// spell writes a text as a value of the schema.
func (g *schemaGen) spell(v string) string {
	quoted := func(q string) string {
		if q != "'" {
			v = strings.ReplaceAll(v, "$", `\$`)
		}
		return q + strings.ReplaceAll(v, q, `\`+q) + q
	}
	switch g.rng.IntN(8) {
	case 0, 1:
		return quoted(`"`)
	case 2:
		return quoted("'")
	case 3:
		return quoted("`")
	case 4:
		if g.sloppy {
			return g.pick(`"""`+v+`"""`, "`a\nb`", ` "`+v+`"`, `"a"b`)
		}
		return g.pick(`"""`+v+"\n"+`x"""`, "'"+strings.ReplaceAll(v, "'", "")+"\n'", "\"\n"+strings.ReplaceAll(v, `"`, `\"`)+`"`, "```\n"+v+"```")
	}
	return v
}

// values makes a .env for a part of the keys, spelled so that every reader
// reads it alike, and a process environment for others.
//
// A text that looks like a number or a truth value stands in quotes where the
// key has a type: varlock takes PORT=5 in a file for a number, which is no
// member of enum("5") and no array, while the app sees a text either way.
func (g *schemaGen) values(c varlockCase) map[string]string {
	process := map[string]string{}
	var b strings.Builder
	for _, key := range g.keys {
		v := g.value(key)
		plain := strings.Trim(v, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:@,;+") == "" && v != "" && v != "undefined"
		switch {
		case g.one(3):
		case g.one(6):
			b.WriteString(key + g.pick("=\n", "=''\n"))
		case g.one(3) && g.typed[key] != "":
			process[key] = v
		case plain && (g.typed[key] == "" || !isPlainNumber(v) && v != "true" && v != "false"):
			b.WriteString(key + "=" + v + "\n")
		case !strings.ContainsAny(v, "'$\\") && g.typed[key] != "":
			b.WriteString(key + "='" + v + "'\n")
		}
	}
	if b.Len() > 0 {
		c.Files[".env"] = b.String()
	}
	return process
}

// mutate spoils a text in one place.
func (g *schemaGen) mutate(text string) string {
	pieces := []string{"#", "@", "=", "(", ")", ",", "\"", "'", "`", "\n", " ", "$", "${", "}", "{", "[", "]", "\\", "\t", "# ---\n", "/", "x", "1", "\r\n", "\"\"\"", ".", "-", "é", "$("}
	i := g.rng.IntN(len(text) + 1)
	j := min(len(text), i+g.rng.IntN(4))
	switch g.rng.IntN(3) {
	case 0:
		text = text[:i] + text[j:]
	case 1:
		text = text[:i] + g.pick(pieces...) + text[i:]
	default:
		text = text[:i] + g.pick(pieces...) + text[j:]
	}
	return strings.ToValidUTF8(text, "")
}

// mutatedSeed spoils the seed schema, and gives it values of which some are missing or wrong.
func (g *schemaGen) mutatedSeed(seed string) varlockCase {
	text := seed
	if !g.one(4) {
		text = g.mutate(text)
	}
	c := varlockCase{Files: map[string]string{".env.schema": text}}
	var b strings.Builder
	for line := range strings.Lines(seedEnv + "CLERK_WEBHOOK_SECRET=whsec_abcdefghijklmnopqrstuvwx\nSENTRY_DSN=https://0a1b2c@o1.ingest.sentry.io/1\nTEST_DATABASE_URL=postgresql://erp:erp@localhost:5432/erp_test\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		switch {
		case g.one(5):
		case g.one(6):
			b.WriteString(key + "=" + g.pick("x", "http://a.b", "sk_test_", "whsec_x", "", "postgres://", value[1:]) + "\n")
		default:
			b.WriteString(line)
		}
	}
	if c.Files[".env"] = b.String(); b.Len() == 0 {
		delete(c.Files, ".env")
	}
	return inEnvironments(c, "NODE_ENV", nil)
}
