package usage

import "testing"

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
