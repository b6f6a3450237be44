package envcheck

import "slices"

// public tells whether a variable is the browser's too: the framework puts it into the
// bundle, and what its text means there hangs on nothing that is not in it.
func (g *tsModule) public(it *Item) bool {
	return (it.Key == "NODE_ENV" || g.bundle.has(it.Key)) && !g.convertsByOthers(it.Type)
}

// tsConverting are the options that decide what a text is converted into. The others
// only refuse values, so that one which is not known can be left open.
var tsConverting = []string{"toUpperCase", "toLowerCase", "normalize", "isInt", "precision", "coerceToMinMaxRange", "prependHttps", "version", "output", "separator", "format"}

// tsOpen are the options that have to be said to be left open: without them a type refuses more.
var tsOpen = map[string]string{
	"domain.allowWildcard": "allowWildcard: true", "domain.allowSingleLabel": "allowSingleLabel: true",
	"domain.allowIp": "allowIp: true", "domain.allowIpV6": "allowIpV6: true",
	"array.minLength": "minLength: 0", "array.isLength": "minLength: 0",
	"record.entriesMinLength": "entriesMinLength: 0", "record.entriesIsLength": "entriesMinLength: 0",
}

func (g *tsModule) convertsByOthers(t *Type) bool {
	return t != nil && (slices.ContainsFunc(tsConverting, func(name string) bool { return !g.known(t.Opts[name]) }) ||
		g.convertsByOthers(t.Elem) || g.convertsByOthers(t.Key))
}

// known tells whether the browser can work out an expression: it refers to no variable,
// or to those alone that are in the bundle.
func (g *tsModule) known(n *Node) bool {
	switch {
	case n == nil:
		return true
	case refName(n) != "":
		return g.knownKey(refName(n))
	case n.Kind == NodeCall && n.Text == "forEnv" && !g.knownKey(g.schema.CurrentEnv):
		return false
	}
	return !slices.ContainsFunc(n.Args, func(a Arg) bool { return !g.known(a.Value) })
}

func (g *tsModule) knownKey(key string) bool {
	it := g.schema.Item(key)
	if it == nil || g.asking[key] {
		return it == nil // of a variable that nobody declares the module knows nothing anywhere
	}
	g.asking[key] = true
	defer delete(g.asking, key)
	if key == "NODE_ENV" {
		return bundlersName(it.Type) && g.known(it.Value)
	}
	return g.bundle.has(key) && g.known(it.Value) && g.knownType(it.Type)
}

// bundlersName tells whether NODE_ENV has no other value than a bundler writes in its
// place: Next.js and Vite know no staging and write production there, whatever the
// server is started with.
func bundlersName(t *Type) bool {
	return t == nil || t.Name != "enum" || !slices.ContainsFunc(t.Values, func(n *Node) bool {
		return !slices.Contains([]string{"development", "production", "test"}, n.Text)
	})
}

// knownItem tells whether all that is said of a variable can be worked out in the browser.
func (g *tsModule) knownItem(it *Item) bool {
	return g.known(it.Required) && g.known(it.Value) && g.knownType(it.Type)
}

func (g *tsModule) knownType(t *Type) bool {
	if t == nil {
		return true
	}
	for _, n := range t.Opts {
		if !g.known(n) {
			return false
		}
	}
	return g.known(t.secret) && g.knownType(t.Elem) && g.knownType(t.Key)
}
