package envcheck

import (
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What people write where a value is still to come.
var (
	placeholderWords = []string{"changeme", "change-me", "change_me", "replaceme", "replace-me", "replace_me"} // anywhere, as words
	placeholderStart = []string{"your-", "your_"}
	// These begin or stand in ordinary names and addresses as well (todo-planner,
	// via.placeholder.com), so that they need more than to occur.
	shortWords  = []string{"todo", "tbd", "dummy"}
	secretWords = []string{"placeholder", "my-secret", "my_secret", "insert-", "insert_"}
)

// isPlaceholder tells whether a value is still to be filled in. A secret is random or
// made by a service: words in it say more than they do in a name or an address.
func isPlaceholder(v string, secret bool) bool {
	low := strings.ToLower(v)
	if strings.HasPrefix(low, "<") && strings.HasSuffix(low, ">") || len(low) >= 3 && strings.Trim(low, "x") == "" || low == "..." {
		return true
	}
	if slices.ContainsFunc(placeholderStart, func(w string) bool { return strings.HasPrefix(low, w) }) ||
		slices.ContainsFunc(placeholderWords, func(w string) bool { return containsWord(low, w) }) {
		return true
	}
	for _, w := range shortWords {
		if rest, ok := strings.CutPrefix(low, w); ok && (endsWord(rest) || secret && strings.IndexAny(rest, "-_") == 0) {
			return true
		}
	}
	return slices.ContainsFunc(secretWords, func(w string) bool { return low == w || secret && strings.Contains(low, w) })
}

// containsWord finds a word with no letter beside it: change-me, not exchange-meter.
func containsWord(s, word string) bool {
	for at := 0; ; {
		i := strings.Index(s[at:], word)
		if i < 0 {
			return false
		}
		at += i + len(word)
		before, _ := utf8.DecodeLastRuneInString(s[:at-len(word)])
		after, _ := utf8.DecodeRuneInString(s[at:])
		if !unicode.IsLetter(before) && !unicode.IsLetter(after) {
			return true
		}
	}
}

// endsWord tells whether what follows a word ends it as a sentence would: "todo: ask",
// and not todo-list, todo.example.com or todo:8080.
func endsWord(rest string) bool {
	if rest == "" || rest == ":" || strings.HasPrefix(rest, ": ") {
		return true
	}
	return strings.ContainsRune(" \t\n!?,;(", rune(rest[0]))
}

// isSecret tells whether a key holds a secret: the schema says so for this key, or it
// says so by default and the key's name or type agrees. With the usual default
// (every key but NEXT_PUBLIC_ ones) PORT and AWS_REGION are sensitive too, and no secrets.
func (c *checker) isSecret(it *Item, v string) bool {
	if !c.schema.IsSensitive(it) {
		return false
	}
	if it.Sensitive != nil {
		return true
	}
	for _, word := range []string{"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "PRIVATE", "CREDENTIAL", "APIKEY"} {
		if strings.Contains(it.Key, word) {
			return true
		}
	}
	for part := range strings.SplitSeq(it.Key, "_") {
		if slices.Contains([]string{"KEY", "KEYS", "DSN", "SALT", "PASS", "PWD", "PIN"}, part) {
			return true
		}
	}
	u, err := url.Parse(v)
	// postgres://, redis://, amqp://, smtp://: where these lead, one signs in.
	return err == nil && u.Host != "" && (u.User != nil || u.Scheme != "http" && u.Scheme != "https")
}

func (c *checker) placeholder(it *Item, v *value) {
	level := Warning
	if c.prod {
		level = Error
	}
	secret := c.isSecret(it, v.text)
	if isPlaceholder(v.text, secret) {
		c.at(v, "placeholder", level, "still holds a placeholder", "put in the real value")
		return
	}
	if !c.holdsExample(it, v, secret) {
		return
	}
	if !secret && !isExampleHost(v.text) {
		level = Warning // the example may well be right: a region, a name, an address
	}
	c.at(v, "placeholder", level, "still holds the example of the schema", "put in the real value")
}

// holdsExample tells whether a value is the schema's example where that means
// anything. Of numbers and choices there are few, and the example is the usual one.
func (c *checker) holdsExample(it *Item, v *value, secret bool) bool {
	example := c.eval.eval(it.Example)
	if example.kind != valText || example.text != v.text || !c.eval.required(it) || !c.prod && isLocalURL(v.text) {
		return false
	}
	if it.Type != nil && slices.Contains([]string{"port", "enum", "number", "boolean"}, it.Type.Name) {
		return false
	}
	declared := it.Type != nil && it.Type.Pos != Pos{}
	return secret || declared || it.Example.Kind != NodeNumber && it.Example.Kind != NodeBool
}

// isExampleHost reports a URL that leads nowhere by its name: the ones that RFC 2606
// and RFC 6761 keep for examples and tests.
func isExampleHost(v string) bool {
	u, err := url.Parse(v)
	if err != nil {
		return false
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	for _, reserved := range []string{"example.com", "example.net", "example.org", "example", "invalid", "test"} {
		if host == reserved || strings.HasSuffix(host, "."+reserved) {
			return true
		}
	}
	return false
}
