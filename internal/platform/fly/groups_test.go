package fly_test

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// machine makes a machine of a process group as somebody else would.
func (s suite) machine(group string) {
	s.t.Helper()
	body := `{"region": "fra", "config": {"image": "registry.fly.io/suite:1", "env": {"PORT": "3000"}, "metadata": {"fly_platform_version": "v2", "fly_process_group": "` + group + `"}}}`
	s.post("/apps/suite/machines", body)
}

// post asks the Machines API directly.
func (s suite) post(path, body string) {
	s.t.Helper()
	env := s.server.Env()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, env["FLY_FLAPS_BASE_URL"]+"/v1"+path, bytes.NewBufferString(body))
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+env["FLY_API_TOKEN"])
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("POST %s: %s", path, resp.Status)
	}
}

// An app whose machines opsctl does not manage is not taken for an empty one. Those of
// one-off tasks do not count, and beside machines of its own others are left alone.
func TestMachinesOfOtherProcessGroups(t *testing.T) {
	s := newSuite(t)
	s.machine("fly_app_console")
	if state := s.observe(); state.Current != nil {
		t.Errorf("a console is taken for the app: %+v", state.Current)
	}
	s.machine("web")
	s.machine("worker")
	_, err := client(t, s.server).Observe(t.Context(), "suite")
	if errs.ExitCode(err) != 2 || !strings.Contains(err.Error(), "web, worker, which opsctl does not manage") || errs.HintOf(err) == "" {
		t.Fatalf("%v\n%s", err, errs.HintOf(err))
	}
	s.machine("app")
	s.p = client(t, s.server)
	if state := s.observe(); len(state.Instances) != 1 {
		t.Errorf("%+v", state.Instances)
	}
	s.rollOut("2", "rolling", func(r *platform.Release) { r.Instances = 1 })
	if n := s.count("web") + s.count("worker"); n != 2 {
		t.Errorf("%d machines of the two other process groups are left", n)
	}
}

// count is how many machines of a process group there are.
func (s suite) count(group string) int {
	s.t.Helper()
	env := s.server.Env()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, env["FLY_FLAPS_BASE_URL"]+"/v1/apps/suite/machines", nil)
	s.must(err)
	req.Header.Set("Authorization", "Bearer "+env["FLY_API_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	s.must(err)
	defer resp.Body.Close()
	var text bytes.Buffer
	_, err = text.ReadFrom(resp.Body)
	s.must(err)
	return strings.Count(strings.ReplaceAll(text.String(), `": "`, `":"`), `"fly_process_group":"`+group+`"`)
}

// A wait that is answered with 408 at once is not repeated as fast as the network goes.
func TestAWaitThatEndsAtOnce(t *testing.T) {
	s := newSuite(t)
	s.fault("GET /v1/apps/suite/machines/*/wait=408")
	s.rollOut("1", "rolling", func(r *platform.Release) { r.Instances, r.Timeout = 1, 3*time.Second })
	waits := 0
	for _, r := range s.server.Requests() {
		if strings.HasSuffix(r.Path, "/wait") {
			waits++
		}
	}
	if waits == 0 || waits > 100 {
		t.Errorf("asked %d times", waits)
	}
}
