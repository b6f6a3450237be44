package envcheck

import "sync"

// silenceable has the rules that a schema may name in ignore=.
var silenceable = sync.OnceValue(func() map[string]RuleDoc {
	m := map[string]RuleDoc{}
	for _, r := range Rules() {
		if r.Silencing() != SilenceNever {
			m[r.ID] = r
		}
	}
	return m
})
