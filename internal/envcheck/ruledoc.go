package envcheck

import (
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// RuleDoc describes a rule: what the documentation, `opsctl env rules` and a SARIF
// report say of it. A test runs each of its examples.
type RuleDoc struct {
	ID       string    `json:"id"`
	Family   string    `json:"family"`
	Level    Level     `json:"level"` // the worst level it reports at
	What     string    `json:"what"`  // one line, without full stop
	Why      string    `json:"why"`
	Fix      string    `json:"fix"`
	Examples []Example `json:"examples"`
}

// Family is a group of rules in the documentation.
type Family struct {
	Name  string // of RuleDoc.Family
	Title string
	rules []RuleDoc
}

// Families lists the rules by what they are about.
func Families() []Family {
	return []Family{
		{"contract", "What the schema asks for", contractRules},
		{"values", "What a value looks like", valueRuleDocs},
		{"services", "Keys of services, and what goes into the browser", serviceRules},
		{"urls", "URLs and databases", urlRuleDocs},
		{"files", "Files", fileRuleDocs},
		{"readers", "What Next.js and docker compose read differently", slices.Concat(dollarRules, readerRules)},
		{"scan", "What the code reads (opsctl env scan)", scanRules},
		{"schema", "The schema itself", slices.Concat(schemaRules, schemaMeaningRules)},
	}
}

// Rules gives the rules of the family.
func (f Family) Rules() []RuleDoc {
	out := slices.Clone(f.rules)
	for i := range out {
		out[i].Family = f.Name
	}
	return out
}

// Rules lists all rules, family by family.
func Rules() []RuleDoc {
	var out []RuleDoc
	for _, f := range Families() {
		out = append(out, f.Rules()...)
	}
	return out
}

// FindRule finds a rule by its id, whatever the case of its letters.
func FindRule(id string) (RuleDoc, bool) {
	for _, r := range Rules() {
		if strings.EqualFold(r.ID, id) {
			return r, true
		}
	}
	return RuleDoc{}, false
}

// UnknownRule is the error for a rule that does not exist.
func UnknownRule(id string) error {
	var ids []string
	for _, r := range Rules() {
		ids = append(ids, r.ID)
	}
	err := errs.New(errs.Usage, "there is no rule %q", id)
	if s := suggest(strings.ToLower(id), ids); s != "" {
		return err.WithHint("did you mean %s?", s)
	}
	if s := suggest(strings.ToUpper(id), ids); s != "" {
		return err.WithHint("did you mean %s?", s)
	}
	return err.WithHint("opsctl env rules lists them")
}

// How a rule can be silenced.
type Silencing string

// The ways. A mistake of the schema is put right, not silenced.
const (
	SilenceNever  Silencing = "never"
	SilenceHeader Silencing = "header" // of the schema: the rule is about a file, or a key that the schema does not have
	SilenceKey    Silencing = "key"    // above the key, or in the header for every key
)

// Silencing tells where the rule can be silenced.
func (r RuleDoc) Silencing() Silencing {
	switch {
	case strings.HasPrefix(r.ID, "schema-"):
		return SilenceNever
	case slices.Contains([]string{"file", "git-tracked", "dockerignore", "unknown-key", "scan-dynamic", "E-BOM", "E-SYNTAX", "E-SELF"}, r.ID):
		return SilenceHeader
	}
	return SilenceKey
}

// SilenceLine is the line of the schema that silences the rule, "" when none does.
func (r RuleDoc) SilenceLine() string {
	if r.Silencing() == SilenceNever {
		return ""
	}
	return "# opsctl: ignore=" + r.ID + " because ..."
}
