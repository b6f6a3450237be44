package envcheck

import (
	"slices"
	"strings"
)

// tsBundle is how a project's bundler puts public variables into the code for the
// browser: it looks for a certain text and writes the value in its place.
type tsBundle struct {
	prefix string // of the names that it does so with
	meta   bool   // the text is import.meta.env.NAME, else process.env.NAME
}

// processPrefixes are of bundlers that look for process.env.NAME: Next.js, Create
// React App, Expo and Gatsby. Those of one are left alone by the others.
var processPrefixes = []string{"NEXT_PUBLIC_", "REACT_APP_", "EXPO_PUBLIC_", "GATSBY_"}

// nuxtPrefix is of variables that Nuxt hands over at run time, from useRuntimeConfig().
const nuxtPrefix = "NUXT_PUBLIC_"

// bundleOf takes the prefix from the schema's header, else from the names.
func bundleOf(s *Schema) tsBundle {
	prefix := s.PublicPrefix
	if s.DefaultSensitive != "prefix" || prefix == "" {
		prefix = mostlyPublic(s.Keys())
	}
	return tsBundle{prefix: prefix, meta: prefix == "VITE_" || prefix == "PUBLIC_"}
}

// has tells whether a variable is in the bundle.
func (b tsBundle) has(key string) bool {
	if !b.meta && slices.ContainsFunc(processPrefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
		return true
	}
	return b.prefix != nuxtPrefix && strings.HasPrefix(key, b.prefix)
}

// hint says which variables are to be had in the browser.
func (b tsBundle) hint() string {
	if b.prefix == nuxtPrefix {
		return "Nuxt hands over what " + nuxtPrefix + " variables set with useRuntimeConfig()"
	}
	return "only " + b.prefix + " variables are in the bundle"
}

// env is the variable as the module reads it. Where the bundler is to put a value in,
// the text is exactly the one that it looks for, once the types are off. A browser has no process: with
// bundlers that do not make up for that, nothing else is read from it unasked.
func (g *tsModule) env(key string) string {
	switch {
	case !g.bundle.meta, key == "NODE_ENV":
		g.reads[key] = true
		return "process.env" + tsProperty(key)
	case g.bundle.has(key):
		g.reads[key] = true
		return g.use("bundled") + "(" + tsString(key) + ", () => (import.meta as unknown as BundleMeta).env" + tsProperty(key) + ")"
	}
	return g.use("fromProcess") + "(" + tsString(key) + ")"
}

// host declares, for this module alone, what it reads of its host: a project need not
// have the types of Node.js or of its bundler, and may have declared a variable itself.
func (g *tsModule) host() string {
	var inProcess, inMeta strings.Builder
	for _, it := range g.schema.Items {
		if !g.reads[it.Key] {
			continue
		}
		line := "    readonly " + tsName(it.Key) + "?: string | undefined;\n"
		if g.bundle.meta && it.Key != "NODE_ENV" {
			inMeta.WriteString(line)
		} else {
			inProcess.WriteString(line)
		}
	}
	out := "declare const process: {\n  readonly env: {\n" + inProcess.String() + "    readonly [key: string]: string | undefined;\n  };\n};\n\n"
	if inMeta.Len() > 0 {
		out += "interface BundleMeta {\n  readonly env: {\n" + inMeta.String() + "  };\n}\n\n"
	}
	return out
}

// declarations are of the variables where other code reads them. A project that has
// declared one of them in another way cannot have both, so that these are for who asks.
func (g *tsModule) declarations() string {
	var inProcess, inMeta strings.Builder
	for _, it := range g.schema.Items {
		switch {
		case slices.Contains(declaredElsewhere, it.Key):
		case g.bundle.meta && g.bundle.has(it.Key):
			inMeta.WriteString("    readonly " + tsName(it.Key) + "?: string | undefined;\n")
		default:
			inProcess.WriteString("      " + tsName(it.Key) + "?: string | undefined;\n")
		}
	}
	out := "declare global {\n"
	if g.bundle.meta {
		out += "  interface ImportMetaEnv {\n" + inMeta.String() + "  }\n  interface ImportMeta {\n    readonly env: ImportMetaEnv;\n  }\n"
	}
	return out + "  namespace NodeJS {\n    interface ProcessEnv {\n" + inProcess.String() + "    }\n  }\n}\n\n"
}

// declaredElsewhere are the variables that Next.js and @types/node declare.
var declaredElsewhere = []string{"NODE_ENV", "TZ"}
