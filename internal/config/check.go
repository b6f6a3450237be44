package config

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/errs"
)

var (
	ageKey  = regexp.MustCompile(`^(age1[0-9a-z]+|ssh-(ed25519|rsa) .+)$`)
	appName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,61}[a-z0-9]$`)
	varName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	domain  = regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
	cron    = regexp.MustCompile(`^(\S+\s+){4}\S+$`)
)

// Platforms are the values that environments.*.platform takes.
var Platforms = []string{"fly", "railway", "render", "compose"}

// check finds what a well-typed file still has wrong.
func (d *decoded) check(file string) {
	c := checker{file: file, d: d}
	p := d.project
	if p.Version != 1 {
		c.fail("version", "set version: 1", "version %d is not known to this opsctl", p.Version)
	}
	c.match("app", p.App, appName, "2 to 63 lower-case letters, digits and dashes, starting with a letter")
	c.oneOf("stack", p.Stack, "nextjs", "node", "go", "django", "fastapi", "docker")
	c.inRange("web.port", p.Web.Port, 1, 65535)
	c.path("web.health", p.Web.Health)
	c.inRange("deploy.consecutive", p.Deploy.Consecutive, 1, 100)
	if p.Postgres != nil {
		c.inRange("postgres.version", p.Postgres.Version, 12, 18)
		c.oneOf("postgres.pool.mode", p.Postgres.Pool.Mode, "transaction", "session")
		c.inRange("postgres.pool.max_connections", p.Postgres.Pool.MaxConnections, 1, 10000)
	}
	for _, name := range slices.Sorted(maps.Keys(p.Environments)) {
		c.environment("environments."+name, p.Environments[name])
	}
	c.backup(p.Backup)
	for i, a := range p.Alerts {
		c.alert(fmt.Sprintf("alerts[%d]", i), a)
	}
	c.later("alerts", "alerts are not sent by this version of opsctl")
	c.match("sentry.dsn", p.Sentry.DSN, varName, "the name of a variable, not its value")
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
}

type checker struct {
	file string
	d    *decoded
}

func (c checker) fail(key, hint, format string, args ...any) {
	n, ok := c.d.places[key]
	if !ok {
		n = &yaml.Node{Line: 1, Column: 1}
	}
	c.d.add(Problem{
		File: c.file, Line: n.Line, Col: n.Column, Key: key, Message: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// later warns of what is well-formed and not carried out by this version.
func (c checker) later(key, format string, args ...any) {
	if n, ok := c.d.places[key]; ok {
		c.d.add(Problem{File: c.file, Line: n.Line, Col: n.Column, Key: key, Message: fmt.Sprintf(format, args...), Warning: true})
	}
}

func (c checker) oneOf(key, value string, allowed ...string) {
	if value == "" || slices.Contains(allowed, value) {
		return
	}
	hint := "one of: " + strings.Join(allowed, ", ")
	if near := errs.Closest(value, allowed); near != "" {
		hint = fmt.Sprintf("did you mean %q?", near)
	}
	c.fail(key, hint, "%s: %q is not known", key, value)
}

func (c checker) match(key, value string, re *regexp.Regexp, want string) {
	if value != "" && !re.MatchString(value) {
		c.fail(key, "", "%s: must be %s", key, want) // the value is not shown: it may be a secret put in the wrong place
	}
}

func (c checker) inRange(key string, value, low, high int) {
	if _, written := c.d.places[key]; written && (value < low || value > high) {
		c.fail(key, "", "%s: %d is not between %d and %d", key, value, low, high)
	}
}

func (c checker) path(key, value string) {
	if value != "" && (!strings.HasPrefix(value, "/") || strings.ContainsAny(value, " \t\r\n#")) {
		c.fail(key, "", "%s: %q is not a path such as /api/health", key, value)
	}
}

func (c checker) environment(key string, e Environment) {
	if e.Platform == "" {
		c.fail(key, "one of: "+strings.Join(Platforms, ", "), "%s names no platform", key)
	}
	if e.Platform == "vercel" {
		c.fail(key+".platform", "one of: "+strings.Join(Platforms, ", "), "%s.platform: vercel ends requests after a few seconds, which breaks long jobs", key)
	} else {
		c.oneOf(key+".platform", e.Platform, Platforms...)
	}
	c.oneOf(key+".strategy", e.Strategy, Strategies...)
	c.inRange(key+".instances", e.Instances, 1, 100)
	if _, written := c.d.places[key+".app"]; written { // a derived name is as good as the app's own
		c.match(key+".app", e.App, appName, "2 to 63 lower-case letters, digits and dashes, starting with a letter")
	}
	for i, d := range e.Domains {
		c.match(fmt.Sprintf("%s.domains[%d]", key, i), d, domain, "a host name such as erp.example.com")
	}
	for name := range e.Vars {
		switch {
		case !varName.MatchString(name):
			c.fail(key+".vars."+name, "", "%s.vars: %q is not a variable's name", key, name)
		case slices.Contains(ownVars, name) || strings.HasPrefix(name, "OPSCTL_"):
			c.fail(key+".vars."+name, "take it out; the port is web.port", "%s.vars: %s is set by opsctl or the platform", key, name)
		}
	}
}

// ownVars are variables of the app that are not the user's to set.
var ownVars = []string{"PORT", "PRIMARY_REGION", "FLY_PROCESS_GROUP"}

func (c checker) backup(b Backup) {
	c.match("backup.database", b.Database, varName, "the name of a variable, not its value")
	c.oneOf("backup.pitr", b.PITR, "auto", "provider", "wal", "none")
	c.match("backup.schedule", b.Schedule, cron, "a cron expression of five fields")
	c.match("backup.verify.schedule", b.Verify.Schedule, cron, "a cron expression of five fields")
	c.inRange("backup.retention.days", b.Retention.Days, 1, 36500)
	c.inRange("backup.retention.min_keep", b.Retention.MinKeep, 1, 10000)
	if scheme, _, ok := strings.Cut(b.Store, ":"); b.Store != "" && (!ok || (scheme != "file" && scheme != "s3")) {
		c.fail("backup.store", "such as file:/var/backups/app", "backup.store: not a store's address")
	}
	if strings.HasPrefix(b.Store, "s3:") {
		c.later("backup.store", "this version of opsctl keeps backups in directories only (file:DIR)")
	}
	for _, key := range []string{"backup.schedule", "backup.verify.schedule", "backup.retention", "backup.pitr"} {
		c.later(key, "%s is not carried out by this version of opsctl", key)
	}
	for i, r := range b.Recipients {
		c.match(fmt.Sprintf("backup.recipients[%d]", i), r, ageKey, "an age public key (age1...) or an SSH one")
	}
	for i, check := range b.Verify.Checks {
		if check.Name == "" || check.SQL == "" || check.Expect == "" {
			key := fmt.Sprintf("backup.verify.checks[%d]", i)
			c.fail(key, "", "%s: needs name, sql and expect", key)
		}
	}
}

func (c checker) alert(key string, a Alert) {
	set := 0
	for _, v := range []bool{a.Slack != "", a.Email != nil, a.Webhook != ""} {
		if v {
			set++
		}
	}
	if set != 1 {
		c.fail(key, "", "%s: needs exactly one of slack, email, webhook", key)
	}
	c.match(key+".slack", a.Slack, varName, "the name of a variable, not its value")
	c.match(key+".webhook", a.Webhook, varName, "the name of a variable, not its value")
	if a.Email != nil {
		c.match(key+".email.smtp", a.Email.SMTP, varName, "the name of a variable, not its value")
	}
}
