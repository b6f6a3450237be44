package envcheck

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// compareVarlock lists what differs, and counts in tally what was compared.
func compareVarlock(t *testing.T, c varlockCase, answers []varlockAnswer, tally map[string]int) []string {
	t.Helper()
	var diffs []string
	var mine []opsctlVerdict
	var refused []Finding
	theirs := map[string]bool{}
	unread := false
	for i := range c.Envs {
		v := c.opsctl(t, i)
		mine = append(mine, v)
		refused = append(refused, v.refused...)
		unread = unread || answers[i].Unread
		for _, msg := range answers[i].Refused {
			theirs[msg] = true
			unread = unread || strings.HasPrefix(msg, "thrown: ")
		}
		for key, k := range answers[i].Keys {
			for _, msg := range k.Errors {
				if refusal(msg) {
					theirs[key+": "+msg] = true
				}
			}
		}
	}
	if len(theirs)+len(refused) > 0 {
		return compareRefusals(c, mine, refused, slices.Sorted(maps.Keys(theirs)), unread, tally)
	}
	tally["schema accepted by both"]++
	c.countImports(tally)
	for i := range c.Envs {
		diffs = append(diffs, compareKeys(c, i, mine[i], answers[i], tally)...)
	}
	return diffs
}

var varlockItemError = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_.-]*): [A-Za-z]+Error: `)

// compareRefusals compares why each of them refuses a schema: both must find
// fault with the same keys, "" being the header. A file that varlock cannot
// read at all is one that opsctl cannot read either.
func compareRefusals(c varlockCase, verdicts []opsctlVerdict, mine []Finding, theirs []string, unread bool, tally map[string]int) []string {
	var diffs []string
	my, their := map[string]bool{}, map[string][]string{}
	unreadable := false
	for _, f := range mine {
		my[faultOf(f)] = true
		my[""] = my[""] || f.Key != "" && f.Key == verdicts[0].schema.CurrentEnv // without which no import can be decided on
		unreadable = unreadable || slices.Contains(unreadableRules, f.Rule)
	}
	for _, msg := range theirs {
		key := ""
		switch m := varlockItemError.FindStringSubmatch(msg); {
		case m == nil, strings.Contains(msg, "Error: @defaultSensitive infer"), strings.Contains(msg, "Error: @defaultRequired must"): // of the header, said of each item
		default:
			key = m[1]
		}
		their[key] = append(their[key], msg)
	}
	switch {
	case unread && unreadable:
		tally["schema unreadable to both"]++
		return nil
	case unread && len(my) > 0 && my[""]:
		tally["header refused by both"]++ // varlock gives up at once
		return nil
	case len(their[""]) > 0 && my[""]:
		tally["header refused by both"]++ // varlock looks at no item then
		return nil
	}
	for _, f := range SortFindings(mine) {
		if _, ok := their[faultOf(f)]; ok {
			tally["refusal of both"]++
			continue
		}
		why := stricterSchema(c, f, len(theirs) > 0)
		if tally["opsctl is stricter: "+why]++; why == "" {
			diffs = append(diffs, fmt.Sprintf("opsctl finds fault with %q, varlock does not: %s %d:%d %s %s (varlock: %q)", f.Key, f.File, f.Line, f.Col, f.Rule, f.Message, theirs))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(their)) {
		if my[key] || onCycle(their[key], mine) {
			continue
		}
		if why := laxerSchema(verdicts, their[key]); why != "" {
			tally["opsctl is laxer: "+why]++
			continue
		}
		diffs = append(diffs, fmt.Sprintf("varlock finds fault with %q, opsctl does not: %q (opsctl: %+v)", key, their[key], mine))
	}
	if len(mine) > 0 && len(theirs) > 0 {
		tally["schema refused by both"]++
	}
	return diffs
}

// faultOf is the key with which a finding finds fault; an import is the header's.
func faultOf(f Finding) string {
	if f.Rule == "schema-import" {
		return ""
	}
	return f.Key
}

// onCycle reports a circle, which varlock reports for each key on it and opsctl once.
func onCycle(theirs []string, mine []Finding) bool {
	return !slices.ContainsFunc(theirs, func(msg string) bool {
		_, circle, ok := strings.Cut(msg, "cycle detected: (")
		return !ok || !slices.ContainsFunc(mine, func(f Finding) bool {
			return f.Rule == "schema-cycle" && slices.Contains(strings.Split(strings.TrimSuffix(circle, ")"), ", "), f.Key)
		})
	})
}

// unreadableRules report what cannot be read.
var unreadableRules = []string{"schema-syntax", "schema-indent", "schema-encoding"}

// compareKeys compares the verdicts on each key in one environment.
func compareKeys(c varlockCase, i int, mine opsctlVerdict, theirs varlockAnswer, tally map[string]int) []string {
	var diffs []string
	differ := func(key, format string, args ...any) {
		diffs = append(diffs, threeEnvs[i]+": "+key+": "+fmt.Sprintf(format, args...))
	}
	for key := range theirs.Keys {
		if _, known := mine.sensitive[key]; !known && !strings.Contains("\n"+c.Files[".env"], "\n"+key+"=") {
			differ(key, "varlock knows it, opsctl does not")
		}
	}
	for _, key := range slices.Sorted(maps.Keys(mine.sensitive)) {
		want, ok := theirs.Keys[key]
		if !ok {
			differ(key, "varlock does not know it")
			continue
		}
		if f, ok := mine.ours[key]; ok {
			why := ownRule(f)
			if tally["a rule of opsctl's own: "+why]++; why == "" {
				differ(key, "opsctl finds it invalid (%s: %s), which is argued nowhere", f.Rule, f.Message)
			}
		}
		compareTraits(c, i, key, mine, want, tally, differ)
		compareValue(c, i, key, mine, want, tally, differ)
	}
	return diffs
}

// compareTraits compares whether a key is required and whether it is a secret.
func compareTraits(c varlockCase, i int, key string, mine opsctlVerdict, want varlockKey, tally map[string]int, differ func(string, string, ...any)) {
	it := mine.schema.Item(key)
	if slices.ContainsFunc(want.Errors, causedElsewhere) {
		tally["traits: not decided by varlock, because a key it is made from is invalid"]++
		return
	}
	switch got := mine.sensitive[key]; {
	case got == want.Sensitive:
		tally[fmt.Sprintf("sensitive: %v for both", got)]++
	case got && it.Sensitive != nil && it.Sensitive.Kind != NodeBool:
		tally["sensitive for opsctl: what is a secret in one environment is one in all"]++
	case key == mine.schema.CurrentEnv:
		tally["sensitive for opsctl: the key that names the environment"]++
	default:
		differ(key, "sensitive is %v for varlock, %v for opsctl", want.Sensitive, got)
	}
	if got := mine.required[key]; got == want.Required {
		tally[fmt.Sprintf("required: %v for both", got)]++
	} else {
		if why := otherKey(c, i, key, mine); why != "" {
			tally["required differs: "+why]++
			return
		}
		differ(key, "required is %v for varlock, %v for opsctl", want.Required, got)
	}
}

// compareValue compares the verdict on a value, and the value.
func compareValue(c varlockCase, i int, key string, mine opsctlVerdict, want varlockKey, tally map[string]int, differ func(string, string, ...any)) {
	finding, invalid := mine.invalid[key]
	errors := slices.DeleteFunc(slices.Clone(want.Errors), causedElsewhere)
	it := mine.schema.Item(key)
	switch {
	case mine.unknown[key]:
		tally["key made at run time"]++
	case invalid && len(errors) > 0:
		tally["key invalid for both"]++
		tally[finding.Rule+": for both"]++
		countType(it, finding.Rule != "required", false, tally)
	case invalid && len(want.Errors) == 0:
		why := cmp.Or(otherKey(c, i, key, mine), stricterValue(mine, key, finding))
		if tally["opsctl is stricter: "+why]++; why == "" {
			differ(key, "opsctl finds it invalid (%s: %s), varlock does not", finding.Rule, finding.Message)
		}
	case !invalid && len(errors) > 0:
		if why := cmp.Or(otherKey(c, i, key, mine), laxerValue(mine, key, errors)); why != "" {
			tally["opsctl is laxer: "+why]++
			return
		}
		differ(key, "varlock finds it invalid (%q), opsctl does not", errors)
	case !invalid && len(want.Errors) == 0:
		if got := mine.values[key]; (got == nil) != (want.Value == nil) || got != nil && *got != *want.Value {
			if why := otherKey(c, i, key, mine); why != "" {
				tally["other value: "+why]++
				return
			}
			differ(key, "varlock's value is %s, opsctl's %s", shownValue(want.Value), shownValue(got))
		}
		tally["value compared"]++
		countType(it, want.Value != nil, true, tally)
	}
}

// countType counts the verdicts on values of each type, and with each option.
func countType(it *Item, counts, valid bool, tally map[string]int) {
	if !counts || it.Type == nil || it.Type.Pos == (Pos{}) {
		return
	}
	verdict := map[bool]string{true: " accepted", false: " refused"}[valid]
	var count func(t *Type)
	count = func(t *Type) {
		if t == nil {
			return
		}
		tally["type "+t.Name+verdict]++
		for name := range t.Opts {
			tally["option "+t.Name+"."+name+verdict]++
		}
		count(t.Elem)
		count(t.Key)
	}
	count(it.Type)
}

// countImports counts the ways in which the schemas of a case import each other.
func (c varlockCase) countImports(tally map[string]int) {
	for name, text := range c.Files {
		if name == ".env" {
			continue
		}
		s, _ := parseSchema(name, []byte(text), true)
		for _, imp := range s.Imports {
			for what, is := range map[string]bool{"": true, " with pick": imp.Pick != nil, " with omit": imp.Omit != nil, " with a glob": strings.ContainsAny(strings.Join(append(imp.Pick, imp.Omit...), ""), "*?["),
				" with allowMissing": imp.AllowMissing, " with enabled": imp.Enabled != nil, " on a condition": imp.Enabled != nil && imp.Enabled.Kind == NodeCall, " nested": name != ".env.schema"} {
				if is {
					tally["import"+what]++
				}
			}
		}
		for _, it := range s.Items {
			if name != ".env.schema" && definitions(c, it.Key) > 1 {
				tally["import of a key with another definition"]++
			}
		}
	}
}

// checkCoverage fails where too little was compared for the comparison to mean much.
func checkCoverage(t *testing.T, tally map[string]int, cases int) {
	t.Helper()
	least := map[string]int{
		"schema accepted by both": cases / 2, "schema refused by both": cases / 12, "schema unreadable to both": cases / 25, "header refused by both": cases / 50, "refusal of both": cases / 12,
		"value compared": 3 * cases, "key invalid for both": cases, "required: for both": cases / 4, "type: for both": cases / 2, "schema-default: for both": cases / 5,
		"sensitive: true for both": cases, "sensitive: false for both": cases, "required: true for both": cases, "required: false for both": cases,
	}
	for _, what := range []string{"", " with pick", " with omit", " with a glob", " with allowMissing", " with enabled", " on a condition", " nested", " of a key with another definition"} {
		least["import"+what] = 20
	}
	for name, def := range typeDefs {
		least["type "+name+" accepted"], least["type "+name+" refused"] = 10, 10
		for opt := range def.opts {
			least["option "+name+"."+opt+" accepted"], least["option "+name+"."+opt+" refused"] = 1, 1
		}
	}
	for _, what := range slices.Sorted(maps.Keys(least)) {
		if tally[what] < least[what] {
			t.Errorf("%s: %d, want at least %d: the generator no longer reaches it", what, tally[what], least[what])
		}
	}
}

func shownValue(s *string) string {
	if s == nil {
		return "undefined"
	}
	return strconv.Quote(*s)
}
