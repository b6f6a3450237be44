package envcheck

import (
	"slices"
	"strings"
)

// summarised is what the generated lines of a rendered example say of a variable.
type summarised struct {
	required   bool
	envs       []string // it is required in these only
	some       bool     // it is required in some that nobody knows any more
	secret     bool
	typ        string // as @type has it
	deprecated string
}

const (
	setByNext = "# Set by Next.js itself, so it stays out of .env files."
	seeLine   = "# see "
)

// takeSummary turns the lines that RenderExample made above a variable back into
// what they were made of. What does not have exactly that form stays a comment.
func (d *draft) takeSummary() {
	end := len(d.lines)
	if d.key == "NODE_ENV" && end > 0 && d.lines[end-1] == setByNext {
		end--
		d.lines = d.lines[:end]
	}
	docs := end
	for docs > 0 && strings.HasPrefix(d.lines[docs-1], seeLine) && !strings.ContainsAny(d.lines[docs-1][len(seeLine):], " \t") {
		docs--
	}
	if docs == 0 {
		return
	}
	s := parseSummary(d.lines[docs-1], d.key, d.value)
	if s == nil {
		return
	}
	for _, line := range d.lines[docs:end] {
		url := line[len(seeLine):]
		if strings.ContainsAny(url, `,()[]{}"'$\`+"`") {
			url = quoted(url)
		}
		d.marks = append(d.marks, "@docs("+url+")")
	}
	switch s.deprecated {
	case "":
	case "deprecated":
		d.marks = append(d.marks, "@deprecated")
	default:
		d.marks = append(d.marks, "@deprecated="+quoted(s.deprecated))
	}
	d.lines, d.summary = d.lines[:docs-1], s
}

// quoted spells a text as env-spec reads it back; what cannot be spelled is taken back later.
func quoted(text string) string {
	if spelled := spellExample(text); strings.Trim(spelled, "\"'") != spelled {
		return spelled
	}
	return `"` + text + `"`
}

// parseSummary reads the line that Schema.summary writes; nil for any other line.
func parseSummary(line, key, value string) *summarised {
	body, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return nil
	}
	need, rest, _ := strings.Cut(body, "; ")
	s := &summarised{}
	switch envs, in := strings.CutPrefix(need, "required in "); {
	case need == "required":
		s.required = true
	case need == "optional":
	case need == "required in some environments":
		s.some = true
	case in:
		s.envs = strings.Split(envs, ", ")
		if slices.ContainsFunc(s.envs, func(e string) bool {
			return e == "" || strings.ContainsFunc(e, func(r rune) bool { return r > 0x7f || !isKeyByte(byte(r)) })
		}) {
			return nil
		}
	default:
		return nil
	}
	if before, after, found := strings.Cut("; "+rest, "; deprecated"); found && (after == "" || strings.HasPrefix(after, ": ")) {
		rest = strings.TrimPrefix(before, "; ")
		s.deprecated = "deprecated"
		if after != "" {
			s.deprecated = after[len(": "):]
		}
	}
	if before, found := strings.CutSuffix("; "+rest, "; secret"); found {
		rest = strings.TrimPrefix(before, "; ")
		s.secret = true
	}
	s.typ, ok = summarisedType(rest, key, value)
	if !ok {
		return nil
	}
	return s
}

// summarisedType finds the type that typeSummary describes in these words. Where only
// the kind is clear, it is that; false when these are no words of a type at all.
func summarisedType(words, key, value string) (typ string, ok bool) {
	for _, typ := range guess(key, value) { // the usual spelling of the pattern
		if typ != "" && typeSummary(parseType(typ)) == words {
			return typ, true
		}
	}
	if words == "" {
		return "", true
	}
	name, details := "string", words
	for _, n := range []string{"number", "boolean", "url", "domain", "enum", "email", "port", "ip", "semver", "isoDate", "uuid", "md5", "duration", "simple-object"} {
		human := typeDefs[n].human
		rest, found := strings.CutPrefix(words, human)
		if found && (rest == "" || strings.HasPrefix(rest, ", ") || n == "enum" && strings.HasPrefix(rest, " ")) {
			name, details = n, strings.TrimPrefix(rest, ", ")
			break
		}
	}
	sep, list := strings.CutPrefix(words, "list separated by ")
	switch {
	case words == "list as JSON":
		return "array(format=json)", true
	case list && sep == ",":
		return "array", true
	case list:
		typ, name = "array(separator="+quoted(sep)+")", "array"
	case name == "enum":
		var values []string
		for v := range strings.SplitSeq(strings.TrimPrefix(details, " "), ", ") {
			values = append(values, spellExample(v))
		}
		typ = "enum(" + strings.Join(values, ", ") + ")"
	default:
		opts, known := summarisedOptions(name, details)
		if !known && name == "string" {
			return "", false
		}
		typ = name
		if len(opts) > 0 {
			typ += "(" + strings.Join(opts, ", ") + ")"
		}
	}
	s, findings := ParseSchema("", []byte("# @type="+typ+"\nX=\n"))
	switch {
	case len(findings) == 0 && len(s.Items) == 1 && typeSummary(s.Items[0].Type) == words:
		return typ, true
	case name == "enum" || name == "array" || name == "string":
		return "", name != "string"
	}
	return name, true
}

// summarisedOptions reads the details of a type.
func summarisedOptions(name, details string) (opts []string, ok bool) {
	if details == "" {
		return nil, true
	}
	for part := range strings.SplitSeq(details, ", ") {
		begin, starts := strings.CutPrefix(part, "starts with ")
		opt, n := "isLength", part
		for _, o := range []struct{ words, name string }{{"at least ", "min"}, {"at most ", "max"}} {
			if rest, found := strings.CutPrefix(part, o.words); found {
				opt, n = o.name, rest
			}
		}
		count, length := strings.CutSuffix(n, " characters")
		switch {
		case starts && name == "string" && !strings.Contains(begin, " or "):
			opts = append(opts, "startsWith="+quoted(begin))
		case starts:
			opts = append(opts, `matches=regex("^`+beginnings(strings.Split(begin, " or "))+`")`)
		case part == "no trailing slash":
			opts = append(opts, "noTrailingSlash=true")
		case length && isPlainNumber(count):
			opts = append(opts, strings.TrimSuffix(opt, "Length")+"Length="+count)
		case opt != "isLength" && n != "" && !strings.ContainsAny(n, " ()"):
			opts = append(opts, opt+"="+n)
		default:
			return opts, false
		}
	}
	return opts, true
}

// beginnings is a pattern for one of several texts.
func beginnings(texts []string) string {
	escape := strings.NewReplacer(`\`, `\\`, ".", "[.]", "+", "[+]", "*", "[*]", "?", "[?]", "(", "[(]", ")", "[)]", "|", "[|]", "[", `\\[`, "{", "[{]", "$", "[$]", `"`, `\"`)
	for i, text := range texts {
		texts[i] = escape.Replace(text)
	}
	if len(texts) == 1 {
		return texts[0]
	}
	return "(" + strings.Join(texts, "|") + ")"
}

// takeSummaries reads the generated lines of a rendered example back.
func takeSummaries(blocks []draftBlock) {
	for _, d := range drafts(blocks) {
		d.takeSummary()
	}
}

// noteCondition keeps a condition as a comment where no condition can be made of it.
func (d *draft) noteCondition(known bool) {
	switch {
	case d.summary == nil:
	case d.summary.some:
		d.lines = append(d.lines, "# Required in some environments.")
	case len(d.summary.envs) > 0 && !known:
		d.lines = append(d.lines, "# Required in "+strings.Join(d.summary.envs, ", ")+".")
	}
}

// environment is the variable that says which environment it is, for the conditions
// that a rendered example had.
func (g *inferrer) environment() string {
	if g.into != nil {
		return g.into.CurrentEnv
	}
	return environmentAmong(drafts(g.blocks))
}

// environmentAmong is NODE_ENV, or the variable whose values are the environments that summaries name.
func environmentAmong(ds []*draft) string {
	var envs []string
	for _, d := range ds {
		if d.key == "NODE_ENV" {
			return d.key
		}
		if d.summary != nil {
			envs = append(envs, d.summary.envs...)
		}
	}
	for _, d := range ds {
		if len(envs) == 0 || d.summary == nil || !strings.HasPrefix(d.summary.typ, "enum(") || spellExample(d.value) != d.value || d.value == "" || !exampleFit(d.key, d.value) {
			continue
		}
		var values []string
		for _, n := range parseType(d.summary.typ).Values {
			values = append(values, n.Text)
		}
		if !slices.ContainsFunc(envs, func(e string) bool { return !slices.Contains(values, e) }) {
			return d.key
		}
	}
	return ""
}

// condition is when the variable is required, where the summary says that it is so in
// some environments only; nil otherwise.
func (s *summarised) condition() *Node {
	if s == nil || len(s.envs) == 0 {
		return nil
	}
	n := &Node{Kind: NodeCall, Text: "forEnv"}
	for _, env := range s.envs {
		n.Args = append(n.Args, Arg{Value: &Node{Kind: NodeString, Text: env, Raw: env}})
	}
	return n
}
