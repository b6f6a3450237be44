package render

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// ResolveImage asks the image's own registry for its digest, with the credentials
// that Docker has for it on this machine: Render pulls from there, too. For a
// private one Render has to have credentials of its own (Options.RegistryCredential).
func (p *Platform) ResolveImage(ctx context.Context, _, ref string) (platform.Image, error) {
	parsed, err := parseImage(ref)
	if err != nil {
		return platform.Image{}, err
	}
	if digest, ok := parsed.(name.Digest); ok && strings.Contains(ref, "@") {
		// The content is named already; only whether it is there remains to be seen.
		if err := p.head(ctx, digest); err != nil {
			return platform.Image{}, imageError(err, ref)
		}
		return platform.Image{Ref: ref, Digest: digest.DigestStr()}, nil
	}
	options := p.registryOptions(ctx)
	desc, err := remote.Head(parsed, options...)
	if err != nil && !isMissingImage(err) { // some registries refuse HEAD
		var got *remote.Descriptor
		if got, err = remote.Get(parsed, options...); err == nil {
			return platform.Image{Ref: ref, Digest: got.Digest.String()}, nil
		}
	}
	if err != nil {
		return platform.Image{}, imageError(err, ref)
	}
	return platform.Image{Ref: ref, Digest: desc.Digest.String()}, nil
}

func (p *Platform) head(ctx context.Context, ref name.Reference) error {
	_, err := remote.Head(ref, p.registryOptions(ctx)...)
	return err
}

func (p *Platform) registryOptions(ctx context.Context) []remote.Option {
	options := []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(p.http.Transport)}
	if p.agent != "" {
		options = append(options, remote.WithUserAgent(p.agent))
	}
	return options
}

// parseImage reads a reference; one to a registry on this machine is asked without TLS.
func parseImage(ref string) (name.Reference, error) {
	parsed, err := name.ParseReference(ref)
	if err == nil && loopback(parsed.Context().RegistryStr()) {
		parsed, err = name.ParseReference(ref, name.Insecure)
	}
	if err != nil {
		return nil, errs.New(errs.Usage, "%q is no image reference", ref).WithHint("it looks like ghcr.io/OWNER/APP:TAG")
	}
	return parsed, nil
}

func loopback(host string) bool {
	host, _, _ = strings.Cut(host, ":")
	return host == "localhost" || strings.HasPrefix(host, "127.") || strings.HasSuffix(host, ".localhost")
}

func isMissingImage(err error) bool {
	te, ok := errors.AsType[*transport.Error](err)
	return ok && te.StatusCode == http.StatusNotFound
}

func imageError(err error, ref string) error {
	te, ok := errors.AsType[*transport.Error](err)
	switch {
	case ok && te.StatusCode == http.StatusNotFound:
		return errs.New(errs.NotFound, "no image %q in its registry", ref).WithHint("push it first")
	case ok && (te.StatusCode == http.StatusUnauthorized || te.StatusCode == http.StatusForbidden):
		return errs.New(errs.NotFound, "no image %q that these credentials can see (HTTP %d)", ref, te.StatusCode).
			WithHint("push it first; for a private registry run docker login, and register its credentials with Render, too")
	case ok:
		return errs.New(errs.Failure, "the registry of %q answered HTTP %d", ref, te.StatusCode).WithHint("run the same command again")
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	}
	return errs.Wrap(err, errs.Failure, "ask the registry of %q", ref)
}

// imagePath is the reference that Render is given: by digest alone, where there is one.
func imagePath(ref string) string {
	repository, digest, ok := strings.Cut(ref, "@")
	if !ok {
		return ref
	}
	return withoutTag(repository) + "@" + digest
}

// withoutTag cuts a tag off, and not a port.
func withoutTag(ref string) string {
	if i := strings.LastIndex(ref, ":"); i > strings.LastIndex(ref, "/") {
		return ref[:i]
	}
	return ref
}

// repositoryOf is host, path and name of an image; a deploy may change no more
// than what comes after.
func repositoryOf(ref string) string {
	parsed, err := name.ParseReference(ref)
	if err != nil {
		ref, _, _ = strings.Cut(ref, "@")
		return withoutTag(ref)
	}
	return parsed.Context().Name()
}

// credentialKind is Render's word for the registry that an image is in; "" when it has none.
func credentialKind(ref string) string {
	host, _, _ := strings.Cut(repositoryOf(ref), "/")
	switch {
	case host == name.DefaultRegistry || host == "docker.io":
		return "DOCKER"
	case host == "ghcr.io":
		return "GITHUB"
	case host == "registry.gitlab.com":
		return "GITLAB"
	case strings.HasSuffix(host, ".pkg.dev"), strings.HasSuffix(host, "gcr.io"):
		return "GOOGLE_ARTIFACT"
	case strings.Contains(host, ".dkr.ecr.") && strings.HasSuffix(host, ".amazonaws.com"):
		return "AWS_ECR"
	}
	return ""
}

// credential is the id of what Render pulls an image with; "" when none is
// registered for its registry: a public image needs none. Of several one has to be chosen.
func (p *Platform) credential(ctx context.Context, ownerID, image string) (string, error) {
	type credential struct{ ID, Name, Registry string }
	kind, chosen := credentialKind(image), p.o.RegistryCredential
	if kind == "" && chosen == "" {
		return "", nil
	}
	var all []credential // this list alone has no cursors
	query := url.Values{"ownerId": {ownerID}, "limit": {"100"}}
	if err := p.call(ctx, http.MethodGet, "/registrycredentials", query, nil, &all); err != nil {
		return "", explain(err, "list the registry credentials")
	}
	fits := slices.DeleteFunc(all, func(c credential) bool {
		if chosen != "" {
			return c.ID != chosen && c.Name != chosen
		}
		return c.Registry != kind
	})
	switch {
	case len(fits) == 1:
		return fits[0].ID, nil
	case chosen != "":
		return "", errs.New(errs.Usage, "no registry credentials %q in this workspace, or several", chosen).
			WithHint("see Workspace Settings, Container Registry Credentials, at https://dashboard.render.com")
	case len(fits) > 1:
		names := make([]string, len(fits))
		for i, c := range fits {
			names[i] = c.ID + "  " + c.Name
		}
		return "", errs.New(errs.Usage, "%d registry credentials of this workspace are for %s", len(fits), kind).
			WithHint("set RENDER_REGISTRY_CREDENTIAL to the id or the name of one:\n%s", strings.Join(names, "\n"))
	}
	return "", nil
}
