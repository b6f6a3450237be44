package scaffold

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// GoProgram is what the image builds of a Go module.
type GoProgram struct {
	Version string // for the image, for instance "1.26"
	Main    string // the package, for instance "./cmd/server"
	Sum     bool   // there is a go.sum
	Vendor  bool   // dependencies are in the repository
	Local   bool   // a dependency is replaced by a folder of the repository
}

var (
	goDirective    = lazily(`(?m)^go\s+(\d+\.\d+)`)
	goModule       = lazily(`(?m)^module\s+(\S+)`)
	packageMain    = lazily(`(?m)^package main\b`)
	goPostgres     = lazily(`(?m)^\s*(?:require\s+)?(github\.com/jackc/pgx(?:/v\d)?|github\.com/lib/pq|gorm\.io/driver/postgres)\s`)
	goRedis        = lazily(`(?m)^\s*(?:require\s+)?(github\.com/redis/(?:go-redis|rueidis)\S*|github\.com/go-redis/redis\S*|github\.com/gomodule/redigo)\s`)
	goCgo          = lazily(`(?m)^\s*(?:require\s+)?(github\.com/mattn/go-sqlite3|github\.com/confluentinc/confluent-kafka-go\S*|github\.com/h2non/bimg|github\.com/davidbyttow/govips\S*)\s`)
	goOpens        = lazily(`\b(?:ParseFiles|ParseGlob|os\.Open|os\.ReadFile|os\.DirFS|http\.Dir)\(\s*"(?:\./)?[a-zA-Z]`)
	localReplace   = lazily(`(?m)=>\s*\.{1,2}/`)
	versionInPath  = lazily(`^v\d+$`)
	goServerFolder = []string{"server", "api", "web", "app", "serve"}
)

// detectGo is the detection of a Go module with a program.
func (d *detector) detectGo(*manifest) (bool, error) {
	mod, err := optional(d.app, "go.mod")
	if mod == nil {
		return false, err
	}
	d.Kind, d.Go.Version = Go, "1"
	line := 1
	if match := goDirective.FindSubmatchIndex(mod); match != nil {
		d.Go.Version, line = string(mod[match[2]:match[3]]), lineAt(mod, match[0])
	}
	d.because("stack", "Go "+d.Go.Version, "go.mod", line, "the go directive")
	if match := goModule.FindSubmatchIndex(mod); match != nil {
		module := string(mod[match[2]:match[3]])
		base := path.Base(module)
		if versionInPath.MatchString(base) {
			base = path.Base(path.Dir(module))
		}
		if name := sanitizeApp(base); name != "" {
			d.App = name
			d.rename(name, "go.mod", lineAt(mod, match[0]), "the module's name")
		}
	}
	d.Go.Sum, d.Go.Vendor = isFile(d.app, "go.sum"), isFile(d.app, "vendor/modules.txt")
	if d.Port == 0 {
		d.Port = 8080
		d.because("port", "8080", "", 0, "default for Go; the image sets PORT, and the app has to listen on it")
	}
	d.Go.Local = localReplace.Match(mod)
	if match := goPostgres.FindSubmatchIndex(mod); match != nil {
		d.OtherPostgres = true
		d.because("postgres client", string(mod[match[2]:match[3]]), "go.mod", lineAt(mod, match[2]), "a dependency")
	}
	if match := goRedis.FindSubmatchIndex(mod); match != nil {
		d.Redis = "go"
		d.because("redis client", string(mod[match[2]:match[3]]), "go.mod", lineAt(mod, match[2]), "a dependency")
	}
	if d.OwnDockerfile != nil {
		return true, nil
	}
	if loc := goCgo.FindIndex(mod); loc != nil {
		return true, errs.New(errs.CheckFailed, "go.mod:%d: %s needs a C compiler and C libraries, and the image is built without", lineAt(mod, loc[0]), strings.TrimSpace(string(mod[loc[0]:loc[1]]))).
			WithHint("use a module in pure Go, such as modernc.org/sqlite; or write a Dockerfile, and run init again")
	}
	if err := d.goFiles(); err != nil {
		return true, err
	}
	return true, d.detectGoMain()
}

// goFiles notes files that the program opens when it runs: the image has none.
func (d *detector) goFiles() error {
	sources, err := d.sources()
	if err != nil {
		return err
	}
	for _, s := range sources {
		src, err := s.read()
		if err != nil {
			return err
		}
		if loc := goOpens.FindIndex(src); loc != nil {
			d.Notes = append(d.Notes, fmt.Sprintf("%s:%d opens a file of the repository when the program runs, and the image holds the program alone: embed it (go:embed)", s.shown, lineAt(src, loc[0])))
			return nil
		}
	}
	return nil
}

// detectGoMain finds the program: at the root, or the one of cmd that is named like
// the app or like a server.
func (d *detector) detectGoMain() error {
	mains, err := d.goMains()
	if err != nil {
		return err
	}
	use := func(dir, why string) error {
		d.Go.Main = "./" + strings.TrimPrefix(dir, "./")
		if dir == "." {
			d.Go.Main = "."
		}
		d.because("program", d.Go.Main, dir, 0, why)
		d.goMigrations()
		return nil
	}
	if slices.Contains(mains, ".") {
		return use(".", "package main at the root")
	}
	if len(mains) == 1 {
		return use(mains[0], "the only package main")
	}
	for _, name := range append([]string{d.App}, goServerFolder...) {
		for _, dir := range mains {
			if path.Base(dir) == name {
				return use(dir, fmt.Sprintf("of %d programs, the one named like the app or a server", len(mains)))
			}
		}
	}
	if len(mains) == 0 {
		return unknownStack("go.mod is there, and no package main")
	}
	return errs.New(errs.CheckFailed, "there are %d programs, and none is named %s or server: %s", len(mains), d.App, strings.Join(mains, ", ")).
		WithHint("write a Dockerfile that builds the one to deploy, and run init again")
}

func (d *detector) goMigrations() {
	for _, dir := range []string{"migrations", "db/migrations", "internal/db/migrations", "sql/migrations"} {
		if names, err := fs.Glob(d.app, dir+"/*.sql"); err == nil && len(names) > 0 {
			d.because("migrations", "none", names[0], 0, "SQL files, and no way to know what runs them")
			d.Notes = append(d.Notes, dir+" holds migrations: have the program apply them when asked to (for instance "+d.App+" migrate), and set release.command in opsctl.yaml to ["+d.App+", migrate]")
			return
		}
	}
}

// goMains are the folders with a package main, without tests, tools and examples.
func (d *detector) goMains() ([]string, error) {
	sources, err := d.sources()
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, s := range sources {
		dir := path.Dir(s.name)
		top, _, _ := strings.Cut(s.name, "/")
		if !strings.HasSuffix(s.name, ".go") || slices.Contains(dirs, dir) || top == "tools" || top == "examples" || strings.Contains("/"+s.name, "/_") {
			continue
		}
		src, err := s.read()
		if err != nil {
			return nil, err
		}
		if packageMain.Match(src) && !strings.Contains(string(src), "//go:build ignore") {
			dirs = append(dirs, dir)
		}
	}
	return dirs, nil
}
