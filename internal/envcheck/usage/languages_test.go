package usage

import "testing"

func TestPython(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"environ", "import os\nos.environ['A']\nos.environ.get('B')\nos.environ.get('C', 'c')\nos.getenv(\"D\")\nos.getenv('E', default=1)\nos.environ.get('F') or 'x'", "A! B C? D E? F?"},
		{"under other names", "import os as o\nfrom os import environ as e, getenv\no.environ['A']\ne['B']\ngetenv('C')\nenv = o.environ\nenv.get('D')", "A! B! C D"},
		{"parentheses", "from os import (\n  environ,\n  path,\n)\nenviron['A']", "A!"},
		{"checks", "import os\nif 'A' in os.environ: pass\nif 'B' not in os.environ: pass\nif not os.getenv('C'): pass\nos.environ.get('D', None)\nos.environ.setdefault('E', 'x')\nos.environ.pop('F', None)", "A? B? C? D? E? F?"},
		{"writes", "import os\nos.environ['A'] = 'x'\ndel os.environ['B']\nos.environ.update(x)\nos.putenv('C', '')", ""},
		{"text", "import os\n# os.environ['A']\n'''\nos.environ['B']\n'''\nx = \"os.environ['C']\"\ny = r'os.getenv(\"D\")' # os.getenv('E')", ""},
		{"f-strings", "import os\nf\"a {os.environ['A']} os.environ['B'] {{os.environ['C']}} {os.getenv('D')!r:>{w}}\"\nf\"{os.environ[\"E\"]}\"\nF'''{\nos.environ['F']}'''", "A! D E! F!"},
		{"not knowable", "import os\nos.environ[k]\nos.getenv(f'A_{x}')\ndict(os.environ)\nos.environ.copy()\nrun(env=os.environ)\nfor k in os.environ: pass\n{**os.environ}", "*os.environ[...] *os.getenv(...) **os.environ **os.environ **os.environ **os.environ **os.environ"},
		{"a constant as the name", "import os\nKEY = 'A'\nB: str = \"C\"\nos.environ[KEY]\nos.getenv(KEY)\nD = 'x' + y\nos.getenv(D)", "A! A *os.getenv(...)"},
		{"a function that reads", "import os\ndef need(name, default=None):\n    return os.environ[name]\nneed('A')\nneed('B', 1)\nneed(x)", "A B? *os.environ[...]"},
		{"django-environ", "import environ\nenv = environ.Env(A=(bool, False))\nenv('B')\nenv('C', default='x')\nenv.str('D')\nenv.bool('E', default=False)\nenv.db()\nenv.read_env('.env')\nenv.db('F')\nenv('x')", "A? B! C? D! E? DATABASE_URL! F!"},
		{"environs", "from environs import Env\nenv = Env()\nenv.str('A')\nenv.int('B', 3)", "A! B?"},
		{"decouple", "from decouple import config\nconfig('A')\nconfig('B', default=False, cast=bool)\nconfig('C', cast=int)", "A! B? C!"},
		{"an instance from elsewhere", "from .settings import env\nenv('A')", "A!"},
		{"some other env", "env = make()\nenv('A')\nconfig('B')", ""},
		{"pydantic", "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    '''Doc: text.'''\n    a: str\n    b: int = 3\n    c: str = Field(..., alias='X_C')\n    d: str = Field(default='x')\n    _e: str = ''\n    F: ClassVar[int] = 1\n    model_config = SettingsConfigDict(env_file='.env')\n    def g(self):\n        x: int = 1\nclass Other:\n    h: str", "A! B? X_C! D?"},
		{"pydantic with a prefix", "class Base(BaseSettings):\n    class Config:\n        env_prefix = 'APP_'\nclass S(Base):\n    a: str\n    b: str = Field(validation_alias=AliasChoices('B1', 'B2'))\n    n: Nested = Nested()\nclass Nested(BaseModel):\n    c: str", "APP_A! B1! B2!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.py", tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

func TestGo(t *testing.T) {
	const head = "package a\nimport (\n\"os\"\n\"syscall\"\no \"os\"\n)\n"
	tests := []struct{ name, src, want string }{
		{"os", head + "func f() { os.Getenv(\"A\"); o.LookupEnv(`B`); syscall.Getenv(\"C\"); x.Getenv(\"D\") }", "A B? C"},
		{"dot import", "package a\nimport . \"os\"\nvar a = Getenv(\"A\")", "A"},
		{"text", head + "// os.Getenv(\"A\")\nvar a = `os.Getenv(\"B\")`", ""},
		{"constants", head + "const KEY, KEY2 = \"A\", \"B\"\nvar x = os.Getenv(KEY) + os.Getenv(KEY2) + os.Getenv(c)", "A B *os.Getenv(...)"},
		{"a function that reads", head + "func get(key, fallback string) string { if v := os.Getenv(key); v != \"\" { return v }; return fallback }\nvar x = get(\"A\", \"x\") + get(y, \"B\")", "A? *os.Getenv(...)"},
		{"all of it", head + "var a = os.Environ()\nvar b = os.ExpandEnv(\"env $A-${B}-$$\")\nvar c = os.Getenv(\"A\" + x)", "A B **os.Environ *os.Getenv(...)"},
		{"tags", "package a\ntype S struct {\n A string `env:\"A,required\"`\n B string `env:\"B\" envDefault:\"x\"`\n C string `envconfig:\"C\" json:\"c\"`\n D string `env:\"-\"`\n E string `json:\"E\"`\n}", "A! B? C"},
		{"viper", "package a\nimport \"github.com/spf13/viper\"\nfunc f() { viper.BindEnv(\"a\", \"A\", \"B\"); viper.BindEnv(\"C\") }", "A? B?"},
		{"a call without a name", "package a\nvar a = func(x string) int { return 1 }(\"A\") + f[int](\"B\")", ""},
		{"does not parse", "package a\nfunc f( {\nos.Getenv(\"A\") // os.Getenv(\"B\")\nx := `os.Getenv(\"C\")`", "A"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.go", tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

// Some names can be known only from the files together.
func TestAcrossFiles(t *testing.T) {
	got := scanFiles(t, map[string]string{
		"a/a.go": "package a\nconst KEY = \"A\"\nfunc need(k string) string { return get(k) }",
		"a/b.go": "package a\nimport \"os\"\nfunc get(k string) string { return os.Getenv(k) }\nvar x = os.Getenv(KEY)",
		"a/c.go": "package a\nvar y = get(\"B\")",
		"b/d.go": "package b\nvar y = get(\"C\")",
	})
	if want := "A B *os.Getenv(...)"; got != want {
		t.Errorf("Go: got %s, want %s", got, want)
	}
	got = scanFiles(t, map[string]string{
		"env.ts": "export function requireEnv(name: string) { return process.env[name]! }",
		"a.ts":   "import { requireEnv } from './env'; requireEnv('A'); requireEnv(x)",
		"b.ts":   "import { getEnv } from './other'; getEnv('B')",
	})
	if want := "A *process.env[...]"; got != want {
		t.Errorf("TypeScript: got %s, want %s", got, want)
	}
}

func TestOtherFiles(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"schema.prisma", "generator client {\n  binaryTargets = env(\"T\")\n}\ndatasource db {\n  url = env(\"A\") // env(\"B\")\n  directUrl = env( \"C\" )\n}\nmodel M {\n  id Int @default(env(\"D\"))\n}", "T A C"},
		{"a.prisma", "datasource db { url = env(\"A\") }\nmodel M { id Int @map(\"env(\\\"B\\\")\") }", "A"},
		{"Dockerfile", "# ENV A=1\nARG B\nENV C=$D E=${F:-x}\nRUN echo $$G\nCMD [\"x\"]", "B~ C~ D~ F~"},
		{"docker-compose.yml", "services:\n  a:\n    image: x:${TAG:-1}\n    environment:\n      - A\n      - B=1 # ${C}\n      D: $E\n      # - F", "TAG~ A~ B~ D~ E~"},
		{".github/workflows/ci.yml", "env:\n  A: ${{ secrets.B }}\n  # ${{ secrets.C }}\n  D: ${{ vars.E || env.F }}", "B~ E~ F~"},
		{"package.json", `{"scripts": {"a": "next dev -p $PORT && echo ${X}"}}`, "PORT~ X~"},
		{"render.yaml", "envVars:\n  - key: KNOWN\n  - key: OTHER\n# KNOWN2", "KNOWN~"},
		{"a.rb", "ENV['KNOWN']", "KNOWN~"},
		{".env.production", "KNOWN=1", ""},
		{"README.md", "KNOWN", ""},
		{"a.ts", "// KNOWN\nconst x = cfg.KNOWN2; 'KNOWN in a text'; f(\"KNOWN3\")", "KNOWN2~ KNOWN3~"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, tt.name, tt.src, "KNOWN", "KNOWN2", "KNOWN3"); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}
