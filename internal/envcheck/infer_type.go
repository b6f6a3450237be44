package envcheck

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// service is a variable of a known service: how its values begin.
type service struct {
	names  []string // a prefix may stand before them: NEXT_PUBLIC_, MY_
	typ    string
	public bool
}

// services are the variables whose form is a fact of their service.
var services = []service{
	{[]string{"CLERK_PUBLISHABLE_KEY", "STRIPE_PUBLISHABLE_KEY"}, `string(matches=regex("^pk_(test|live)_"))`, true},
	{[]string{"CLERK_SECRET_KEY"}, `string(matches=regex("^sk_(test|live)_"))`, false},
	{[]string{"STRIPE_SECRET_KEY", "STRIPE_API_KEY"}, `string(matches=regex("^[sr]k_(test|live)_"))`, false},
	{[]string{"CLERK_WEBHOOK_SECRET", "CLERK_WEBHOOK_SIGNING_SECRET", "STRIPE_WEBHOOK_SECRET", "RESEND_WEBHOOK_SECRET"}, "string(startsWith=whsec_)", false},
	{[]string{"SENTRY_DSN"}, `url(matches=regex("^https?://[0-9a-f]+@"))`, true},
	{[]string{"SENTRY_AUTH_TOKEN"}, `string(matches=regex("^sntry[su]_"))`, false},
	{[]string{"RESEND_API_KEY"}, "string(startsWith=re_)", false},
	{[]string{"SENDGRID_API_KEY"}, `string(startsWith="SG.")`, false},
	{[]string{"OPENAI_API_KEY"}, "string(startsWith=sk-)", false},
	{[]string{"ANTHROPIC_API_KEY"}, "string(startsWith=sk-ant-)", false},
	{[]string{"AWS_ACCESS_KEY_ID"}, `string(matches=regex("^A[KS]IA"))`, false},
	{[]string{"SLACK_BOT_TOKEN"}, "string(startsWith=xoxb-)", false},
	{[]string{"NPM_TOKEN"}, "string(startsWith=npm_)", false},
}

// of tells whether the service's variable may have this name.
func (s *service) of(key string) bool {
	return slices.ContainsFunc(s.names, func(n string) bool { return key == n || strings.HasSuffix(key, "_"+n) })
}

// publicNames are variables that are never secret, whatever their type.
var publicNames = []string{"NODE_ENV", "APP_ENV", "LOG_LEVEL", "PORT", "HOST", "HOSTNAME", "TZ", "LANG", "LOCALE", "APP_NAME", "AWS_REGION", "AWS_DEFAULT_REGION",
	"SENTRY_ENVIRONMENT", "SENTRY_ORG", "SENTRY_PROJECT", "RAILS_ENV", "RACK_ENV", "VERCEL_ENV", "ENVIRONMENT"}

// environments are the variables with a known set of values.
var environments = map[string][]string{
	"NODE_ENV": {"development", "production", "test"}, "VERCEL_ENV": {"development", "preview", "production"},
	"RAILS_ENV": {"development", "production", "test"}, "RACK_ENV": {"development", "production", "test"},
}

// logLevels are the levels of the usual loggers, by the ones that tell them
// apart: where the value is debug, info or error, any logger may be meant.
var logLevels = []struct {
	of     []string // values that only this family has
	levels string
}{
	{[]string{"http", "verbose", "silly"}, "error, warn, info, http, verbose, debug, silly"},
	{[]string{"warn", "trace", "fatal", "silent"}, "trace, debug, info, warn, error, fatal, silent"},
	{[]string{"emergency", "alert", "critical", "warning", "notice"}, "debug, info, notice, warning, error, critical, alert, emergency"},
	{[]string{"debug", "info", "error"}, "trace, debug, info, notice, warn, warning, error, critical, fatal, silent"},
	{[]string{"WARNING", "CRITICAL"}, "DEBUG, INFO, WARNING, ERROR, CRITICAL"},
	{[]string{"WARN", "TRACE", "FATAL"}, "TRACE, DEBUG, INFO, WARN, ERROR, FATAL"},
	{[]string{"DEBUG", "INFO", "ERROR"}, "TRACE, DEBUG, INFO, WARN, WARNING, ERROR, CRITICAL, FATAL"},
}

// schemes maps the beginning of a URL to the pattern for it, in the order in which they are tried.
var schemes = []struct{ value, name, pattern string }{
	{"postgres", "POSTGRES PG DIRECT", "^postgres(ql)?://"},
	{"mysql", "MYSQL MARIADB", "^mysql://"},
	{"mongodb", "MONGO MONGODB", `^mongodb(\+srv)?://`},
	{"redis", "REDIS VALKEY", "^rediss?://"},
	{"amqp", "AMQP RABBITMQ CLOUDAMQP", "^amqps?://"},
	{"smtp", "SMTP", "^smtps?://"},
	{"http", "", "^https?://"},
}

func urlType(pattern string) string { return `url(matches=regex("` + pattern + `"))` }

// guess lists the types that a variable may have, the most precise first; the
// last is always plain text, "". v is empty where nothing is known of values.
func guess(key, v string) []string {
	var out []string
	for _, s := range services {
		if s.of(key) {
			out = append(out, s.typ)
		}
	}
	parts := strings.Split(strings.ToUpper(key), "_")
	out = append(out, guessEnum(key, v)...)
	for _, g := range []func(string, string, []string) string{guessBool, guessPort, guessList, guessURL, guessWord, guessNumber} {
		if t := g(key, v, parts); t != "" {
			out = append(out, t)
		}
	}
	return append(out, "")
}

func guessEnum(key, v string) (out []string) {
	if values := environments[key]; values != nil {
		out = append(out, "enum("+strings.Join(values, ", ")+")")
	}
	if key == "LOG_LEVEL" || strings.HasSuffix(key, "_LOG_LEVEL") || key == "LOGLEVEL" {
		for _, family := range logLevels {
			if slices.Contains(family.of, v) {
				return append(out, "enum("+family.levels+")")
			}
		}
	}
	return out
}

// boolParts are words of names that are on or off.
var boolParts = []string{"ENABLE", "ENABLED", "DISABLE", "DISABLED", "IS", "HAS", "USE", "ALLOW", "SKIP", "DEBUG", "REQUIRE", "REQUIRED", "SECURE", "VERBOSE"}

func hasPart(parts, words []string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(words, p) })
}

func guessBool(_, v string, parts []string) string {
	switch low := strings.ToLower(v); {
	case slices.Contains([]string{"true", "false", "yes", "no", "on", "off"}, low),
		(v == "1" || v == "0") && hasPart(parts, boolParts),
		v == "" && (slices.Contains([]string{"ENABLE", "DISABLE"}, parts[0]) || slices.Contains([]string{"ENABLED", "DISABLED"}, parts[len(parts)-1])):
		return "boolean"
	}
	return ""
}

func guessPort(_, v string, parts []string) string {
	if parts[len(parts)-1] == "PORT" && strings.Trim(v, "0123456789") == "" {
		return "port"
	}
	return ""
}

func guessURL(_, v string, parts []string) string {
	if scheme, _, ok := strings.Cut(v, "://"); ok {
		for _, s := range schemes {
			if rest, ok := strings.CutPrefix(scheme, s.value); ok && (slices.Contains([]string{"", "s", "ql", "+srv"}, rest)) {
				return urlType(s.pattern)
			}
		}
		return "url"
	}
	if v != "" || !slices.Contains([]string{"URL", "URI"}, parts[len(parts)-1]) {
		return ""
	}
	for _, s := range schemes {
		if hasPart(parts[:len(parts)-1], strings.Fields(s.name)) {
			return urlType(s.pattern)
		}
	}
	return "url"
}

// listParts end the names of variables that hold several things.
var listParts = []string{"ORIGINS", "HOSTS", "DOMAINS", "EMAILS", "URLS", "LIST", "IPS", "LOCALES", "LANGUAGES", "IDS", "SCOPES", "ROLES", "TAGS", "EXTENSIONS", "BROKERS", "SERVERS", "NODES", "PROVIDERS", "FEATURES"}

func guessList(_, v string, parts []string) string {
	t := strings.TrimSpace(v)
	switch {
	case strings.HasPrefix(t, "[") && json.Valid([]byte(t)):
		return "array(format=json)"
	case strings.HasPrefix(t, "{") && json.Valid([]byte(t)):
		return "simple-object"
	case !slices.Contains(listParts, parts[len(parts)-1]) || !strings.Contains(v, ",") && !strings.Contains(v, "://"):
		return ""
	}
	items := strings.Split(v, ",")
	for _, elem := range []string{"url", "email"} {
		if !slices.ContainsFunc(items, func(s string) bool { return !elementIs(elem, strings.TrimSpace(s)) }) {
			return "array(" + elem + ")"
		}
	}
	if slices.ContainsFunc(items, func(s string) bool {
		return strings.TrimSpace(s) == "" || strings.ContainsAny(strings.TrimSpace(s), " \t")
	}) {
		return ""
	}
	return "array"
}

func elementIs(elem, v string) bool {
	if elem == "email" {
		return isEmail(v)
	}
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// isEmail is the type email without what only looks like one: a list, a URL, "Name <address>".
func isEmail(v string) bool { return simpleTypes["email"](v) && !strings.ContainsAny(v, ":'[]<>(),;/") }

var timeParts = []string{"TIMEOUT", "TTL", "INTERVAL", "DURATION", "EXPIRES", "EXPIRE", "EXPIRY", "EXPIRATION", "AGE", "DELAY", "PERIOD", "LIFETIME", "WINDOW", "IN"}

var durationWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^\d+(\.\d+)?\s?[a-z]+$`) })

// guessWord knows a type by the form of the value.
func guessWord(key, v string, parts []string) string {
	last := parts[len(parts)-1]
	switch {
	case v == "" && last == "EMAIL" && len(parts) > 1 && !hasPart(parts, append(slices.Clone(boolParts), "SEND", "VERIFY", "AUTH")):
		return "email"
	case v == "" || secretName(key):
		return ""
	case isEmail(v):
		return "email"
	case simpleTypes["uuid"](v):
		return "uuid"
	case hasPart(parts, timeParts) && durationWord().MatchString(v):
		return "duration"
	case slices.Contains(parts, "VERSION") && simpleTypes["semver"](v):
		return "semver"
	case len(v) == 10 && isISODate(v):
		return "isoDate"
	case slices.Contains(parts, "IP") && last == "IP":
		return "ip"
	}
	return ""
}

// guessNumber knows a number, and not one that is a name, such as an account's.
func guessNumber(key, v string, parts []string) string {
	if v == "" || len(v) > 15 || secretName(key) || !isPlainNumber(v) || hasPart(parts, []string{"ID", "IDS", "PHONE", "NUMBER", "ZIP", "ACCOUNT", "CODE", "VERSION", "HOST", "NAME", "USER"}) {
		return ""
	}
	if _, err := strconv.ParseFloat(v, 64); err != nil {
		return ""
	}
	return "number"
}

// cannotBeSecret are the types of values that are no secret in any file.
func cannotBeSecret(typ string) bool {
	return typ == "boolean" || typ == "port" || strings.HasPrefix(typ, "enum(")
}

// isPublic tells whether a variable is clearly not secret.
func isPublic(key, typ string) bool {
	if slices.Contains(publicNames, key) {
		return true
	}
	for _, s := range services {
		if s.typ == typ && s.of(key) {
			return s.public
		}
	}
	// varlock warns of sensitive numbers, which it cannot redact.
	return publicPrefix(key) != "" || (cannotBeSecret(typ) || typ == "number" || typ == "duration") && !secretName(key)
}
