// Package nextconfig reads and edits the configuration file of a Next.js app, on its
// syntax: next.config.js, .mjs, .cjs, .ts and .mts, whether it exports an object, a
// function that returns one, or either of them wrapped by plug-ins.
//
// What is not understood is refused with instructions, never guessed at. An edit only
// inserts; before it is handed out, esbuild has to agree that the file still parses
// and that nothing but the insertion is new.
package nextconfig

// Facts are what a configuration says, as far as it can be read off. An option with a
// line and no value is set, but not to a constant.
type Facts struct {
	Output, BasePath, DistDir             string
	OutputLine, BasePathLine, DistDirLine int  // 0: not set
	CommonJS                              bool // module.exports, rather than export default
	Sentry                                bool // withSentryConfig is used already
	TracingRoot                           bool // outputFileTracingRoot is set
}

// Read reads a configuration. The error says, with the line, what is not understood.
func Read(name string, src []byte) (Facts, error) {
	f, err := load(name, src)
	if err != nil {
		return Facts{}, err
	}
	s, err := f.trace()
	if err != nil {
		return Facts{}, err
	}
	return s.facts(), nil
}

func (s *shape) facts() Facts {
	facts := Facts{CommonJS: s.commonJS, Sentry: s.sentry, TracingRoot: s.tracingRoot()}
	facts.Output, facts.OutputLine = s.value("output")
	facts.BasePath, facts.BasePathLine = s.value("basePath")
	facts.DistDir, facts.DistDirLine = s.value("distDir")
	return facts
}

// value is what all objects agree on for an option, and the line that sets it.
func (s *shape) value(key string) (string, int) {
	set := s.option(key)
	switch {
	case set.state == unset || set.maybe:
		return "", 0
	case set.state == constant:
		return set.value, s.f.line(set.at)
	}
	return "", s.f.line(set.at)
}

// option is what the configuration says about an option.
func (s *shape) option(key string) setting {
	all := make([]setting, len(s.objs))
	var first setting
	for i, o := range s.objs {
		all[i], _ = s.f.option(o, key, 0)
		if first.state == unset {
			first = all[i]
		}
	}
	for _, one := range all {
		if one.state == computed || one.state != first.state || one.value != first.value {
			first = computedAt(first.at, key+" is not the same wherever it is set")
			break
		}
	}
	return s.f.apply(first, s.changes, key)
}

func (s *shape) tracingRoot() bool {
	const key = "outputFileTracingRoot"
	if set := s.option(key); set.state != unset && !set.maybe {
		return true
	}
	for _, o := range s.objs {
		for _, m := range o.members {
			// Where Next.js had it before version 15.
			if m.key != "experimental" || m.value.end <= m.value.start || !s.f.is(m.value.start, "{") {
				continue
			}
			if set, _ := s.f.option(s.f.readObject(m.value.start), key, 0); set.state != unset {
				return true
			}
		}
	}
	return false
}
