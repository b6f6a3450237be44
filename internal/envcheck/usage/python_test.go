package usage

import (
	"testing"
	"testing/fstest"
)

func TestPythonChecks(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"raise", "if not os.environ.get('A'):\n    raise RuntimeError('A')\nif os.getenv('B') is None: raise X\nif 'C' not in os.environ:\n    log('C')\n    sys.exit('C')\nif not os.getenv('D'):\n    sys.exit(0)\nif os.getenv('E') == '':\n    exit(1)\n", "A! B! C! D? E!"},
		{"otherwise", "if not os.getenv('A'):\n    print('A')\nif os.getenv('B') != 'yes':\n    raise X\nassert os.getenv('C'), 'C'\nassert os.getenv('D') is not None\nx = os.getenv('E') or sys.exit('E')\ny = bool(os.getenv('F'))\n", "A? B? C! D! E! F?"},
		{"many", "if not os.getenv('A') or not os.getenv('B'):\n    raise X\nif not os.getenv('C') and not os.getenv('D'):\n    raise X\n", "A! B! C? D?"},
		{"else and the rest", "if os.getenv('A'):\n    f()\nelse:\n    raise X\ndef f():\n    if os.getenv('B'):\n        return 1\n    raise X\n", "A! B!"},
		{"a name", "A = os.getenv('A')\nif not A:\n    raise X\nb = os.environ.get('B')\nif b:\n    f(b)\nC = os.getenv('C')\nuse(C)\nD: str | None = os.getenv('D', '')\nif D is None: raise X\ne = os.getenv('E')\ne2 = e or 'x'\n", "A! B? C D! E?"},
		{"a name of a function", "def f():\n    a = os.getenv('A')\n    use(a)\ndef g(a):\n    if a:\n        use(a)\n", "A"},
		{"a walrus", "if (a := os.getenv('A')) is None:\n    raise X\nif b := os.getenv('B'):\n    f(b)\n", "A! B?"},
		{"guarded", "if os.getenv('A'):\n    f(os.environ['A'], os.environ['B'])\nf(os.environ['A'])\nif 'C' in os.environ:\n    f(os.environ['C'])\n", "A? A? B! A! C? C?"},
		{"guarded in an expression", "a = os.environ['A'] if 'A' in os.environ else None\nb = os.getenv('B') and f(os.environ['B'])\nc = f(1 if not os.getenv('C') else os.environ['C'])\n", "A? A? B? B? C? C?"},
		{"guarded by a return", "def f():\n    if not os.getenv('A'):\n        return\n    g(os.environ['A'])\ng(os.environ['A'])\n", "A? A? A!"},
		{"caught", "try:\n    a = os.environ['A']\nexcept KeyError:\n    a = 1\ntry:\n    b = os.environ['B']\nexcept KeyError as e:\n    raise X from e\ntry:\n    with x:\n        c = os.environ['C']\nexcept (OSError, KeyError):\n    c = None\ntry:\n    d = os.environ['D']\nexcept OSError:\n    pass\n", "A? B! C? D!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := scanText(t, "a.py", "import os, sys\n"+tt.src); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
}

func TestPythonSettings(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"django-environ's scheme", "import environ\nenv = environ.Env(A=(str, ''), B=bool, C=(bool,))\nenv('A')\nenv('B')\nenv.bool('C')", "A? A? B! C!"},
		{"environs with a prefix", "from environs import Env\nenv = Env()\nwith env.prefixed('APP_'):\n    a = env.str('A')\n    with env.prefixed('DB_'):\n        b = env.int('B', 3)\nc = env('C')", "APP_A! APP_DB_B? C!"},
		{"pydantic's classes in classes", "class Db(BaseModel):\n    host: str\n    port: int = 5432\nclass S(BaseSettings):\n    model_config = SettingsConfigDict(env_nested_delimiter='__', env_prefix='APP_')\n    db: Db\n    other: Db = Db()", "APP_DB__HOST! APP_OTHER__HOST? APP_DB__PORT? APP_OTHER__PORT?"},
		{"without a delimiter", "class Db(BaseModel):\n    host: str\nclass S(BaseSettings):\n    db: Db\n    x: str", "X!"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := namesOf(scanned(t, fstest.MapFS{"a.py": {Data: []byte(tt.src)}}, Options{})); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.src, got, tt.want)
			}
		})
	}
	r := scanned(t, fstest.MapFS{
		"base.py": {Data: []byte("import environ\nenv = environ.Env(A=(str, ''))")},
		"prod.py": {Data: []byte("from .base import env\nenv('A')\nenv('B')")},
	}, Options{})
	if got, want := namesOf(r), "A? A? B!"; got != want {
		t.Errorf("over files: got %s, want %s", got, want)
	}
}
