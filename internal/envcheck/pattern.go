package envcheck

import (
	"regexp"
	"strings"
)

// pattern checks a regular expression wherever it stands in the node.
func (p *schemaParser) pattern(n *Node, key string) {
	switch {
	case n.Kind == NodeCall && n.Text == "regex":
		p.regexCall(n, key, true)
	case n.Kind == NodeCall && n.Text == "concat" && n.Args[0].Value.Quote != '\'':
		p.report(n.Pos, "schema-pattern", Warning, key, "a $ before a letter expands inside this pattern", "write the pattern in single quotes")
		p.checkNode(n, key)
	case n.Kind == NodeCall:
		p.checkNode(n, key)
	case n.Kind == NodeString:
		pattern, flags, _ := regexLiteral(n.Raw)
		if pattern == "" {
			pattern = n.Raw
		}
		p.compiles(pattern, flags, n.Pos, key)
	default:
		p.report(n.Pos, "schema-option", Error, key, "a pattern is a text", `write regex("^a")`)
	}
}

// regexCall checks regex(pattern) and regex(pattern, flags). As the option of a
// type the pattern is what stands between the quotes; elsewhere \$ and \n are read first.
func (p *schemaParser) regexCall(n *Node, key string, option bool) {
	if len(n.Args) == 0 || len(n.Args) > 2 {
		p.report(n.Pos, "schema-function", Error, key, "regex() has "+itoa(len(n.Args))+" arguments", "it takes a pattern and its flags together: regex(\"^a\", \"gi\")")
		return
	}
	for _, a := range n.Args {
		switch {
		case a.Name != "":
			p.report(a.Pos, "schema-function", Error, key, "regex() takes no named argument "+a.Name, "")
			return
		case a.Value.Kind == NodeCall:
			p.report(a.Value.Pos, "schema-pattern", Error, key, "a pattern is a text", "a $ before a letter expands in double quotes: use single quotes")
			return
		case a.Value.Kind != NodeString:
			p.report(a.Value.Pos, "schema-pattern", Error, key, "a pattern is a text", "quote it")
			return
		}
	}
	v := n.Args[0].Value
	pattern := v.Text
	if option {
		pattern = v.Raw
	}
	if len(pattern) > 1 && pattern[0] == '/' {
		if end := strings.LastIndexByte(pattern, '/'); end > 0 && strings.Trim(pattern[end+1:], "dgimsuvy") == "" {
			p.report(v.Pos, "schema-pattern", Error, key, "regex() takes the pattern itself, without slashes around it", `write regex("^a", "i")`)
			return
		}
	}
	p.compiles(pattern, regexFlags(n), v.Pos, key)
}

func regexFlags(n *Node) string {
	if len(n.Args) > 1 {
		return text(n.Args[1].Value)
	}
	return ""
}

// regexLiteral takes /pattern/flags apart.
func regexLiteral(s string) (pattern, flags string, ok bool) {
	end := strings.LastIndexByte(s, '/')
	if len(s) < 3 || s[0] != '/' || end < 2 || strings.ContainsAny(s[1:end], "\n\r\u2028\u2029") || strings.Trim(s[end+1:], "dgimsuvy") != "" {
		return "", "", false
	}
	return s[1:end], s[end+1:], true
}

func (p *schemaParser) compiles(pattern, flags string, pos Pos, key string) {
	_, err := translatePattern(pattern, flags)
	switch {
	case err == nil:
	case err.limit:
		p.report(pos, "schema-pattern", Warning, key, "this pattern is not checkable here: "+err.msg, "")
	default:
		p.report(pos, "schema-pattern", Error, key, "this is no regular expression: "+err.msg, "")
	}
}

// compilePattern compiles a JavaScript pattern; nil where RE2 cannot stand for it.
func compilePattern(pattern, flags string) *regexp.Regexp {
	source, err := translatePattern(pattern, flags)
	if err != nil {
		return nil
	}
	re, _ := regexp.Compile(source)
	return re
}

// validPattern reports whether JavaScript takes the pattern.
func validPattern(pattern, flags string) bool {
	_, err := translatePattern(pattern, flags)
	return err == nil || err.limit
}
