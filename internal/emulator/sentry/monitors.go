package sentry

import (
	"encoding/json"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// monitor watches a job by its check-ins.
type monitor struct {
	ID        string        `json:"id"`
	Slug      string        `json:"slug"`
	Name      string        `json:"name"`
	Project   string        `json:"project"`
	Status    string        `json:"status"` // active or disabled
	Upserting bool          `json:"upserting"`
	Muted     bool          `json:"muted"`
	Config    monitorConfig `json:"config"`
	Created   time.Time     `json:"created"`
	CheckIns  []*checkIn    `json:"check_ins"` // oldest first
}

// monitorConfig is a monitor's config in the REST API's form.
type monitorConfig struct {
	ScheduleType string          `json:"schedule_type"` // crontab or interval
	Schedule     json.RawMessage `json:"schedule"`      // "0 3 * * *" or [1, "day"]
	Margin       *int            `json:"checkin_margin"`
	MaxRuntime   *int            `json:"max_runtime"` // minutes
	Timezone     *string         `json:"timezone"`
	Failures     *int            `json:"failure_issue_threshold"`
	Recovery     *int            `json:"recovery_threshold"`
	AlertRule    *int            `json:"alert_rule_id"`
}

// checkIn is one run of a job.
type checkIn struct {
	ID          string        `json:"id"`
	Status      string        `json:"status"` // in_progress, ok, error, timeout
	Environment string        `json:"environment"`
	Duration    *float64      `json:"duration"` // seconds
	Added       time.Time     `json:"added"`
	Updated     time.Time     `json:"updated"`
	Started     time.Time     `json:"started"` // zero for one that only told its end
	Config      monitorConfig `json:"config"`
}

const (
	maxCheckIns       = 500 // of a monitor; older ones are forgotten
	defaultMaxRuntime = 30  // minutes
)

// isSlug: lower-case letters, digits, underscores and hyphens, at most maxLen of them.
func isSlug(s string, maxLen int) bool {
	return s != "" && len(s) <= maxLen && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

const maxMonitorSlug = 50

// wire is a check-in as an SDK sends it.
type wire struct {
	ID          string   `json:"check_in_id"`
	Slug        string   `json:"monitor_slug"`
	Status      string   `json:"status"`
	Duration    *float64 `json:"duration"`
	Environment string   `json:"environment"`
	Config      *struct {
		Schedule struct {
			Type  string          `json:"type"`
			Value json.RawMessage `json:"value"`
			Unit  string          `json:"unit"`
		} `json:"schedule"`
		Margin     *int    `json:"checkin_margin"`
		MaxRuntime *int    `json:"max_runtime"`
		Timezone   *string `json:"timezone"`
		Failures   *int    `json:"failure_issue_threshold"`
		Recovery   *int    `json:"recovery_threshold"`
	} `json:"monitor_config"`
}

func (s *Server) addCheckIn(p *project, payload []byte) error {
	var in wire
	if err := json.Unmarshal(payload, &in); err != nil {
		return &apiError{http.StatusBadRequest, "failed to parse check-in: " + err.Error(), ""}
	}
	m := s.monitor(in.Slug)
	if c := in.Config; c != nil {
		cfg := monitorConfig{
			ScheduleType: c.Schedule.Type, Schedule: c.Schedule.Value, Margin: c.Margin, MaxRuntime: c.MaxRuntime, Timezone: c.Timezone,
			Failures: c.Failures, Recovery: c.Recovery,
		}
		if c.Schedule.Type == "interval" {
			cfg.Schedule = json.RawMessage("[" + string(c.Schedule.Value) + "," + strconv.Quote(c.Schedule.Unit) + "]")
		}
		if usable := cfg.check() == nil && isSlug(in.Slug, maxMonitorSlug); !usable {
			return nil // the real one drops what it cannot use, too, after it has accepted the envelope
		}
		if m == nil {
			m = &monitor{ID: s.numberID(), Slug: in.Slug, Name: in.Slug, Project: p.ID, Status: "active", Upserting: true, Created: s.opts.Now()}
			s.state.Monitors = append(s.state.Monitors, m)
		}
		m.Config = cfg
	}
	if m == nil || m.Project != p.ID || !slices.Contains([]string{"in_progress", "ok", "error"}, in.Status) {
		return nil // likewise
	}
	s.record(m, in)
	return nil
}

// record adds a check-in or closes the one with its id; an id of zeros means the last that is open.
func (s *Server) record(m *monitor, in wire) *checkIn {
	now := s.opts.Now()
	id := strings.ToLower(strings.ReplaceAll(in.ID, "-", ""))
	if in.Environment == "" {
		in.Environment = "production"
	}
	var c *checkIn
	for _, old := range m.CheckIns {
		if (id != "" && old.ID == id) || (strings.Trim(id, "0") == "" && id != "" && old.Status == "in_progress" && old.Environment == in.Environment) {
			c = old
		}
	}
	if c == nil {
		if strings.Trim(id, "0") == "" {
			id = s.opts.NewID(32)
		}
		c = &checkIn{ID: id, Environment: in.Environment, Added: now, Config: m.Config}
		if in.Status == "in_progress" {
			c.Started = now
		}
		m.CheckIns = append(m.CheckIns, c)
		if over := len(m.CheckIns) - maxCheckIns; over > 0 {
			m.CheckIns = slices.Delete(m.CheckIns, 0, over)
		}
	}
	c.Status, c.Updated = in.Status, now
	if c.Duration = in.Duration; c.Duration == nil && in.Status != "in_progress" && !c.Started.IsZero() {
		d := now.Sub(c.Started).Seconds()
		c.Duration = &d
	}
	return c
}

// cron is the check-in of those without an SDK: a URL to call.
func (s *Server) cron(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodPut {
		rw.Header().Set("Allow", "GET, POST")
		fail(rw, &apiError{http.StatusMethodNotAllowed, "method not allowed", ""})
		return
	}
	body, err := unpack(r)
	if err != nil {
		fail(rw, err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	public := r.PathValue("key")
	if public == "" {
		public = key(r, nil)
	}
	p, err := s.keyed(r.PathValue("project"), public)
	if err != nil {
		fail(rw, err)
		return
	}
	var in map[string]any
	if len(body) == 0 || json.Unmarshal(body, &in) != nil {
		in = map[string]any{}
	}
	in["monitor_slug"] = r.PathValue("slug")
	q := r.URL.Query()
	for _, name := range []string{"status", "check_in_id", "environment"} {
		if v := q.Get(name); v != "" {
			in[name] = v
		}
	}
	if d, err := strconv.ParseFloat(q.Get("duration"), 64); err == nil {
		in["duration"] = d
	}
	item, err := json.Marshal(in)
	if err == nil {
		err = s.addCheckIn(p, item)
	}
	if err != nil {
		fail(rw, err)
		return
	}
	id, _ := in["check_in_id"].(string)
	if m := s.monitor(r.PathValue("slug")); id == "" && m != nil && len(m.CheckIns) > 0 {
		id = m.CheckIns[len(m.CheckIns)-1].ID
	}
	writeJSON(rw, http.StatusAccepted, map[string]any{"id": id})
}

// check reports a config that Sentry refuses.
func (c monitorConfig) check() error {
	switch c.ScheduleType {
	case "crontab":
		var expr string
		if json.Unmarshal(c.Schedule, &expr) != nil {
			return bad("config", "Schedule must be a string for crontab schedules")
		}
		if _, err := parseCrontab(expr); err != nil {
			return bad("config", "Schedule was not parseable: "+err.Error())
		}
	case "interval":
		if c.interval() == nil {
			return bad("config", "Invalid schedule for schedule unit type (must be array of [number, unit])")
		}
	default:
		return bad("config", "Invalid schedule type")
	}
	for _, n := range []*int{c.Margin, c.MaxRuntime} {
		if n != nil && (*n < 1 || *n > 40320) {
			return bad("config", "Ensure this value is between 1 and 40320.")
		}
	}
	if c.Timezone != nil && *c.Timezone != "" {
		if _, err := time.LoadLocation(*c.Timezone); err != nil {
			return bad("config", "Invalid timezone "+*c.Timezone)
		}
	}
	return nil
}

// interval returns what adds one interval to a time, or nil.
func (c monitorConfig) interval() func(time.Time) time.Time {
	var pair []any
	if json.Unmarshal(c.Schedule, &pair) != nil || len(pair) != 2 {
		return nil
	}
	f, isNumber := pair[0].(float64)
	unit, _ := pair[1].(string)
	n := int(f)
	if !isNumber || f < 1 || f != math.Trunc(f) || f > 1<<20 {
		return nil
	}
	return map[string]func(time.Time) time.Time{
		"minute": func(t time.Time) time.Time { return t.Add(time.Duration(n) * time.Minute) },
		"hour":   func(t time.Time) time.Time { return t.Add(time.Duration(n) * time.Hour) },
		"day":    func(t time.Time) time.Time { return t.AddDate(0, 0, n) },
		"week":   func(t time.Time) time.Time { return t.AddDate(0, 0, 7*n) },
		"month":  func(t time.Time) time.Time { return t.AddDate(0, n, 0) },
		"year":   func(t time.Time) time.Time { return t.AddDate(n, 0, 0) },
	}[unit]
}

// next is when the job has to run after t.
func (c monitorConfig) next(t time.Time) time.Time {
	if c.Timezone != nil && *c.Timezone != "" {
		if loc, err := time.LoadLocation(*c.Timezone); err == nil {
			t = t.In(loc)
		}
	}
	if add := c.interval(); c.ScheduleType == "interval" && add != nil {
		return add(t)
	}
	var expr string
	_ = json.Unmarshal(c.Schedule, &expr) // check has read it before
	tab, err := parseCrontab(expr)
	if err != nil {
		return t
	}
	return tab.next(t)
}
