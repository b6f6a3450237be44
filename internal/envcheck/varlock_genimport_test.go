package envcheck

import "strings"

// importedFiles makes one to three files with definitions of some keys, among
// them keys that the importing file has as well, and leaves the @import
// decorators of the schema in g.imports.
func (g *schemaGen) importedFiles() map[string]string {
	files := map[string]string{}
	g.imported = true
	defer func() { g.imported = false }()
	types := g.typed
	var root []string
	for i := range 1 + g.rng.IntN(3) {
		g.imports = nil
		if i > 0 && g.one(2) { // nested, and perhaps imported by the schema too
			g.imports = []string{g.importOf(".env.lib"+itoa(g.rng.IntN(i)), false)}
		}
		var b strings.Builder
		g.header(&b)
		g.typed = map[string]string{}
		for at, key := range g.keys {
			if g.one(3) {
				continue
			}
			if g.typed[key] = types[key]; types[key] != "" && g.one(6) {
				g.typed[key] = g.pick(allTypes...)
			}
			g.refs = g.keys[:at]
			g.item(&b, key)
		}
		name := ".env.lib" + itoa(i)
		if files[name] = b.String(); !strings.Contains(files[name], "=") {
			files[name] += "OTHER=1\n"
		}
		if i == 0 || !g.one(3) {
			root = append(root, g.importOf(name, true))
		}
	}
	if g.one(6) {
		root = append(root, g.pick("@import(./.env.gone, allowMissing=true)", "@import(./.env.gone, enabled=false)"))
	}
	g.typed, g.imports = types, root
	return files
}

// importOf is an @import of a file, mostly of a part of its keys.
func (g *schemaGen) importOf(name string, root bool) string {
	arg := "./" + name
	switch g.rng.IntN(8) {
	case 0:
		arg += ", pick=[" + g.pick(g.keys...) + ", " + g.pick(g.keys...) + "]"
	case 1:
		arg += ", omit=[" + g.pick(g.keys...) + "]"
	case 2:
		arg += g.pick(", pick=['*_']", ", omit=['*__*']", ", pick=['?', 'N*']", ", omit=['[A]', M*]", ", pick=['*']")
	}
	if g.one(6) {
		arg += ", allowMissing=" + g.pick("true", "false")
	}
	if g.one(4) {
		arg += ", enabled=" + g.pick("true", "false", "true")
		if g.env != "" && root {
			arg = arg[:strings.LastIndexByte(arg, '=')+1] + g.pick("forEnv(production)", "not(forEnv(test))", "forEnv(development, test)")
		}
	}
	return "@import(" + arg + ")"
}
