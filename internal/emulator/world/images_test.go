package world

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Images, an index among them, are there when the registry is opened again.
func TestImagesOnDisk(t *testing.T) {
	dir := t.TempDir()
	im, err := OpenImages(dir)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(im)
	defer srv.Close()
	host := strings.TrimPrefix(srv.URL, "http://")
	im.AddHost(host)
	push := func(ref string) {
		tag, err := name.NewTag(host + "/" + ref)
		if err != nil {
			t.Fatal(err)
		}
		idx, err := random.Index(64, 1, 2)
		if err != nil {
			t.Fatal(err)
		}
		if err := remote.WriteIndex(tag, idx); err != nil {
			t.Fatal(err)
		}
	}
	push("team/shop:v1")
	first, ok := im.Resolve(host + "/team/shop:v1")
	if !ok {
		t.Fatal("a pushed image is not there")
	}
	push("team/shop:v1") // the tag moves on
	if err := im.Seed("docker.io/library/redis:8"); err != nil {
		t.Fatal(err)
	}
	tag, _ := name.NewTag(host + "/gone:v1")
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(tag, img); err != nil {
		t.Fatal(err)
	}
	if err := remote.Delete(tag); err != nil {
		t.Fatal(err)
	}

	again, err := OpenImages(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.AddHost(host)
	for ref, want := range map[string]bool{
		host + "/team/shop:v1": true, host + "/team/shop@" + first.Digest: true, "redis:8": false, "docker.io/library/redis:8": true, host + "/gone:v1": false,
	} {
		was, okBefore := im.Resolve(ref)
		is, ok := again.Resolve(ref)
		if okBefore != want || ok != want || was.Digest != is.Digest {
			t.Errorf("%s: %v %s before, %v %s now, want %v", ref, okBefore, was.Digest, ok, is.Digest, want)
		}
	}
	srv2 := httptest.NewServer(again)
	defer srv2.Close()
	pull, _ := name.NewDigest(strings.TrimPrefix(srv2.URL, "http://") + "/team/shop@" + first.Digest)
	idx, err := remote.Index(pull)
	if err != nil {
		t.Fatal(err)
	}
	m, err := idx.IndexManifest()
	if err != nil || len(m.Manifests) != 2 {
		t.Fatalf("%v %v", m, err)
	}
	part, err := idx.Image(m.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := part.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%v %v", layers, err)
	}
	if rc, err := layers[0].Compressed(); err != nil {
		t.Errorf("a blob is gone: %v", err)
	} else {
		_ = rc.Close()
	}
}
