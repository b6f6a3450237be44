package scaffold

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/opsctl/opsctl/internal/errs"
)

// DetectOptions are what changes the detection.
type DetectOptions struct {
	// ReplaceDockerfile: a Dockerfile that is not init's is overwritten, and does not count.
	ReplaceDockerfile bool
}

// Detect finds out what kind of app is in dir. At the root of a workspace with one app
// it is that app. An app that init cannot serve is an errs.CheckFailed whose hint says
// what was looked for; a package.json that is not valid is an errs.Usage with its line.
func Detect(ctx context.Context, dir string, opts DetectOptions) (*Stack, error) {
	dir, err := realDir(dir)
	if err != nil {
		return nil, err
	}
	member, err := onlyApp(os.DirFS(dir), filepath.Base(dir))
	if err != nil {
		return nil, err
	}
	places, err := findPlaces(filepath.Join(dir, filepath.FromSlash(member)))
	if err != nil {
		return nil, err
	}
	s := &Stack{Places: places}
	if member != "." {
		s.because("app", member, "", 0, "the only member of this workspace that depends on next")
	}
	// Nothing outside of the repository is read, wherever a link leads.
	repo, err := os.OpenRoot(places.Repo)
	if err != nil {
		return nil, errs.Wrap(err, errs.Failure, "open the repository")
	}
	defer repo.Close()
	app, err := fs.Sub(repo.FS(), places.Dir)
	if err != nil {
		return nil, err
	}
	root, err := fs.Sub(repo.FS(), places.Context)
	if err != nil {
		return nil, err
	}
	record, err := readRecord(app)
	if err != nil {
		return nil, err
	}
	d := &detector{
		Stack: s, app: app, root: root, repo: repo.FS(), folder: filepath.Base(filepath.Join(places.Repo, places.Dir)),
		written: record.has, replace: opts.ReplaceDockerfile,
	}
	d.Branch = record.branch
	d.gitIgnored, d.tracked = askGit(ctx, places.Repo, places.Dir)
	if err := d.detect(); err != nil {
		return nil, err
	}
	return s, nil
}

// onlyApp is the folder of the app at the root of a workspace: "." when the root is
// the app itself, or no workspace.
func onlyApp(fsys fs.FS, folder string) (string, error) {
	globs, err := workspaceGlobs(fsys)
	if err != nil || len(globs) == 0 {
		return ".", err
	}
	if m, err := readManifest(fsys); err != nil {
		return ".", err
	} else if _, ok := m.Dependencies["next"]; ok {
		return ".", nil
	}
	all, err := readWorkspace(fsys, globs)
	if err != nil {
		return ".", err
	}
	var apps []string
	for _, p := range all {
		if slices.Contains(p.deps, "next") && isApp(fsys, p.Dir) {
			apps = append(apps, p.Dir)
		}
	}
	switch len(apps) {
	case 0:
		return ".", nil
	case 1:
		return apps[0], nil
	}
	return ".", errs.New(errs.Usage, "%s is a workspace with %d apps: %s", folder, len(apps), strings.Join(apps, ", ")).
		WithHint("name one: opsctl init %s", apps[0])
}

// isApp tells an app from a library of components, which depends on next as well.
func isApp(fsys fs.FS, dir string) bool {
	return slices.ContainsFunc([]string{"app", "src/app", "pages", "src/pages"}, func(d string) bool { return isDir(fsys, path.Join(dir, d)) })
}

// detector is a Stack in the making, and where it looks.
type detector struct {
	*Stack
	repo    fs.FS  // the repository
	app     fs.FS  // the app's folder
	root    fs.FS  // the build context's root: the workspace's, or the app's folder
	folder  string // the app's folder by name: the last resort for the app's
	written func(name string) bool
	replace bool
	orm     unit // where the ORM is a dependency

	tracked    []string          // files with secrets that git has, seen from the app's folder
	gitIgnored map[string]bool   // relative to the repository
	found      []source          // what sources returns
	known      map[string]EnvUse // variables that no code reads itself
}

// detect looks for each kind of app in turn.
func (d *detector) detect() error {
	d.known = map[string]EnvUse{}
	if err := d.detectOwnFiles(); err != nil {
		return err
	}
	m, err := d.manifest()
	if err != nil {
		return err
	}
	d.detectName(m)
	for _, kind := range []func(*manifest) (bool, error){d.detectNext, d.detectGo, d.detectPython, d.detectNode} {
		if found, err := kind(m); found || err != nil {
			if err != nil {
				return err
			}
			return d.finish()
		}
	}
	if d.OwnDockerfile == nil {
		return unknownStack(d.nothingFound(m))
	}
	d.Kind = Dockerfile
	d.because("stack", "docker", "Dockerfile", 1, "there is a Dockerfile, and nothing else that init knows")
	return d.finish()
}

// manifest is the app's package.json, or an empty one.
func (d *detector) manifest() (*manifest, error) {
	if !isFile(d.app, "package.json") {
		return &manifest{}, nil
	}
	return readManifest(d.app)
}

func (d *detector) nothingFound(m *manifest) string {
	switch _, dev := m.DevDependencies["next"]; {
	case m.src == nil:
		return "there is no package.json, go.mod, pyproject.toml, requirements.txt or Dockerfile"
	case dev:
		return "next is a development dependency; a production build needs it in dependencies"
	case len(m.Workspaces) > 0:
		return "package.json is the root of a workspace, and no member depends on next"
	}
	return "package.json does not depend on next, and has no start script that runs a file with node"
}

// finish decides what every kind of app has in common.
func (d *detector) finish() error {
	if d.Port == 0 {
		d.Port = 3000
	}
	if err := d.scanSources(); err != nil {
		return err
	}
	if d.Kind != NextJS {
		if err := d.detectHealth(); err != nil {
			return err
		}
	}
	if err := d.detectIgnored(); err != nil {
		return err
	}
	if err := d.detectCI(); err != nil {
		return err
	}
	for _, name := range d.tracked {
		d.Notes = append(d.Notes, name+" is in git, with what is secret in it: git rm --cached "+name+", and replace the secrets")
	}
	return d.checkNames()
}

// detectCI finds the branch that is deployed, and a CI that is not GitHub's: who has one
// does not want another.
func (d *detector) detectCI() error {
	if d.Branch == "" {
		if err := d.detectBranch(); err != nil {
			return err
		}
	}
	repo := d.repo
	if isDir(repo, ".github") {
		return nil
	}
	for _, name := range []string{".gitlab-ci.yml", "bitbucket-pipelines.yml", ".circleci/config.yml", "azure-pipelines.yml", "Jenkinsfile", ".woodpecker.yml"} {
		if isFile(repo, name) {
			d.OtherCI = name
			d.because("ci", "none", d.FromApp(name), 0, "another CI than GitHub's is used, so no workflows are written")
			return nil
		}
	}
	return nil
}

var branchName = lazily(`^ref: refs/(?:remotes/origin|heads)/([A-Za-z0-9][A-Za-z0-9._/-]*)\s*$`)

// detectBranch takes the branch that the remote calls its own, or the one that is
// checked out when it is named like one. The record keeps it, because a clone of a CI
// knows neither.
func (d *detector) detectBranch() error {
	d.Branch = "main"
	for _, name := range []string{"trunk", "master", "main"} {
		if isFile(d.repo, ".git/refs/heads/"+name) {
			d.Branch = name
		}
	}
	for _, file := range []string{".git/refs/remotes/origin/HEAD", ".git/HEAD"} {
		src, err := optional(d.repo, file)
		if err != nil {
			return err
		}
		m := branchName.FindSubmatch(src)
		if m == nil || file == ".git/HEAD" && !slices.Contains([]string{"main", "master", "trunk"}, string(m[1])) {
			continue
		}
		d.Branch = string(m[1])
		d.because("branch", d.Branch, d.FromApp(file), 1, "the one that workflows are for")
		return nil
	}
	return nil
}

func (d *detector) detectName(m *manifest) {
	if d.App = sanitizeApp(m.Name); d.App != "" {
		d.because("app name", d.App, "package.json", m.line("", "name"), "the package's name")
		return
	}
	if d.App = sanitizeApp(d.folder); d.App != "" {
		d.because("app name", d.App, "", 0, "the folder's name: no package.json names one that can be used")
		return
	}
	d.App = "app"
	d.because("app name", d.App, "", 0, "neither package.json nor the folder has a name that can be used")
}

// rename has another name win over the one that was found first.
func (d *detector) rename(name, file string, line int, why string) {
	d.App = name
	d.Reasons = slices.DeleteFunc(d.Reasons, func(r Reason) bool { return r.What == "app name" })
	d.because("app name", name, file, line, why)
}

var (
	exposed   = lazily(`(?mi)^EXPOSE\s+(\d+)`)
	userLine  = lazily(`(?mi)^USER\s+(\S+)`)
	fromLine  = lazily(`(?mi)^FROM\s+(\S+)`)
	startLine = lazily(`(?mi)^(?:CMD|ENTRYPOINT)\s+.*$`)
)

// OwnDockerfile is what can be read off the user's Dockerfile.
type OwnDockerfile struct {
	Standalone bool // it ships Next.js's standalone output
}

// dockerfileHead is what every Dockerfile of init's begins with.
const dockerfileHead = "# Production image of "

// detectOwnFiles finds the Dockerfile and the compose file that are not init's.
func (d *detector) detectOwnFiles() error {
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yaml"} {
		if isFile(d.app, name) {
			d.OwnCompose = name
			d.because("compose", name, name, 0, "it is kept, and no docker-compose.yml is written beside it")
		}
	}
	d.OwnExample = isFile(d.app, exampleFile) && !d.written(exampleFile) && !d.recognised(exampleFile, exampleMark)
	if d.OwnCompose != "" {
		d.Notes = append(d.Notes, d.OwnCompose+" is kept, and init adds no service to it")
	}
	src, err := optional(d.app, "Dockerfile")
	if err != nil || src == nil || d.written("Dockerfile") || d.replace {
		return err
	}
	if bytes.HasPrefix(src, []byte(dockerfileHead)) {
		return nil // init's, from before its record was lost
	}
	d.OwnDockerfile = &OwnDockerfile{Standalone: strings.Contains(string(src), "standalone")}
	d.because("dockerfile", "your own", "Dockerfile", 1, "it is kept, and the other files are written around it; --force replaces it")
	// Only the last stage is what runs.
	last := 0
	if all := fromLine.FindAllIndex(src); len(all) > 0 {
		last = all[len(all)-1][0]
	}
	final := src[last:]
	if match := exposed.FindSubmatchIndex(final); match != nil {
		if n, err := strconv.Atoi(string(final[match[2]:match[3]])); err == nil && n > 0 && n < 1<<16 {
			d.Port = n
			d.because("port", strconv.Itoa(n), "Dockerfile", lineAt(src, last+match[0]), "EXPOSE")
		}
	}
	users := userLine.FindAllSubmatch(final)
	if len(users) == 0 || slices.Contains([]string{"root", "0"}, string(users[len(users)-1][1])) {
		d.Notes = append(d.Notes, "Dockerfile: the app runs as root; add a USER to its last stage")
	}
	if loc := startLine.FindIndex(final); loc != nil && migrating.Match(final[loc[0]:loc[1]]) {
		d.Notes = append(d.Notes, fmt.Sprintf("Dockerfile:%d migrates whenever a container starts; move that to release.command in opsctl.yaml, which runs once and before the new version", lineAt(src, last+loc[0])))
	}
	return nil
}

// detectIgnored looks at a .dockerignore of the user's own, which is kept: does it let
// files with secrets into the image's build?
func (d *detector) detectIgnored() error {
	src, err := optional(d.root, ".dockerignore")
	if src == nil || err != nil || d.Nested() && d.OwnDockerfile == nil || d.written(d.FromApp(path.Join(d.Context, ".dockerignore"))) {
		return err // in a workspace init's Dockerfile has one of its own
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(src))
	if err != nil {
		return errs.Wrap(err, errs.Usage, "%s", d.contextFile(".dockerignore"))
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return errs.Wrap(err, errs.Usage, "%s", d.contextFile(".dockerignore")).WithHint("correct the pattern")
	}
	for _, secret := range []string{".env", ".env.local", ".env.production"} {
		out, err := matcher.MatchesOrParentMatches(d.InContext(secret))
		if err != nil {
			return err
		}
		if !out {
			d.Notes = append(d.Notes, d.contextFile(".dockerignore")+" lets "+secret+" into the image's build; add **/.env and **/.env.*")
			return nil
		}
	}
	return nil
}
