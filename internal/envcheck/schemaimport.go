package envcheck

import "strings"

// importOptions are the named arguments of @import.
var importOptions = []string{"pick", "omit", "enabled", "allowMissing"}

func (p *schemaParser) importDecorator(d Decorator) {
	imp := Import{Pos: d.Pos}
	args := d.Value.Args
	if len(args) == 0 || args[0].Name != "" || args[0].Value.Kind != NodeString {
		p.report(d.Pos, "schema-import", Error, "", "@import takes a path", "write @import(./.env.shared)")
		return
	}
	imp.Path = text(args[0].Value)
	filter, missing := "", (*Node)(nil)
	for _, a := range args[1:] {
		switch a.Name {
		case "pick", "omit":
			if filter != "" {
				p.report(a.Pos, "schema-import", Error, "", "pick and omit exclude each other", "keep one")
			}
			filter = a.Name
			if keys := p.importKeys(a); a.Name == "pick" {
				imp.Pick = append(imp.Pick, keys...)
			} else {
				imp.Omit = append(imp.Omit, keys...)
			}
		case "enabled":
			imp.Enabled = a.Value
			if notBool(a.Value, p.schema) {
				p.report(a.Value.Pos, "schema-import", Error, "", "enabled is true, false or a condition", "")
			}
		case "allowMissing":
			imp.AllowMissing, missing = text(a.Value) == "true", a.Value
		case "": // the old spelling: names to pick
			imp.Pick = append(imp.Pick, text(a.Value))
			switch {
			case a.Value.Kind != NodeString:
				p.report(a.Pos, "schema-import", Error, "", "a key is a plain text", "write pick=[KEY]")
			case filter != "" || len(args) > 2 && args[len(args)-1].Name != "" && (args[len(args)-1].Name == "pick" || args[len(args)-1].Name == "omit"):
				p.report(a.Pos, "schema-import", Error, "", "a key beside pick or omit", "put all keys into pick=[...]")
			default:
				p.report(a.Pos, "schema-deprecated", Warning, "", "keys as arguments are the old spelling of pick", "write pick=["+text(a.Value)+"]")
			}
		default:
			p.report(a.Pos, "schema-option", Error, "", "unknown option "+a.Name+" of @import", didYouMean(a.Name, importOptions))
		}
	}
	if imp.Enabled != nil && imp.Enabled.Kind == NodeBool && imp.Enabled.Text == "false" {
		return // nobody looks at what it names
	}
	if missing != nil && missing.Kind != NodeBool {
		p.report(missing.Pos, "schema-import", Error, "", "allowMissing is true or false", "")
	}
	if p.importPath(imp, args[0].Value.Pos) {
		p.schema.Imports = append(p.schema.Imports, imp)
	}
}

// importKeys reads the list of pick or omit.
func (p *schemaParser) importKeys(a Arg) []string {
	if a.Value.Kind != NodeArray || len(a.Value.Args) == 0 {
		p.report(a.Value.Pos, "schema-import", Error, "", a.Name+" is a list of keys", "write "+a.Name+"=[KEY_ONE, KEY_TWO]")
		return nil
	}
	var keys []string
	for _, m := range a.Value.Args {
		if key := strings.TrimSpace(text(m.Value)); m.Value.Kind == NodeString && key != "" {
			keys = append(keys, key)
		} else {
			p.report(m.Pos, "schema-import", Error, "", "a key of "+a.Name+" is a plain text", "")
		}
	}
	return keys
}

// importPath reports a path that is no local schema file.
func (p *schemaParser) importPath(imp Import, pos Pos) bool {
	name := imp.Path[strings.LastIndexByte(imp.Path, '/')+1:]
	var msg, fix string
	switch local := strings.HasPrefix(imp.Path, "./") || strings.HasPrefix(imp.Path, "../") || strings.HasPrefix(imp.Path, "/"); {
	case !local:
		msg, fix = "only a local file can be imported", "write a path that begins with ./ or ../"
	case name == "":
		msg, fix = "importing a folder depends on which .env files are in it; opsctl reads the static part of env-spec only", "name its schema: "+imp.Path+".env.schema"
	case !strings.HasPrefix(name, ".env.") && !imp.AllowMissing && imp.Enabled == nil:
		msg, fix = "an imported file is called .env.something", "rename "+name
	default:
		return true
	}
	p.report(pos, "schema-import", Error, "", msg, fix)
	return false
}
