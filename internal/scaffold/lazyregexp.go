package scaffold

import (
	"regexp"
	"sync"
)

// lazyRegexp is a pattern that is compiled when it is first used: every command of
// opsctl links this package, and init alone needs its patterns.
type lazyRegexp struct{ compiled func() *regexp.Regexp }

// lazily takes a pattern that is right: a test compiles every one.
func lazily(pattern string) lazyRegexp {
	return lazyRegexp{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(pattern) })}
}

func (r lazyRegexp) Match(b []byte) bool                  { return r.compiled().Match(b) }
func (r lazyRegexp) MatchString(s string) bool            { return r.compiled().MatchString(s) }
func (r lazyRegexp) Find(b []byte) []byte                 { return r.compiled().Find(b) }
func (r lazyRegexp) FindIndex(b []byte) []int             { return r.compiled().FindIndex(b) }
func (r lazyRegexp) FindSubmatch(b []byte) [][]byte       { return r.compiled().FindSubmatch(b) }
func (r lazyRegexp) FindSubmatchIndex(b []byte) []int     { return r.compiled().FindSubmatchIndex(b) }
func (r lazyRegexp) FindStringSubmatch(s string) []string { return r.compiled().FindStringSubmatch(s) }
func (r lazyRegexp) FindAllIndex(b []byte) [][]int        { return r.compiled().FindAllIndex(b, -1) }
func (r lazyRegexp) FindAllSubmatch(b []byte) [][][]byte  { return r.compiled().FindAllSubmatch(b, -1) }
func (r lazyRegexp) FindAllSubmatchIndex(b []byte) [][]int {
	return r.compiled().FindAllSubmatchIndex(b, -1)
}

func (r lazyRegexp) ReplaceAllString(s, with string) string {
	return r.compiled().ReplaceAllString(s, with)
}
