package platform

import "testing"

func TestPinned(t *testing.T) {
	const digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	tests := []struct {
		image Image
		want  string
	}{
		{Image{Ref: "registry.fly.io/shop:v1", Digest: digest}, "registry.fly.io/shop:v1@" + digest},
		{Image{Ref: "localhost:5000/shop", Digest: digest}, "localhost:5000/shop@" + digest},
		{Image{Ref: "localhost:5000/shop:v1@" + digest, Digest: digest}, "localhost:5000/shop:v1@" + digest},
		{Image{Ref: "shop:v1"}, "shop:v1"},
	}
	for _, tt := range tests {
		if got := tt.image.Pinned(); got != tt.want {
			t.Errorf("Pinned(%+v) = %q, want %q", tt.image, got, tt.want)
		}
	}
}

func TestSameImage(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"r/a:v1@sha256:11", "r/a@sha256:11", true},
		{"r/a:v1@sha256:11", "r/a:v1@sha256:22", false},
		{"r/a:v1", "r/a:v1", true},
		{"r/a:v1", "r/a:v1@sha256:11", false}, // a tag may have moved
	}
	for _, tt := range tests {
		if got := SameImage(tt.a, tt.b); got != tt.want {
			t.Errorf("SameImage(%q, %q) = %v", tt.a, tt.b, got)
		}
	}
}
