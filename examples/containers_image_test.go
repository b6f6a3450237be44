package examples_test

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Sizes in bytes. The goal counts from the stand-in base of 156 MB; the official
// image's size is not ours to promise.
const (
	maxImage         = 210e6
	maxOfficialImage = 500e6
)

// archive is one file of a saved image: a layer, or the configuration with the history.
type archive struct {
	digest string   // of the uncompressed content, as the image's configuration names a layer
	files  []string // of a layer, without the slash at the end of folders
	hits   map[string][]string
}

// saved is an image with everything in it.
type saved []archive

// save exports an image and looks for the needles in every byte of every layer.
func (e *engine) save(t *testing.T, image string, needles ...string) saved {
	t.Helper()
	file := filepath.Join(t.TempDir(), "image.tar")
	e.run(t, "save", "--output", file, image)
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var s saved
	err = eachFile(f, func(_ *tar.Header, content io.Reader) error {
		a, err := readArchive(content, needles)
		s = append(s, a)
		return err
	})
	if err != nil {
		t.Fatalf("read the saved image: %v", err)
	}
	return s
}

func eachFile(r io.Reader, do func(*tar.Header, io.Reader) error) error {
	files := tar.NewReader(r)
	for {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := do(h, files); err != nil {
			return err
		}
	}
}

func readArchive(r io.Reader, needles []string) (archive, error) {
	a := archive{hits: map[string][]string{}}
	content := bufio.NewReader(r)
	if magic, _ := content.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(content)
		if err != nil {
			return a, err
		}
		content = bufio.NewReader(z)
	}
	head, _ := content.Peek(262)
	digest := sha256.New()
	whole := io.TeeReader(content, digest)
	if len(head) == 262 && string(head[257:]) == "ustar" {
		err := eachFile(whole, func(h *tar.Header, file io.Reader) error {
			name := path.Clean(h.Name)
			a.files = append(a.files, name)
			return a.search(name, io.MultiReader(strings.NewReader(h.Name+"\n"+h.Linkname+"\n"), file), needles)
		})
		if err != nil {
			return a, err
		}
	} else if err := a.search("configuration", whole, needles); err != nil {
		return a, err
	}
	_, err := io.Copy(io.Discard, whole)
	a.digest = "sha256:" + hex.EncodeToString(digest.Sum(nil))
	return a, err
}

func (a *archive) search(name string, r io.Reader, needles []string) error {
	content, err := io.ReadAll(r)
	for _, n := range needles {
		if bytes.Contains(content, []byte(n)) {
			a.hits[n] = append(a.hits[n], name)
		}
	}
	return err
}

// where says which files hold the needle.
func (s saved) where(needle string) (names []string) {
	for _, a := range s {
		names = append(names, a.hits[needle]...)
	}
	return names
}

// added are the files of the layers that the base image lacks.
func (s saved) added(base []string) (files []string) {
	for _, a := range s {
		if !slices.Contains(base, a.digest) {
			files = append(files, a.files...)
		}
	}
	return files
}

// layersOf are the digests of an image's layers.
func (e *engine) layersOf(t *testing.T, image string) (layers []string) {
	t.Helper()
	if err := json.Unmarshal([]byte(e.inspect(t, image, "{{json .RootFS.Layers}}")), &layers); err != nil {
		t.Fatal(err)
	}
	return layers
}

// baseOf is the image that the Dockerfile starts from.
func baseOf(t *testing.T, repo string) string {
	t.Helper()
	m := regexp.MustCompile(`(?m)^FROM (\S+)`).FindStringSubmatch(read(t, repo, "Dockerfile"))
	if m == nil {
		t.Fatal("the Dockerfile has no FROM")
	}
	return m[1]
}

func (e *engine) checkSize(t *testing.T, image, base string) {
	t.Helper()
	size, err := strconv.ParseFloat(e.inspect(t, image, "{{.Size}}"), 64)
	if err != nil {
		t.Fatal(err)
	}
	limit, kind := maxImage, "the stand-in"
	if strings.Trim(e.inspect(t, base, `{{index .Config.Labels "opsctl.standin"}}`), `"<no value>`) == "" {
		limit, kind = maxOfficialImage, "the official"
	}
	t.Logf("image: %.0f MB on %s base %s (goal: under %.0f MB)", size/1e6, kind, base, limit/1e6)
	if size >= limit {
		t.Errorf("the image has %.1f MB, want less than %.0f", size/1e6, limit/1e6)
	}
}

// checkUser starts the image as it is and asks the kernel.
func (e *engine) checkUser(t *testing.T, image string) {
	t.Helper()
	if got := e.inspect(t, image, "{{.Config.User}}"); got != "1001:1001" {
		t.Errorf("the image's user is %q", got)
	}
	args := slices.Concat([]string{"run", "--rm"}, e.labels(), []string{image, "node", "-p", "[process.getuid(), process.getgid(), process.getgroups()].join()"})
	if got := e.run(t, args...); got != "1001,1001,1001" {
		t.Errorf("user, group and groups are %s", got)
	}
}

// checkContents wants the app in the image, and nothing that is not the app: no
// package manager, no file of the tests or with secrets, no development dependency.
func checkContents(t *testing.T, added []string, dev []string) {
	t.Helper()
	// What adduser and addgroup write, on Alpine and on Debian.
	users := regexp.MustCompile(`^(etc|run|home|home/nextjs|etc/((passwd|group|shadow|gshadow|subuid|subgid)-?|\.pwd\.lock)|run/adduser)$`)
	unwanted := regexp.MustCompile(`(^|/)(\.env(\..*)?|\.npmrc|.*\.pem|.*\.(test|spec)\.\w+|e2e|__tests__|tests)$`)
	for _, f := range added {
		switch {
		case f != "app" && !strings.HasPrefix(f, "app/") && !users.MatchString(f):
			t.Errorf("the image adds /%s, which is no part of the app", f)
		case unwanted.MatchString(f):
			t.Errorf("/%s is in the image", f)
		}
		for _, d := range slices.Concat(dev, []string{"typescript", "esbuild", "drizzle-kit", "pnpm", "npm", "corepack"}) {
			if strings.HasSuffix(f, "/node_modules/"+d) {
				t.Errorf("/%s is in the image", f)
			}
		}
	}
	for _, want := range []string{"app/server.js", "app/migrate.mjs", "app/.next/static"} {
		if !slices.Contains(added, want) {
			t.Errorf("/%s is not in the image", want)
		}
	}
}

// devDependencies of a repository's package.json, which has to have some.
func devDependencies(t *testing.T, repo string) (names []string) {
	t.Helper()
	var manifest struct {
		DevDependencies map[string]string `json:"devDependencies"`
	}
	if err := json.Unmarshal([]byte(read(t, repo, "package.json")), &manifest); err != nil {
		t.Fatal(err)
	}
	for name := range manifest.DevDependencies {
		names = append(names, name)
	}
	if len(names) == 0 {
		t.Fatal("the app has no development dependency: nothing to look for")
	}
	return names
}
