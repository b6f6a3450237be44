package envcheck

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// without drops the lines of some keys, with replaces or adds some.
func without(env string, keys ...string) string {
	var b strings.Builder
	for line := range strings.Lines(env) {
		if key, _, _ := strings.Cut(line, "="); !slices.Contains(keys, key) {
			b.WriteString(line)
		}
	}
	return b.String()
}

func with(env string, lines ...string) string {
	for _, line := range lines {
		key, _, _ := strings.Cut(line, "=")
		env = without(env, key) + line + "\n"
	}
	return env
}

// seedProd is a production environment that fits the seed schema.
var seedProd = with(prodEnv, "NEXT_PUBLIC_APP_URL=https://erp.example.com", "CLERK_WEBHOOK_SECRET=whsec_abcdefghijklmnopqrstuvwx",
	"SENTRY_DSN=https://0a1b2c@o1.ingest.sentry.io/1")

// seedTest is a test environment that fits the seed schema.
var seedTest = with(seedEnv, "TEST_DATABASE_URL=postgresql://erp:erp@localhost:5432/erp_test")

// seedCases say, for the seed schema in each environment, which rules report which keys.
// Of these, varlock has required and type; with a star, another rule says more than type would.
var seedCases = []struct{ env, file, want string }{
	{"development", seedEnv, ""},
	{"test", seedTest, ""},
	{"production", seedProd, ""},

	// What is required depends on the environment, as the schema says.
	{"development", "", "required CLERK_SECRET_KEY, required DATABASE_URL, required NEXT_PUBLIC_APP_URL, required NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY, required REDIS_URL"},
	{"test", "", "required CLERK_SECRET_KEY, required DATABASE_URL, required NEXT_PUBLIC_APP_URL, required NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY, required REDIS_URL, required TEST_DATABASE_URL"},
	{"production", "", "required CLERK_SECRET_KEY, required CLERK_WEBHOOK_SECRET, required DATABASE_URL, required NEXT_PUBLIC_APP_URL, required NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY, required REDIS_URL, required SENTRY_DSN"},
	{"test", seedEnv, "required TEST_DATABASE_URL"},
	{"production", without(seedProd, "SENTRY_DSN"), "required SENTRY_DSN"},
	{"production", without(seedProd, "CLERK_WEBHOOK_SECRET"), "required CLERK_WEBHOOK_SECRET"},
	{"development", with(seedEnv, "REDIS_URL="), "required REDIS_URL"},
	{"development", with(seedEnv, "SENTRY_AUTH_TOKEN="), "empty SENTRY_AUTH_TOKEN"},

	// The app's URL: https in production only, and no slash at the end.
	{"development", with(seedEnv, "NEXT_PUBLIC_APP_URL=http://localhost:3000/"), "type NEXT_PUBLIC_APP_URL"},
	{"test", with(seedTest, "NEXT_PUBLIC_APP_URL=ftp://localhost"), "type NEXT_PUBLIC_APP_URL"},
	{"production", with(seedProd, "NEXT_PUBLIC_APP_URL=http://erp.example.com"), "type NEXT_PUBLIC_APP_URL"},
	{"production", with(seedProd, "NEXT_PUBLIC_APP_URL=https://erp.example.com/"), "type NEXT_PUBLIC_APP_URL"},

	// Each value in its own form.
	{"development", with(seedEnv, "DATABASE_URL=mysql://erp:erp@localhost/erp"), "type DATABASE_URL"},
	{"development", with(seedEnv, "DATABASE_URL=localhost"), "type DATABASE_URL"},
	{"development", with(seedEnv, "REDIS_URL=http://localhost:6379"), "type REDIS_URL"},
	{"development", with(seedEnv, "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=pk_dev_Y2xlcmsuZXhhbXBsZS5jb20k"), "type NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"},
	{"development", with(seedEnv, "CLERK_SECRET_KEY=sk_test_"), "type CLERK_SECRET_KEY"},
	{"development", with(seedEnv, "CLERK_WEBHOOK_SECRET=whsec_short"), "type CLERK_WEBHOOK_SECRET"},
	{"development", with(seedEnv, "CLERK_WEBHOOK_SECRET=abcdefghijklmnopqrstuvwxyz"), "type CLERK_WEBHOOK_SECRET"},
	{"development", with(seedEnv, "SENTRY_DSN=https://sentry.io/1"), "type SENTRY_DSN"},
	{"development", with(seedEnv, "SENTRY_AUTH_TOKEN=abc"), "type SENTRY_AUTH_TOKEN"},

	// Where opsctl knows what was meant, it says so.
	{"production", with(seedProd, "CLERK_SECRET_KEY=sk_test_abcdefghijklmnopqrstuvwxyz"), "key-mode CLERK_SECRET_KEY, key-pair CLERK_SECRET_KEY"},
	{"development", with(seedEnv, "NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY=sk_test_zyxwvutsrqponmlkjihgfedcba"), "swapped-keys* NEXT_PUBLIC_CLERK_PUBLISHABLE_KEY"},
	{"test", with(seedTest, "TEST_DATABASE_URL=postgresql://erp:erp@localhost:5432/erp"), "test-database TEST_DATABASE_URL"},
}

// TestSeedSchemaInEachEnvironment: the seed schema does what its comments say,
// in opsctl and, where it is there, in varlock.
func TestSeedSchemaInEachEnvironment(t *testing.T) {
	schema := readTestdata(t, "varlock/seed.env.schema")
	var cases []varlockCase
	for _, tt := range seedCases {
		files := map[string]string{".env.schema": schema}
		if tt.file != "" {
			files[".env"] = tt.file
		}
		cases = append(cases, varlockCase{Files: files, Envs: []map[string]string{{"NODE_ENV": tt.env}}})
		_, text := project(files).check(t, Options{Env: tt.env})
		var got []string
		for line := range strings.Lines(text) {
			words := strings.Fields(line)
			got = append(got, words[2]+" "+words[3])
		}
		slices.Sort(got)
		if want := strings.ReplaceAll(tt.want, "*", ""); strings.Join(got, ", ") != want {
			t.Errorf("in %s:\n%s got %s\nwant %s\n%s", tt.env, tt.file, strings.Join(got, ", "), want, text)
		}
	}
	t.Run("varlock", func(t *testing.T) {
		for i, answers := range askVarlock(t, cases) {
			tt := seedCases[i]
			var want, got []string
			for f := range strings.SplitSeq(tt.want, ", ") {
				if rule, key, _ := strings.Cut(f, " "); rule == "required" || rule == "type" || strings.HasSuffix(rule, "*") {
					want = append(want, key)
				}
			}
			for key, k := range answers[0].Keys {
				if len(k.Errors) > 0 {
					got = append(got, key)
				}
			}
			slices.Sort(got)
			if slices.Sort(want); !slices.Equal(got, want) || len(answers[0].Refused) > 0 {
				t.Errorf("in %s:\n%svarlock finds invalid %v %v, want %v", tt.env, tt.file, got, answers[0].Refused, want)
			}
		}
	})
}

// TestSeedSchemaIsTheSharedOne: the copy in testdata is the reference's, where that is there.
func TestSeedSchemaIsTheSharedOne(t *testing.T) {
	mine, err := os.ReadFile(filepath.Join("testdata", "varlock", "seed.env.schema"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(mine, sharedFile(t, "fixtures/seed.env.schema")) {
		t.Error("testdata/varlock/seed.env.schema is not the shared one: copy it")
	}
}
