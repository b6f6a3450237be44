package envcheck

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

const alphanumeric = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func randomText(rng *rand.Rand, n int, from string) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = from[rng.IntN(len(from))]
	}
	return string(b)
}

// randomSecret makes a secret of one of the kinds that secretKind knows, or one
// that is only random, and the part of it that must not be seen anywhere.
func randomSecret(rng *rand.Rand) (value, part string) {
	random := randomText(rng, 24+rng.IntN(20), alphanumeric)
	switch n := rng.IntN(len(secretPrefixes) + 6); n {
	case 0: // a JSON web token
		claims := base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"` + random + `"}`))
		return "eyJhbGciOiJIUzI1NiJ9." + claims + "." + random, random
	case 1:
		return "-----BEGIN RSA PRIVATE KEY-----\n" + random + "\n" + random + "\n-----END RSA PRIVATE KEY-----", random
	case 2: // a password of letters alone
		pass := randomText(rng, 12, "abcdefghijkmnopqrstuvwxyz")
		return "postgres://app:" + pass + "@db.example.com:5432/app", pass
	case 3: // on the developer's own machine, and a real password all the same
		pass := randomText(rng, 10, alphanumeric)
		return "redis://:" + pass + "@localhost:6379/0", pass
	case 4:
		hex := randomText(rng, 32, "0123456789abcdef")
		return hex, hex
	case 5:
		return random, random
	default:
		return secretPrefixes[n-6].prefix + random + randomText(rng, 12, alphanumeric), random
	}
}

// No part of a secret of the source is in the schema, whatever it is called and
// wherever it stands: as a value in any quotes, commented out, in a comment.
func TestInferKeepsSecrets(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	keys := []string{"API_KEY", "DATABASE_URL", "NEXT_PUBLIC_ID", "VALUE", "LOG_LEVEL", "PORT", "MY_EMAIL", "TIMEOUT", "STRIPE_SECRET_KEY", "ALLOWED_ORIGINS", "ENABLE_X", "CLERK_PUBLISHABLE_KEY", "NODE_ENV"}
	for range 1000 {
		var src strings.Builder
		var parts []string
		src.WriteString("# The app.\nTITLE=Shop\n\n")
		for i := range 1 + rng.IntN(4) {
			value, part := randomSecret(rng)
			parts = append(parts, part)
			key := fmt.Sprintf("%s_%d", keys[rng.IntN(len(keys))], i)
			if rng.IntN(2) == 0 && i == 0 {
				key = keys[rng.IntN(len(keys))]
			}
			quote := []string{`"`, `'`, "`"}[rng.IntN(3)]
			line := strings.ReplaceAll(value, "\n", `\n`)
			switch rng.IntN(8) {
			case 0:
				fmt.Fprintf(&src, "%s=%s\n", key, line)
			case 1:
				fmt.Fprintf(&src, "# %s=%s\n", key, line)
			case 2:
				fmt.Fprintf(&src, "# the old one was %s, rotate it\n%s=%s%s%s\n", line, key, quote, value, quote)
			case 3:
				fmt.Fprintf(&src, "# %s=%s%s%s\n%s=\n", key, quote, strings.ReplaceAll(value, "\n", "\n# "), quote, key)
			case 4:
				fmt.Fprintf(&src, "%s=x # was %s\n", key, line)
			case 5:
				fmt.Fprintf(&src, "# @example=%q\n%s=%s%s%s\n", line, key, quote, value, quote)
			case 6:
				fmt.Fprintf(&src, "# ---- %s ----\n%s=%s\n", line, key, line)
			default:
				fmt.Fprintf(&src, "export %s = %s%s%s # %s\n\n# see (%s)\n\n", key, quote, value, quote, line, line)
			}
		}
		for _, name := range []string{".env", ".env.example"} {
			r, err := InferSchema([]InferSource{{Name: name, Data: []byte(src.String()), Example: IsExampleName(name)}}, nil)
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, src.String())
			}
			for _, part := range parts {
				if strings.Contains(string(r.Schema), part) || strings.Contains(fmt.Sprint(r.Variables, r.Skipped), part) {
					t.Fatalf("seed %d: %s leaks %s\n%s\n---\n%s", seed, name, part, src.String(), r.Schema)
				}
			}
			if _, findings := ParseSchema(".env.schema", r.Schema); len(findings) > 0 {
				t.Fatalf("seed %d: %v", seed, findings)
			}
		}
	}
}

// What one key hides is not published as the value of another, as a part of it, as a
// default, a decorator or a comment: a password that a person thought up looks like any word.
func TestInferHidesAValueEverywhere(t *testing.T) {
	tests := []struct{ name, text, hidden, shown string }{
		{"another variable's value", "SMTP_PASS=Winter2024!\nADMIN=Winter2024!\n", "Winter2024", ""},
		{"the other way round", "ADMIN=Winter2024!\nSMTP_PASS=Winter2024!\n", "Winter2024", ""},
		{"a part of it", "SMTP_PASS=Winter2024!\nBASIC=jane:Winter2024!\nHOOK=https://a.example/?x=Winter2024!\n", "Winter2024", ""},
		{"of a URL", "DATABASE_URL=postgres://app:Winter2024!@db.example.com/app\nADMIN=Winter2024!\n", "Winter2024", ""},
		{"of a URL, as it is meant", "DATABASE_URL=postgres://app:Winter%232024@db.example.com/app\nADMIN='Winter#2024'\n", "2024", ""},
		{"of a URL, as it is spelled", "DATABASE_URL=postgres://app:Winter%232024@db.example.com/app\nADMIN=Winter%232024\n", "2024", ""},
		{"of a pair", "BASIC_AUTH=jane:Winter2024!\nADMIN=Winter2024!\n", "Winter2024", ""},
		{"of a connection string", "CONN=Server=db;Password=Winter2024!;Port=1\nADMIN=Winter2024!\n", "Winter2024", ""},
		{"a short one", "UNLOCK_PIN=4711\nDOOR=4711\n# it was 4711\nX=1\n", "4711", ""},
		{"a short one that is a part of another by chance", "UNLOCK_PIN=471\nPORT=4711\n", "", "@example=4711"},
		{"what tells nothing", "COOKIE_SECURE=true\nDEBUG=true\nAUTH=production\nSTAGE=production\n", "", "@example=true"},
		{"a comment", "SMTP_PASS=Winter2024!\n# as for mail: Winter2024!\nADMIN=x\n", "Winter2024", ""},
		{"a heading", "SMTP_PASS=Winter2024!\n# ---- Winter2024! ----\nADMIN=x\n", "Winter2024", ""},
		{"a decorator", "SMTP_PASS=Winter2024!\n# @example=Winter2024!\nADMIN=\n", "Winter2024", ""},
		{"a link", "SMTP_PASS=Winter2024!\n# @docs(https://jane:Winter2024!@wiki.example.com)\nADMIN=\n", "Winter2024", ""},
		{"a default", "# @currentEnv=$STAGE\n# ---\n\nSTAGE=Winter2024\nSMTP_PASS=Winter2024\n", "Winter2024", ""},
		{"nothing is hidden", "SMTP_USER=Winter2024!\nADMIN=Winter2024!\n", "", "Winter2024!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			schema := string(infer(t, ".env.example", []byte(tt.text), nil).Schema)
			if tt.hidden != "" && strings.Contains(schema, tt.hidden) || !strings.Contains(schema, tt.shown) {
				t.Errorf("%s", schema)
			}
		})
	}
	// What a .env holds is hidden in the schema of an example too, and of both together.
	r, err := InferSchema([]InferSource{{Name: ".env.example", Data: []byte("ADMIN=Winter2024!\nPORT=3000\n"), Example: true}, {Name: ".env", Data: []byte("NAME=Winter2024!\nPORT=3000\nAPI_PORT=3000\n")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(r.Schema), "Winter2024") || strings.Count(string(r.Schema), "@example=3000") != 2 {
		t.Errorf("%s", r.Schema)
	}
}

// Of a .env, which holds real values, only what cannot be secret is taken over.
func TestInferTakesFewValuesFromEnv(t *testing.T) {
	src := "NAME=hunter2\nPORT=4123\nDEBUG=true\nLOG_LEVEL=warn\nPIN_PORT=9\nCODE=1234\nURL=https://intern.example.com\nMAIL=me@example.com\nSINCE=2024-01-02\n# pw: hunter3\n# NAME=hunter4\nLAST=1\n# hunter2 is the name\nEND=x1\n"
	schema := string(infer(t, ".env", []byte(src), nil).Schema)
	for _, value := range []string{"hunter2", "hunter3", "hunter4", "1234", "intern.example.com", "me@", "2024"} {
		if strings.Contains(schema, value) {
			t.Errorf("%s is in the schema:\n%s", value, schema)
		}
	}
	for _, want := range []string{"@example=4123", "@example=true", "@example=warn", "@type=number", "@type=email", "@type=isoDate"} {
		if !strings.Contains(schema, want) {
			t.Errorf("%s is not in the schema:\n%s", want, schema)
		}
	}
}

func TestMayBeRandom(t *testing.T) {
	for text, want := range map[string]bool{
		"my-long-project-name-in-production": false, "postgresql://localhost:5432/my-app": false, "internationalisation": false,
		"notifications@yourselfhosted.example": false, "us-east-1": false, "/var/lib/postgresql/data": false, "1.2.3-alpha.1": false,
		"anthropic/claude": false, "full-stack-project-template": false, "NotificationServiceImplementation": false,
		"0cc0e6c35519bba620c9360cfe3e68d0": true, "8fK2mQ9xLw3Zt7Rb": true, "Y2xlcmsuZXhhbXBsZS5jb20kY2xlcms": true, "qkzjwvxhplrtbnmcsdfg": true,
		"https://hooks.slack.com/services/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": true,
	} {
		if mayBeRandom(text) != want {
			t.Errorf("mayBeRandom(%q) is %t", text, !want)
		}
	}
}

// Every value of an example that is shown is read back as the same text, by
// env-spec and from the example that is rendered of it.
func TestSpellExample(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 2))
	spelled := 0
	for range 3000 {
		v := randomText(rng, 1+rng.IntN(9), `ab1"'$#\ {}()[]=,@/`+"`")
		s := spellExample(v)
		if s == "" {
			continue
		}
		spelled++
		schema, findings := ParseSchema("s", []byte("# @example="+s+"\nX=\n"))
		if len(findings) > 0 || schema.Items[0].Example.Text != v {
			t.Fatalf("seed %d: %q spelled %s is read as %q %v", seed, v, s, schema.Items[0].Example.Text, findings)
		}
		schema.Items[0].Public = true
		example, err := RenderExample(schema)
		if err != nil {
			t.Fatalf("seed %d: %q: %v", seed, v, err)
		}
		if f, err := Read(Next, "e", example, nil); err != nil || f.Vars["X"] != v {
			t.Fatalf("seed %d: %q is rendered as %s", seed, v, example)
		}
	}
	if spelled < 1000 {
		t.Errorf("only %d of 3000 values have a spelling", spelled)
	}
}
