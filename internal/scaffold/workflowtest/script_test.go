package workflowtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs a step's script as the runner does, in dir, with a folder for RUNNER_TEMP.
func script(t *testing.T, s step, dir string, env ...string) (string, error) {
	t.Helper()
	if s.Run == "" {
		t.Fatal("there is no such step")
	}
	file := filepath.Join(t.TempDir(), "script.sh")
	if err := os.WriteFile(file, []byte(s.Run), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "bash", "--noprofile", "--norc", "-euo", "pipefail", file)
	cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH"), "RUNNER_TEMP=" + dir}, env...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

func needPrograms(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range append(names, "bash") {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip(err)
		}
	}
}

func stepNamed(t *testing.T, name, job, title string) step {
	t.Helper()
	for _, s := range parse(t, render(t, name, views()["full"])).Jobs[job].Steps {
		if s.Name == title {
			return s
		}
	}
	t.Fatalf("%s has no step %q", name, title)
	return step{}
}

// fakeCurl serves releases from a folder; the scripts call curl with addresses of github.com.
const fakeCurl = `#!/bin/sh
for word; do
  case $word in https://github.com/opsctl/opsctl/releases/download/v0.1.0/*) cp "$RELEASES/${word##*/}" . || exit 22;; esac
done
`

func TestInstallChecksTheArchive(t *testing.T) {
	needPrograms(t, "tar", "sha256sum")
	const archive = "opsctl_0.1.0_linux_amd64.tar.gz"
	tests := []struct {
		name  string
		spoil func(sums string) string
		ok    bool
	}{
		{"as published", func(sums string) string { return sums }, true},
		{"another archive", func(sums string) string { return "0000" + sums[4:] }, false},
		{"not in the list", func(sums string) string { return strings.ReplaceAll(sums, archive, "opsctl_0.1.0_darwin_amd64.tar.gz") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			releases, temp, bin := t.TempDir(), t.TempDir(), t.TempDir()
			put(t, filepath.Join(releases, "opsctl"), "#!/bin/sh\necho this is opsctl\n", 0o700)
			if out, err := exec.CommandContext(t.Context(), "tar", "-czf", filepath.Join(releases, archive), "-C", releases, "opsctl").CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			data, err := os.ReadFile(filepath.Join(releases, archive))
			if err != nil {
				t.Fatal(err)
			}
			put(t, filepath.Join(releases, "checksums.txt"), tt.spoil(fmt.Sprintf("%x  %s\n", sha256.Sum256(data), archive)), 0o600)
			put(t, filepath.Join(bin, "curl"), fakeCurl, 0o700)

			path := filepath.Join(temp, "github-path")
			out, err := script(t, stepNamed(t, "ci", "opsctl", "Install opsctl"), temp,
				"PATH="+bin+":"+os.Getenv("PATH"), "OPSCTL_VERSION=0.1.0", "RELEASES="+releases, "GITHUB_PATH="+path)
			added, _ := os.ReadFile(path)
			if !tt.ok {
				if err == nil || len(added) > 0 {
					t.Errorf("installed all the same: %s", out)
				}
				return
			}
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			got, err := exec.CommandContext(t.Context(), filepath.Join(strings.TrimSpace(string(added)), "opsctl")).Output()
			if err != nil || string(got) != "this is opsctl\n" {
				t.Errorf("%v: %s", err, got)
			}
		})
	}
}

func put(t *testing.T, file, data string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(file, []byte(data), mode); err != nil {
		t.Fatal(err)
	}
}

// The file with the secrets is the runner's alone, is given to opsctl, and is gone afterwards.
func TestEnvFile(t *testing.T) {
	needPrograms(t)
	const content = "A=\"one two\"\nB='$(touch pwned)'\n# end"
	temp, bin := t.TempDir(), t.TempDir()
	put(t, filepath.Join(bin, "opsctl"), "#!/bin/sh\necho \"$@\"\n", 0o700)
	env := []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "ENVIRONMENT=staging"}
	run := func(title string, more ...string) string {
		out, err := script(t, stepNamed(t, "deploy", "staging", title), temp, append(env, more...)...)
		if err != nil {
			t.Fatalf("%s: %v: %s", title, err, out)
		}
		return strings.TrimSpace(out)
	}
	file := filepath.Join(temp, "deploy.env")

	run("Write the environment's file", "ENV_FILE=") // no secret, no file
	if out := run("Deploy"); out != "deploy --env staging --no-input" {
		t.Errorf("without a file: %s", out)
	}
	if out := run("Write the environment's file", "ENV_FILE="+content); out != "" {
		t.Errorf("printed %s", out)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(file); string(data) != content+"\n" || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %q", info.Mode(), data)
	}
	if out := run("Deploy"); out != "deploy --env staging --no-input --env-file "+file {
		t.Error(out)
	}
	run("Remove the environment's file")
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSlackIsTold(t *testing.T) {
	needPrograms(t, "curl")
	var got []byte
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/services/T0/B0/secret" && r.Header.Get("Content-Type") == "application/json" {
			got, _ = io.ReadAll(r.Body)
		}
	}))
	defer server.Close()
	env := []string{"GITHUB_SERVER_URL=https://github.com", "GITHUB_REPOSITORY=acme/erp", "GITHUB_RUN_ID=7"}
	for job, what := range map[string]string{"create": "the backup failed", "verify": "the proof of the newest backup failed"} {
		s := stepNamed(t, "backup", job, "Tell Slack")
		got = nil
		if out, err := script(t, s, t.TempDir(), append(env, "SLACK_WEBHOOK_URL=")...); err != nil || out != "" || got != nil {
			t.Errorf("without a webhook: %v: %s", err, out)
		}
		if out, err := script(t, s, t.TempDir(), append(env, "SLACK_WEBHOOK_URL="+server.URL+"/services/T0/B0/secret")...); err != nil || out != "" {
			t.Errorf("%v: %s", err, out)
		}
		var message map[string]string
		if err := json.Unmarshal(got, &message); err != nil {
			t.Fatalf("%v: %s", err, got)
		}
		if want := "erp: " + what + ", see https://github.com/acme/erp/actions/runs/7"; len(message) != 1 || message["text"] != want {
			t.Errorf("said %v", message)
		}
	}
}
