package envcheck

import (
	"net/url"
	"strings"
)

// crossRules checks keys together.
func (c *checker) crossRules() {
	for _, pair := range c.pairs() {
		c.pair(pair[0], pair[1])
	}
	for _, it := range c.schema.Items {
		if base := testedKey(it.Key); base != "" {
			c.testDatabase(it.Key, base)
		}
	}
}

// testedKey is the key whose test double a key is by its name: DATABASE_URL of
// TEST_DATABASE_URL, DATABASE_TEST_URL and DATABASE_URL_TEST; "" for any other.
func testedKey(key string) string {
	for _, part := range []string{"TEST_", "_TEST_", "_TEST"} {
		before, after, ok := strings.Cut(key, part)
		switch {
		case !ok:
		case part == "TEST_" && before == "":
			return after
		case part == "_TEST_":
			return before + "_" + after
		case part == "_TEST" && after == "":
			return before
		}
	}
	return ""
}

// pairs lists keys that belong together: by `# opsctl: pair=KEY`, and a
// service's publishable key with its secret key.
func (c *checker) pairs() [][2]string {
	var out [][2]string
	for _, it := range c.schema.Items {
		own := false
		for _, r := range it.Rules { // several make a group: all of them or none
			if r.Name == "pair" {
				out = append(out, [2]string{it.Key, r.Value})
				own = true
			}
		}
		if own {
			continue
		}
		service, ok := strings.CutSuffix(strings.TrimPrefix(it.Key, "NEXT_PUBLIC_"), "_PUBLISHABLE_KEY")
		if secret := service + "_SECRET_KEY"; ok && c.schema.Item(secret) != nil {
			out = append(out, [2]string{it.Key, secret})
		}
	}
	return out
}

// pair checks that both or neither are set, and that both are test or both live.
func (c *checker) pair(a, b string) {
	va, vb := c.values[a], c.values[b]
	seta, setb := va != nil && va.text != "", vb != nil && vb.text != ""
	switch {
	case seta && !setb:
		c.alone(va, b)
	case setb && !seta:
		c.alone(vb, a)
	case seta && setb:
		_, ma := keyKind(va.text)
		_, mb := keyKind(vb.text)
		if ma != "" && mb != "" && ma != mb {
			c.at(vb, "key-pair", Error, "is a "+mb+" key but "+a+" is a "+ma+" key", "take both from the same instance")
		}
	}
}

// alone reports half of a pair, unless the other half is reported as required.
func (c *checker) alone(set *value, other string) {
	if c.values[other] == nil && len(c.unread) > 0 {
		return // it may well be there
	}
	if it := c.schema.Item(other); it != nil && !c.elsewhere(other) && !c.needed(it) && c.eval.eval(it.Value).empty() && !c.eval.required(it) {
		c.at(set, "group", Error, "is set but "+other+" is not: they work only together", "set both or neither")
	}
}

// testDatabase checks that tests cannot wipe real data.
func (c *checker) testDatabase(test, real string) {
	tv, rv := c.values[test], c.values[real]
	if tv == nil || tv.text == "" {
		return
	}
	tu, err := url.Parse(tv.text)
	if err != nil || tu.Host == "" {
		return
	}
	name := strings.Trim(tu.Path, "/")
	if rv != nil {
		if ru, err := url.Parse(rv.text); err == nil && hostPort(tu) == hostPort(ru) && name == strings.Trim(ru.Path, "/") {
			c.at(tv, "test-database", Error, "is the same database as "+real+": the tests would wipe it", "give the tests a database of their own")
			return
		}
	}
	if Mode(c.opts.Env) == "test" && c.inCI() && !isPrivate(tu.Hostname()) {
		c.at(tv, "test-database", Error, "is on another machine, and this is CI: tests drop what they find there",
			"start a database in the job; or say # opsctl: ignore=test-database and why that one may be wiped")
		return
	}
	if strings.HasPrefix(tu.Scheme, "postgres") && !strings.Contains(strings.ToLower(name), "test") {
		c.at(tv, "test-database", Warning, "names a database without \"test\" in its name", "call it so, and nobody wipes the wrong one")
	}
}

// inCI reports whether the check runs in a CI job. All the known ones set CI.
func (c *checker) inCI() bool {
	if v, ok := c.opts.Process["CI"]; ok {
		return v != "" && v != "0" && v != "false"
	}
	return c.opts.InProcess != nil && c.opts.InProcess("CI")
}

// hostPort is the host with its port, in one spelling for one server.
func hostPort(u *url.URL) string {
	host, port := strings.ToLower(u.Hostname()), u.Port()
	if isLoopback(host) {
		host = "localhost"
	}
	if port == "" {
		port = map[string]string{"postgres": "5432", "postgresql": "5432", "redis": "6379", "rediss": "6379", "http": "80", "https": "443", "mysql": "3306"}[u.Scheme]
	}
	return host + ":" + port
}

// phaseRules checks what belongs to the build only.
func (c *checker) phaseRules() {
	if c.opts.Phase != "runtime" {
		return
	}
	for _, it := range c.schema.Items {
		v := c.values[it.Key]
		if v == nil || v.text == "" {
			continue
		}
		r, _ := it.Rule("phase")
		switch {
		case r.Value == "build" || it.Key == "SENTRY_AUTH_TOKEN":
			c.at(v, "build-only", Warning, "is needed by the build only but is in the runtime environment", "remove it from the runtime; keep it in CI")
		case IsPublicName(it.Key):
			c.at(v, "build-time", Info, "was inlined when the app was built; a change here does nothing until the next build", "rebuild after changing it")
		}
	}
}
