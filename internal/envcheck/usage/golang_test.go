package usage

import (
	"strings"
	"testing"
	"testing/fstest"
)

func TestGoChecks(t *testing.T) {
	const head = "package a\nimport (\n\"cmp\"\n\"log\"\n\"os\"\n\"strconv\"\n\"strings\"\n)\n"
	tests := []struct{ name, src, want string }{
		{"fatal", `func f() { if v := os.Getenv("A"); v == "" { log.Fatal("A") }
b := os.Getenv("B"); if b == "" { panic("B") }
if os.Getenv("C") == "" { log.Println("C"); os.Exit(1) }
if os.Getenv("D") == "" { os.Exit(0) } }`, "A! B! C! D?"},
		{"an error", `func f() (string, error) { v := os.Getenv("A"); if v == "" { return "", errors.New("A") }; return v, nil }
func g() (string, error) { v := os.Getenv("B"); if v == "" { return "b", nil }; return v, nil }
func h() string { v := os.Getenv("C"); if len(v) == 0 { return "c" }; return v }`, "A! B? C?"},
		{"LookupEnv", `func f() { a, ok := os.LookupEnv("A"); if !ok { log.Fatalf("A") }; use(a)
if b, ok := os.LookupEnv("B"); ok { use(b) }
c, ok := os.LookupEnv("C"); if !ok || c == "" { panic("C") }; d, _ := os.LookupEnv("D"); use(d) }`, "A! B? C! D?"},
		{"else and the rest", `func f() string { if v := os.Getenv("A"); v != "" { return v }; panic("A") }
func g() string { if v := os.Getenv("B"); v != "" { return v }; return "b" }
func h() { if os.Getenv("C") != "" { use() } else { log.Fatal("C") } }`, "A! B? C!"},
		{"defaults", `var a = cmp.Or(os.Getenv("A"), "a"); var b = os.Getenv("B") == "1"
func f() { c := os.Getenv("C"); if c == "" { c = "c" }; d, err := strconv.Atoi(os.Getenv("D")); if err != nil { d = 3 }
e, err := strconv.Atoi(os.Getenv("E")); if err != nil { log.Fatal(err) }; g, _ := strconv.ParseBool(os.Getenv("G")); use(e, g)
switch strings.ToLower(os.Getenv("H")) { case "x": }; use(cmp.Or("x", os.Getenv("I"))) }`, "A? B? C? D? E! G? H? I"},
		{"guarded", `func f() { if os.Getenv("A") != "" { use(os.Getenv("A"), os.Getenv("B")) }; use(os.Getenv("A"))
if os.Getenv("C") == "" { return }; use(os.Getenv("C")) }`, "A? A? B A C? C?"},
		{"of many", `func f() { if os.Getenv("A") == "" && os.Getenv("B") == "" { panic("none") }
if os.Getenv("C") == "" || os.Getenv("D") == "" { panic("both") }; if os.Getenv("E") != "yes" { log.Fatal("no") } }`, "A? B? C! D! E?"},
		{"a name that is used again", `func f() { v := os.Getenv("A"); if v == "" { v = "x" }; v = os.Getenv("B"); if v == "" { panic("B") } }`, "A? B!"},
		{"a conversion of what is there", `func f() error { if p := os.Getenv("A"); p != "" { n, err := strconv.Atoi(p); if err != nil { return err }; use(n) }
b := os.Getenv("B"); if b == "" { return nil }; n, err := strconv.Atoi(b); if err != nil { return err }; use(n); return nil }`, "A? B?"},
		{"functions that read", `func must(k string) string { v := os.Getenv(k); if v == "" { log.Fatal(k) }; return v }
func flag(k string) bool { return os.Getenv(k) == "1" }
func num(k string) int { n, err := strconv.Atoi(os.Getenv(k)); if err != nil { return 0 }; return n }
func f() { use(must("A"), flag("B"), num("C")) }`, "A B? C? *os.Getenv(...) *os.Getenv(...) *os.Getenv(...)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.go", head+tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

func TestGoStructs(t *testing.T) {
	const head = "package a\nimport (\n\"github.com/caarlos0/env/v11\"\n\"github.com/kelseyhightower/envconfig\"\n\"time\"\n\"net/url\"\n)\n"
	tests := []struct{ name, src, want string }{
		{"a prefix of a struct in a field", "type C struct { DB struct { URL string `env:\"URL,required\"`; N int `env:\"N\" envDefault:\"3\"` } `envPrefix:\"DB_\"`; Port int `env:\"PORT\"`; Skip string `env:\"-\"` }", "DB_URL! DB_N? PORT"},
		{"of a named type", "type C struct { DB DB `envPrefix:\"DB_\"`; R *DB `envPrefix:\"R_\"`; Plain Other }\ntype DB struct { URL string `env:\"URL\"` }\ntype Other struct { X string `env:\"X\"` }", "DB_URL R_URL X"},
		{"two levels", "type A struct { B B `envPrefix:\"A_\"` }\ntype B struct { C C `envPrefix:\"B_\"` }\ntype C struct { X string `env:\"X\"` }", "A_B_X"},
		{"many", "type A struct { B []B `envPrefix:\"A_\"` }\ntype B struct { X string `env:\"X\"` }", ""},
		{"options", "type C struct { X string `env:\"X\"` }\nfunc f() { var c C; env.ParseWithOptions(&c, env.Options{Prefix: \"P_\"}) }", "P_X"},
		{"other libraries", "type C struct { D D `env-prefix:\"D_\"`; E E `env:\", prefix=E_\"` }\ntype D struct { X string `env:\"X\" env-default:\"1\"` }\ntype E struct { X string `env:\"X, required\"` }", "D_X? E_X!"},
		{"envconfig", "type C struct { Port int; DbUrl string `required:\"true\"`; HTTPPort int `split_words:\"true\" default:\"80\"`; Named string `envconfig:\"X_Y\"`; Skip string `ignored:\"true\"`; hidden string; T time.Duration; DB struct { Host string }; R R; R }\ntype R struct { Size int }\nfunc f() { var c C; envconfig.Process(\"myapp\", &c) }",
			"MYAPP_PORT MYAPP_DBURL! MYAPP_HTTP_PORT? MYAPP_X_Y MYAPP_T MYAPP_DB_HOST MYAPP_R_SIZE MYAPP_SIZE"},
		{"envconfig without a prefix", "type C struct { X string `envconfig:\"x\"` }\nfunc f() { c := &C{}; envconfig.MustProcess(\"\", c) }", "X"},
		{"envconfig of something else", "type C struct { X string `envconfig:\"X\"`; Y string }\nfunc f(p string) { envconfig.Process(p, get()) }", "X"},
		{"a struct without a name", "func f() { var c struct { X string `env:\"X\"` }; env.Parse(&c); g(struct { Y string `env:\"Y\"` }{}) }", "X Y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := namesOf(scanned(t, fstest.MapFS{"a.go": {Data: []byte(head + tt.src)}}, Options{})); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
	r := scanned(t, fstest.MapFS{
		"cmd/main.go":         {Data: []byte("package main\nimport (\n\"github.com/kelseyhightower/envconfig\"\n\"x.com/a/config\"\n)\nfunc main() { var c config.C; envconfig.Process(\"app\", &c) }")},
		"config/config.go":    {Data: []byte("package config\nimport \"x.com/a/internal/db\"\ntype C struct { Key string; DB db.Config }")},
		"internal/db/db.go":   {Data: []byte("package db\ntype Config struct { URL string `envconfig:\"URL\"` }")},
		"internal/db/pool.go": {Data: []byte("package db\ntype Pool struct { Size int `envconfig:\"POOL_SIZE\"` }")},
	}, Options{Names: []string{"URL"}})
	if got, want := namesOf(r), "APP_KEY URL POOL_SIZE"; got != want {
		t.Errorf("over packages: got %s, want %s", got, want)
	}
}

// namesOf is what scanFiles says, without a look at the text: a prefix is elsewhere.
func namesOf(r *Result) string {
	var out []string
	for _, u := range r.Uses {
		if u.NotReads {
			continue
		}
		mark := map[bool]string{true: "?"}[u.Optional] + map[bool]string{true: "!"}[u.Asserted]
		out = append(out, u.Name+mark)
	}
	return strings.Join(out, " ")
}

func TestViper(t *testing.T) {
	const head = "package a\nimport \"github.com/spf13/viper\"\n"
	tests := []struct{ name, src, want string }{
		{"keys", "func f() { viper.AutomaticEnv(); viper.SetDefault(\"PORT\", 80); viper.GetString(\"DB_URL\"); viper.GetInt(\"PORT\"); viper.IsSet(\"X\"); viper.GetString(\"server.addr\") }", "DB_URL PORT? X?"},
		{"with a prefix", "func f() { v := viper.New(); v.SetEnvPrefix(\"app\"); v.AutomaticEnv(); v.GetString(\"KEY\"); v.BindEnv(\"OTHER\") }", "APP_KEY APP_OTHER?"},
		{"a struct", "type C struct { Source string `mapstructure:\"DB_SOURCE\"`; X string `mapstructure:\"x\"` }\nfunc f() { viper.SetConfigType(\"env\"); viper.Unmarshal(&c) }", "DB_SOURCE"},
		{"no environment", "func f() { viper.GetString(\"DB_URL\") }", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := namesOf(scanned(t, fstest.MapFS{"a.go": {Data: []byte(head + tt.src)}}, Options{})); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
	src := head + "func f() { viper.SetEnvPrefix(\"app\"); viper.AutomaticEnv(); viper.GetString(\"server.addr\") }"
	if r := scanned(t, fstest.MapFS{"a.go": {Data: []byte(src)}}, Options{Names: []string{"APP_SERVER_ADDR"}}); len(r.Uses) != 1 || r.Uses[0].Name != "APP_SERVER_ADDR" || !r.Uses[0].NotReads {
		t.Errorf("a key in small letters: %+v", r.Uses)
	}
}
