package envcheck

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Words of a name that say that it holds a secret, and words that say that it
// is a setting of one: JWT_TOKEN_TTL, PASSWORD_MIN_LENGTH, ENABLE_PASSWORD_LOGIN.
var (
	secretNameWords = []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "PRIVATE", "CREDENTIAL", "APIKEY"}
	secretNameParts = []string{"KEY", "KEYS", "DSN", "SALT", "PASS", "PWD", "PW", "PIN", "HASH", "SIGNATURE", "SEED", "MNEMONIC", "JWT", "COOKIE", "AUTH"}
	tameNameParts   = []string{"MIN", "MAX", "LIMIT", "COUNT", "TTL", "EXPIRES", "EXPIRE", "EXPIRY", "EXPIRATION", "TIMEOUT", "LENGTH",
		"LIFETIME", "AGE", "ROUNDS", "ENABLE", "ENABLED", "DISABLE", "DISABLED", "ALLOW", "ALLOWED", "REQUIRE", "REQUIRED", "USE", "IS", "HAS", "SKIP", "PORT", "PATH", "FILE", "DIR"}
)

// secretName tells whether a variable holds a secret by its name.
func secretName(key string) bool {
	up := strings.ToUpper(key)
	if publicPrefix(up) != "" || strings.Contains(up, "PUBLISHABLE") || strings.HasSuffix(up, "SENTRY_DSN") {
		return false
	}
	parts := strings.FieldsFunc(up, func(r rune) bool { return r == '_' || r == '.' || r == '-' })
	if slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(tameNameParts, p) }) {
		return false
	}
	return slices.ContainsFunc(secretNameWords, func(w string) bool { return strings.Contains(up, w) }) ||
		slices.ContainsFunc(parts, func(p string) bool { return slices.Contains(secretNameParts, p) })
}

// publicPrefixes are what frameworks inline into the browser bundle.
var publicPrefixes = []string{"NEXT_PUBLIC_", "VITE_", "REACT_APP_", "NUXT_PUBLIC_", "EXPO_PUBLIC_", "GATSBY_", "PUBLIC_"}

func publicPrefix(key string) string {
	for _, p := range publicPrefixes {
		if strings.HasPrefix(key, p) {
			return p
		}
	}
	return ""
}

// mostlyPublic is the prefix of the bundle's variables that most of the names have.
func mostlyPublic(keys []string) string {
	most, best := publicPrefixes[0], 0
	for _, p := range publicPrefixes {
		n := 0
		for _, key := range keys {
			if publicPrefix(key) == p {
				n++
			}
		}
		if n > best {
			most, best = p, n
		}
	}
	return most
}

// weakPasswords are what examples use for a database on the developer's own machine.
var weakPasswords = []string{"postgres", "password", "pass", "secret", "root", "admin", "test", "dev", "user", "app", "mysql", "redis", "guest",
	"local", "localhost", "example", "username", "mongo", "minio", "minioadmin", "rabbitmq", "pw", "password123", "db", "unused", "dummy"}

// secretParam finds a secret in a connection string or a query: Password=...
var secretParam = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)(?:pass(?:word|wd)?|pwd?|token|secret|key|sig(?:nature)?|auth)\s*[=:]\s*[^&;\s]`)
})

// exampleFit tells whether a value of an example may be shown as one. A real
// secret does not get into a file that is committed, and no placeholder does either.
func exampleFit(key, v string) bool {
	if v == "" || len(v) > 200 || strings.ContainsFunc(v, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return false
	}
	secret := secretName(key)
	low := strings.ToLower(v)
	switch {
	case isPlaceholder(v, secret):
		return false
	case secret:
		return slices.Contains(weakPasswords, low)
	case strings.HasPrefix(v, "pk_test_") && secretKind(key, v) == "":
		return true // publishable, and of a test instance
	case hasURLPassword(v):
		return weakURL(v)
	case secretKind(key, v) != "" || mayBeRandom(v):
		return false
	case strings.Contains(v, "://"):
		u, err := url.Parse(v)
		return err != nil || !secretParam().MatchString(u.RawQuery)
	}
	return !secretParam().MatchString(v)
}

// weakURL reports a URL with a password that protects nothing: a word of every
// example, at a host of the developer's machine or of a compose file.
func weakURL(v string) bool {
	u, err := url.Parse(v)
	if err != nil || !hasURLPassword(v) || secretParam().MatchString(u.RawQuery) || !isLoopback(u.Hostname()) && strings.Contains(u.Hostname(), ".") {
		return false
	}
	pass, _ := u.User.Password()
	low := strings.ToLower(pass)
	return slices.Contains(weakPasswords, low) || len(low) < 12 && !strings.ContainsAny(low, "0123456789") && strings.EqualFold(low, u.User.Username())
}

// mayBeRandom tells whether a part of a text was made by a machine: a key, a
// token, a hash. It errs on the side of yes.
func mayBeRandom(s string) bool {
	return slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return !isWord(byte(r&0x7f)) && r != '-' && r != '+' && r != '=' || r > 0x7f }), randomRun)
}

func randomRun(s string) bool {
	var lower, upper, digit, sep, turns int
	hex, kind := true, 0
	for i := 0; i < len(s); i++ {
		now := 0
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			digit++
			now = 1
		case c >= 'a' && c <= 'z':
			lower++
			now = 2
			hex = hex && c <= 'f'
		case c >= 'A' && c <= 'Z':
			upper++
			now = 3
			hex = hex && c <= 'F'
		default:
			sep++
		}
		if now != kind && i > 0 {
			turns++
		}
		kind = now
	}
	n := len(s)
	switch {
	case n < 12:
		return false
	case sep == 0 && digit == n, hex && n >= 16 && digit > 0:
		return true
	case n >= 16 && turns*4 >= n && digit > 0: // changes of kind every few characters
		return true
	case n >= 20 && sep == 0 && (digit > 1 || lower*5 >= n && upper*5 >= n || entropy(s) > 4.1):
		return true
	case n >= 20 && sep == 0 && lower+upper == n && (lower == 0 || upper == 0):
		return entropy(s) > 3.4
	}
	return n >= 24 && lower > 0 && upper > 0 && digit > 1
}

// entropy is the entropy of a text in bits a character.
func entropy(s string) float64 {
	var counts [256]int
	for i := 0; i < len(s); i++ {
		counts[s[i]]++
	}
	h := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(s))
			h -= p * math.Log2(p)
		}
	}
	return h
}

// scrubber takes secrets out of an example's comments.
type scrubber struct {
	hidden []string // values that were not taken over
}

// hide remembers a value that must not be shown, and what stands in it.
func (s *scrubber) hide(v string) {
	s.hidden = append(s.hidden, secretsIn(v)...)
}

// minHidden is how long a value has to be to be looked for within other texts. A shorter
// one is too likely to stand there by chance, and has to be the whole of a value or word.
const minHidden = 6

// secretsIn are a value that must not be shown and the passwords within it: of a URL, as it
// stands there and as it is meant, of a pair user:password, of Password=… in a connection string.
func secretsIn(v string) []string {
	v = strings.TrimSpace(v)
	if v == "" || publicWord(v) {
		return nil
	}
	found := []string{v}
	add := func(pass string) {
		if len(pass) >= 4 && pass != v && !publicWord(pass) && !slices.Contains(weakPasswords, strings.ToLower(pass)) {
			found = append(found, pass)
		}
	}
	if u, err := url.Parse(v); err == nil && u.User != nil {
		pass, _ := u.User.Password()
		add(pass)
		_, spelled, _ := strings.Cut(u.User.String(), ":")
		add(spelled)
		if before, _, ok := strings.Cut(v[strings.Index(v, "://")+1:], "@"); ok {
			_, spelled, _ = strings.Cut(strings.TrimLeft(before, "/"), ":")
			add(spelled)
		}
	}
	if user, pass, ok := strings.Cut(v, ":"); ok && user != "" && !strings.ContainsAny(v, "/ \t") && !strings.Contains(pass, ":") && strings.Trim(pass, "0123456789") != "" {
		add(pass)
	}
	for _, m := range secretParam().FindAllStringIndex(v, -1) {
		pass := v[m[1]-1:]
		if end := strings.IndexAny(pass, "&; \t"); end >= 0 {
			pass = pass[:end]
		}
		add(pass)
	}
	return found
}

// publicWord tells that a text is no secret whatever it is the value of: a truth value,
// a number of one digit, an environment, a log level.
func publicWord(v string) bool {
	return len(v) < 2 || slices.Contains(publicWords, strings.ToLower(v))
}

var publicWords = strings.Fields("true false yes no on off none null auto development production staging test debug info warn warning error localhost")

// withheld says which values must not be shown as those of another variable either.
type withheld struct {
	owners map[string]map[string]bool // by value: whose it is
	within *strings.Replacer          // finds the long ones in a text, however many there are
}

func (w *withheld) add(key, v string) {
	for _, secret := range secretsIn(v) {
		if w.owners[secret] == nil {
			w.owners[secret] = map[string]bool{}
		}
		w.owners[secret][key] = true
	}
}

// has tells whether a text of a variable is, or holds, what another one's value must not show.
func (w *withheld) has(key, text string) bool {
	others := func(secret string) bool {
		owners := w.owners[secret]
		return len(owners) > 1 || len(owners) == 1 && !owners[key]
	}
	if others(text) {
		return true
	}
	if w.within == nil {
		var pairs []string
		for secret := range w.owners {
			if len(secret) >= minHidden {
				pairs = append(pairs, secret, "")
			}
		}
		w.within = strings.NewReplacer(pairs...)
	}
	if w.within.Replace(text) == text {
		return false
	}
	for secret := range w.owners {
		if len(secret) >= minHidden && strings.Contains(text, secret) && others(secret) {
			return true
		}
	}
	return false
}

// words takes the short ones out of a text, where they stand alone and are no word of a language.
func (w *withheld) words(line string) string {
	return eachWord(line, func(word string) string {
		core := strings.Trim(word, "\"'`()[]{}<>,;.:=#")
		if w.owners[core] == nil || len(core) < 3 || len(core) >= minHidden || strings.Trim(strings.ToLower(core), "abcdefghijklmnopqrstuvwxyz") == "" {
			return word
		}
		return strings.Replace(word, core, scrubbed, 1)
	})
}

const scrubbed = "(hidden)"

// line is a comment line without what looks like a secret in it.
func (s *scrubber) line(line string) string {
	if key, v, ok := commentedOut(line); ok { // another value of a variable
		v = strings.Trim(strings.TrimSpace(v), "'\"`")
		if v != "" && !exampleFit(key, v) && !isPlaceholder(v, secretName(key)) {
			return "# " + key + "=" + scrubbed
		}
	}
	if strings.Contains(line, "-----BEGIN") || strings.Contains(line, "-----END") {
		return "# " + scrubbed
	}
	return eachWord(line, s.word)
}

// eachWord changes the words of a line, and none of the space between them.
func eachWord(line string, change func(string) string) string {
	var out strings.Builder
	for len(line) > 0 {
		end := strings.IndexAny(line, " \t")
		if end < 0 {
			end = len(line)
		}
		out.WriteString(change(line[:end]))
		next := end
		for next < len(line) && isBlank(line[next]) {
			next++
		}
		out.WriteString(line[end:next])
		line = line[next:]
	}
	return out.String()
}

func (s *scrubber) word(w string) string {
	core := strings.Trim(w, "\"'`()[]{}<>,;.#")
	if core == "" {
		return w
	}
	at := strings.Index(w, core)
	for _, piece := range append([]string{core}, strings.FieldsFunc(core, func(r rune) bool { return strings.ContainsRune("=:,;|\"'`()<>?&", r) })...) {
		if secretKind("", piece) != "" && !weakURL(piece) {
			return w[:at] + scrubbed + w[at+len(core):]
		}
	}
	link := strings.HasPrefix(core, "http://") || strings.HasPrefix(core, "https://")
	if mayBeRandom(core) && !link && !strings.HasPrefix(core, "pk_test_") {
		return w[:at] + scrubbed + w[at+len(core):]
	}
	return w
}
