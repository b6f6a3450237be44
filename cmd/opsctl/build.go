package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
)

// buildImage builds the project's image with Docker or Podman and pushes it. The push
// does not go through Docker: so the platform's token never gets into its
// credential store.
func (a *app) buildImage(t target, secrets map[string]string) func(context.Context, platform.PushTarget, platform.Report) error {
	return func(ctx context.Context, to platform.PushTarget, report platform.Report) error {
		docker, err := a.engineProgram()
		if err != nil {
			return err
		}
		root := filepath.Dir(t.project.Path)
		inputs, err := readBuildInputs(root, t, secrets, a.lookup)
		if err != nil {
			return err
		}
		for _, name := range inputs.unset {
			report("%s is not set: the image is built without it", name)
		}
		report("%s build", filepath.Base(docker))
		out := execx.Cmd{
			Path: docker, Dir: root, Env: append(os.Environ(), inputs.env...),
			Args: slices.Concat([]string{"build", "--platform", to.Architecture, "--file", t.project.Build.Dockerfile, "--tag", to.Ref},
				inputs.flags, []string{t.project.Build.Context}),
		}
		if a.global.Verbose {
			out.Stdout, out.Stderr = a.io.Err, a.io.Err
		}
		if err := execx.Run(ctx, out); err != nil {
			return errs.Wrap(err, errs.Failure, "build the image").WithHint("see all of its output: opsctl deploy --verbose")
		}
		if t.env.Platform == "compose" { // it runs where it was built
			return nil
		}
		dir, err := os.MkdirTemp("", "opsctl-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		file := filepath.Join(dir, "image.tar")
		if err := execx.Run(ctx, execx.Cmd{Path: docker, Args: []string{"save", "--output", file, to.Ref}}); err != nil {
			return errs.Wrap(err, errs.Failure, "save the image")
		}
		report("push %s", to.Ref)
		return push(ctx, file, to)
	}
}

// engineProgram is the program that builds images: DOCKER_BIN, or else Docker, or else Podman.
func (a *app) engineProgram() (string, error) {
	if bin := a.getenv("DOCKER_BIN"); bin != "" {
		return bin, nil
	}
	docker, err := execx.Look("docker", "deploy without --image", "install Docker (https://docs.docker.com/engine/install/) or Podman, or deploy a finished image with --image")
	if err == nil {
		return docker, nil
	}
	if podman, e := execx.Look("podman", "", ""); e == nil {
		return podman, nil
	}
	return "", err
}

func push(ctx context.Context, file string, to platform.PushTarget) error {
	options := []name.Option{}
	if to.Insecure {
		options = append(options, name.Insecure)
	}
	ref, err := name.ParseReference(to.Ref, options...)
	if err != nil {
		return errs.Wrap(err, errs.Usage, "push the image")
	}
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return fmt.Errorf("read the built image: %w", err)
	}
	auth := authn.FromConfig(authn.AuthConfig{Username: to.Username, Password: to.Password})
	if err := remote.Write(ref, image, remote.WithContext(ctx), remote.WithAuth(auth)); err != nil {
		return errs.Wrap(err, errs.Failure, "push %s", to.Ref).WithHint("run the same command again: what was pushed is not pushed twice")
	}
	return nil
}
