package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/envcheck"
)

// expands is what Next.js would take for a reference.
var expands = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\$\{?[A-Za-z0-9_]`) })

// pushWarnings are about values that will not arrive in the app as they are sent.
func (a *app) pushWarnings(ctx context.Context, t target, in envInput, plan *deploy.VariablePlan, set []string) []string {
	warnings := []string{}
	for _, v := range plan.Variables {
		if _, inFile := in.wanted.Secrets[v.Name]; inFile && v.Managed {
			warnings = append(warnings, fmt.Sprintf("%s is not sent: %s", v.Name, v.Reason))
		}
	}
	var public []string
	for _, name := range set {
		if envcheck.IsPublicName(name) {
			public = append(public, name)
		}
	}
	if len(public) > 0 {
		verb := "is"
		if len(public) > 1 {
			verb = "are"
		}
		warnings = append(warnings, fmt.Sprintf("%s %s inlined when the image is built: a push does not change what browsers get; build and deploy again", joinWords(public), verb))
	}
	if envcheck.ReaderOf(t.project.Stack) != envcheck.Next {
		return warnings
	}
	var dollar []string
	for name, value := range in.wanted.Secrets {
		if expands().MatchString(value) {
			dollar = append(dollar, name)
		}
	}
	if len(dollar) == 0 {
		return warnings
	}
	slices.Sort(dollar)
	for _, file := range a.shippedEnvFiles(ctx, t) {
		for _, name := range dollar {
			if slices.Contains(file.keys, name) {
				warnings = append(warnings, fmt.Sprintf("%s holds a dollar sign, and %s, which %s, sets %s too: there Next.js expands the platform's value once more, and cuts it; take %s out of that file",
					name, file.path, file.why, name, name))
			}
		}
	}
	return warnings
}

// shippedEnvFile is a .env file that gets to where the app runs.
type shippedEnvFile struct {
	path, why string
	keys      []string
}

// shippedEnvFiles are the .env files of the project that Next.js loads at run time
// and that git or the image carries there.
func (a *app) shippedEnvFiles(ctx context.Context, t target) []shippedEnvFile {
	dir := a.projectDir(t)
	names := envcheck.NextFiles(envcheck.Mode(t.name))
	tracked, _ := gitTracked(ctx, dir, names) // without git nothing is tracked
	root := filepath.Join(dir, filepath.FromSlash(t.project.Build.Context))
	ignored := dockerIgnored(root)
	_, noDockerfile := os.Stat(filepath.Join(dir, filepath.FromSlash(t.project.Build.Dockerfile)))
	var out []shippedEnvFile
	for _, name := range names {
		path := filepath.Join(dir, name)
		src, err := envcheck.ReadRegular(path)
		if err != nil {
			continue
		}
		f := shippedEnvFile{path: path}
		rel, err := filepath.Rel(root, path)
		switch {
		case slices.Contains(tracked, name):
			f.why = "git tracks"
		case noDockerfile == nil && err == nil && !strings.HasPrefix(rel, "..") && !ignored(filepath.ToSlash(rel)):
			f.why = "a COPY puts into the image"
		default:
			continue
		}
		read, _ := envcheck.Read(envcheck.Next, path, src, nil)
		if read != nil {
			for key := range read.Last() {
				f.keys = append(f.keys, key)
			}
		}
		out = append(out, f)
	}
	return out
}

// dockerIgnored tells what the .dockerignore of a build context keeps out.
func dockerIgnored(root string) func(string) bool {
	none := func(string) bool { return false }
	src, err := envcheck.ReadRegular(filepath.Join(root, ".dockerignore"))
	if err != nil {
		return none
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(src))
	if err != nil {
		return none
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return none
	}
	return func(path string) bool {
		ok, err := m.MatchesOrParentMatches(path)
		return err == nil && ok
	}
}
