package envcheck

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
)

var serviceKey = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(pk|sk|rk)_(test|live)_`) })

// keyKind splits the beginning that Clerk and Stripe give their keys: kind pk, sk or rk; mode test or live.
func keyKind(v string) (kind, mode string) {
	if len(v) < 8 || v[2] != '_' {
		return "", ""
	}
	if m := serviceKey().FindStringSubmatch(v); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// IsPublicName reports whether a framework puts a variable of this name into the
// browser bundle: NEXT_PUBLIC_, VITE_ and the like.
func IsPublicName(key string) bool { return publicPrefix(key) != "" }

// swapped reports a secret key in the publishable key's place, and the other way round.
func (c *checker) swapped(v *value) {
	kind, _ := keyKind(v.text)
	switch {
	case (kind == "sk" || kind == "rk") && (strings.Contains(v.key, "PUBLISHABLE") || IsPublicName(v.key)):
		c.at(v, "swapped-keys", Error, "holds a secret key ("+kind+"_) where the publishable one belongs", "put in the publishable key (pk_), and replace the secret one: it may be in a bundle")
	case kind == "pk" && strings.Contains(v.key, "SECRET"):
		c.at(v, "swapped-keys", Error, "holds a publishable key (pk_) where the secret one belongs", "put in the secret key (sk_)")
	}
}

// keyMode reports test keys in production and live keys elsewhere.
func (c *checker) keyMode(it *Item, v *value) {
	_, mode := keyKind(v.text)
	_, allowed := it.Rule("allow-test-key")
	switch {
	case c.failed[v.key]:
	case mode == "test" && c.prod && !c.opts.AllowTestKeys && !allowed:
		c.at(v, "key-mode", Error, "holds a test key in "+c.opts.Env, "put in the live key; a preview deployment may say # opsctl: allow-test-key")
	case mode == "live" && !c.prod:
		c.at(v, "key-mode", Warning, "holds a live key in "+c.opts.Env, "put in the test key")
	}
}

// publishable decodes a Clerk publishable key: after pk_test_ it is base64 of the frontend API's host and a dollar sign.
func (c *checker) publishable(v *value) {
	kind, mode := keyKind(v.text)
	if kind != "pk" || !strings.Contains(v.key, "CLERK") || c.failed[v.key] {
		return
	}
	host, ok := clerkHost(v.text)
	switch {
	case !ok:
		c.at(v, "publishable-key", Error, "is no whole Clerk publishable key: what follows "+kind+"_"+mode+"_ does not decode to a host", "copy the whole key from Clerk's dashboard")
	case mode == "live" && (strings.HasSuffix(host, ".clerk.accounts.dev") || strings.HasSuffix(host, ".lcl.dev")):
		c.at(v, "publishable-key", Error, "is marked live but names a development instance", "copy the key of the production instance")
	case mode == "live" && c.prod:
		app := c.values["NEXT_PUBLIC_APP_URL"]
		if app == nil {
			return
		}
		u, err := url.Parse(app.text)
		if err == nil && u.Hostname() != "" && parentDomain(u.Hostname()) != parentDomain(host) {
			c.at(v, "publishable-key", Warning, "belongs to another domain than NEXT_PUBLIC_APP_URL", "use the Clerk instance of the app's own domain")
		}
	}
}

func clerkHost(key string) (string, bool) {
	data, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(key[len("pk_test_"):], "="))
	if err != nil {
		data, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(key[len("pk_test_"):], "="))
	}
	host, ok := strings.CutSuffix(string(data), "$")
	return host, err == nil && ok && strings.Contains(host, ".")
}

// parentDomain is the last two labels of a host.
func parentDomain(host string) string {
	labels := strings.Split(host, ".")
	return strings.Join(labels[max(0, len(labels)-2):], ".")
}

// publicSecret reports secrets under a name that ends up in the browser bundle.
func (c *checker) publicSecret(v *value) {
	if !IsPublicName(v.key) {
		return
	}
	prefix := publicPrefix(v.key)
	fix := "drop the prefix " + prefix + ", and replace the secret if it was ever deployed"
	known := madePublic(v.text)
	for _, word := range []string{"SECRET", "TOKEN", "PASSWORD", "PRIVATE"} {
		if strings.Contains(v.key, word) && !known {
			c.at(v, "public-secret", Error, "is called "+word+" but goes into the browser bundle", fix)
			return
		}
	}
	if kind := secretKind(v.key, v.text); kind != "" && !known && !c.failed[v.key] {
		c.at(v, "public-secret", Error, "looks like a secret ("+kind+") but goes into the browser bundle", fix)
		return
	}
	if other := c.sensitiveTwin(v); other != "" {
		c.at(v, "public-secret", Warning, "has the same value as "+other+", which is sensitive", "use a value that may be public")
		return
	}
	if !known && !c.failed[v.key] && looksRandom(v.key, v.text) {
		c.at(v, "public-secret", Warning, "looks as random as a secret, and goes into the browser bundle",
			"drop the prefix "+prefix+" if it is one; else say # opsctl: ignore=public-secret and why it may be public")
	}
}

// sensitiveTwin is a sensitive key with the same value.
func (c *checker) sensitiveTwin(v *value) string {
	if len(v.text) < 8 {
		return ""
	}
	if c.secrets == nil {
		c.secrets = map[string]string{}
		for _, it := range c.schema.Items {
			if o := c.values[it.Key]; o != nil && c.schema.IsSensitive(it) {
				c.secrets[o.text] = it.Key
			}
		}
	}
	return c.secrets[v.text]
}

// extension checks the rules of `# opsctl:` comments that look at one value.
func (c *checker) extension(it *Item, v *value) {
	for _, r := range it.Rules {
		switch r.Name {
		case "base64":
			if n, ok := decodedLen(base64.StdEncoding, v.text); !ok || itoa(n) != r.Value {
				c.at(v, "base64", Error, "is not base64 of "+r.Value+" bytes", "openssl rand -base64 "+r.Value)
			}
		case "hex":
			if data, err := hex.DecodeString(v.text); err != nil || itoa(len(data)) != r.Value {
				c.at(v, "hex", Error, "is not hex of "+r.Value+" bytes", "openssl rand -hex "+r.Value)
			}
		case "expires":
			c.expires(v, r.Value)
		case "same-host-not":
			c.sameHostNot(v, r.Value)
		}
	}
}

func decodedLen(enc *base64.Encoding, v string) (int, bool) {
	data, err := enc.DecodeString(v)
	if err != nil {
		v = strings.TrimRight(v, "=")
		if data, err = base64.RawURLEncoding.DecodeString(v); err != nil {
			data, err = base64.RawStdEncoding.DecodeString(v)
		}
	}
	return len(data), err == nil
}

// expires warns in the last 30 days and fails after the date.
func (c *checker) expires(v *value, date string) {
	if c.opts.Now == nil {
		return
	}
	end, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return
	}
	switch left := end.Sub(c.opts.Now()); {
	case left < 0:
		c.at(v, "expires", Error, "expired on "+date, "replace it, and the date in the schema")
	case left < 30*24*time.Hour:
		c.at(v, "expires", Warning, "expires on "+date, "replace it in time, and the date in the schema")
	}
}

func (c *checker) sameHostNot(v *value, other string) {
	o := c.values[other]
	if o == nil {
		return
	}
	a, aerr := url.Parse(v.text)
	b, berr := url.Parse(o.text)
	if aerr == nil && berr == nil && a.Host != "" && hostPort(a) == hostPort(b) {
		c.at(v, "same-host-not", Error, "is on the same host as "+other, "point it at another host")
	}
}
