package main

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// buildInputs are what a Dockerfile asks of whoever builds it.
type buildInputs struct {
	flags []string // of docker build; values are in env
	env   []string // NAME=value, for docker alone
	unset []string // build arguments that have no value here
}

var (
	// Only what browsers see anyway: a build argument can be read off the image.
	publicArg   = regexp.MustCompile(`(?mi)^\s*ARG\s+((?:NEXT_PUBLIC|VITE|PUBLIC|REACT_APP|NUXT_PUBLIC)_[A-Za-z0-9_]+)\s*$`)
	secretMount = regexp.MustCompile(`--mount=type=secret,(?:[^\s]*,)?id=([A-Za-z0-9_.-]+)`)
)

// readBuildInputs reads the project's Dockerfile. Its public arguments get the
// environment's values. A secret that it mounts is the file of that name beside the
// Dockerfile's context (npmrc: .npmrc), or the variable (sentry_auth_token:
// SENTRY_AUTH_TOKEN) of the environment's file or of this process; one that is
// neither is left out, and the Dockerfile says whether it can do without.
func readBuildInputs(root string, t target, secrets map[string]string, lookup func(string) (string, bool)) (buildInputs, error) {
	in := buildInputs{env: []string{"DOCKER_BUILDKIT=1"}} // Docker before 23 has another builder too, without mounts
	file := filepath.Join(root, filepath.FromSlash(t.project.Build.Dockerfile))
	src, err := os.ReadFile(file)
	if err != nil {
		return in, errs.Wrap(err, errs.Usage, "read the Dockerfile").WithHint("run opsctl init, or set build.dockerfile; or deploy a finished image with --image")
	}
	values := maps.Clone(secrets)
	maps.Copy(values, t.env.Vars)
	for _, name := range matches(publicArg, src) {
		value, ok := values[name]
		if !ok {
			in.unset = append(in.unset, name)
			continue
		}
		in.flags = append(in.flags, "--build-arg", name)
		in.env = append(in.env, name+"="+value)
	}
	for _, id := range matches(secretMount, src) {
		dotfile := filepath.Join(root, filepath.FromSlash(t.project.Build.Context), "."+id)
		if info, err := os.Stat(dotfile); err == nil && info.Mode().IsRegular() {
			in.flags = append(in.flags, "--secret", "id="+id+",src="+dotfile)
			continue
		}
		name := strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(id))
		value, ok := values[name]
		if !ok {
			value, ok = lookup(name)
		}
		if ok && value != "" {
			in.flags = append(in.flags, "--secret", "id="+id+",env="+name)
			in.env = append(in.env, name+"="+value)
		}
	}
	return in, nil
}

// matches are the first group of every match, each once.
func matches(pattern *regexp.Regexp, src []byte) []string {
	var found []string
	for _, m := range pattern.FindAllSubmatch(src, -1) {
		if name := string(m[1]); !slices.Contains(found, name) {
			found = append(found, name)
		}
	}
	return found
}
