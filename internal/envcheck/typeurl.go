package envcheck

import (
	"slices"
	"strings"
)

func (e *evaluator) checkURL(t *Type, v string) problem {
	u, p := parseWebURL(v)
	if p.msg != "" {
		return p
	}
	if list := e.opt(t, "allowedProtocols"); list.kind == valArray {
		names := list.lower(func(s string) string { return strings.TrimSuffix(s, ":") })
		if !slices.Contains(names, u.scheme) {
			return bad("has a scheme that is not among "+strings.Join(names, ", "), "")
		}
	}
	if p := e.allowedDomains(t, u); p.msg != "" {
		return p
	}
	if end := strings.IndexAny(v+"?", "?#"); e.opt(t, "noTrailingSlash").truthy() && strings.HasSuffix(v[:end], "/") {
		return bad("ends with a slash", "remove the slash at the end")
	}
	return e.checkMatches(t, v)
}

// lower lists the texts of a list in lower case.
func (v val) lower(change func(string) string) []string {
	out := make([]string, len(v.list))
	for i, m := range v.list {
		out[i] = change(strings.ToLower(m.text))
	}
	return out
}

// allowedDomains compares hosts; an entry with a port pins the port, too.
func (e *evaluator) allowedDomains(t *Type, u webURL) problem {
	list := e.opt(t, "allowedDomains")
	if list.kind == valText && !list.empty() {
		list = val{kind: valArray, list: []val{list}}
	}
	if list.kind != valArray {
		return problem{}
	}
	names := list.lower(strings.TrimSpace)
	for _, name := range names {
		if d, p := parseWebURL(u.scheme + "://" + name); p.msg == "" && d.host == u.host && (d.port == u.port || !hasPort(name)) {
			return problem{}
		}
	}
	return bad("is a URL of a host that is not among "+strings.Join(names, ", "), "")
}

// hasPort reports an entry such as example.com:8443.
func hasPort(entry string) bool {
	i := strings.LastIndexByte(entry, ':')
	return i > 0 && i < len(entry)-1 && strings.Trim(entry[i+1:], "0123456789") == ""
}

// domainEntry reports what allowedDomains takes: a host, with or without a port.
func domainEntry(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	if hasPort(s) && (s[0] != '[' || strings.HasSuffix(s[:strings.LastIndexByte(s, ':')], "]")) {
		s = s[:strings.LastIndexByte(s, ':')]
	}
	if strings.HasPrefix(s, "[") {
		return len(s) > 2 && strings.HasSuffix(s, "]") && strings.Trim(s[1:len(s)-1], "0123456789abcdef:.") == ""
	}
	return s != "" && !strings.ContainsAny(s, " \t\n\r\\/?#@:[]")
}

var domainLabel = lazyMatch(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`)

// checkDomain checks a bare host name.
func (e *evaluator) checkDomain(t *Type, v string) problem {
	set := func(name string) bool { return e.opt(t, name).truthy() }
	inner := v
	if strings.HasPrefix(v, "[") && strings.HasSuffix(v, "]") && len(v) > 1 {
		inner = v[1 : len(v)-1]
	}
	address := func(version, s string) bool {
		typ := &Type{Name: "ip", Opts: map[string]*Node{"version": {Kind: NodeNumber, Text: version}}}
		return e.checkIP(typ, s).msg == ""
	}
	switch {
	case set("allowIpV6") && address("6", inner), set("allowIp") && address("4", v):
		return e.checkMatches(t, v)
	case strings.ContainsAny(v, ":/@"):
		return bad("is not a bare domain: no scheme, port, path or user belongs to it", "use the type url for a whole URL")
	}
	name, wild := strings.CutPrefix(v, "*.")
	if wild && !set("allowWildcard") {
		return bad("is a wildcard domain", "add allowWildcard=true to the type")
	}
	labels := strings.Split(name, ".")
	last := labels[len(labels)-1]
	switch {
	case len(v) > 253 || slices.ContainsFunc(labels, func(l string) bool { return !domainLabel(l) }):
		return bad("is not a domain", "")
	case strings.Trim(last, "0123456789") == "":
		return bad("is an address, not a domain", "add allowIp=true to the type")
	case len(labels) < 2 && !set("allowSingleLabel"):
		return bad("is a domain without a dot", "add allowSingleLabel=true to the type")
	}
	return e.checkMatches(t, v)
}
