package railway

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
)

// build finds or makes the deployment's image.
func (r *rollout) build() error {
	s, d := r.s, r.d
	if d.Image != "" {
		return r.pull()
	}
	if d.Upload == "" && d.Settings.Repo == "" {
		done := r.step(stepBuild)
		r.errorf("There is nothing to build")
		done(eventPayload{Error: "No source"})
		return &failure{statusFailed, "no source"}
	}
	r.step(stepSnapshot)(eventPayload{})
	done := r.step(stepBuild)
	r.logf("Using %s", builderName(d.Settings))
	s.mu.Lock()
	size := s.st.Sources[d.Upload]
	if d.Upload == "" { // a repository isn't fetched: its name and branch stand for it
		sum := sha256.Sum256([]byte(d.Settings.Repo + "@" + d.Settings.Branch))
		d.Digest = "sha256:" + hex.EncodeToString(sum[:])
	} else {
		d.Digest = "sha256:" + d.Upload
	}
	s.mu.Unlock()
	if d.Upload != "" && size == 0 {
		r.errorf("The source contains no files to build")
		done(eventPayload{Error: "Build failed", Detail: "Railpack could not determine how to build the app."})
		return &failure{statusFailed, "build failed"}
	}
	r.logf("exporting to docker image format")
	done(eventPayload{})
	publish := r.step(stepPublish)
	r.logf("image push: %s", d.Digest)
	publish(eventPayload{})
	return nil
}

func builderName(set settings) string {
	if set.DockerfilePath != "" {
		return "Dockerfile " + set.DockerfilePath
	}
	return strings.ToUpper(set.builder()[:1]) + strings.ToLower(set.builder()[1:])
}

// pull resolves an image reference. There is no build step for an image.
func (r *rollout) pull() error {
	d := r.d
	done := r.step(stepBuild)
	if engineOf(d.Image) != "" { // the platform's own images are always there
		done(eventPayload{Skipped: true})
		return nil
	}
	ref := d.Image
	if d.Digest != "" { // a rollback: that very image
		base, _, _ := strings.Cut(ref, "@")
		ref = base + "@" + d.Digest
	}
	img, found := r.s.w.Images.Resolve(ref)
	if !found {
		r.errorf("Failed to pull image %s: manifest unknown", d.Image)
		done(eventPayload{Error: "Failed to pull image", Reason: "image", Detail: "manifest unknown: " + d.Image})
		return &failure{statusFailed, "image not found"}
	}
	r.s.mu.Lock()
	d.Digest = img.Digest
	r.s.mu.Unlock()
	r.logf("Pulled image %s (%s)", d.Image, img.Digest)
	done(eventPayload{Skipped: true})
	return nil
}

// uploadError is an answer of the upload endpoint that isn't 200.
type uploadError struct {
	code    int
	message string
}

func (e *uploadError) Error() string { return e.message }

// upload is POST /project/P/environment/E/up?serviceId=S&message=M: a gzip
// compressed tar of the source. It starts a deployment; without a service it
// makes one.
func (s *Server) upload(rw http.ResponseWriter, r *http.Request, c *caller) {
	out, err := s.takeSource(r, c)
	if err == nil {
		writeJSON(rw, http.StatusOK, out)
		return
	}
	e := &uploadError{http.StatusBadRequest, err.Error()}
	errors.As(err, &e)
	if e.code == http.StatusRequestEntityTooLarge {
		http.Error(rw, e.message, e.code)
		return
	}
	writeJSON(rw, e.code, map[string]any{"message": e.message})
}

func (s *Server) takeSource(r *http.Request, c *caller) (map[string]any, error) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/") // project P environment E up
	if len(parts) != 5 || parts[0] != "project" || parts[2] != "environment" {
		return nil, &uploadError{http.StatusNotFound, "Not Found"}
	}
	if err := c.anybody(); err != nil {
		return nil, &uploadError{http.StatusUnauthorized, err.Error()}
	}
	data, err := io.ReadAll(io.LimitReader(r.Body, s.opts.UploadLimit+1))
	switch {
	case err != nil:
		return nil, &uploadError{http.StatusBadRequest, "could not read the archive"}
	case int64(len(data)) > s.opts.UploadLimit:
		return nil, &uploadError{http.StatusRequestEntityTooLarge, "Payload Too Large"}
	}
	sum, size, err := readArchive(data)
	if err != nil {
		return nil, &uploadError{http.StatusBadRequest, err.Error()}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i, err := s.uploadTarget(c, parts[1], parts[3], r.URL.Query().Get("serviceId"))
	if err != nil {
		return nil, err
	}
	s.st.Sources[sum] = size
	i.Upload, i.Settings.Image, i.Settings.Repo = sum, "", ""
	d := s.newDeployment(i, "deploy")
	d.Settings, d.Kept, d.Upload, d.Message = i.Settings, cloneVariables(i.Variables), sum, r.URL.Query().Get("message")
	s.launch(d, i)
	base := "https://railway.com/project/" + parts[1] + "/service/" + i.ServiceID
	return map[string]any{
		"deploymentId": d.ID, "url": base + "?environmentId=" + parts[3], "logsUrl": base + "?id=" + d.ID, "deploymentDomain": s.publicDomain(i),
	}, nil
}

// uploadTarget finds the service that source is for, or makes one. Callers hold s.mu.
func (s *Server) uploadTarget(c *caller, projectID, environmentID, serviceID string) (*instance, error) {
	p, err := s.project(c, projectID)
	if err != nil {
		return nil, err
	}
	e, err := s.environment(c, environmentID)
	if err != nil {
		return nil, err
	}
	if e.ProjectID != p.ID {
		return nil, notFound("Environment")
	}
	if serviceID != "" {
		return s.instance(c, serviceID, environmentID)
	}
	v, err := s.newService(p, "service-"+s.w.Hex(6))
	if err != nil {
		return nil, err
	}
	return s.newInstance(v, e), nil
}

// readArchive checks an uploaded archive. sum identifies the content whatever
// the compression and the times in it; size is that of its files.
func readArchive(data []byte) (sum string, size int64, err error) {
	zr, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return "", 0, errors.New("the archive is not gzip")
	}
	hash := sha256.New()
	tr := tar.NewReader(zr)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return hex.EncodeToString(hash.Sum(nil)), size, nil
		}
		if err != nil {
			return "", 0, fmt.Errorf("the archive is damaged: %w", err)
		}
		if err := checkEntry(h); err != nil {
			return "", 0, err
		}
		_, _ = fmt.Fprintf(hash, "%s\x00%o\x00%d\x00", path.Clean(h.Name), h.Mode&0o111, h.Size)
		n, err := io.Copy(hash, tr) //nolint:gosec // the archive's size is bounded, and nothing is kept
		if err != nil {
			return "", 0, fmt.Errorf("the archive is damaged: %w", err)
		}
		size += n
	}
}

// checkEntry holds an entry to what the platform's own client sends.
func checkEntry(h *tar.Header) error {
	clean := path.Clean(h.Name)
	switch {
	case path.IsAbs(h.Name), clean == "..", strings.HasPrefix(clean, "../"):
		return fmt.Errorf("invalid path in the archive: %s", h.Name)
	case h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir:
		return fmt.Errorf("%s is neither a file nor a directory", h.Name)
	}
	for part := range strings.SplitSeq(clean, "/") {
		if part == ".git" || part == "node_modules" {
			return fmt.Errorf("the archive contains %s", h.Name)
		}
	}
	return nil
}
