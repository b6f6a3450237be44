package world

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/go-containerregistry/pkg/registry"

	"github.com/opsctl/opsctl/internal/atomicfile"
)

// maxManifest bounds a manifest, as the registries do (4 MiB).
const maxManifest = 4 << 20

// manifestStore keeps what the registry's own disk handler does not: which
// manifests and tags there are. Each is a file DIR/manifests/REPOSITORY/TARGET,
// both names URL-escaped; the target is a tag or a digest.
type manifestStore struct {
	dir string
	mu  sync.Mutex // a manifest is in memory and on disk, or in neither
}

// keptManifest is the file of one manifest.
type keptManifest struct {
	Type string `json:"type"` // Content-Type
	Body []byte `json:"body"`
}

// OpenImages makes a registry whose blobs, manifests and tags are in dir, where
// the next one finds them. The directory is made when it is missing.
func OpenImages(dir string) (*Images, error) {
	blobs := filepath.Join(dir, "blobs")
	st := &manifestStore{dir: filepath.Join(dir, "manifests")}
	for _, d := range []string{blobs, st.dir} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("keep the images: %w", err)
		}
	}
	im := &Images{
		handler: registry.New(registry.Logger(log.New(io.Discard, "", 0)), registry.WithBlobHandler(registry.NewDiskBlobHandler(blobs))),
		own:     map[string]bool{},
	}
	if err := st.replay(im.handler); err != nil {
		return nil, fmt.Errorf("read the kept images: %w", err)
	}
	im.kept = st
	return im, nil
}

// serve answers what changes a manifest and keeps the change; false is any
// other request.
func (st *manifestStore) serve(h http.Handler, rw http.ResponseWriter, r *http.Request) bool {
	repo, target, found := manifestPath(r.URL.Path)
	if !found || (r.Method != http.MethodPut && r.Method != http.MethodDelete) {
		return false
	}
	body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxManifest))
	if err != nil {
		http.Error(rw, "the manifest could not be read", http.StatusBadRequest)
		return true
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	rec := httptest.NewRecorder()
	r.Body = io.NopCloser(bytes.NewReader(body))
	h.ServeHTTP(rec, r)
	if rec.Code/100 == 2 {
		if err := st.keep(r, repo, target, rec.Header().Get("Docker-Content-Digest"), body); err != nil {
			http.Error(rw, "the manifest could not be kept", http.StatusInternalServerError)
			return true
		}
	}
	maps.Copy(rw.Header(), rec.Header())
	rw.WriteHeader(rec.Code)
	_, _ = rw.Write(rec.Body.Bytes())
	return true
}

func (st *manifestStore) keep(r *http.Request, repo, target, digest string, body []byte) error {
	if r.Method == http.MethodDelete {
		err := os.Remove(st.file(repo, target))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	data, err := json.Marshal(keptManifest{r.Header.Get("Content-Type"), body})
	if err != nil {
		return err
	}
	for _, t := range []string{digest, target} { // a tag's manifest stays when the tag moves on
		path := st.file(repo, t)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := atomicfile.Write(path, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

func (st *manifestStore) file(repo, target string) string {
	return filepath.Join(st.dir, url.PathEscape(repo), url.PathEscape(target)+".json")
}

// replay puts the kept manifests into the registry. An index is refused before
// its parts are there, so what was refused is tried again.
func (st *manifestStore) replay(h http.Handler) error {
	files, err := filepath.Glob(filepath.Join(st.dir, "*", "*.json"))
	if err != nil {
		return err
	}
	for len(files) > 0 {
		var again []string
		for _, path := range files {
			done, err := replayOne(h, path)
			if err != nil {
				return err
			}
			if !done {
				again = append(again, path)
			}
		}
		if len(again) == len(files) {
			break // an index that lost a part: nobody can pull it
		}
		files = again
	}
	return nil
}

func replayOne(h http.Handler, path string) (bool, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return false, err
	}
	var m keptManifest
	if err := json.Unmarshal(data, &m); err != nil {
		return false, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	repo, err := url.PathUnescape(filepath.Base(filepath.Dir(path)))
	if err != nil {
		return false, err
	}
	target, err := url.PathUnescape(strings.TrimSuffix(filepath.Base(path), ".json"))
	if err != nil {
		return false, err
	}
	req := httptest.NewRequest(http.MethodPut, "/v2/"+repo+"/manifests/"+target, bytes.NewReader(m.Body)) //nolint:noctx // a call within the process
	req.Header.Set("Content-Type", m.Type)
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec.Code/100 == 2, nil
}

// manifestPath takes /v2/REPOSITORY/manifests/TARGET apart.
func manifestPath(path string) (repo, target string, found bool) {
	rest, found := strings.CutPrefix(path, "/v2/")
	at := strings.LastIndex(rest, "/manifests/")
	if !found || at <= 0 {
		return "", "", false
	}
	repo, target = rest[:at], rest[at+len("/manifests/"):]
	return repo, target, target != "" && !strings.Contains(target, "/")
}
