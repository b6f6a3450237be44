package envcheck

import (
	"cmp"
	"slices"
	"strings"
)

// The differences from varlock that are meant. Each is argued here; everything
// else in which the two differ is a mistake of opsctl's.

// stricterSchema says why opsctl refuses what varlock accepts; "" for no good reason.
func stricterSchema(c varlockCase, f Finding, refusedToo bool) string {
	switch {
	case f.Key != "" && inDefault(c, f) && (c.supplies(f.Key) || f.Rule == "schema-cycle" && c.suppliesNeed(f.Key)):
		// A mistake in a default that is overridden everywhere: varlock does not look at it.
		return "a mistake in a default that does not count"
	case f.Key != "" && definitions(c, f.Key) > 1:
		// A mistake in one of several definitions, where another one's part counts: varlock
		// does not look at it. A file should not be wrong because another hides it.
		return "a mistake in a definition that another one hides"
	case f.Rule == "schema-reference" && onlyInFile(c, f):
		// $NAME that only a .env file has. What the schema says must not depend on whether it is there.
		return "a reference to a key that is in no schema"
	case f.Rule == "schema-rule", f.Rule == "schema-placement" && strings.HasPrefix(f.Message, "the opsctl rule"):
		return "opsctl's own rules" // a comment to varlock
	case f.Rule == "schema-option":
		// varlock drops an option that the type does not have, or whose value it cannot
		// use, without a word: @type=port(mni=1024) would check nothing.
		return "an option that varlock ignores"
	case f.Rule == "schema-duplicate":
		// Of two items with one key, or two options with one name, varlock takes the last.
		// Of two decorators it reports the second, but not where stray words follow it.
		return "something given twice"
	case f.Rule == "schema-pattern" && strings.HasPrefix(f.Message, "this is no regular expression"):
		// A pattern in the old spelling, as a text: varlock finds out when there is a value.
		return "a text that is no pattern"
	case f.Rule == "schema-import" && strings.Contains(f.Message, "for the environment and this one"):
		return "two names for the environment" // opsctl has one environment in a check
	case f.Rule == "schema-cycle" && refusedToo:
		return "a circle in a schema with another mistake" // varlock looks for circles last
	case f.Rule == "schema-plugin" || f.Rule == "schema-command":
		// The static subset: what runs a command or code of a plugin, or what decides only
		// at run time which type an item has, is refused by name.
		return "beyond the static subset"
	case f.Rule == "schema-import" && strings.HasPrefix(f.Message, "importing a folder"):
		return "beyond the static subset" // the .env files of a folder belong to the platform, not to the contract
	case strings.HasPrefix(f.Message, "@") && strings.HasSuffix(f.Message, "is true or false"),
		f.Rule == "schema-import" && strings.HasPrefix(f.Message, "enabled is"):
		// A condition with a branch that is neither true nor false. varlock reports it only
		// where that branch is taken and the item can be resolved, which may be in production alone.
		return "a condition that fails in some environment"
	case strings.HasPrefix(f.Message, "@sensitive has no option"), strings.HasSuffix(f.Message, " of @sensitive is true or false"):
		// varlock reports it where the item can be resolved, not where what it is made from is invalid.
		return "an option of @sensitive on an item that cannot be resolved"
	case f.Rule == "schema-conflict" && strings.Contains(f.Message, "cannot be sensitive"):
		// A number that is a secret in some environments; varlock reports it only in those.
		return "a secret that cannot be masked, in some environment"
	case strings.HasPrefix(f.Message, "inferFromPrefix() belongs"):
		return "a function of the header elsewhere" // undefined to varlock
	case f.Rule == "schema-function" && (strings.HasPrefix(f.Message, "if() has ") || f.Message == "regex() has 3 arguments"):
		return "an argument that varlock ignores"
	case f.Rule == "schema-function" && strings.HasPrefix(f.Message, "a pattern is no value"):
		// if(forEnv(production), regex("a"), b): varlock reports it in production only. Within
		// a text or a list it makes /a/ or {} of it, which is not what was meant.
		return "a pattern as a value, in some environment or in a part"
	case f.Rule == "schema-function" && strings.HasPrefix(f.Message, "forEnv() needs @currentEnv"):
		// varlock reports it where the value is asked for, opsctl whether or not it is.
		return "forEnv() without an environment"
	}
	return ""
}

// laxerSchema says why opsctl accepts a schema that varlock refuses.
func laxerSchema(verdicts []opsctlVerdict, messages []string) string {
	for _, msg := range messages {
		key, what, _ := strings.Cut(msg, ": ")
		var it *Item // an import may be there in one environment only
		for _, v := range verdicts {
			it = cmp.Or(it, v.schema.Item(key))
		}
		if it == nil || it.Type == nil || it.Type.Pos != (Pos{}) || !strings.Contains(what, "value cannot be sensitive") {
			return ""
		}
	}
	// Without @type, varlock takes PIN=1234 in a .env file for a number, and refuses
	// @sensitive for it. To the app it is a text like any other.
	return "a secret without a type that looks like a number"
}

// ownRule says what a rule looks for that varlock does not; "" for a rule that
// is not known to be one of opsctl's own.
func ownRule(f Finding) string {
	return map[string]string{
		"key-mode":        "a key for tests in production",
		"key-pair":        "keys of two modes",
		"local-host":      "this machine in production",
		"public-secret":   "a password in a variable for the browser",
		"insecure-url":    "http:// in production",
		"swapped-keys":    "a secret key in the publishable one's place",
		"publishable-key": "a key that names no host",
		"test-database":   "tests that run on the app's database",
		"placeholder":     "a text to be replaced",
	}[f.Rule]
}

// refusal reports an error of an item that opsctl finds in the schema itself,
// because no environment could mend it.
func refusal(msg string) bool {
	return strings.HasPrefix(msg, "ResolutionError: ") && !causedElsewhere(msg)
}

// causedElsewhere reports the error that varlock gives an item because another
// one, on which it depends, is invalid. opsctl reports the cause once.
func causedElsewhere(msg string) bool {
	return strings.HasPrefix(msg, "ResolutionError: Dependency ") && strings.HasSuffix(msg, " is invalid")
}

// stricterValue says why opsctl finds a value invalid that varlock takes.
func stricterValue(mine opsctlVerdict, key string, f Finding) string {
	it := mine.schema.Item(key)
	if it == nil || it.Type == nil {
		return ""
	}
	switch {
	case strings.Contains(f.Message, "is not a number") || strings.Contains(f.Message, "is not a port number"):
		// varlock takes the number with which a text begins: 3000abc is 3000.
		return "a number with something after it"
	case it.Type.Pos == (Pos{}) && (f.Rule == "type" || f.Rule == "required" && compound(it.Type)):
		// Without @type, the schema's own value decides the type: PORT=3000 there means
		// that PORT=abc is a slip. To varlock the value that counts decides.
		return "a value unlike the schema's own"
	}
	return ""
}

// laxerValue says why opsctl takes a value that varlock finds invalid.
func laxerValue(mine opsctlVerdict, key string, errors []string) string {
	for _, f := range mine.findings {
		if f.Key == key && strings.Contains(f.Message, "not checkable here") && strings.Contains(errors[0], "must match regex") {
			return "a pattern that is not checkable here" // and said to be so
		}
	}
	return ""
}

// otherKey says why the verdict on a key, or its value, may differ: it is made
// from a key that counts for something else in opsctl.
func otherKey(c varlockCase, i int, key string, mine opsctlVerdict) string {
	if bareEmpty(c, i, key) {
		return "KEY= in a file"
	}
	if madeByVarlock(mine.schema.Item(key)) {
		return "decided by what varlock makes at run time"
	}
	needs := mine.schema.Item(key).needs()
	for k := 0; k < len(needs); k++ {
		_, invalid := mine.invalid[needs[k]]
		if it := mine.schema.Item(needs[k]); invalid || bareEmpty(c, i, needs[k]) {
			return "made from such a key"
		} else if it != nil && len(needs) < 1000 {
			needs = append(needs, it.needs()...)
		}
	}
	return ""
}

// bareEmpty reports KEY= in the .env file. To Next.js and compose the key is set, to an
// empty text; to varlock it is not, so that the schema's own value counts.
func bareEmpty(c varlockCase, i int, key string) bool {
	_, process := c.Envs[i][key]
	return !process && strings.Contains("\n"+c.Files[".env"], "\n"+key+"=\n")
}

// definitions counts the schema files that define a key.
func definitions(c varlockCase, key string) int {
	n := 0
	for name, text := range c.Files {
		if s, _ := parseSchema(name, []byte(text), true); name != ".env" && s.Item(key) != nil {
			n++
		}
	}
	return n
}

// onlyInFile reports a reference to a key that the .env file has.
func onlyInFile(c varlockCase, f Finding) bool {
	name, rest, _ := strings.Cut(strings.TrimPrefix(f.Message, "$"), " ")
	return strings.HasPrefix(f.Message, "$") && strings.HasPrefix(rest, "is no item") && strings.Contains("\n"+c.Files[".env"], "\n"+name+"=")
}

// supplies reports whether a key has a value outside the schema in every environment.
func (c varlockCase) supplies(key string) bool {
	if strings.Contains("\n"+c.Files[".env"], "\n"+key+"=") && !strings.Contains("\n"+c.Files[".env"], "\n"+key+"=\n") {
		return true
	}
	_, ok := c.Envs[0][key]
	return ok
}

// suppliesNeed reports whether an item from which a key is made has a value outside the schema.
func (c varlockCase) suppliesNeed(key string) bool {
	s, _ := ParseSchema(".env.schema", []byte(c.Files[".env.schema"]))
	needs := s.Item(key).needs()
	for i := 0; i < len(needs) && i < 100; i++ {
		if c.supplies(needs[i]) {
			return true
		}
		if it := s.Item(needs[i]); it != nil {
			needs = append(needs, it.needs()...)
		}
	}
	return false
}

// inDefault reports a finding that stands in its item's own value.
func inDefault(c varlockCase, f Finding) bool {
	s, _ := parseSchema(f.File, []byte(c.Files[f.File]), true)
	it := s.Item(f.Key)
	return it != nil && it.Value != nil && (f.Line > it.ValuePos.Line || f.Line == it.ValuePos.Line && f.Col >= it.ValuePos.Col)
}

// madeByVarlock reports a key of which a decorator asks what varlock alone knows.
func madeByVarlock(it *Item) bool {
	return slices.ContainsFunc(it.needs(), isBuiltin)
}
