package main

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// source describes what a platform that builds itself is to build.
func (a *app) source(t target) func(context.Context, string) (*platform.Source, error) {
	return func(ctx context.Context, kind string) (*platform.Source, error) {
		root := filepath.Dir(t.project.Path)
		if kind == platform.SourceGit {
			return gitSource(ctx, root, t)
		}
		dir := filepath.Join(root, filepath.FromSlash(t.project.Build.Context))
		src, err := uploadSource(dir)
		if err != nil {
			return nil, err
		}
		src.Dockerfile, err = below(dir, filepath.Join(root, filepath.FromSlash(t.project.Build.Dockerfile)))
		return src, err
	}
}

// gitSource is the commit that is checked out, which the platform fetches from its remote.
func gitSource(ctx context.Context, root string, t target) (*platform.Source, error) {
	commit, err := gitOutput(ctx, root, "rev-parse", "HEAD")
	if err != nil {
		return nil, err
	}
	branch, err := gitOutput(ctx, root, "rev-parse", "--abbrev-ref", "HEAD")
	if err != nil {
		return nil, err
	}
	remoteURL, err := gitOutput(ctx, root, "remote", "get-url", "origin")
	if err != nil {
		return nil, err
	}
	// What the remote is known to have, without asking it.
	if on, err := gitOutput(ctx, root, "branch", "--remotes", "--contains", commit); err != nil || on == "" {
		return nil, errs.New(errs.Usage, "the commit %.12s is on no branch of the remote", commit).WithHint("git push, then the same again; or deploy a finished image with --image")
	}
	top, err := gitOutput(ctx, root, "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	src := &platform.Source{Identity: "git:" + commit, Commit: commit, Remote: webURL(remoteURL), Branch: branch}
	if src.Dockerfile, err = below(top, filepath.Join(root, filepath.FromSlash(t.project.Build.Dockerfile))); err != nil {
		return nil, err
	}
	src.Context, err = below(top, filepath.Join(root, filepath.FromSlash(t.project.Build.Context)))
	return src, err
}

// below is a path relative to a directory that holds it, with slashes.
func below(dir, path string) (string, error) {
	realDir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return "", err
	}
	realPath, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", errs.New(errs.Usage, "%s does not exist", path).WithHint("run opsctl init, or set build.dockerfile; or deploy a finished image with --image")
	}
	rel, err := filepath.Rel(realDir, realPath)
	if err != nil || rel == ".." || strings.HasPrefix(rel, "../") {
		return "", errs.New(errs.Usage, "%s is not below %s, which is what the platform gets", path, dir).WithHint("set build.context to a folder that holds it, or deploy a finished image with --image")
	}
	return filepath.ToSlash(rel), nil
}

// webURL is a repository's address as platforms want it: https, without credentials.
func webURL(remoteURL string) string {
	u := strings.TrimSuffix(remoteURL, ".git")
	if host, path, ok := strings.Cut(strings.TrimPrefix(u, "git@"), ":"); ok && strings.HasPrefix(u, "git@") {
		return "https://" + host + "/" + path
	}
	u = strings.TrimPrefix(u, "ssh://git@")
	u = strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://")
	if at := strings.LastIndexByte(u, '@'); at >= 0 {
		u = u[at+1:]
	}
	return "https://" + u
}

// imageGuard refuses an image that the platform's machines cannot run. What cannot be
// read from here (a private registry) is the platform's to find out.
func (a *app) imageGuard(t target) func(context.Context, platform.Image) error {
	return func(ctx context.Context, image platform.Image) error {
		if t.env.Platform == "compose" {
			return nil // the engine here tells by itself, and may emulate
		}
		ref, err := name.ParseReference(image.Pinned())
		if err != nil {
			return nil // not of a registry
		}
		ctx, cancel := context.WithTimeout(ctx, registryTime)
		defer cancel()
		got, err := remote.Get(ref, remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain))
		if err != nil {
			return nil // cannot be read from here
		}
		var have []string
		if got.MediaType.IsIndex() {
			index, err := got.ImageIndex()
			if err != nil {
				return nil // the platform will say what is wrong with it
			}
			manifest, err := index.IndexManifest()
			if err != nil {
				return nil // see above
			}
			for _, m := range manifest.Manifests {
				if m.Platform != nil {
					have = append(have, m.Platform.OS+"/"+m.Platform.Architecture)
				}
			}
		} else if img, err := got.Image(); err == nil {
			if config, err := img.ConfigFile(); err == nil && config.Architecture != "" {
				have = append(have, config.OS+"/"+config.Architecture)
			}
		}
		if len(have) == 0 || slices.Contains(have, machineArchitecture) {
			return nil
		}
		return errs.New(errs.Usage, "the image %s is for %s, and %s runs %s", platform.ShortImage(image.Pinned()), joinWords(have), t.env.Platform, machineArchitecture).
			WithHint("build it with: docker build --platform %s", machineArchitecture)
	}
}

// registryTime is what a registry has to answer: a look at the image is not worth waiting for.
const registryTime = 15 * time.Second

// machineArchitecture is what the machines of all platforms are.
const machineArchitecture = "linux/amd64"
