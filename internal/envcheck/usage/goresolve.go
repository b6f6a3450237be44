package usage

import "strings"

// resolveGo explains what one file of a package uses by what others have.
func (c *collected) resolveGo() {
	consts, wrappers := map[string]string{}, map[string]int{}
	for _, f := range c.golang {
		key := f.dir + "\x00" + strings.TrimSuffix(f.pkg, "_test") + "\x00"
		keepLeast(consts, prefixed(key, f.consts))
		keepLeast(wrappers, prefixed(key, f.wrappers))
	}
	for _, f := range c.golang {
		key := f.dir + "\x00" + strings.TrimSuffix(f.pkg, "_test") + "\x00"
		for _, p := range f.pending {
			if p.callee != "" {
				code, ok := wrappers[key+p.callee]
				if n := code / 2; ok && n < len(p.args) && p.args[n].Name != "" {
					u := p.args[n]
					u.Optional = u.Optional || code%2 == 0
					c.uses = append(c.uses, u)
				}
				continue
			}
			if text := consts[key+p.name]; text != "" {
				p.use.Name = text
				c.uses = append(c.uses, p.use)
				continue
			}
			c.dynamic = append(c.dynamic, *p.dynamic)
		}
	}
}

func prefixed[V any](prefix string, m map[string]V) map[string]V {
	out := make(map[string]V, len(m))
	for name, v := range m {
		out[prefix+name] = v
	}
	return out
}
