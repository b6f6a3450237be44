package postgres

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// BinDirVariable names the environment variable whose value, a list of
// directories as in PATH, is searched before every other place.
const BinDirVariable = "OPSCTL_PG_BINDIR"

// Program sets that callers ask Find for.
var (
	// ServerPrograms are needed for a scratch cluster.
	ServerPrograms = []string{"initdb", "postgres"}
	// DumpPrograms are needed for a logical backup.
	DumpPrograms = []string{"pg_dump", "pg_dumpall"}
	// RestorePrograms are needed to prove a logical backup.
	RestorePrograms = []string{"initdb", "postgres", "pg_dump", "pg_restore"}
)

// Install is one directory with PostgreSQL programs of one version.
type Install struct {
	Dir     string // holds the programs
	Major   int    // 15, 16, ...
	Version string // as the programs print it, "15.20"
}

// Path is the path of the named program.
func (i *Install) Path(program string) string { return filepath.Join(i.Dir, program) }

// FindOptions says which programs are wanted.
type FindOptions struct {
	Major    int      // the server's major version; 0 takes the newest found
	Programs []string // all of these must be there
	NeededBy string   // what needs them, for the error: "backup create"

	Getenv func(string) string // nil: os.Getenv
	Roots  []string            // nil: the usual places of this operating system (patterns)
}

// Find returns the programs of exactly o.Major, or else of the lowest newer
// version: an older pg_dump refuses a newer server, and a newer archive may be
// unreadable for an older pg_restore. The error (code Failure) names the
// versions that were found, and the hint says how to install the right one.
func Find(ctx context.Context, o FindOptions) (*Install, error) {
	if err := checkNamed(ctx, o); err != nil {
		return nil, err
	}
	all := List(ctx, o)
	var best *Install
	for _, in := range all {
		switch {
		case o.Major == 0:
			if best == nil || in.Major > best.Major {
				best = in
			}
		case in.Major == o.Major:
			return in, nil
		case in.Major > o.Major && (best == nil || in.Major < best.Major):
			best = in
		}
	}
	if best != nil {
		return best, nil
	}
	return nil, notFound(o, all)
}

// checkNamed refuses a directory that was named and holds nothing usable:
// taking others in silence would hide the mistake.
func checkNamed(ctx context.Context, o FindOptions) error {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	named := getenv(BinDirVariable)
	if named == "" {
		return nil
	}
	for _, dir := range filepath.SplitList(named) {
		if inspect(ctx, dir, o.Programs) != nil {
			return nil
		}
	}
	return errs.New(errs.Usage, "%s names %s, where %s cannot be found or run", BinDirVariable, named, strings.Join(o.Programs, ", ")).
		WithHint("name the directory of PostgreSQL's programs, such as /usr/lib/postgresql/16/bin, or unset it")
}

func notFound(o FindOptions, all []*Install) error {
	by := o.NeededBy
	if by == "" {
		by = "opsctl"
	}
	programs := strings.Join(o.Programs, ", ")
	if len(all) == 0 {
		return errs.New(errs.Failure, "%s needs PostgreSQL's programs (%s), which were not found", by, programs).
			WithHint("%s", InstallHint(o.Major))
	}
	found := make([]string, len(all))
	for i, in := range all {
		found[i] = in.Version + " in " + in.Dir
	}
	return errs.New(errs.Failure, "%s needs %s of PostgreSQL %d or newer to work with a server of version %d, found only %s",
		by, programs, o.Major, o.Major, strings.Join(found, "; ")).
		WithHint("%s", InstallHint(o.Major))
}

// InstallHint is the command that installs the programs of a major version
// here, and the variable that points opsctl at programs elsewhere.
func InstallHint(major int) string {
	v := ""
	if major > 0 {
		v = strconv.Itoa(major)
	}
	var how string
	switch runtime.GOOS {
	case "darwin":
		how = "brew install postgresql@" + v
		if v == "" {
			how = "brew install postgresql"
		}
	case "windows":
		how = "install PostgreSQL " + v + " from postgresql.org"
	default:
		how = "apt-get install postgresql-" + v + " postgresql-client-" + v + " (from apt.postgresql.org when the distribution lacks it)"
		if v == "" {
			how = "apt-get install postgresql postgresql-client"
		}
	}
	return how + ", or set " + BinDirVariable + " to the directory that holds the programs"
}

// List returns every install that has all programs of o, best place first
// (the variable, the packaging systems' directories, PATH), one per directory.
func List(ctx context.Context, o FindOptions) []*Install {
	var found []*Install
	var seen []string
	for _, dir := range candidateDirs(o) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			dir = real
		}
		if slices.Contains(seen, dir) {
			continue
		}
		seen = append(seen, dir)
		if in := inspect(ctx, dir, o.Programs); in != nil {
			found = append(found, in)
		}
	}
	return found
}

func candidateDirs(o FindOptions) []string {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	roots := o.Roots
	if roots == nil {
		roots = usualRoots(runtime.GOOS)
	}
	dirs := filepath.SplitList(getenv(BinDirVariable))
	for _, pattern := range roots {
		matches, _ := filepath.Glob(pattern) // the only error is a bad pattern, and these are constants
		slices.Reverse(matches)              // newest first, for readable errors
		dirs = append(dirs, matches...)
	}
	for _, dir := range filepath.SplitList(getenv("PATH")) {
		// Debian's pg_wrapper in /usr/bin picks a version by itself and runs
		// nothing as the server; its real programs were globbed above.
		if dir != "" {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

func usualRoots(goos string) []string {
	switch goos {
	case "darwin":
		return []string{
			"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
			"/Applications/Postgres.app/Contents/Versions/*/bin",
		}
	case "windows":
		return []string{`C:\Program Files\PostgreSQL\*\bin`}
	default:
		return []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/postgresql*/bin"}
	}
}

// versionLine matches "pg_dump (PostgreSQL) 15.20 (Debian ...)", "... 18beta1", "... 17.10".
var versionLine = regexp.MustCompile(`\(PostgreSQL\) ((\d+)(?:[.\w]*))`)

// inspect returns nil when a program is missing or prints no version.
func inspect(ctx context.Context, dir string, programs []string) *Install {
	if len(programs) == 0 {
		programs = ServerPrograms
	}
	for _, p := range programs {
		if _, err := exec.LookPath(filepath.Join(dir, p)); err != nil {
			return nil
		}
	}
	out, err := execx.Output(ctx, execx.Cmd{Path: filepath.Join(dir, programs[0]), Args: []string{"--version"}, Env: childEnv(), Dir: string(filepath.Separator)})
	if err != nil {
		return nil
	}
	version, major, err := parseVersion(string(out))
	if err != nil {
		return nil
	}
	return &Install{Dir: dir, Major: major, Version: version}
}

// parseVersion reads the output of a PostgreSQL program's --version.
func parseVersion(out string) (version string, major int, err error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", 0, fmt.Errorf("no PostgreSQL version in %q", strings.TrimSpace(out))
	}
	major, err = strconv.Atoi(m[2])
	return m[1], major, err
}

// childEnv is the whole environment of the programs that run a cluster: no
// PG* variable of the user's and no secret of the parent reaches them.
func childEnv() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}
}
