package world

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Image is a reference that was resolved in the world's registry.
type Image struct {
	Registry   string // as it was asked for
	Repository string
	Tag        string // empty when asked for by digest
	Digest     string // sha256:...
	Size       int64  // of the compressed layers
	Manifest   []byte
}

// Ref is the reference with its digest: REGISTRY/REPOSITORY[:TAG]@DIGEST.
func (i Image) Ref() string {
	s := i.Registry + "/" + i.Repository
	if i.Tag != "" {
		s += ":" + i.Tag
	}
	return s + "@" + i.Digest
}

// Images is an OCI registry. References to a registry host that is its own
// (AddHost) are looked up under the repository alone, all others under
// HOST/REPOSITORY, where only Seed puts something. Worlds may share one.
type Images struct {
	handler http.Handler
	kept    *manifestStore // nil: in memory only

	mu  sync.RWMutex
	own map[string]bool
}

// NewImages makes an empty registry that is kept in memory.
func NewImages() *Images {
	return &Images{handler: registry.New(registry.Logger(log.New(io.Discard, "", 0))), own: map[string]bool{}}
}

// AddHost names a registry host that this registry is.
func (im *Images) AddHost(host string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	im.own[host] = true
}

// ServeHTTP speaks the registry protocol below /v2/.
func (im *Images) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if im.kept != nil && im.kept.serve(im.handler, rw, r) {
		return
	}
	im.handler.ServeHTTP(rw, r)
}

// Seed makes the reference exist as a small placeholder image for
// linux/amd64. "shop:v1" without a registry means one of its own hosts.
func (im *Images) Seed(ref string) error {
	_, repo, id, err := im.split(ref)
	if err != nil {
		return err
	}
	if strings.HasPrefix(id, "sha256:") {
		return fmt.Errorf("image %q: give a tag, not a digest", ref)
	}
	cfg := &v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: v1.Config{Labels: map[string]string{"opsctl.emulator.seed": repo + ":" + id}}}
	img, err := mutate.ConfigFile(empty.Image, cfg)
	if err != nil {
		return err
	}
	dst, err := name.NewTag("registry.invalid/"+repo+":"+id, name.Insecure)
	if err != nil {
		return fmt.Errorf("image %q: %w", ref, err)
	}
	return remote.Write(dst, img, remote.WithTransport(inProcess{im}))
}

// Resolve finds the image of a reference; ok is false when there is none.
func (im *Images) Resolve(ref string) (Image, bool) {
	host, repo, id, err := im.split(ref)
	if err != nil {
		return Image{}, false
	}
	rec := httptest.NewRecorder()
	im.handler.ServeHTTP(rec, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v2/"+repo+"/manifests/"+id, nil))
	if rec.Code != http.StatusOK {
		return Image{}, false
	}
	out := Image{Registry: host, Repository: strings.TrimPrefix(repo, host+"/"), Digest: rec.Header().Get("Docker-Content-Digest"), Manifest: rec.Body.Bytes()}
	if !strings.HasPrefix(id, "sha256:") {
		out.Tag = id
	} else if base, _, _ := strings.Cut(ref, "@"); strings.Contains(base[strings.LastIndex(base, "/")+1:], ":") {
		out.Tag = base[strings.LastIndex(base, ":")+1:]
	}
	if m, err := v1.ParseManifest(strings.NewReader(string(out.Manifest))); err == nil {
		out.Size = m.Config.Size
		for _, l := range m.Layers {
			out.Size += l.Size
		}
	}
	return out, true
}

// split takes a reference apart into the host as written, the repository in
// this registry, and the tag or digest.
func (im *Images) split(ref string) (host, repo, id string, err error) {
	r, err := name.ParseReference(ref, name.WithDefaultRegistry("registry.fly.io"))
	if err != nil {
		return "", "", "", err
	}
	host = r.Context().RegistryStr()
	repo = r.Context().RepositoryStr()
	im.mu.RLock()
	defer im.mu.RUnlock()
	if !im.own[host] {
		repo = host + "/" + repo
	}
	return host, repo, r.Identifier(), nil
}

// inProcess calls a handler without a network.
type inProcess struct{ h http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	t.h.ServeHTTP(rec, r)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// Describe is a reference for people and stand-ins: with a tag of the image also when
// it was asked for by digest alone, and with the digest. A reference that is not there
// comes back as it is.
func (im *Images) Describe(ref string) string {
	img, ok := im.Resolve(ref)
	if !ok {
		return ref
	}
	if img.Tag == "" {
		img.Tag = im.tagOf(ref, img.Digest)
	}
	return img.Ref()
}

// tagOf is a tag that names the digest; "" when there is none.
func (im *Images) tagOf(ref, digest string) string {
	_, repo, _, err := im.split(ref)
	if err != nil {
		return ""
	}
	rec := httptest.NewRecorder()
	im.handler.ServeHTTP(rec, httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/v2/"+repo+"/tags/list", nil))
	var list struct {
		Tags []string `json:"tags"`
	}
	if json.Unmarshal(rec.Body.Bytes(), &list) != nil {
		return ""
	}
	base, _, _ := strings.Cut(ref, "@")
	for _, tag := range list.Tags {
		if img, ok := im.Resolve(base + ":" + tag); ok && img.Digest == digest {
			return tag
		}
	}
	return ""
}
