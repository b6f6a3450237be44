package scaffold

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/errs"
)

// Package is a member of a workspace.
type Package struct {
	Name    string
	Dir     string   // relative to the workspace's root
	Scripts []string // that make what others import, in the order they run
	deps    []string // names of all its dependencies
}

// workspaceGlobs are the patterns of a workspace's members: those of
// pnpm-workspace.yaml, or of package.json for the other package managers. None means
// that the folder is not the root of a workspace.
func workspaceGlobs(fsys fs.FS) ([]string, error) {
	src, err := optional(fsys, "pnpm-workspace.yaml")
	if err != nil {
		return nil, err
	}
	if src != nil {
		var w struct {
			Packages []string `yaml:"packages"`
		}
		if err := yaml.Unmarshal(src, &w); err != nil {
			return nil, errs.Wrap(err, errs.Usage, "pnpm-workspace.yaml").WithHint("correct it and run init again")
		}
		return w.Packages, nil
	}
	if !isFile(fsys, "package.json") {
		return nil, nil
	}
	m, err := readManifest(fsys)
	if err != nil || len(m.Workspaces) == 0 {
		return nil, err
	}
	var list []string
	if json.Unmarshal(m.Workspaces, &list) == nil {
		return list, nil
	}
	var object struct { // yarn 1's other form
		Packages []string `json:"packages"`
	}
	if err := json.Unmarshal(m.Workspaces, &object); err != nil {
		return nil, errs.New(errs.Usage, "package.json:%d: workspaces is neither a list nor an object with packages", m.line("", "workspaces"))
	}
	return object.Packages, nil
}

// workspaceMembers are the folders that the patterns name, relative to the root, in
// order. Only folders with a package.json count.
func workspaceMembers(fsys fs.FS, globs []string) ([]string, error) {
	var members []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() || name == "." {
			return nil
		}
		if d.Name() == "node_modules" || strings.HasPrefix(d.Name(), ".") || strings.Count(name, "/") > 5 {
			return fs.SkipDir
		}
		if isMember(globs, name) && isFile(fsys, name+"/package.json") {
			members = append(members, name)
		}
		return nil
	})
	return members, err
}

// isMember applies the patterns in their order; one with an exclamation mark takes out.
func isMember(globs []string, dir string) bool {
	in := false
	for _, g := range globs {
		g, out := strings.CutPrefix(g, "!")
		if ok, err := doublestar.Match(path.Clean(g), dir); ok && err == nil {
			in = !out
		}
	}
	return in
}

// readWorkspace reads the manifest of every member.
func readWorkspace(fsys fs.FS, globs []string) ([]Package, error) {
	before, err := turboTasks(fsys)
	if err != nil {
		return nil, err
	}
	dirs, err := workspaceMembers(fsys, globs)
	if err != nil {
		return nil, err
	}
	var list []Package
	for _, dir := range dirs {
		sub, err := fs.Sub(fsys, dir)
		if err != nil {
			return nil, err
		}
		m, err := readManifest(sub)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", dir, err)
		}
		p := Package{Name: m.Name, Dir: dir, deps: m.allDependencies(), Scripts: m.making(before.packages)}
		list = append(list, p)
	}
	return list, nil
}

// needed are the members among some dependencies and what those depend on, directly or
// not, each after those that it depends on itself.
func needed(all []Package, dependencies []string) []Package {
	byName := map[string]Package{}
	for _, p := range all {
		byName[p.Name] = p
	}
	var order []Package
	seen := map[string]bool{}
	var visit func(names []string)
	visit = func(names []string) {
		for _, name := range names {
			if p, member := byName[name]; member && !seen[name] {
				seen[name] = true
				visit(p.deps)
				order = append(order, p)
			}
		}
	}
	visit(dependencies)
	return order
}

// Workspace is what an app's image needs of the workspace that the app is a member of.
type Workspace struct {
	Members []string  // folders of all members: an install wants every manifest
	Needed  []Package // the members that the app depends on, in the order they are built
}

// NeedsBuild are the members that something is made in before the app is built.
func (w *Workspace) NeedsBuild() []Package {
	return slices.DeleteFunc(slices.Clone(w.Needed), func(p Package) bool { return len(p.Scripts) == 0 })
}

var (
	turboName    = lazily(`"(\^?)([A-Za-z0-9:_-]+)"`)
	turboBuild   = lazily(`(?s)"build"\s*:\s*\{[^{}]*?"dependsOn"\s*:\s*\[([^\]]*)\]`)
	makesClients = lazily(`\b(?:prisma generate|graphql-codegen|openapi-typescript|buf generate)\b`)
)

// turbo are the tasks that Turborepo runs before it builds an app.
type turbo struct {
	packages []string // in the packages that it needs
	own      []string // in the app
}

func turboTasks(fsys fs.FS) (turbo, error) {
	var tasks turbo
	for _, name := range []string{"turbo.json", "turbo.jsonc"} {
		src, err := optional(fsys, name)
		if err != nil {
			return tasks, err
		}
		if m := turboBuild.FindSubmatch(src); m != nil {
			for _, name := range turboName.FindAllSubmatch(m[1]) {
				if len(name[1]) > 0 {
					tasks.packages = append(tasks.packages, string(name[2]))
				} else {
					tasks.own = append(tasks.own, string(name[2]))
				}
			}
		}
	}
	return tasks, nil
}

// making are the scripts of a package that make what others import: those that
// Turborepo would run, the one that generates a client unless another script does, and
// build.
func (m *manifest) making(before []string) []string {
	var scripts []string
	add := func(name string) {
		if _, ok := m.Scripts[name]; ok && !slices.Contains(scripts, name) {
			scripts = append(scripts, name)
		}
	}
	generated := false
	for _, name := range append([]string{"build"}, installScripts...) {
		generated = generated || makesClients.MatchString(m.Scripts[name])
	}
	for _, name := range slices.Sorted(maps.Keys(m.Scripts)) {
		if !generated && makesClients.MatchString(m.Scripts[name]) && !migrating.MatchString(m.Scripts[name]) {
			add(name)
			generated = true
		}
	}
	for _, name := range before {
		if name != "build" {
			add(name)
		}
	}
	add("build")
	return scripts
}

// detectWorkspace finds the app's part of the workspace around it.
func (s *Stack) detectWorkspace(root fs.FS, m *manifest) error {
	globs, err := workspaceGlobs(root)
	if err != nil || len(globs) == 0 {
		return err
	}
	all, err := readWorkspace(root, globs)
	if err != nil {
		return err
	}
	w := &Workspace{}
	for _, p := range all {
		w.Members = append(w.Members, p.Dir)
	}
	w.Needed = slices.DeleteFunc(needed(all, m.allDependencies()), func(p Package) bool { return p.Dir == s.InContext(".") })
	s.Workspace = w
	file := "package.json"
	if isFile(root, "pnpm-workspace.yaml") {
		file = "pnpm-workspace.yaml"
	}
	s.because("workspace", fmt.Sprintf("%d members", len(all)), s.contextFile(file), 0, "its root is the image's build context")
	for _, p := range w.Needed {
		why := "the app depends on it"
		if len(p.Scripts) > 0 {
			why += ", and is made ready first: " + strings.Join(p.Scripts, ", ")
		}
		s.because("workspace needs", p.Name, s.contextFile(p.Dir+"/package.json"), 0, why)
	}
	return nil
}

// contextFile is a file of the build context as the explanation names it: seen from
// the app's folder.
func (s *Stack) contextFile(name string) string {
	return path.Join(s.ContextFromApp(), name)
}
