package scaffold

import (
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// The versions that are installed when packageManager names none: one that reads
// the lockfile's format.
const (
	pnpmForLock9  = "12.21.0"
	pnpmForLock6  = "8.15.9"
	yarnClassic   = "1.22.22"
	yarnForBerry  = "4.18.1"
	bunForAnyLock = "1.4.5"
)

var (
	exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$`)
	lockVersion  = regexp.MustCompile(`(?m)^lockfileVersion:\s*'?"?(\d+)`)
	npmrcToken   = regexp.MustCompile(`(?m)^\s*[^#;\s][^=\n]*_(auth|authToken|password)\s*=`)
	berryLock    = regexp.MustCompile(`(?m)^__metadata:`)
	yarnPath     = regexp.MustCompile(`(?m)^yarnPath:\s*"?([^"\s]+)"?`)
	nodeLinker   = regexp.MustCompile(`(?m)^nodeLinker:\s*"?node-modules"?`)
)

type lockfile struct{ file, pm string }

var lockfiles = []lockfile{
	{"pnpm-lock.yaml", "pnpm"}, {"package-lock.json", "npm"}, {"npm-shrinkwrap.json", "npm"},
	{"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
}

// detectPackageManager decides by the lockfile, because it is what the image installs
// from; packageManager adds the exact version. Both are at the workspace's root,
// where there is one.
func (s *Stack) detectPackageManager(root fs.FS, m *manifest) error {
	owner := m // whose packageManager counts
	if s.Nested() {
		var err error
		if owner, err = readManifest(root); err != nil {
			return err
		}
	}
	manifestFile := s.contextFile("package.json")
	name, version, _ := strings.Cut(owner.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+") // the hash that corepack adds
	if version != "" && !exactVersion.MatchString(version) {
		return errs.New(errs.Usage, "%s:%d: packageManager %q is not an exact version", manifestFile, owner.line("", "packageManager"), owner.PackageManager).
			WithHint("write it as %s@1.2.3", name)
	}
	var found []lockfile
	for _, l := range lockfiles {
		if isFile(root, l.file) && (name == "" || name == l.pm) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) == 0:
		return missingLock(name, path.Dir(manifestFile))
	case len(found) > 1 && found[0].pm != found[1].pm:
		return errs.New(errs.CheckFailed, "two lockfiles: %s and %s", s.contextFile(found[0].file), s.contextFile(found[1].file)).
			WithHint("remove the one that is not used, or set packageManager in package.json")
	}
	s.PM = PackageManager{Name: found[0].pm, Version: version, Lockfile: found[0].file}
	s.because("package manager", s.PM.Name, s.contextFile(s.PM.Lockfile), 0, "its lockfile is there")
	if version != "" {
		s.because(s.PM.Name+" version", version, manifestFile, owner.line("", "packageManager"), "packageManager")
	}
	s.detectInstallScripts(root, owner)
	return s.detectInstall(root, m)
}

// missingLock says which lockfile is missing and, where an install would write it, how.
func missingLock(name, dir string) error {
	if dir == "." {
		dir = "beside package.json"
	} else {
		dir = "in " + dir
	}
	if slices.ContainsFunc(lockfiles, func(l lockfile) bool { return l.pm == name }) {
		return errs.New(errs.CheckFailed, "packageManager is %s, and its lockfile is not %s", name, dir).
			WithHint("run `%s install` first: it writes the lockfile that the image installs from; then run init again", name)
	}
	if name != "" {
		return unknownStack("packageManager is " + name + ", and only npm, pnpm, yarn and bun are known")
	}
	return errs.New(errs.CheckFailed, "there is no lockfile %s", dir).
		WithHint("run `npm install`, or the install of the package manager that you use: it writes the lockfile that the image installs from; then run init again")
}

// detectInstall collects what an install reads, and fills in the version.
func (s *Stack) detectInstall(root fs.FS, m *manifest) error {
	s.ManifestFiles = []string{"package.json", s.PM.Lockfile}
	for _, f := range map[string][]string{
		"pnpm": {"pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs"},
		"yarn": {".yarnrc.yml", ".yarnrc"},
		"bun":  {"bunfig.toml"},
	}[s.PM.Name] {
		if isFile(root, f) {
			s.ManifestFiles = append(s.ManifestFiles, f)
			s.because("install reads", f, s.contextFile(f), 0, s.PM.Name+"'s own settings")
		}
	}
	folders := []string{"patches"}
	if s.PM.Name == "yarn" {
		folders = []string{".yarn/releases", ".yarn/plugins", ".yarn/patches", "patches"}
	}
	for _, dir := range folders {
		if isDir(root, dir) {
			s.ManifestDirs = append(s.ManifestDirs, dir)
			s.because("install reads", dir, s.contextFile(dir), 0, "what the lockfile refers to")
		}
	}
	if err := s.pinPackageManager(root); err != nil {
		return err
	}
	s.detectLocal(root, m)
	npmrc, err := optional(root, ".npmrc")
	if err != nil {
		return err
	}
	switch {
	case npmrc == nil:
	case npmrcToken.Match(npmrc):
		s.NpmrcSecret = true
		s.because("install reads", ".npmrc", s.contextFile(".npmrc"), 0, "it holds a token, so it is mounted as a secret and enters no layer")
		s.Notes = append(s.Notes, "the build needs .npmrc, which holds a token: docker build --secret id=npmrc,src=.npmrc .")
	default:
		s.ManifestFiles = append(s.ManifestFiles, ".npmrc")
		s.because("install reads", ".npmrc", s.contextFile(".npmrc"), 0, "the package manager's settings")
	}
	return nil
}

// detectLocal finds dependencies that are folders or archives of the repository, which
// an install reads. A workspace's own members are not among them.
func (s *Stack) detectLocal(root fs.FS, m *manifest) {
	for _, deps := range []map[string]string{m.Dependencies, m.DevDependencies} {
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			kind, local, ok := strings.Cut(deps[name], ":")
			if !ok || kind != "file" && kind != "link" && kind != "portal" {
				continue
			}
			dir := s.InContext(local)
			if _, err := fs.Stat(root, dir); err != nil || slices.Contains(s.ManifestDirs, dir) {
				continue // outside of the build context: the install will say so
			}
			s.ManifestDirs = append(s.ManifestDirs, dir)
			s.because("install reads", dir, "package.json", m.depLine(name), name+" is a part of the repository")
		}
	}
}

// pinPackageManager fills in what packageManager leaves open.
func (s *Stack) pinPackageManager(root fs.FS) error {
	lock, err := optional(root, s.PM.Lockfile)
	if err != nil {
		return err
	}
	pinned := s.PM.Version != ""
	switch s.PM.Name {
	case "npm":
		return nil // comes with Node
	case "pnpm":
		s.fillVersion(pnpmForLock9)
		if match := lockVersion.FindSubmatch(lock); !pinned && match != nil && len(match[1]) == 1 && match[1][0] < '9' {
			s.PM.Version = pnpmForLock6
		}
	case "bun":
		s.fillVersion(bunForAnyLock)
	case "yarn":
		if err := s.pinYarn(root, lock); err != nil {
			return err
		}
	}
	if !pinned && s.PM.Program == "" {
		s.because(s.PM.Name+" version", s.PM.Version, s.contextFile(s.PM.Lockfile), 1, "default for this lockfile's format: package.json has no packageManager")
		s.Notes = append(s.Notes, `set "packageManager": "`+s.PM.Name+"@"+s.PM.Version+`" in package.json, so that the image and the team install with the same version`)
	}
	return nil
}

func (s *Stack) fillVersion(version string) {
	if s.PM.Version == "" {
		s.PM.Version = version
	}
}

// pinYarn tells yarn 1 from the later ones, which usually bring their program along.
func (s *Stack) pinYarn(root fs.FS, lock []byte) error {
	s.PM.Berry = berryLock.Match(lock) || s.PM.Version != "" && major(s.PM.Version) > 1
	if !s.PM.Berry {
		s.fillVersion(yarnClassic)
		return nil
	}
	rc, err := optional(root, ".yarnrc.yml")
	if err != nil {
		return err
	}
	if match := yarnPath.FindSubmatchIndex(rc); match != nil {
		s.PM.Program = path.Clean(string(rc[match[2]:match[3]]))
		s.because("yarn program", s.PM.Program, s.contextFile(".yarnrc.yml"), lineAt(rc, match[2]), "yarnPath: it is part of the repository")
	}
	if !nodeLinker.Match(rc) {
		s.PM.PlugAndPlay = true
		s.because("install", "node_modules", s.contextFile(".yarnrc.yml"), 0, "Next.js traces its standalone output from node_modules, so the image sets YARN_NODE_LINKER; the lockfile is the same")
	}
	s.fillVersion(yarnForBerry)
	return nil
}
