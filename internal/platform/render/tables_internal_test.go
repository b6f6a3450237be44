package render

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func TestStatuses(t *testing.T) {
	for status, want := range map[string]struct {
		release  platform.ReleaseStatus
		underWay bool
	}{
		created: {platform.Running, true}, queued: {platform.Running, true}, building: {platform.Running, true},
		preDeploying: {platform.Running, true}, updating: {platform.Running, true}, "something_new": {platform.Running, true},
		live: {platform.Complete, false}, deactivated: {platform.Complete, false},
		buildFailed: {platform.Failed, false}, preFailed: {platform.Failed, false}, updateFailed: {platform.Failed, false}, canceled: {platform.Failed, false},
	} {
		d := deploy{Status: status}
		if got := releaseStatus(status); got != want.release || d.underWay() != want.underWay {
			t.Errorf("%s: %s, under way %v; want %+v", status, got, d.underWay(), want)
		}
		if failed := want.release == platform.Failed; failed != (reason(status) != "") {
			t.Errorf("%s: reason %q", status, reason(status))
		}
	}
}

func TestImagePaths(t *testing.T) {
	digest := "@sha256:" + strings.Repeat("a", 64)
	for in, want := range map[string]string{
		"nginx:1.27": "nginx:1.27", "ghcr.io/a/b:1" + digest: "ghcr.io/a/b" + digest, "localhost:5000/a" + digest: "localhost:5000/a" + digest,
		"localhost:5000/a:x" + digest: "localhost:5000/a" + digest,
	} {
		if got := imagePath(in); got != want {
			t.Errorf("imagePath(%s) = %s, want %s", in, got, want)
		}
	}
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"nginx:1", "docker.io/library/nginx:2", true}, {"nginx", "index.docker.io/library/nginx" + digest, true},
		{"ghcr.io/a/b:1", "ghcr.io/a/c:1", false}, {"a/b", "ghcr.io/a/b", false}, {"localhost:5000/a:1", "localhost:5000/a:2", true},
	} {
		if got := repositoryOf(tt.a) == repositoryOf(tt.b); got != tt.same {
			t.Errorf("%s and %s: the same repository is %v", tt.a, tt.b, got)
		}
	}
	for in, want := range map[string]string{
		"nginx": "DOCKER", "docker.io/a/b": "DOCKER", "ghcr.io/a/b": "GITHUB", "registry.gitlab.com/a/b": "GITLAB",
		"europe-docker.pkg.dev/p/r/i": "GOOGLE_ARTIFACT", "1.dkr.ecr.eu-west-1.amazonaws.com/a": "AWS_ECR", "quay.io/a/b": "",
	} {
		if got := credentialKind(in); got != want {
			t.Errorf("credentialKind(%s) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"git@github.com:acme/shop.git": "https://github.com/acme/shop", "https://x:token@github.com/acme/shop.git": "https://github.com/acme/shop",
		"ssh://git@gitlab.com:22/a/b.git": "https://gitlab.com/a/b", "https://github.com/acme/shop/": "https://github.com/acme/shop",
	} {
		if got := repository(in); got != want {
			t.Errorf("repository(%s) = %s, want %s", in, got, want)
		}
	}
}

func TestDeployContent(t *testing.T) {
	for text, want := range map[string]string{
		`{"image":{"ref":"a/b:1","sha":"sha256:aa"}}`: "a/b:1@sha256:aa", `{"image":{"ref":"a/b:1","sha":"aa"}}`: "a/b:1@sha256:aa",
		`{"image":{"ref":"a/b@sha256:aa","sha":"sha256:aa"}}`: "a/b@sha256:aa", `{"image":{"ref":"a/b:1"}}`: "a/b:1",
		`{"commit":{"id":"0abc"}}`: "git:0abc", `{}`: "",
	} {
		var d deploy
		if err := json.Unmarshal([]byte(text), &d); err != nil || d.content() != want {
			t.Errorf("%s: %q, %v, want %q", text, d.content(), err, want)
		}
	}
}

func TestLedger(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	l := ledger{V: 1}
	for i := range 40 {
		l.configure(platform.Release{
			Label: fmt.Sprintf("label-%d", i), Image: "ghcr.io/acme/shop@sha256:" + strings.Repeat("b", 64), Port: 3000, Health: "/api/health",
			Env: map[string]string{"COLOR": "blue"}, Instances: 2, Command: []string{"pnpm", "db:migrate"},
		}, now)
		l.record(fmt.Sprintf("dep-%d", i), "", nil)
		l = readLedger(l.text())
	}
	if n := len(l.text()); n > maxState {
		t.Errorf("%d bytes, at most %d", n, maxState)
	}
	if len(l.Releases) < 8 || l.Releases[0].Version != "dep-39" || len(l.Envs) != 1 {
		t.Errorf("%d releases, newest %+v, %d envs", len(l.Releases), l.Releases[0], len(l.Envs))
	}
	if e, ok := l.find("dep-38"); !ok || l.env(e)["COLOR"] != "blue" || e.Label != "label-38" {
		t.Errorf("%+v", e)
	}
	// What is larger than all of it is kept alone: a release must never be forgotten at once.
	l.configure(platform.Release{Env: map[string]string{"BIG": strings.Repeat("x", 5000)}}, now)
	l.record("dep-big", "", nil)
	l = readLedger(l.text())
	if len(l.Releases) != 1 || len(l.env(l.Releases[0])["BIG"]) != 5000 || len(l.plain()) != 1 {
		t.Errorf("%d releases, %d plain", len(l.Releases), len(l.plain()))
	}
	for _, text := range []string{"", "x", `{"v":2}`, `{"v":1,"releases":[{"env":7}]}`} {
		_ = readLedger(text).plain() // does not fall over
	}
}

func TestWhoseDeployItIs(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	conf := ledger{V: 1}
	conf.configure(platform.Release{Image: "a/b@sha256:aa"}, now)
	image := func(ref string) *struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	} {
		return &struct {
			Ref string `json:"ref"`
			SHA string `json:"sha"`
		}{Ref: ref}
	}
	for name, tt := range map[string]struct {
		d    deploy
		ours bool
	}{
		"after it was set up":       {deploy{ID: "dep-1", Trigger: "api", CreatedAt: now.Add(time.Second), Image: image("a/b@sha256:aa")}, true},
		"long before":               {deploy{ID: "dep-1", Trigger: "api", CreatedAt: now.Add(-time.Hour), Image: image("a/b@sha256:aa")}, false},
		"another image":             {deploy{ID: "dep-1", Trigger: "api", CreatedAt: now.Add(time.Second), Image: image("a/b@sha256:bb")}, false},
		"somebody at the dashboard": {deploy{ID: "dep-1", Trigger: "manual", CreatedAt: now.Add(time.Second), Image: image("a/b@sha256:aa")}, false},
		"a push":                    {deploy{ID: "dep-1", Trigger: "new_commit", CreatedAt: now.Add(time.Second)}, false},
	} {
		if got := conf.ours(tt.d); got != tt.ours {
			t.Errorf("%s: ours %v", name, got)
		}
	}
}

func TestCauses(t *testing.T) {
	for text, want := range map[string]string{
		`{"details":{"reason":{"failure":{"evicted":false,"nonZeroExit":3}}}}`:                       "it ended with exit code 3",
		`{"details":{"reason":{"evicted":false,"oomKilled":{"memoryLimit":"512Mi"}}}}`:               "it was killed for lack of memory (limit 512Mi)",
		`{"details":{"reason":{"failure":{"evicted":false,"unhealthy":"HTTP 503"}}}}`:                "its health check failed: HTTP 503",
		`{"details":{"reason":{"failure":{"timedOutSeconds":900,"timedOutReason":"no open port"}}}}`: "it timed out after 900 s no open port",
		`{"details":{"reason":{"failure":{"evicted":true}}}}`:                                        "it was evicted", `{"details":{}}`: "", `{"details":{"reason":"x"}}`: "",
	} {
		var e event
		if err := json.Unmarshal([]byte(text), &e); err != nil || e.cause().String() != want {
			t.Errorf("%s: %q, %v, want %q", text, e.cause().String(), err, want)
		}
	}
}

func TestChecksBeforeAnythingIsTouched(t *testing.T) {
	svc := &service{}
	svc.Details.Region, svc.Details.Plan = "frankfurt", "custom"
	for name, tt := range map[string]struct {
		want platform.Release
		svc  *service
		ok   bool
	}{
		"nothing":             {platform.Release{}, svc, true},
		"all fits":            {platform.Release{Strategy: "rolling", Size: "pro", Region: "frankfurt"}, svc, true},
		"a type it has":       {platform.Release{Size: "custom"}, svc, true},
		"an unknown type":     {platform.Release{Size: "galactic"}, svc, false},
		"another region":      {platform.Release{Region: "oregon"}, svc, false},
		"a region for new":    {platform.Release{Region: "oregon"}, nil, true},
		"no region of theirs": {platform.Release{Region: "fra"}, nil, false},
		"bluegreen":           {platform.Release{Strategy: "bluegreen"}, svc, false},
	} {
		err := check(tt.want, tt.svc)
		if tt.ok != (err == nil) || err != nil && (errs.CodeOf(err) != errs.Usage || errs.HintOf(err) == "") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
