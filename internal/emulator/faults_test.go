package emulator

import (
	"strings"
	"testing"
	"time"
)

func TestParseFault(t *testing.T) {
	tests := []struct {
		spec string
		want Fault
		bad  string
	}{
		{spec: "POST /v1/apps/*/machines*=429,retry-after=1,count=2", want: Fault{Method: "POST", Path: "/v1/apps/*/machines*", Status: 429, RetryAfter: 1, Count: 2}},
		{spec: "post /v1/apps/*/machines=503x2", want: Fault{Method: "POST", Path: "/v1/apps/*/machines", Status: 503, Count: 2}},
		{spec: "GET /x=429:7", want: Fault{Method: "GET", Path: "/x", Status: 429, RetryAfter: 7}},
		{spec: "* /x=reset,late,skip=3", want: Fault{Path: "/x", Drop: true, Late: true, Skip: 3}},
		{spec: "/x=hang", want: Fault{Path: "/x", Hang: true}},
		{spec: "GET /x=slow:2s", want: Fault{Method: "GET", Path: "/x", Latency: 2 * time.Second}},
		{spec: "GET /x=500,latency=10ms", want: Fault{Method: "GET", Path: "/x", Status: 500, Latency: 10 * time.Millisecond}},
		{spec: "", bad: "want METHOD PATH=ACTION"},
		{spec: "GET x=500", bad: "want METHOD PATH=ACTION"},
		{spec: "GET /x", bad: "want METHOD PATH=ACTION"},
		{spec: "GET /x=200", bad: "not a status"},
		{spec: "GET /x=503x0", bad: "not a positive number"},
		{spec: "GET /x=slow", bad: "slow needs a time"},
		{spec: "GET /x=slow:soon", bad: "not a time"},
		{spec: "GET /x=500,often=2", bad: `unknown option "often"`},
	}
	for _, tt := range tests {
		got, err := ParseFault(tt.spec)
		switch {
		case tt.bad != "":
			if err == nil || !strings.Contains(err.Error(), tt.bad) {
				t.Errorf("ParseFault(%q) = %v, want an error with %q", tt.spec, err, tt.bad)
			}
		case err != nil || got != tt.want:
			t.Errorf("ParseFault(%q) = %+v, %v; want %+v", tt.spec, got, err, tt.want)
		}
	}
}

func TestFaultMatches(t *testing.T) {
	tests := []struct {
		pattern, method, path string
		want                  bool
	}{
		{"POST /v1/apps/*/machines=500", "POST", "/v1/apps/a/machines", true},
		{"POST /v1/apps/*/machines=500", "GET", "/v1/apps/a/machines", false},
		{"POST /v1/apps/*/machines=500", "POST", "/v1/apps/a/machines/1", false},
		{"POST /v1/apps/*/machines*=500", "POST", "/v1/apps/a/machines", true},
		{"POST /v1/apps/*/machines*=500", "POST", "/v1/apps/a/machines/1/lease", true},
		{"POST /v1/apps/*/machines/*/lease=500", "POST", "/v1/apps/a/machines/1/lease", true},
		{"POST /v1/apps/*/machines/*/lease=500", "POST", "/v1/apps/a/machines/1/start", false},
		{"* /v1/*=500", "DELETE", "/v1/apps", true},
		{"* /v1/*=500", "DELETE", "/graphql", false},
		{"GET /*=500", "GET", "/", true},
		{"GET /v1/apps/*/secrets=500", "GET", "/v1/apps//secrets", false},
	}
	for _, tt := range tests {
		f, err := ParseFault(tt.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.matches(tt.method, tt.path, nil); got != tt.want {
			t.Errorf("%q matches %s %s: %v, want %v", tt.pattern, tt.method, tt.path, got, tt.want)
		}
	}
}

func TestFaultsAreCounted(t *testing.T) {
	var fs faults
	fs.add(Fault{Path: "/x", Status: 500, Skip: 1, Count: 2}, Fault{Path: "/x", Status: 503, Count: 1})
	var got []int
	for range 5 {
		status := 0
		if f, _ := fs.next("GET", "/x", nil); f != nil {
			status = f.Status
		}
		got = append(got, status)
	}
	// While the first lets one pass, the second has its turn.
	want := []int{503, 500, 500, 0, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// A fault that was read prints as something that reads as the same fault.
func FuzzParseFault(f *testing.F) {
	for _, s := range []string{"POST /v1/apps/*/machines*=429,retry-after=1,count=2", "GET /x=503x2", "/x=hang", "* /x=reset,late,skip=3", "GET /x=slow:1m2s", "A /=400:1x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		fault, err := ParseFault(spec)
		if err != nil {
			return
		}
		again, err := ParseFault(fault.String())
		if err != nil || again != fault {
			t.Errorf("%q reads as %+v, prints as %q, and reads again as %+v, %v", spec, fault, fault.String(), again, err)
		}
		fault.matches("GET", "/v1/apps/a", nil) // must not panic
	})
}
