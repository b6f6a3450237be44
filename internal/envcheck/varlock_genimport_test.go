package envcheck

import (
	"slices"
	"strings"
)

// importedFiles makes one to three files with definitions of some keys, among
// them keys that the importing file has as well, and leaves the @import
// decorators of the schema in g.imports.
func (g *schemaGen) importedFiles() map[string]string {
	files := map[string]string{}
	g.imported = true
	defer func() { g.imported = false }()
	types := g.typed
	var root []string
	open := []int{} // files that may be imported once more
	for i := range 1 + g.rng.IntN(3) {
		g.imports = nil
		nested := len(open) > 0 && g.one(2)
		if nested { // perhaps imported by the schema too
			at := g.rng.IntN(len(open))
			g.imports = []string{g.importOf(".env.lib"+itoa(open[at]), false)}
			open = slices.Delete(open, at, at+1)
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
		// A file that imports others is imported once here: where it is imported again, varlock
		// does not follow its import of a file that was imported before it, and a key of that
		// one may stay without its value. opsctl follows each import.
		byRoot := i == 0 || !g.one(3)
		if byRoot {
			root = append(root, g.importOf(name, true))
		}
		if !nested || !byRoot {
			open = append(open, i)
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
