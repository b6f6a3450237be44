package scaffold

import (
	"io/fs"
	"maps"
	"path"
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
	exactVersion = lazily(`^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$`)
	lockVersion  = lazily(`(?m)^lockfileVersion:\s*'?"?(\d+)`)
	// What package managers' settings keep secrets in: _authToken=, //host/:_auth=, npmAuthToken:, token = "", https://user:password@host.
	settingsToken = lazily(`(?mi)^[^#;\n]*(?:_auth|_authToken|_password|npmAuthToken|npmAuthIdent|\btoken|\bpassword)["']?\s*[=:]|^[^#;\n]*://[^/@\s]+@`)
	settingsVar   = lazily(`\$\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}`)
	berryLock     = lazily(`(?m)^__metadata:`)
	yarnPath      = lazily(`(?m)^yarnPath:\s*"?([^"\s]+)"?`)
	nodeLinker    = lazily(`(?m)^nodeLinker:\s*"?node-modules"?`)
)

type lockfile struct{ file, pm string }

var lockfiles = []lockfile{
	{"pnpm-lock.yaml", "pnpm"}, {"package-lock.json", "npm"}, {"npm-shrinkwrap.json", "npm"},
	{"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"},
}

// detectPackageManager decides by the lockfile, because it is what the image installs
// from; packageManager adds the exact version. Both are at the workspace's root,
// where there is one.
func (d *detector) detectPackageManager(root fs.FS, m *manifest) error {
	owner := m // whose packageManager counts
	if d.Nested() {
		var err error
		if owner, err = readManifest(root); err != nil {
			return err
		}
	}
	manifestFile := d.contextFile("package.json")
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
		return errs.New(errs.CheckFailed, "two lockfiles: %s and %s", d.contextFile(found[0].file), d.contextFile(found[1].file)).
			WithHint("remove the one that is not used, or set packageManager in package.json")
	}
	d.PM = PackageManager{Name: found[0].pm, Version: version, Lockfile: found[0].file}
	d.because("package manager", d.PM.Name, d.contextFile(d.PM.Lockfile), 0, "its lockfile is there")
	if version != "" {
		d.because(d.PM.Name+" version", version, manifestFile, owner.line("", "packageManager"), "packageManager")
	}
	d.detectInstallScripts(root, owner)
	return d.detectInstall(root, m)
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
func (d *detector) detectInstall(root fs.FS, m *manifest) error {
	d.ManifestFiles = []string{"package.json", d.PM.Lockfile}
	settings := append([]string{".npmrc"}, map[string][]string{
		"pnpm": {"pnpm-workspace.yaml", ".pnpmfile.cjs", ".pnpmfile.mjs"},
		"yarn": {".yarnrc.yml", ".yarnrc"},
		"bun":  {"bunfig.toml"},
	}[d.PM.Name]...)
	for _, f := range settings {
		if err := d.detectSettings(root, f); err != nil {
			return err
		}
	}
	folders := []string{"patches"}
	if d.PM.Name == "yarn" {
		folders = []string{".yarn/releases", ".yarn/plugins", ".yarn/patches", "patches"}
	}
	for _, dir := range folders {
		if isDir(root, dir) {
			d.ManifestDirs = append(d.ManifestDirs, dir)
			d.because("install reads", dir, d.contextFile(dir), 0, "what the lockfile refers to")
		}
	}
	if err := d.pinPackageManager(root); err != nil {
		return err
	}
	d.detectLocal(root, m)
	return nil
}

// detectSettings deals with a file of the package manager's settings. One that holds a
// secret is mounted, and so are the variables that it takes secrets from.
func (d *detector) detectSettings(root fs.FS, file string) error {
	src, err := optional(root, file)
	if src == nil || err != nil {
		return err
	}
	if d.ignored(d.contextFile(file)) {
		d.because("install", "without "+file, d.contextFile(file), 0, "git ignores it, so another clone does not have it")
		return nil
	}
	if !settingsToken.Match(src) {
		d.ManifestFiles = append(d.ManifestFiles, file)
		d.because("install reads", file, d.contextFile(file), 0, "the package manager's settings")
		return nil
	}
	d.Secrets = append(d.Secrets, Secret{ID: strings.TrimPrefix(file, "."), File: file})
	d.because("install reads", file, d.contextFile(file), 0, "it holds a secret, so it is mounted and enters no layer")
	hints := []string{"--secret id=" + strings.TrimPrefix(file, ".") + ",src=" + file}
	for _, m := range settingsVar.FindAllSubmatch(src) {
		v := Secret{ID: strings.ToLower(string(m[1])), Env: string(m[1])}
		if !slices.Contains(d.Secrets, v) {
			d.Secrets = append(d.Secrets, v)
			d.because("install reads", v.Env, d.contextFile(file), 0, "the file takes a secret from it, so it is mounted as well")
			hints = append(hints, "--secret id="+v.ID+",env="+v.Env)
		}
	}
	d.Notes = append(d.Notes, "the build needs "+file+", which holds a secret: docker build "+strings.Join(hints, " ")+" . (compose and opsctl deploy do so by themselves)")
	return nil
}

// detectLocal finds dependencies that are folders or archives of the repository, which
// an install reads. A workspace's own members are not among them.
func (d *detector) detectLocal(root fs.FS, m *manifest) {
	for _, deps := range []map[string]string{m.Dependencies, m.DevDependencies} {
		for _, name := range slices.Sorted(maps.Keys(deps)) {
			kind, local, ok := strings.Cut(deps[name], ":")
			if !ok || kind != "file" && kind != "link" && kind != "portal" {
				continue
			}
			dir := d.InContext(local)
			if _, err := fs.Stat(root, dir); err != nil || slices.Contains(d.ManifestDirs, dir) {
				continue // outside of the build context: the install will say so
			}
			d.ManifestDirs = append(d.ManifestDirs, dir)
			d.because("install reads", dir, "package.json", m.depLine(name), name+" is a part of the repository")
		}
	}
}

// pinPackageManager fills in what packageManager leaves open.
func (d *detector) pinPackageManager(root fs.FS) error {
	lock, err := optional(root, d.PM.Lockfile)
	if err != nil {
		return err
	}
	pinned := d.PM.Version != ""
	switch d.PM.Name {
	case "npm":
		return nil // comes with Node
	case "pnpm":
		d.fillVersion(pnpmForLock9)
		if match := lockVersion.FindSubmatch(lock); !pinned && match != nil && len(match[1]) == 1 && match[1][0] < '9' {
			d.PM.Version = pnpmForLock6
		}
	case "bun":
		d.fillVersion(bunForAnyLock)
	case "yarn":
		if err := d.pinYarn(root, lock); err != nil {
			return err
		}
	}
	if !pinned && d.PM.Program == "" {
		d.because(d.PM.Name+" version", d.PM.Version, d.contextFile(d.PM.Lockfile), 1, "default for this lockfile's format: package.json has no packageManager")
		d.Notes = append(d.Notes, `set "packageManager": "`+d.PM.Name+"@"+d.PM.Version+`" in package.json, so that the image and the team install with the same version`)
	}
	return nil
}

func (d *detector) fillVersion(version string) {
	if d.PM.Version == "" {
		d.PM.Version = version
	}
}

// pinYarn tells yarn 1 from the later ones, which usually bring their program along.
func (d *detector) pinYarn(root fs.FS, lock []byte) error {
	d.PM.Berry = berryLock.Match(lock) || d.PM.Version != "" && major(d.PM.Version) > 1
	if !d.PM.Berry {
		d.fillVersion(yarnClassic)
		return nil
	}
	rc, err := optional(root, ".yarnrc.yml")
	if err != nil {
		return err
	}
	if match := yarnPath.FindSubmatchIndex(rc); match != nil {
		d.PM.Program = path.Clean(string(rc[match[2]:match[3]]))
		d.because("yarn program", d.PM.Program, d.contextFile(".yarnrc.yml"), lineAt(rc, match[2]), "yarnPath: it is part of the repository")
	}
	if !nodeLinker.Match(rc) {
		d.PM.PlugAndPlay = true
		d.because("install", "node_modules", d.contextFile(".yarnrc.yml"), 0, "Next.js traces its standalone output from node_modules, so the image sets YARN_NODE_LINKER; the lockfile is the same")
	}
	d.fillVersion(yarnForBerry)
	return nil
}
