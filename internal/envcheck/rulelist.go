package envcheck

// ruleTable has the rules that a schema may name in ignore=.
var ruleTable = silenceable()

func silenceable() map[string]RuleDoc {
	m := map[string]RuleDoc{}
	for _, r := range Rules() {
		if r.Silencing() != SilenceNever {
			m[r.ID] = r
		}
	}
	return m
}
