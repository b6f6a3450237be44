package scaffold

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// The versions that are installed when packageManager names none: one that reads
// the lockfile's format.
const (
	pnpmForLock9 = "12.21.0"
	pnpmForLock6 = "8.15.9"
)

var (
	exactVersion = regexp.MustCompile(`^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$`)
	lockVersion  = regexp.MustCompile(`(?m)^lockfileVersion:\s*'?"?(\d+)`)
	npmrcToken   = regexp.MustCompile(`(?m)^\s*[^#;\s][^=\n]*_(auth|authToken|password)\s*=`)
)

// detectPackageManager decides by the lockfile, because it is what the image installs
// from; packageManager adds the exact version.
func (s *Stack) detectPackageManager(fsys fs.FS, m *manifest) error {
	name, version, _ := strings.Cut(m.PackageManager, "@")
	version, _, _ = strings.Cut(version, "+") // the hash that corepack adds
	if version != "" && !exactVersion.MatchString(version) {
		return errs.New(errs.Usage, "package.json:%d: packageManager %q is not an exact version", m.line("", "packageManager"), m.PackageManager).
			WithHint("write it as %s@1.2.3", name)
	}
	locks := []struct{ file, pm string }{
		{"pnpm-lock.yaml", "pnpm"}, {"package-lock.json", "npm"}, {"npm-shrinkwrap.json", "npm"},
		{"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
	}
	var found []struct{ file, pm string }
	for _, l := range locks {
		if isFile(fsys, l.file) && (name == "" || name == l.pm) {
			found = append(found, l)
		}
	}
	switch {
	case len(found) == 0:
		return missingLock(name, m)
	case found[0].pm == "yarn" || found[0].pm == "bun":
		return errs.New(errs.CheckFailed, "%s: %s is not supported yet, only pnpm and npm are", found[0].file, found[0].pm).
			WithHint("add a lockfile of pnpm or npm (pnpm import reads a yarn.lock), or write the Dockerfile by hand")
	case len(found) > 1 && found[0].pm != found[1].pm:
		return errs.New(errs.CheckFailed, "two lockfiles: %s and %s", found[0].file, found[1].file).
			WithHint("remove the one that is not used, or set packageManager in package.json")
	}
	s.PM = PackageManager{Name: found[0].pm, Version: version, Lockfile: found[0].file}
	s.because("package manager", s.PM.Name, s.PM.Lockfile, 0, "its lockfile is there")
	if version != "" {
		s.because(s.PM.Name+" version", version, "package.json", m.line("", "packageManager"), "packageManager")
	}
	s.detectInstallScripts(m)
	return s.detectInstall(fsys)
}

// installScripts are package.json's scripts that both package managers run at the end
// of an install, in that order.
var installScripts = []string{"preinstall", "install", "postinstall", "prepublish", "prepare"}

// detectInstallScripts: the image installs before the sources are there, which these
// scripts may need.
func (s *Stack) detectInstallScripts(m *manifest) {
	for _, name := range installScripts {
		if script, ok := m.Scripts[name]; ok {
			s.InstallScripts = append(s.InstallScripts, name)
			s.because("install script", name, "package.json", m.line("scripts", name), "it may need the sources, so the image runs it after they are copied: "+script)
		}
	}
}

// InstallCommands run the install scripts after the fact. npm, and pnpm since 9, run
// preinstall and postinstall around install by themselves.
func (s *Stack) InstallCommands() []string {
	hooked := slices.Contains(s.InstallScripts, "install") && (s.PM.Name == "npm" || major(s.PM.Version) >= 9)
	var commands []string
	for _, name := range s.InstallScripts {
		if hooked && (name == "preinstall" || name == "postinstall") {
			continue
		}
		command := s.PM.Name + " run " + name
		if s.SkipEnvValidation {
			command = "SKIP_ENV_VALIDATION=1 " + command
		}
		commands = append(commands, command)
	}
	return commands
}

// missingLock says which lockfile is missing and, where an install would write it, how.
func missingLock(name string, m *manifest) error {
	const workspace = "(an app inside a workspace is not supported yet)"
	switch {
	case len(m.Workspaces) > 0:
		return unknownStack("package.json is the root of a workspace, which is not supported yet")
	case name == "npm" || name == "pnpm":
		return errs.New(errs.CheckFailed, "packageManager is %s, and its lockfile is not beside package.json %s", name, workspace).
			WithHint("run `%s install` first: it writes the lockfile that the image installs from; then run init again", name)
	case name != "":
		return unknownStack("packageManager is %s, and only pnpm and npm are supported", name)
	}
	return errs.New(errs.CheckFailed, "there is no lockfile beside package.json %s", workspace).
		WithHint("run `npm install` or `pnpm install` first: it writes the lockfile that the image installs from; then run init again")
}

// detectInstall collects what an install reads, and fills in pnpm's version.
func (s *Stack) detectInstall(fsys fs.FS) error {
	s.ManifestFiles = []string{"package.json", s.PM.Lockfile}
	if s.PM.Name == "pnpm" {
		for _, f := range []string{"pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs"} {
			if isFile(fsys, f) {
				s.ManifestFiles = append(s.ManifestFiles, f)
				s.because("install reads", f, f, 0, "pnpm's own settings")
			}
		}
		if err := s.defaultPnpm(fsys); err != nil {
			return err
		}
	}
	npmrc, err := optional(fsys, ".npmrc")
	if err != nil {
		return err
	}
	switch {
	case npmrc == nil:
	case npmrcToken.Match(npmrc):
		s.NpmrcSecret = true
		s.because("install reads", ".npmrc", ".npmrc", 0, "it holds a token, so it is mounted as a secret and enters no layer")
		s.Notes = append(s.Notes, "the build needs .npmrc, which holds a token: docker build --secret id=npmrc,src=.npmrc .")
	default:
		s.ManifestFiles = append(s.ManifestFiles, ".npmrc")
		s.because("install reads", ".npmrc", ".npmrc", 0, "the package manager's settings")
	}
	return nil
}

func (s *Stack) defaultPnpm(fsys fs.FS) error {
	if s.PM.Version != "" {
		return nil
	}
	lock, err := optional(fsys, s.PM.Lockfile)
	if err != nil {
		return err
	}
	s.PM.Version = pnpmForLock9
	if match := lockVersion.FindSubmatch(lock); match != nil && len(match[1]) == 1 && match[1][0] < '9' {
		s.PM.Version = pnpmForLock6
	}
	s.because("pnpm version", s.PM.Version, s.PM.Lockfile, 1, "default for this lockfile's format: package.json has no packageManager")
	s.Notes = append(s.Notes, `set "packageManager": "pnpm@`+s.PM.Version+`" in package.json, so that the image and the team install with the same version`)
	return nil
}
