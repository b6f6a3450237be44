package render

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	defaultLimit = 20
	maxLimit     = 100
)

// page cuts a list by limit and cursor and makes each item {"cursor": ...,
// name: item}. An item's cursor stands for the place behind it.
func page[T any](s *Server, r *http.Request, items []T, name string, key func(T) string, doc func(T) any) (reply, error) {
	items, err := cut(s, r, items, key)
	if err != nil {
		return reply{}, err
	}
	out := make([]any, 0, len(items))
	for _, it := range items {
		out = append(out, map[string]any{"cursor": cursorOf(key(it)), name: doc(it)})
	}
	return ok(out)
}

// cut is page without the envelope, for the one list that has none.
func cut[T any](s *Server, r *http.Request, items []T, key func(T) string) ([]T, error) {
	q := r.URL.Query()
	limit := defaultLimit
	if v := q.Get("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxLimit {
			return nil, bad("limit must be between 1 and %d", maxLimit)
		}
		limit = n
	}
	if s.opts.PageSize > 0 {
		limit = min(limit, s.opts.PageSize)
	}
	if c := q.Get("cursor"); c != "" {
		last, err := base64.RawURLEncoding.DecodeString(c)
		at := slices.IndexFunc(items, func(it T) bool { return key(it) == string(last) })
		if err != nil || at < 0 {
			return nil, bad("invalid cursor")
		}
		items = items[at+1:]
	}
	return items[:min(limit, len(items))], nil
}

func cursorOf(key string) string { return base64.RawURLEncoding.EncodeToString([]byte(key)) }

// values are those of a query parameter, repeated or joined by commas.
func values(q url.Values, name string) []string {
	var out []string
	for _, v := range q[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part != "" {
				out = append(out, part)
			}
		}
	}
	return out
}

// filter holds a list's query parameters against an item.
type filter struct {
	q   url.Values
	err error
}

func newFilter(r *http.Request) *filter { return &filter{q: r.URL.Query()} }

// any reports whether the parameter is absent or contains the value.
func (f *filter) any(name, value string) bool {
	want := values(f.q, name)
	return len(want) == 0 || slices.Contains(want, value)
}

// times reports whether t is between NAMEAfter and NAMEBefore. An item that has
// no such time fits only where neither is asked for.
func (f *filter) times(name string, t *time.Time) bool {
	for _, end := range []string{"Before", "After"} {
		v := f.q.Get(name + end)
		if v == "" {
			continue
		}
		bound, err := time.Parse(time.RFC3339, v)
		if err != nil {
			f.err = bad("invalid %s%s: it must be a time as in RFC 3339", name, end)
			return false
		}
		if t == nil || (end == "Before" && !t.Before(bound)) || (end == "After" && !t.After(bound)) {
			return false
		}
	}
	return true
}

// span is times for creation and change, which every resource has.
func (f *filter) span(created, updated time.Time) bool {
	return f.times("created", &created) && f.times("updated", &updated)
}
