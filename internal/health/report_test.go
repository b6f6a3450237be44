package health

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "write the golden files")

// The JSON form is a contract: a change of this file is a change for scripts.
func TestReportGolden(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	full := Result{
		Name: "erp", URL: "https://erp.example.com/api/health", At: at, State: Fail, Status: 503, HTTPVersion: "HTTP/2.0", Remote: "192.0.2.7:443",
		Problems: []Problem{{FailStatus, Fail, "status 503, expected 200-299"}, {FailCertificate, Warn, "the certificate of erp.example.com ends in 10 days (2026-12-04)"}},
		Phases:   Phases{DNS: 1500 * time.Microsecond, Connect: 2 * time.Millisecond, TLS: 3 * time.Millisecond, FirstByte: 40 * time.Millisecond, Transfer: 123456 * time.Nanosecond},
		Total:    50 * time.Millisecond, Bytes: 1 << 20, Truncated: true,
		Hops: []Hop{{URL: "http://erp.example.com/", Status: 301, To: "https://erp.example.com/", Phases: Phases{Connect: time.Millisecond}}},
		TLS:  &TLSInfo{Version: "TLS 1.3", Verified: true, Names: []string{"erp.example.com"}, Issuer: "CN=test authority", Expires: at.AddDate(0, 0, 10), Expiring: "erp.example.com", DaysLeft: 10},
		Body: &Body{Dialect: HealthJSON, Status: Fail, Raw: "fail", Version: "1", ReleaseID: "4f2c1aa", Output: "db down",
			Components: []Component{{"db", Fail, "refused"}, {"uptime", "", "3 s"}}},
	}
	refused := Result{Name: "http://127.0.0.1:9/", URL: "http://127.0.0.1:9/", At: at, State: Fail, Problems: []Problem{{FailRefused, Fail, "connection refused by 127.0.0.1:9"}}}
	good := Result{Name: "ok", URL: "http://ok.example/", At: at, State: Pass, Status: 200, HTTPVersion: "HTTP/1.1"}
	tests := []struct {
		golden  string
		report  Report
		healthy bool
	}{
		{"probe.json", NewReport([]Result{full, refused, good}), false},
		{"wait.json", NewWaitReport([]WaitResult{{Outcome: Healthy, Attempts: 4, InARow: 3, Needed: 3, Elapsed: 6 * time.Second, Last: good},
			{Outcome: TimedOut, Attempts: 9, Needed: 3, Elapsed: 20 * time.Second, Last: refused, Reason: refused.Reason()}}), false},
		{"healthy.json", NewReport([]Result{good}), true},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			if tt.report.Healthy != tt.healthy {
				t.Errorf("healthy = %v", tt.report.Healthy)
			}
			got, err := json.MarshalIndent(tt.report, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, '\n')
			path := filepath.Join("testdata", tt.golden)
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if errors.Is(err, os.ErrNotExist) {
				t.Fatalf("%v: run go test -update", err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("differs from %s; run go test -update and look at the change\n%s", path, got)
			}
		})
	}
}
