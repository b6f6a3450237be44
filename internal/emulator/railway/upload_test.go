package railway_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator/railway"
)

// archive is a gzip compressed tar of name, content, name, content, ...
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	for i := 0; i < len(files); i += 2 {
		h := &tar.Header{Name: files[i], Mode: 0o644, Size: int64(len(files[i+1])), Typeflag: tar.TypeReg}
		if name, link := strings.CutSuffix(files[i], "@"); link {
			h.Name, h.Typeflag, h.Linkname, h.Size = name, tar.TypeSymlink, files[i+1], 0
		}
		if err := tw.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := tw.Write([]byte(files[i+1])); err != nil {
				t.Fatal(err)
			}
		}
	}
	if tw.Close() != nil || zw.Close() != nil {
		t.Fatal("archive")
	}
	return buf.Bytes()
}

func TestUpload(t *testing.T) {
	s := start(t, func(o *railway.Options) { o.UploadLimit = 4096 }).site()
	path := "/project/" + s.project + "/environment/" + s.env + "/up?serviceId=" + s.service + "&message=first"
	up := func(path string, body []byte) (int, m) {
		t.Helper()
		status, _, answer := s.post(path, "application/gzip", body)
		var out m
		_ = json.Unmarshal(answer, &out) // 413 is a text
		return status, out
	}
	status, out := up(path, archive(t, "./server.js", "listen()", "./lib/a.js", "a", "./.env.example", "A="))
	if status != 200 || out["deploymentId"] == nil || out["logsUrl"] == nil {
		t.Fatalf("%d %v", status, out)
	}
	id := out["deploymentId"].(string)
	s.ends(id, "SUCCESS")
	image := ""
	s.eventually("it answers", func() bool { image = s.page("/"); return image != "" })
	if !strings.HasPrefix(image, "sha256:") {
		t.Errorf("the image is %q", image)
	}
	ev := s.events(id)
	for _, step := range []string{"SNAPSHOT_CODE", "BUILD_IMAGE", "PUBLISH_IMAGE"} {
		if _, there := ev[step]; !there {
			t.Errorf("no step %s in %v", step, ev)
		}
	}
	if got := s.text("deployment.meta.cliMessage", `query($d: String!) { deployment(id: $d) { meta } }`, m{"d": id}); got != "first" {
		t.Errorf("message %q", got)
	}
	again := s.deploy() // what was uploaded last
	s.ends(again, "SUCCESS")
	if got := s.page("/"); got != "" && got != image {
		t.Errorf("the same source is another image: %q", got)
	}
	_, out = up(path, archive(t, "./server.js", "other()"))
	s.ends(out["deploymentId"].(string), "SUCCESS")
	s.eventually("another source is another image", func() bool { got := s.page("/"); return got != "" && got != image })

	_, out = up(path, archive(t))
	s.eventually("an empty source fails", func() bool { return s.status(out["deploymentId"].(string)) == "FAILED" })
	for _, tt := range []struct {
		name, path string
		body       []byte
		status     int
	}{
		{"not gzip", path, []byte("plain"), 400},
		{"damaged", path, archive(t, "./a", "content")[:40], 400},
		{"a way out", path, archive(t, "../a", "x"), 400},
		{"absolute", path, archive(t, "/etc/a", "x"), 400},
		{"a link", path, archive(t, "./a@", "b"), 400},
		{"node_modules", path, archive(t, "./node_modules/x/a.js", "x"), 400},
		{"git", path, archive(t, "./.git/config", "x"), 400},
		{"too large", path, bytes.Repeat([]byte("x"), 5000), 413},
		{"no such project", strings.Replace(path, s.project, "nope", 1), archive(t, "./a", "x"), 400},
		{"no such service", strings.Replace(path, s.service, "nope", 1), archive(t, "./a", "x"), 400},
	} {
		if status, _ := up(tt.path, tt.body); status != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, status, tt.status)
		}
	}
	if status, _, _ := s.as("").post(path, "application/gzip", archive(t, "./a", "x")); status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", status)
	}
	// Without a service one is made.
	_, out = up(strings.Replace(path, s.service, "", 1), archive(t, "./a", "x"))
	s.ends(out["deploymentId"].(string), "SUCCESS")
}
