package httpx

import (
	"net/url"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// secretWords mark a query parameter whose value must not be shown.
var secretWords = []string{"token", "key", "secret", "pass", "pwd", "auth", "sig", "credential", "code", "session", "jwt", "dsn"}

// plainParams have a secret word in their name and are not secret.
var plainParams = map[string]bool{"next_token": true, "keyword": true, "sort_key": true}

// RedactURL renders u without its user information, without the values of
// query parameters that look secret, and without the secret path of a webhook
// (Slack and Discord put the credential there). The fragment is dropped.
func RedactURL(u *url.URL) string {
	if u == nil {
		return ""
	}
	c := *u
	c.Fragment, c.RawFragment = "", ""
	if c.User != nil {
		c.User = url.User("***")
	}
	redactPath(&c)
	c.RawQuery = redactQuery(c.RawQuery)
	return errs.Redact(strings.ReplaceAll(c.String(), "%2A%2A%2A", "***")) // our mask, escaped by url.URL
}

func redactPath(u *url.URL) {
	keep := "/api/webhooks/"
	at := strings.Index(u.Path, keep)
	if strings.EqualFold(u.Hostname(), "hooks.slack.com") {
		keep, at = "/", 0
		if i := strings.Index(strings.TrimPrefix(u.Path, "/"), "/"); i >= 0 {
			keep = u.Path[:i+2]
		}
	}
	if at < 0 || at+len(keep) >= len(u.Path) {
		return
	}
	u.Path, u.RawPath = u.Path[:at+len(keep)]+"***", ""
}

// redactQuery works on the raw text, so that order and unusual encodings stay
// as they were sent.
func redactQuery(raw string) string {
	if raw == "" {
		return ""
	}
	pairs := strings.Split(raw, "&")
	for i, p := range pairs {
		name, _, found := strings.Cut(p, "=")
		if found && secretParam(name) {
			pairs[i] = name + "=***"
		}
	}
	return strings.Join(pairs, "&")
}

func secretParam(name string) bool {
	plain, err := url.QueryUnescape(name)
	if err != nil {
		return true // not decodable: assume the worst
	}
	plain = strings.ToLower(plain)
	if plainParams[plain] {
		return false
	}
	for _, w := range secretWords {
		if strings.Contains(plain, w) {
			return true
		}
	}
	return false
}
