package emulator_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"errors"

	"github.com/opsctl/opsctl/internal/emulator"
)

// An image is pushed as to registry.fly.io: user x, the token as password, and
// only for an app that exists. Then it deploys under either registry's name.
func TestPushAndDeploy(t *testing.T) {
	s := start(t)
	c := connect(t, s)
	img, err := random.Image(2000, 2)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.NewTag(s.Host()+"/shop:deployment-1", name.Insecure)
	if err != nil {
		t.Fatal(err)
	}
	login := remote.WithAuth(&authn.Basic{Username: "x", Password: emulator.Token})
	wantCode := func(what string, err error, code int) {
		t.Helper()
		var te *transport.Error
		if !errors.As(err, &te) || te.StatusCode != code {
			t.Errorf("%s: %v, want %d", what, err, code)
		}
	}
	wantCode("a push without a token", remote.Write(ref, img), http.StatusUnauthorized)
	wantCode("a push for no app", remote.Write(ref, img, login), http.StatusNotFound)
	c.app("shop")
	if err := remote.Write(ref, img, login); err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	for _, image := range []string{
		"registry.fly.io/shop:deployment-1", s.Host() + "/shop:deployment-1", "registry.fly.io/shop@" + digest.String(), "registry.fly.io/shop:deployment-1@" + digest.String(),
	} {
		code, doc := c.call("POST", "/v1/apps/shop/machines", map[string]any{"config": map[string]any{"image": image}, "skip_launch": true})
		if code != 200 {
			t.Errorf("%s: %d %v", image, code, doc)
			continue
		}
		got := doc["image_ref"].(map[string]any)
		if got["digest"] != digest.String() || got["repository"] != "shop" || strings.Contains(image, ":deployment-1") != (got["tag"] == "deployment-1") {
			t.Errorf("%s: image_ref %v", image, got)
		}
	}
}

// A seeded image may belong to any registry, and every one is different.
func TestSeededImages(t *testing.T) {
	s := start(t, func(o *emulator.Options) { o.SeedImages = []string{"shop:v1", "ghcr.io/acme/shop:v1"} })
	c := connect(t, s)
	c.app("shop")
	if err := s.SeedImage("shop:v2"); err != nil {
		t.Fatal(err)
	}
	digests := map[any]bool{}
	for _, image := range []string{"registry.fly.io/shop:v1", "registry.fly.io/shop:v2", "ghcr.io/acme/shop:v1"} {
		code, doc := c.call("POST", "/v1/apps/shop/machines", map[string]any{"config": map[string]any{"image": image}, "skip_launch": true})
		if code != 200 {
			t.Fatalf("%s: %d %v", image, code, doc)
		}
		ref := doc["image_ref"].(map[string]any)
		digests[ref["digest"]] = true
		if host, _, _ := strings.Cut(image, "/"); ref["registry"] != host {
			t.Errorf("%s: image_ref %v", image, ref)
		}
	}
	if len(digests) != 3 {
		t.Errorf("three images have %d digests", len(digests))
	}
	for _, bad := range []string{"shop@sha256:" + strings.Repeat("0", 64), "UPPER:v1", ""} {
		if err := s.SeedImage(bad); err == nil {
			t.Errorf("SeedImage(%q) is fine", bad)
		}
	}
}
