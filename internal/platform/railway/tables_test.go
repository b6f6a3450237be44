package railway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

func TestShellLine(t *testing.T) {
	for _, tt := range []struct {
		argv []string
		want string
	}{
		{[]string{"pnpm", "db:migrate"}, "pnpm db:migrate"},
		{[]string{"/bin/sh", "-c", "echo hello; exit 3"}, "/bin/sh -c 'echo hello; exit 3'"},
		{[]string{"echo", "it's", ""}, `echo 'it'\''s' ''`},
		{[]string{"echo", "$HOME", "a*"}, `echo '$HOME' 'a*'`},
	} {
		if got := shellLine(tt.argv); got != tt.want {
			t.Errorf("%q: %s, want %s", tt.argv, got, tt.want)
		}
	}
}

func TestExitCode(t *testing.T) {
	for text, want := range map[string]int{
		"":                                     platform.ExitUnknown,
		"Pre-deploy command failed":            platform.ExitUnknown,
		"command exited with code 3":           3,
		"process ended: exit status 137 (OOM)": 137,
		"exit code: 1":                         1,
		"failed with code 0":                   platform.ExitUnknown,
		"error code ENOENT, then exit code 2 here": 2,
	} {
		if got := exitCode(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestStageable(t *testing.T) {
	plain, reference := "pa$word ${HOME} {{x}}", "postgres://${{Postgres.PGUSER}}"
	for _, tt := range []struct {
		name  string
		value *string
		ok    bool
	}{
		{"A", &plain, true}, {"A", nil, true}, {"A", &reference, false}, {varState, &plain, false}, {varRelease, nil, false},
	} {
		err := stageable(tt.name, tt.value)
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && (errs.CodeOf(err) != errs.Usage || !strings.Contains(err.Error(), tt.name) || strings.Contains(err.Error(), "PGUSER")) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSizes(t *testing.T) {
	for _, size := range sizes() {
		if cpus, memory, err := parseSize(size); err != nil || cpus == 0 || memory == 0 {
			t.Errorf("%s: %v, %v, %v", size, cpus, memory, err)
		}
	}
	for _, size := range []string{"", "galactic", "2cpu", "cpu-gb", "-1cpu-2gb", "NaNcpu-1gb", "2cpu-infgb", "2cpu-4"} {
		if _, _, err := parseSize(size); errs.CodeOf(err) != errs.Usage || !strings.Contains(errs.HintOf(err), "2cpu-2gb") {
			t.Errorf("%q: %v", size, err)
		}
	}
}

func TestTheRecordStaysWithinItsBounds(t *testing.T) {
	r := parseRecord("")
	for i := range 60 {
		r.Releases[fmt.Sprintf("d-%02d", i)] = entry{At: int64(i), Image: "shop@sha256:" + strings.Repeat("a", 64), Label: "20260101-000000-abcdef", Env: map[string]string{"COLOR": "blue"}}
	}
	text := r.text()
	back := parseRecord(text)
	if len(text) > maxRecord || len(back.Releases) > maxReleases || len(back.Releases) < 10 {
		t.Errorf("%d bytes, %d releases", len(text), len(back.Releases))
	}
	if _, ok := back.Releases["d-59"]; !ok || back.newest().At != 59 || len(r.Releases) != 60 {
		t.Error("the newest is gone, or the record itself was cut")
	}
	// Releases with the same many variables share them.
	many := map[string]string{"A": strings.Repeat("x", 1500)}
	r = parseRecord("")
	for i := range 8 {
		r.Releases[fmt.Sprint(i)] = entry{At: int64(i), Env: many}
	}
	r.Releases["7"] = entry{At: 7, Env: map[string]string{"B": "other"}}
	if text := r.text(); len(text) > maxRecord || len(parseRecord(text).Releases) != 8 || parseRecord(text).Releases["0"].Env["A"] != many["A"] || parseRecord(text).newest().Env["B"] != "other" {
		t.Errorf("shared: %d bytes, %d releases", len(text), len(parseRecord(text).Releases))
	}
	for _, strange := range []string{"no JSON", `{"v":2,"lock":{}}`, "[]", `{"v":1}`} {
		if got := parseRecord(strange); got.V != 1 || got.Releases == nil || got.Lock != nil {
			t.Errorf("%s: %+v", strange, got)
		}
	}
	// A release whose variables alone are too many is kept: it is the one that runs.
	r = parseRecord("")
	r.Releases["big"] = entry{At: 1, Env: map[string]string{"A": strings.Repeat("x", 2*maxRecord)}}
	if len(parseRecord(r.text()).Releases) != 1 {
		t.Error("the only release is gone")
	}
}

func TestOnlyRemoves(t *testing.T) {
	names := []string{"A", "B"}
	for patch, want := range map[string]bool{
		"": true, "null": true, "{}": true, `{"services":{},"volumes":null}`: true,
		`{"services":{"s":{"variables":{"A":null}}}}`:                               true,
		`{"services":{"s":{"variables":{"C":null}}}}`:                               false,
		`{"services":{"s":{"variables":{"A":{"value":"x"}}}}}`:                      false,
		`{"services":{"other":{"variables":{"A":null}}}}`:                           false,
		`{"services":{"s":{"variables":{"A":null}},"t":{"isDeleted":true}}}`:        false,
		`{"services":{"s":{"variables":{"A":null},"deploy":{"startCommand":"x"}}}}`: false,
		`{"services":{"s":{"deploy":{},"variables":{"B":null}}}}`:                   true,
		`{"volumes":{"v":{"isDeleted":true}}}`:                                      false,
		`"text"`:                                                                    false,
		`{"sharedVariables":{"A":null},"services":{"s":{}}}`:                        false,
	} {
		if got := onlyRemoves(json.RawMessage(patch), "s", names); got != want {
			t.Errorf("%s: %v", patch, got)
		}
	}
}

func TestErrorsGetACodeAndANextStep(t *testing.T) {
	p := &Platform{token: token{from: envProjectToken, project: true}}
	for _, tt := range []struct {
		err       error
		code      errs.Code
		says      string
		hint      string
		uncertain bool
	}{
		{&apiError{status: 200, errors: []gqlError{{Message: "Not Authorized"}}}, errs.Auth, "Not Authorized", envAPIToken, false},
		{&apiError{status: 200, errors: []gqlError{{Message: "Project Token not found"}}}, errs.Auth, "", envProjectToken, false},
		{&apiError{status: 401}, errs.Auth, "", envProjectToken, false},
		{&apiError{status: 200, errors: []gqlError{{Message: "Two Factor Authentication Required"}}}, errs.Auth, "", "two-factor", false},
		{&apiError{status: 200, errors: []gqlError{{Message: "Service not found", TraceID: "t-1"}}}, errs.NotFound, "request t-1", "", false},
		{&apiError{status: 200, errors: []gqlError{{Message: "Problem processing request"}}}, errs.Failure, "", "run the same command again", true},
		{&apiError{status: 200, errors: []gqlError{{Message: "Invalid input"}}}, errs.Failure, "Invalid input", "", false},
		{&apiError{status: 400, errors: []gqlError{{Message: "Cannot query field"}}}, errs.Failure, "Cannot query", "", false},
		{&apiError{status: 429, request: "r-2"}, errs.Failure, "request r-2", "limits the requests", false},
		{&apiError{status: 503}, errs.Failure, "HTTP 503", "run the same command again", true},
		{&apiError{status: 504}, errs.Failure, "HTTP 504", "run the same command again", true},
		{errors.New("connection refused"), errs.Failure, "connection refused", envBase, true},
		{errs.New(errs.Conflict, "decided"), errs.Conflict, "decided", "", false},
	} {
		got := p.explain(tt.err, "do something")
		if errs.CodeOf(got) != tt.code || !strings.Contains(got.Error(), tt.says) || !strings.Contains(errs.HintOf(got), tt.hint) || uncertain(tt.err) != tt.uncertain {
			t.Errorf("%v: %q (%v), hint %q, uncertain %v", tt.err, errs.CodeOf(got), got, errs.HintOf(got), uncertain(tt.err))
		}
	}
}

func TestUploadAnswers(t *testing.T) {
	for _, tt := range []struct {
		status int
		body   string
		id     string
		says   string
	}{
		{200, `{"deploymentId":"d-1","url":"u","logsUrl":"l","deploymentDomain":"x"}`, "d-1", ""},
		{413, "payload too large\nmore", "", "the source is too large for Railway: 2.5 MB (payload too large)"},
		{400, `{"message":"no Dockerfile"}`, "", "no Dockerfile"},
		{200, `{}`, "", "names no deployment"},
		{502, `<html>`, "", "Bad Gateway"},
	} {
		id, err := uploaded(&http.Response{StatusCode: tt.status, Header: http.Header{}}, []byte(tt.body), 2_500_000)
		if id != tt.id || (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%d %s: %q, %v", tt.status, tt.body, id, err)
		}
	}
}

func TestWatch(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	later := at.Add(10 * time.Second)
	events := func(text string) []step {
		var list []step
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	built := `{"step":"BUILD_IMAGE","createdAt":"2026-01-01T00:00:00Z","completedAt":"2026-01-01T00:00:01Z"}`
	running := `[` + built + `,{"step":"PRE_DEPLOY_COMMAND","createdAt":"2026-01-01T00:00:00Z"}]`
	created := `[` + built + `,{"step":"CREATE_CONTAINER","createdAt":"2026-01-01T00:00:00Z","completedAt":"2026-01-01T00:00:01Z"}]`
	for name, tt := range map[string]struct {
		status   string
		steps    string
		instance string
		now      time.Time
		done     bool
		code     errs.Code
		giveUp   bool
	}{
		"success":          {status: statusSuccess, done: true},
		"asleep":           {status: statusSleeping, done: true},
		"unapproved":       {status: statusApproval, code: errs.Failure},
		"building":         {status: "BUILDING"},
		"never built":      {status: "QUEUED", now: at.Add(buildTimeout + time.Hour), code: errs.Timeout, giveUp: true},
		"a long command":   {status: "DEPLOYING", steps: running, now: at.Add(buildTimeout + time.Hour/4)},
		"unhealthy":        {status: "DEPLOYING", steps: created, now: at.Add(3 * time.Minute), code: ""}, // its time begins when it is seen
		"crashed":          {status: statusCrashed, code: errs.Failure},
		"an exit":          {status: "DEPLOYING", steps: created, instance: "CRASHED", code: errs.Failure, giveUp: true},
		"superseded":       {status: statusRemoved, code: errs.Conflict},
		"failed check":     {status: statusFailed, steps: `[{"step":"HEALTHCHECK","createdAt":"2026-01-01T00:00:00Z","payload":{"error":"replicas never became healthy"}}]`, code: errs.Timeout},
		"check, no reason": {status: statusFailed, steps: `[{"step":"HEALTHCHECK","createdAt":"2026-01-01T00:00:00Z","payload":null}]`, code: errs.Timeout},
		"failed build":     {status: statusFailed, steps: `[{"step":"BUILD_IMAGE","createdAt":"2026-01-01T00:00:00Z","payload":{"error":"no Dockerfile","reason":"x"}}]`, code: errs.Failure},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWatch(at, time.Minute, 15*time.Second)
			pr := progress{deployment: deployment{ID: "d", Status: tt.status}}
			if tt.steps != "" {
				pr.steps = events(tt.steps)
			}
			if tt.instance != "" {
				pr.Instances = append(pr.Instances, struct {
					ID     string `json:"id"`
					Status string `json:"status"`
				}{"i", tt.instance})
			}
			now := tt.now
			if now.IsZero() {
				now = later
			}
			done, err := w.look(now, pr, func(string, ...any) {})
			got := errs.Code("")
			if err != nil {
				got = errs.CodeOf(err)
			}
			if done != tt.done || got != tt.code || errors.Is(err, errGiveUp) != tt.giveUp {
				t.Errorf("done %v, %q, %v", done, got, err)
			}
			if tt.steps == created && tt.code == "" { // and from then on it is the release's timeout
				if _, err := w.look(now.Add(w.timeout+checkGrace+time.Second), pr, func(string, ...any) {}); errs.CodeOf(err) != errs.Timeout {
					t.Errorf("after its time: %v", err)
				}
			}
		})
	}
}

func TestACrashLoopIsNoSingleRestart(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		seen  string // one letter a second: r restarting, u running
		loops bool
	}{{"rrrrru", false}, {"ruru", false}, {"rururur", true}, {strings.Repeat("r", 20), true}, {"uuuu", false}} {
		w, loops := newWatch(at, time.Minute, 15*time.Second), false
		for i, c := range tt.seen {
			loops = loops || w.loops(at.Add(time.Duration(i)*time.Second), "i", map[rune]string{'r': "RESTARTING", 'u': "RUNNING"}[c])
		}
		if loops != tt.loops {
			t.Errorf("%s: %v", tt.seen, loops)
		}
	}
}

func TestPlacesOfDatabases(t *testing.T) {
	url := func(u string) values { return values{varURL: &u} }
	both := func(pooled, direct string) values { return values{varURL: &pooled, varUnpooled: &direct} }
	image := func(name, ref string) neighbour {
		n := neighbour{ID: name, Name: name}
		n.Source = &struct {
			Image string `json:"image"`
		}{ref}
		n.Latest = &struct {
			Status string `json:"status"`
		}{statusSuccess}
		return n
	}
	root, pool := image("shop-db", "ghcr.io/railwayapp-templates/postgres-ssl:16"), image("PgBouncer", "ghcr.io/railwayapp-templates/pgbouncer:1")
	const direct, pooled, other = "postgresql://u:p@shop-db.internal:5432/r", "postgresql://u:p@pgbouncer.internal:5432/r", "postgresql://u:p@other.internal:5432/r"
	for name, tt := range map[string]struct {
		list           []dataService
		direct, pooled string
	}{
		"alone":                 {[]dataService{{neighbour: root, vars: url(direct)}}, direct, direct},
		"pooler with both":      {[]dataService{{neighbour: root, vars: url(direct)}, {neighbour: pool, vars: both(pooled, direct)}}, direct, pooled},
		"root with both":        {[]dataService{{neighbour: root, vars: both(pooled, direct)}}, direct, pooled},
		"all":                   {[]dataService{{neighbour: root, vars: both(pooled, direct)}, {neighbour: pool, vars: both(pooled, direct)}}, direct, pooled},
		"the pooler of another": {[]dataService{{neighbour: root, vars: url(direct)}, {neighbour: pool, vars: both(pooled, other)}}, direct, direct},
	} {
		d := &dataServices{list: tt.list}
		db := d.database("shop-db")
		if db == nil || db.Direct != tt.direct || db.Pooled != tt.pooled || db.Status != "ready" || d.database("nobody") != nil {
			t.Errorf("%s: %+v", name, db)
		}
	}
}

func TestTemplatesAreChangedInPlace(t *testing.T) {
	s := templateService{"name": "Postgres", "source": map[string]any{"image": "ghcr.io/railwayapp-templates/postgres-ssl:17"}, "kept": 1.0}
	s.version(16)
	s.variable(varPoolMode, "transaction")
	inRegion(s, "us-west2")
	got, err := json.Marshal(s)
	const want = `{"deploy":{"multiRegionConfig":{"us-west2":{"numReplicas":1}}},"kept":1,"name":"Postgres","source":{"image":"ghcr.io/railwayapp-templates/postgres-ssl:16"},"variables":{"POOL_MODE":{"defaultValue":"transaction"}}}`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v", got, err)
	}
	odd := templateService{"source": map[string]any{"image": "redis:alpine"}}
	if odd.version(7); odd.image() != "redis:alpine" {
		t.Errorf("a tag that is no version became %s", odd.image())
	}
}

// A line that comes twice, out of order or late is shown once, and none before the first.
func TestTailShowsEachLineOnce(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 1, 1, 0, 0, s, s, time.UTC) }
	line := func(s int) logNode { return logNode{Timestamp: at(s), Message: fmt.Sprint(s)} }
	var shown []string
	tl := &tail{seen: map[string]time.Time{}, floor: at(10), show: func(l platform.LogLine) error { shown = append(shown, l.Message); return nil }}
	for _, batch := range [][]logNode{{line(10), line(12)}, {line(12), line(11), line(9)}, {line(13), line(12)}, nil, {line(13)}} {
		if err := tl.add(batch); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"10", "12", "11", "13"}; !slices.Equal(shown, want) {
		t.Errorf("shown %q, want %q", shown, want)
	}
	far := logNode{Timestamp: at(13).Add(2 * logMemory), Message: "far"}
	if err := tl.add([]logNode{far}); err != nil || len(tl.seen) != 1 {
		t.Errorf("%d lines remembered, %v", len(tl.seen), err)
	}
	if err := tl.add([]logNode{line(12)}); err != nil || shown[len(shown)-1] != "far" {
		t.Errorf("a forgotten line came again: %q", shown)
	}
	enough := errors.New("enough")
	tl.show = func(platform.LogLine) error { return enough }
	if err := tl.add([]logNode{{Timestamp: far.Timestamp.Add(1), Message: "x"}}); !errors.Is(err, enough) {
		t.Errorf("the caller's error: %v", err)
	}
}

func TestRecordNamesHaveTheirZone(t *testing.T) {
	for _, tt := range [][3]string{
		{"erp", "example.com", "erp.example.com"}, {"erp.example.com", "example.com", "erp.example.com"}, {"example.com", "example.com", "example.com"},
		{"", "example.com", "example.com"}, {"@", "example.com.", "example.com"}, {"erp.example.com", "", "erp.example.com"}, {"notexample.com", "example.com", "notexample.com.example.com"},
	} {
		if got := withZone(tt[0], tt[1]); got != tt[2] {
			t.Errorf("%q in %q: %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}

func TestLinesOfTheLogAreRedacted(t *testing.T) {
	p, _ := sink(t, `{"data":{"deploymentLogs":[{"message":"connect postgres://u:hunter2@db/x","timestamp":"2026-01-01T00:00:00Z"}]}}`)
	pr := progress{deployment: deployment{ID: "d"}, steps: []step{{Step: stepCreate}}}
	if lines := p.lastLines(t.Context(), pr, nil); len(lines) != 1 || strings.Contains(lines[0], "hunter2") {
		t.Errorf("lines %q", lines)
	}
}

func TestACommittedPatchIsAwaited(t *testing.T) {
	for answer, code := range map[string]errs.Code{
		`{"data":{"environmentPatch":{"status":"COMMITTED"}}}`:                                  errs.Code(""),
		`{"errors":[{"message":"Patch not found"}]}`:                                            errs.Code(""),
		`{"data":{"environmentPatch":{"status":"APPLYING"}}}`:                                   errs.Timeout,
		`{"data":{"environmentPatch":{"status":"STAGED","lastAppliedError":"no such region"}}}`: errs.Failure,
	} {
		p, _ := sink(t, answer)
		err := p.awaitPatch(t.Context(), "p")
		if (err == nil) != (code == "") || err != nil && errs.CodeOf(err) != code {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// A template is not laid over a service while somebody else has staged something.
func TestForeignStagedChangesKeepOverlaysOut(t *testing.T) {
	p, check := sink(t, `{"data":{"environmentStagedChanges":{"patch":{"services":{"s":{"deploy":{"startCommand":"x"}}}}}}}`)
	l := &place{project: namedNode{ID: "p"}, environment: namedNode{ID: "e", Name: "production"}}
	err := p.apply(t.Context(), l, &template{id: "t", config: map[string]any{}}, "root", func() (bool, error) { return false, nil })
	if errs.CodeOf(err) != errs.Conflict || check.Seen()["mutation templateDeployV2"] != 0 {
		t.Errorf("%v, sent %v", err, check.Seen())
	}
}
