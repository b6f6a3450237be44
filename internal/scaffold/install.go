package scaffold

import (
	"io/fs"
	"path"
	"slices"
)

// InstallScript is a script of a manifest that an install runs by itself.
type InstallScript struct {
	Dir  string // of the manifest, relative to the build context
	Name string
	Text string
}

// installScripts are package.json's scripts that package managers run at the end of an
// install, in that order.
var installScripts = []string{"preinstall", "install", "postinstall", "prepublish", "prepare"}

// gitHooks matches scripts that only install git hooks, which an image has no use of.
var gitHooks = lazily(`^\s*(?:(?:is-ci|\[ -n "\$CI" \])\s*\|\|\s*)?(?:npx\s+)?(?:husky|lefthook|simple-git-hooks|pre-commit|git config core\.hooksPath)\b[^&|;]*(?:\|\|\s*(?:true|exit 0|:))?\s*$`)

// detectInstallScripts: the image installs before the sources are there, which these
// scripts may need.
func (s *Stack) detectInstallScripts(root fs.FS, owner *manifest) {
	s.addInstallScripts(".", owner.Scripts, owner.line)
	if s.Workspace == nil {
		return
	}
	for _, dir := range s.Workspace.Members {
		sub, err := fs.Sub(root, dir)
		if err != nil {
			continue
		}
		if m, err := readManifest(sub); err == nil {
			s.addInstallScripts(dir, m.Scripts, m.line)
		}
	}
}

func (s *Stack) addInstallScripts(dir string, scripts map[string]string, line func(section, key string) int) {
	for _, name := range installScripts {
		text, ok := scripts[name]
		if !ok {
			continue
		}
		script := InstallScript{Dir: dir, Name: name, Text: text}
		why := "it may need the sources, so the image runs it after they are copied: " + text
		switch {
		case gitHooks.MatchString(text):
			script.Text = ""
			why = "it installs git hooks, so the image leaves it out: " + text
		case dir != "." && !s.ownPackage(dir):
			script.Text = ""
			why = "the app does not need this package, so the image leaves it out: " + text
		}
		s.InstallScripts = append(s.InstallScripts, script)
		s.because("install script", name, s.contextFile(path.Join(dir, "package.json")), line("scripts", name), why)
	}
}

// ownPackage tells whether a member is the app or one that it depends on.
func (s *Stack) ownPackage(dir string) bool {
	return dir == s.InContext(".") || slices.ContainsFunc(s.Workspace.Needed, func(p Package) bool { return p.Dir == dir })
}

// ScriptNames are the names of the install scripts, each once.
func (s *Stack) ScriptNames() []string {
	var names []string
	for _, i := range s.InstallScripts {
		if !slices.Contains(names, i.Name) {
			names = append(names, i.Name)
		}
	}
	return names
}

// ScriptManifests are the manifests that have install scripts.
func (s *Stack) ScriptManifests() []string {
	var files []string
	for _, i := range s.InstallScripts {
		if file := path.Join(i.Dir, "package.json"); !slices.Contains(files, file) {
			files = append(files, file)
		}
	}
	return files
}

// InstallCommands run the install scripts after the fact. npm, and pnpm since 9, run
// preinstall and postinstall around install by themselves.
func (s *Stack) InstallCommands() []string {
	var commands []string
	for _, i := range s.InstallScripts {
		if i.Text == "" {
			continue
		}
		hooked := (s.PM.Name == "npm" || s.PM.Name == "pnpm" && major(s.PM.Version) >= 9) &&
			slices.ContainsFunc(s.InstallScripts, func(o InstallScript) bool { return o.Dir == i.Dir && o.Name == "install" && o.Text != "" })
		if hooked && (i.Name == "preinstall" || i.Name == "postinstall") {
			continue
		}
		command := s.PM.Run(i.Name)
		if s.SkipEnvValidation {
			command = "SKIP_ENV_VALIDATION=1 " + command
		}
		if s.PrismaConfig {
			command = "DATABASE_URL=" + placeholderDatabase + " " + command
		}
		commands = append(commands, s.inDir(i.Dir, command))
	}
	return commands
}

// inDir runs a command in a folder of the build context. The builder's own folder is
// the app's.
func (s *Stack) inDir(dir, command string) string {
	if dir == s.InContext(".") {
		return command
	}
	return "(cd " + path.Join("/app", dir) + " && " + command + ")"
}

// command is the package manager as a program: its file in the image where the
// repository brings it along.
func (p PackageManager) command() string {
	if p.Program != "" {
		return "node /app/" + p.Program
	}
	return p.Name
}

// Run is the command that runs a script of package.json.
func (p PackageManager) Run(script string) string { return p.command() + " run " + script }

// Exec is the command that runs a program of node_modules.
func (p PackageManager) Exec(command string) string {
	switch p.Name {
	case "npm":
		return "npx " + command
	case "bun":
		return "bunx " + command
	case "yarn":
		return p.command() + " run " + command
	}
	return p.Name + " exec " + command
}

// Tool is what npm installs globally to have the package manager at its exact version;
// "" for nothing.
func (p PackageManager) Tool() string {
	switch {
	case p.Program != "" || p.Version == "":
		return ""
	case p.Name == "yarn" && p.Berry:
		return "@yarnpkg/cli-dist@" + p.Version
	}
	return p.Name + "@" + p.Version
}

// Cache is the folder that the package manager keeps downloads in, with the image's
// settings.
func (p PackageManager) Cache() string {
	switch p.Name {
	case "pnpm":
		return "/pnpm/store"
	case "bun":
		return "/root/.bun/install/cache"
	case "yarn":
		return "/root/.cache/yarn"
	}
	return "/root/.npm"
}

// Install is the command that installs exactly what the lockfile says.
func (p PackageManager) Install() string {
	switch {
	case p.Name == "pnpm":
		return "pnpm install --frozen-lockfile --store-dir=/pnpm/store"
	case p.Name == "bun":
		return "bun install --frozen-lockfile"
	case p.Name == "yarn" && p.Berry:
		return p.command() + " install --immutable"
	case p.Name == "yarn":
		return "yarn install --frozen-lockfile --non-interactive --cache-folder=/root/.cache/yarn"
	}
	return "npm ci --no-audit --no-fund"
}

// InstallProduction is Install without the development dependencies, for one member of
// a workspace by its name, which the later yarns ask for.
func (p PackageManager) InstallProduction(member string) string {
	switch {
	case p.Name == "npm":
		return p.Install() + " --omit=dev"
	case p.Name == "pnpm":
		return p.Install() + " --prod"
	case p.Name == "yarn" && p.Berry:
		return p.command() + " workspaces focus --production " + member
	}
	return p.Install() + " --production"
}

// Environment is what the package manager's stages of the image set, as NAME=value.
func (p PackageManager) Environment() []string {
	switch {
	case p.Name == "pnpm":
		// The very version that was asked for is installed; it is not to look for another, or to add itself to the lockfile.
		return []string{"pnpm_config_pm_on_fail=ignore"}
	case p.Name == "yarn" && p.Berry:
		env := []string{"YARN_ENABLE_TELEMETRY=0", "YARN_ENABLE_GLOBAL_CACHE=1", "YARN_GLOBAL_FOLDER=/root/.cache/yarn"}
		if p.PlugAndPlay {
			env = append(env, "YARN_NODE_LINKER=node-modules")
		}
		return env
	}
	return nil
}
