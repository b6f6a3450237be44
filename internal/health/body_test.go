package health

import (
	"reflect"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestParseBody(t *testing.T) {
	const hj = "application/health+json"
	tests := []struct {
		name, body, contentType string
		want                    *Body
	}{
		{"health+json, full", `{"status":"pass","version":"1","releaseId":"1.2.2","checks":{
			"postgres:responseTime":[{"componentId":"a","status":"pass","observedValue":12,"observedUnit":"ms"}],
			"cpu:utilization":[{"componentId":"n1","status":"warn","observedValue":85,"observedUnit":"percent"},{"status":"pass"}]}}`, hj,
			&Body{Dialect: HealthJSON, Status: Pass, Raw: "pass", Version: "1", ReleaseID: "1.2.2", Components: []Component{
				{"cpu:utilization[n1]", Warn, "85 percent"}, {"cpu:utilization[1]", Pass, ""}, {"postgres:responseTime", Pass, "12 ms"}}}},
		{"health+json, failing", `{"status":"fail","output":"db down","checks":{"db:connections":[{"status":"fail","output":"refused"}]}}`, "application/json",
			&Body{Dialect: HealthJSON, Status: Fail, Raw: "fail", Output: "db down", Components: []Component{{"db:connections", Fail, "refused"}}}},
		{"component without its array", `{"status":"ok","checks":{"db":{"status":"ok"}}}`, "",
			&Body{Dialect: HealthJSON, Status: Pass, Raw: "ok", Components: []Component{{"db", Pass, ""}}}},
		{"component without a status", `{"status":"pass","checks":{"uptime":[{"observedValue":3.5,"observedUnit":"s"}]}}`, hj,
			&Body{Dialect: HealthJSON, Status: Pass, Raw: "pass", Components: []Component{{"uptime", "", "3.5 s"}}}},
		{"unknown component status", `{"status":"pass","checks":{"db":[{"status":"meh"}]}}`, hj,
			&Body{Dialect: HealthJSON, Status: Pass, Raw: "pass", Components: []Component{{"db", Warn, `unknown status "meh"`}}}},
		{"bare ok", `{"status":"ok"}`, "application/json", &Body{Dialect: HealthJSON, Status: Pass, Raw: "ok"}},
		{"alias, any case", `{"status":"ERROR"}`, "", &Body{Dialect: HealthJSON, Status: Fail, Raw: "ERROR"}},
		{"degraded", `{"status":"degraded"}`, "", &Body{Dialect: HealthJSON, Status: Warn, Raw: "degraded"}},
		{"health+json with a status of its own", `{"status":"great"}`, hj + "; charset=utf-8",
			&Body{Dialect: HealthJSON, Status: Fail, Raw: "great", Output: `unknown status "great"`}},
		{"health+json without a status", `{"checks":{}}`, hj, &Body{Dialect: HealthJSON, Status: Fail, Output: "it has no status"}},
		{"spring", `{"status":"DOWN","components":{"db":{"status":"DOWN","details":{"error":"refused"}},
			"disk":{"status":"UP"},"pools":{"status":"UP","components":{"read":{"status":"UP"}}}}}`, "application/vnd.spring-boot.actuator.v3+json",
			&Body{Dialect: Spring, Status: Fail, Raw: "DOWN", Components: []Component{
				{"db", Fail, "refused"}, {"disk", Pass, ""}, {"pools", Pass, ""}, {"pools/read", Pass, ""}}}},
		{"spring, groups only", `{"status":"UP","groups":["liveness","readiness"]}`, "", &Body{Dialect: Spring, Status: Pass, Raw: "UP"}},
		{"spring before 2.2", `{"status":"UP","details":{"redis":{"status":"UP"}}}`, "",
			&Body{Dialect: Spring, Status: Pass, Raw: "UP", Components: []Component{{"redis", Pass, ""}}}},
		{"spring out of service", `{"status":"OUT_OF_SERVICE"}`, "", &Body{Dialect: Spring, Status: Fail, Raw: "OUT_OF_SERVICE"}},
		{"microprofile", `{"status":"DOWN","checks":[{"name":"db","status":"DOWN","data":{"error":"no route"}},{"name":"mq","status":"UP"}]}`, "",
			&Body{Dialect: MicroProfile, Status: Fail, Raw: "DOWN", Components: []Component{{"db", Fail, "no route"}, {"mq", Pass, ""}}}},
		{"microprofile, empty", `{"status":"UP","checks":[]}`, "", &Body{Dialect: MicroProfile, Status: Pass, Raw: "UP"}},
		{"terminal escapes and secrets", `{"status":"fail","output":"\u001b[31mpostgres://app:hunter22@db/x\nrefused\u0000"}`, hj,
			&Body{Dialect: HealthJSON, Status: Fail, Raw: "fail", Output: "[31mpostgres://app:***@db/x refused"}},
		{"a business status", `{"status":"shipped"}`, "application/json", nil},
		{"no status", `{"ok":true}`, "application/json", nil},
		{"status of another type", `{"status":200}`, "", nil},
		{"array", `["pass"]`, "", nil},
		{"html", `<html>ok</html>`, "text/html", nil},
		{"two documents", `{"status":"ok"}{"status":"ok"}`, "", nil},
		{"empty", ``, hj, nil},
		{"cut short, and it promised", `{"status":`, hj, &Body{Dialect: HealthJSON, Status: Fail, Output: "it is not valid JSON"}},
		{"a list, and it promised", `[]`, hj, &Body{Dialect: HealthJSON, Status: Fail, Output: "it is no JSON object"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := ParseBody([]byte(tt.body), tt.contentType); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestParseBodyIsBounded(t *testing.T) {
	t.Run("components", func(t *testing.T) {
		many := `{"status":"UP","checks":[` + strings.TrimSuffix(strings.Repeat(`{"name":"x","status":"UP"},`, 5000), ",") + `]}`
		if b := ParseBody([]byte(many), ""); b == nil || len(b.Components) != maxComponents {
			t.Errorf("body = %+v", b)
		}
	})
	t.Run("nesting", func(t *testing.T) {
		deep := strings.Repeat(`{"status":"UP","components":{"a":`, 5000) + `{"status":"UP"}` + strings.Repeat(`}}`, 5000)
		if b := ParseBody([]byte(deep), ""); b != nil && len(b.Components) > maxNesting {
			t.Errorf("%d components", len(b.Components))
		}
	})
}

// Whatever an app answers: no panic, a known state, and only text that is safe
// for a terminal.
func FuzzParseBody(f *testing.F) {
	for _, s := range []string{
		`{"status":"pass","checks":{"a:b":[{"status":"fail","output":"x"}]}}`,
		`{"status":"UP","components":{"db":{"status":"DOWN","details":{"error":"\u001b[2J"}}}}`,
		`{"status":"DOWN","checks":[{"name":"n","status":"UP"}]}`,
		"{\"status\":\"ok\",\"output\":\"\xff\xfe\"}", `{"status":null}`, `[]`,
	} {
		f.Add([]byte(s), "application/health+json")
		f.Add([]byte(s), "")
	}
	f.Fuzz(func(t *testing.T, data []byte, contentType string) {
		b := ParseBody(data, contentType)
		if b == nil {
			return
		}
		if b.Status != Pass && b.Status != Warn && b.Status != Fail {
			t.Errorf("status %q", b.Status)
		}
		shown := []string{b.Raw, b.Version, b.ReleaseID, b.Output}
		for _, c := range b.Components {
			shown = append(shown, c.Name, c.Output)
		}
		for _, s := range shown {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("unsafe text %q", s)
			}
		}
	})
}
