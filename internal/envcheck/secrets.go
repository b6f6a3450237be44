package envcheck

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// secretPrefixes are the beginnings by which services mark their secrets.
var secretPrefixes = []struct {
	prefix string
	length int // shortest real value, prefix included
	kind   string
}{
	{"sk_live_", 20, "live secret key (Clerk or Stripe)"}, {"sk_test_", 20, "test secret key (Clerk or Stripe)"},
	{"rk_live_", 20, "Stripe restricted key"}, {"whsec_", 14, "webhook signing secret"},
	{"sntrys_", 20, "Sentry organisation token"}, {"sntryu_", 20, "Sentry user token"},
	{"AKIA", 20, "AWS access key"}, {"ghp_", 20, "GitHub token"}, {"gho_", 20, "GitHub token"}, {"ghs_", 20, "GitHub token"},
	{"github_pat_", 30, "GitHub token"}, {"xoxa-", 15, "Slack token"}, {"xoxb-", 15, "Slack token"}, {"xoxp-", 15, "Slack token"},
	{"npm_", 20, "npm token"}, {"FlyV1 ", 20, "Fly.io token"}, {"fm2_", 20, "Fly.io token"}, {"SG.", 30, "SendGrid key"},
	{"AIza", 35, "Google API key"}, {"AGE-SECRET-KEY-", 30, "age private key"},
}

var jwtPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}$`)
})

const urlWithPassword = "URL with a password"

// secretKind says what kind of secret a value looks like, "" for none. The
// key helps to tell whose key an sk_ is.
func secretKind(key, value string) string {
	v := strings.TrimSpace(value)
	for _, p := range secretPrefixes {
		if !strings.HasPrefix(v, p.prefix) || len(v) < p.length {
			continue
		}
		if strings.HasPrefix(p.prefix, "sk_") {
			for _, owner := range []string{"CLERK", "STRIPE"} {
				if strings.Contains(strings.ToUpper(key), owner) {
					return owner[:1] + strings.ToLower(owner[1:]) + " secret key"
				}
			}
		}
		return p.kind
	}
	switch {
	case strings.HasPrefix(v, "-----BEGIN ") && strings.Contains(v[:min(60, len(v))], "PRIVATE KEY"):
		return "private key"
	case strings.HasPrefix(v, "eyJ") && jwtPattern().MatchString(v):
		return "JSON web token"
	case hasURLPassword(v):
		return urlWithPassword
	}
	return ""
}

func hasURLPassword(v string) bool {
	scheme, rest, ok := strings.Cut(v, "://")
	if !ok || strings.ContainsAny(scheme, " \t\n") {
		return false
	}
	u, err := url.Parse(v)
	if err != nil { // a password that is not percent-encoded
		user, _, at := strings.Cut(rest, "@")
		_, pass, colon := strings.Cut(user, ":")
		return at && colon && pass != ""
	}
	pass, set := u.User.Password()
	return set && pass != ""
}

// madePublic reports a value that its service made for browsers, whatever its variable
// is called: publishable keys, Mapbox's and PostHog's public tokens, Google's browser
// keys (Maps and Firebase restrict them by origin), and Supabase's anonymous key.
func madePublic(value string) bool {
	v := strings.TrimSpace(value)
	for _, prefix := range []string{"pk_test_", "pk_live_", "pk.eyJ", "phc_", "AIza", "sb_publishable_"} {
		if strings.HasPrefix(v, prefix) {
			return true
		}
	}
	if !strings.HasPrefix(v, "eyJ") || !jwtPattern().MatchString(v) {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(v, ".")[1])
	var claims struct{ Role string }
	return err == nil && json.Unmarshal(payload, &claims) == nil && claims.Role == "anon"
}

// looksRandom reports a long text of letters and digits with the entropy of a random
// one, over 4 bits a character, under a name that does not say that it is public.
// A hexadecimal text never has more than 4: site and project ids are left alone.
func looksRandom(key, v string) bool {
	name := strings.TrimPrefix(key, publicPrefix(key))
	for _, word := range []string{"PUBLIC", "PUBLISHABLE", "ANON", "SITE_KEY", "SITEKEY", "CLIENT_ID", "CLIENTID"} {
		if strings.Contains(name, word) {
			return false
		}
	}
	if len(v) < 32 {
		return false
	}
	var count [128]int
	var upper, lower, digit bool
	for i := 0; i < len(v); i++ {
		b := v[i]
		switch {
		case b >= 'A' && b <= 'Z':
			upper = true
		case b >= 'a' && b <= 'z':
			lower = true
		case b >= '0' && b <= '9':
			digit = true
		case strings.IndexByte("+/_-=", b) < 0:
			return false
		}
		count[b]++
	}
	bits := 0.0
	for _, n := range count {
		if n > 0 {
			p := float64(n) / float64(len(v))
			bits -= p * math.Log2(p)
		}
	}
	return upper && lower && digit && bits > 4
}

// isLocalURL reports whether the value is a URL of this machine.
func isLocalURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && u.Host != "" && isLoopback(u.Hostname())
}

// isLoopback reports whether a host name means the machine itself.
func isLoopback(host string) bool {
	host = strings.ToLower(host)
	return host == "localhost" || host == "::1" || host == "0.0.0.0" || host == "host.docker.internal" ||
		strings.HasPrefix(host, "127.") || strings.HasSuffix(host, ".localhost")
}
