package railway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// SourceKind is SourceUpload: Railway builds from a tar.gz.
func (p *Platform) SourceKind() string { return platform.SourceUpload }

// upload sends the source as `railway up` does, which begins a deployment.
func (p *Platform) upload(ctx context.Context, v *view, want platform.Release) (string, error) {
	defer p.forget()
	size, err := measure(want.Source.Open)
	if err != nil {
		return "", errs.Wrap(err, errs.Failure, "read the source of %q", v.app)
	}
	body, err := want.Source.Open()
	if err != nil {
		return "", errs.Wrap(err, errs.Failure, "read the source of %q", v.app)
	}
	target := fmt.Sprintf("%s/project/%s/environment/%s/up?%s", p.base, url.PathEscape(v.project.ID), url.PathEscape(v.environment.ID),
		url.Values{"serviceId": {v.service}, "message": {"opsctl " + want.Label}}.Encode())
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, body)
	if err != nil {
		_ = body.Close()
		return "", err
	}
	req.Header = p.header()
	req.Header.Set("Content-Type", "application/gzip")
	req.ContentLength, req.GetBody = size, want.Source.Open
	resp, err := p.http.Do(req)
	if err != nil {
		return "", httpx.RedactError(err)
	}
	defer resp.Body.Close()
	answer, err := httpx.ReadBody(resp, maxAnswer)
	if err != nil {
		return "", err
	}
	return uploaded(resp, answer, size)
}

// uploaded reads the answer to an upload.
func uploaded(resp *http.Response, answer []byte, size int64) (string, error) {
	var in struct {
		DeploymentID string `json:"deploymentId"`
		Message      string `json:"message"`
	}
	jsonErr := json.Unmarshal(answer, &in)
	switch {
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return "", errs.New(errs.Failure, "the source is too large for Railway: %.1f MB (%s)", float64(size)/1e6, strings.TrimSpace(firstLine(answer))).
			WithHint("leave out more with .dockerignore, or build an image and deploy it with --image")
	case resp.StatusCode >= http.StatusMultipleChoices:
		return "", &apiError{status: resp.StatusCode, request: httpx.RequestID(resp.Header), text: in.Message}
	case jsonErr != nil || in.DeploymentID == "":
		return "", fmt.Errorf("the answer to the upload names no deployment")
	}
	return in.DeploymentID, nil
}

func firstLine(text []byte) string {
	line, _, _ := strings.Cut(string(text), "\n")
	return line[:min(len(line), 200)]
}

// measure reads the source once for its size, which the API wants to know first.
func measure(open func() (io.ReadCloser, error)) (int64, error) {
	r, err := open()
	if err != nil {
		return 0, err
	}
	n, err := io.Copy(io.Discard, r)
	if cerr := r.Close(); err == nil {
		err = cerr
	}
	return n, err
}
