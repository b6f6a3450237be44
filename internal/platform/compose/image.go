package compose

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// keepReleases is how many finished releases keep their image.
const keepReleases = 10

// pullTimeout bounds the pull of one image.
const pullTimeout = 15 * time.Minute

type image struct {
	ID          string `json:"Id"`
	RepoTags    []string
	RepoDigests []string
	Size        int64
	Config      struct {
		Labels      map[string]string
		Healthcheck *struct{ Test []string }
	}
}

// imageHere is an image that the engine has; nil when it has not.
func (p *Platform) imageHere(ctx context.Context, ref string) (*image, error) {
	out, err := p.engine.out(ctx, "image", "inspect", ref)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, explain(err, "look for the image %q", ref)
	}
	var found []image
	if err := json.Unmarshal(out, &found); err != nil || len(found) == 0 {
		return nil, errs.Wrap(err, errs.Failure, "read what the engine says of the image %q", ref)
	}
	return &found[0], nil
}

// ResolveImage takes an image that was built here as it is, by its id. One that came
// from a registry is pulled, since its tag may have moved; when the registry cannot
// be reached, the one that is here will do.
func (p *Platform) ResolveImage(ctx context.Context, _, ref string) (platform.Image, error) {
	here, err := p.imageHere(ctx, ref)
	if err != nil {
		return platform.Image{}, err
	}
	if here == nil && strings.HasPrefix(ref, "localhost/") {
		return platform.Image{}, errs.New(errs.NotFound, "no image %q on this engine", ref).WithHint("leave --image out to build it from the Dockerfile")
	}
	if here == nil || len(here.RepoDigests) > 0 && !strings.Contains(ref, "@") && !strings.HasPrefix(ref, "localhost/") {
		pulled, err := p.pull(ctx, ref)
		if err != nil && (here == nil || errs.CodeOf(err) != errs.Failure) {
			return platform.Image{}, err
		}
		if pulled != nil {
			here = pulled
		}
	}
	return platform.Image{Ref: ref, Digest: digestOf(here, ref)}, nil
}

// digestOf is the digest under which a registry knows an image, or else its id.
func digestOf(i *image, ref string) string {
	name, digest, pinned := strings.Cut(ref, "@")
	if pinned && i.ID != digest {
		return digest
	}
	for _, d := range i.RepoDigests {
		if repo, digest, ok := strings.Cut(d, "@"); ok && sameRepository(repo, name) {
			return digest
		}
	}
	return i.ID
}

// sameRepository compares the names of repositories, of which Docker leaves its own
// registry out. The second one may have a tag.
func sameRepository(a, b string) bool {
	if colon := strings.LastIndex(b, ":"); colon > strings.LastIndex(b, "/") {
		b = b[:colon]
	}
	short := func(s string) string {
		return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "docker.io/"), "index.docker.io/"), "library/")
	}
	return short(a) == short(b)
}

// pull brings an image from its registry.
func (p *Platform) pull(ctx context.Context, ref string) (*image, error) {
	ctx, cancel := context.WithTimeout(ctx, pullTimeout)
	defer cancel()
	err := p.engine.quiet(ctx, "pull", "--quiet", ref)
	if saidAny(err, "manifest unknown", "not found", "does not exist", "access denied", "no such manifest", "name unknown", "unauthorized", "invalid reference format") {
		return nil, errs.Wrap(explain(err, "pull"), errs.NotFound, "no image %q that this engine can get", ref).
			WithHint("build or push it first, or leave --image out to build it from the Dockerfile; for a private registry, sign in: docker login")
	}
	if err != nil {
		return nil, explain(err, "pull the image %q", ref)
	}
	return p.imageHere(ctx, ref)
}

// runnable is a reference by which the engine runs exactly a pinned image. The digest
// of one that was built here is its id, which no name with a digest finds.
func (p *Platform) runnable(ctx context.Context, pinned string) (string, error) {
	name, digest, ok := strings.Cut(pinned, "@")
	refs := []string{pinned}
	if ok {
		if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
			name = name[:colon]
		}
		refs = []string{digest, name + "@" + digest}
	}
	for _, ref := range refs {
		here, err := p.imageHere(ctx, ref)
		if err != nil {
			return "", err
		}
		if here != nil {
			return here.ID, nil
		}
	}
	if strings.HasPrefix(name, "localhost/opsctl/") {
		return "", errs.New(errs.NotFound, "the image %s was built on this engine and is no more here", platform.ShortImage(pinned)).
			WithHint("build it again: opsctl deploy")
	}
	pulled, err := p.pull(ctx, refs[len(refs)-1])
	if err != nil {
		return "", err
	}
	return pulled.ID, nil
}

// keepImage gives the image of a release a name, so that no prune takes it away.
func (p *Platform) keepImage(ctx context.Context, app string, r platform.Release) error {
	id, err := p.runnable(ctx, r.Image)
	if err != nil {
		return err
	}
	return explain(p.engine.quiet(ctx, "tag", id, imageName(app)+":"+r.Version), "keep the image of release %s", r.Version)
}

// dropImages takes the names away that opsctl gave to images of releases which are
// beyond those to keep, and to builds. What a container runs stays.
func (p *Platform) dropImages(ctx context.Context, app string, ledger []platform.Release) {
	keep := map[string]bool{}
	finished := 0
	for _, r := range ledger {
		if r.Status == platform.Running || finished < keepReleases {
			keep[imageName(app)+":"+r.Version] = true
		}
		if r.Status == platform.Complete {
			finished++
		}
	}
	out, err := p.engine.out(ctx, "images", "--format", "{{.Repository}}:{{.Tag}}", imageName(app))
	if err != nil {
		return // only disk space
	}
	for _, ref := range lines(out) {
		if !keep[ref] && !strings.HasSuffix(ref, ":<none>") {
			_ = p.engine.quiet(ctx, "rmi", ref)
		}
	}
}

// PushTarget is the engine itself: what is built under this name is where it has to
// be. The name is of no registry, so that it cannot be pushed by mistake.
func (p *Platform) PushTarget(ctx context.Context, app, tag string) (platform.PushTarget, error) {
	if err := validApp(app); err != nil {
		return platform.PushTarget{}, err
	}
	info, err := p.about(ctx)
	if err != nil {
		return platform.PushTarget{}, err
	}
	return platform.PushTarget{Ref: imageName(app) + ":" + tag, Architecture: "linux/" + info.Arch}, nil
}

// Engine is the program that builds for this platform; with nothing to push after.
func (p *Platform) Engine() string { return p.engine.bin }
