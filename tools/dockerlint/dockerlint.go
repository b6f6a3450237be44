// Package dockerlint runs BuildKit's own Dockerfile checks, those of `docker build
// --check`, in this process: without a daemon, a registry or a network. It is a
// module of its own so that BuildKit stays out of opsctl's dependencies.
package dockerlint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/frontend/gateway/client"
	gwpb "github.com/moby/buildkit/frontend/gateway/pb"
	"github.com/moby/buildkit/solver/pb"
	"github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/tonistiigi/fsutil/types"
)

// Finding is one warning of a check, or the error that ends a build.
type Finding struct {
	Rule   string // BuildKit's name of the rule; BuildError when the Dockerfile cannot be built at all
	Line   int    // 0 where BuildKit names none
	Detail string
}

func (f Finding) String() string { return fmt.Sprintf("line %d: %s: %s", f.Line, f.Rule, f.Detail) }

// Lint checks every stage of a Dockerfile. The rules that compare it with the
// build context know of the context what dockerignore, the text of its
// .dockerignore, leaves out; nil means that there is none.
func Lint(ctx context.Context, dockerfile, dockerignore []byte) ([]Finding, error) {
	ui, err := dockerui.NewClient(gateway{dockerignore: dockerignore})
	if err != nil {
		return nil, err
	}
	source := llb.NewSourceMap(nil, "Dockerfile", "Dockerfile", dockerfile)
	source.Definition = &llb.Definition{} // the file came from no build step
	results, err := dockerfile2llb.DockerfileLint(ctx, dockerfile, dockerfile2llb.ConvertOpt{
		Client:       ui,
		SourceMap:    source,
		MetaResolver: unresolved{},
	})
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, w := range results.Warnings {
		findings = append(findings, Finding{Rule: w.RuleName, Line: line(w.Location), Detail: w.Detail})
	}
	if e := results.Error; e != nil {
		findings = append(findings, Finding{Rule: "BuildError", Line: line(&e.Location), Detail: e.Message})
	}
	return findings, nil
}

func line(l *pb.Location) int {
	if len(l.GetRanges()) == 0 {
		return 0
	}
	return int(l.Ranges[0].GetStart().GetLine())
}

// unresolved takes the place of the registry: every base image exists, is made
// for this machine, and sets nothing.
type unresolved struct{}

func (unresolved) ResolveImageConfig(_ context.Context, ref string, opt sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	image := ocispecs.Image{Platform: ocispecs.Platform{OS: "linux", Architecture: runtime.GOARCH}}
	if opt.ImageOpt != nil && opt.ImageOpt.Platform != nil {
		image.Platform = *opt.ImageOpt.Platform
	}
	image.Config.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	config, err := json.Marshal(image)
	return ref, digest.FromBytes(config), config, err
}

// gateway takes the place of the build daemon: all it has is a .dockerignore. What
// no check asks for is left to the nil interface.
type gateway struct {
	client.Client
	dockerignore []byte
}

func (g gateway) BuildOpts() client.BuildOpts {
	return client.BuildOpts{Opts: map[string]string{}, LLBCaps: pb.Caps.CapSet(pb.Caps.All()), Caps: gwpb.Caps.CapSet(nil)}
}

func (g gateway) Solve(context.Context, client.SolveRequest) (*client.Result, error) {
	result := client.NewResult()
	result.SetRef(buildContext{dockerignore: g.dockerignore})
	return result, nil
}

type buildContext struct {
	client.Reference
	dockerignore []byte
}

// StatFile is asked for the size alone, and may fail.
func (buildContext) StatFile(context.Context, client.StatRequest) (*types.Stat, error) {
	return nil, errors.ErrUnsupported
}

func (c buildContext) ReadFile(_ context.Context, req client.ReadRequest) ([]byte, error) {
	if req.Filename != dockerui.DefaultDockerignoreName || c.dockerignore == nil {
		return nil, &fs.PathError{Op: "open", Path: req.Filename, Err: fs.ErrNotExist}
	}
	return bytes.Clone(c.dockerignore), nil
}
