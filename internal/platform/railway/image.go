package railway

import (
	"context"
	"errors"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// ResolveImage asks the image's registry, as Railway will: it has none of its own.
func (p *Platform) ResolveImage(ctx context.Context, _, ref string) (platform.Image, error) {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		return platform.Image{}, errs.Wrap(err, errs.Usage, "%q is no image reference", ref)
	}
	found, err := remote.Head(parsed, remote.WithContext(ctx), remote.WithAuthFromKeychain(p.o.Keychain), remote.WithTransport(p.transport), remote.WithUserAgent(p.agent))
	if err == nil {
		return platform.Image{Ref: ref, Digest: found.Digest.String()}, nil
	}
	if ctx.Err() != nil {
		return platform.Image{}, ctx.Err()
	}
	answer, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && answer.StatusCode == http.StatusNotFound:
		return platform.Image{}, errs.New(errs.NotFound, "no image %q in its registry", ref).
			WithHint("push it first, or leave --image out to have Railway build it from the Dockerfile")
	case ok && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return platform.Image{}, errs.New(errs.NotFound, "no image %q that can be seen (HTTP %d)", ref, answer.StatusCode).
			WithHint("is the name right? For a private one run `docker login`, and give Railway the registry's credentials in the service's settings")
	}
	return platform.Image{}, errs.Wrap(err, errs.Failure, "look for the image %q", ref)
}
