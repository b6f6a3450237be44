package scaffold

import (
	"bytes"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/scaffold/nextconfig"
)

// nextConfig edits the user's next.config: what the image needs of it, and no more.
func (p *planner) nextConfig(opts Options) error {
	s := p.stack
	if s.Kind != NextJS || s.Config == "" {
		return nil
	}
	want := nextconfig.Changes{Standalone: s.Standalone() || s.OwnDockerfile != nil && s.OwnDockerfile.Standalone}
	if newView(s, opts).SentryFiles() {
		want.Sentry = &nextconfig.Sentry{Org: opts.SentryOrg, Project: opts.SentryProject}
	}
	if !want.Standalone && want.Sentry == nil {
		return nil
	}
	c := Change{Path: p.at(s.Config), name: s.Config}
	old, why, err := current(p.root, c.Path)
	if err != nil {
		return err
	}
	c.Old = old
	if why != "" {
		c.Action, c.Why = Refuse, why
		p.plan = append(p.plan, c)
		return nil
	}
	edit := nextconfig.Edit(s.Config, old, want)
	c.New = edit.Src
	switch {
	case !bytes.Equal(edit.Src, old):
		c.Action, c.Why = Edit, strings.Join(edit.Done, "; ")
	case edit.Refused == "":
		c.Action = Same
	}
	c.Diff = c.unified()
	if c.Action != "" {
		p.plan = append(p.plan, c)
	}
	if edit.Refused != "" { // all of it, or what is left
		p.plan = append(p.plan, Change{Path: c.Path, name: c.name, Action: Refuse, Why: edit.Refused})
	}
	return nil
}

// gitignore sees to it that secrets stay out of git, and that what belongs into it is
// not left out.
func (p *planner) gitignore(Options) error {
	c := Change{Path: p.at(".gitignore"), name: ".gitignore"}
	old, why, err := current(p.root, c.Path)
	if err != nil {
		return err
	}
	c.Old = old
	outer, err := p.outerGitignore()
	if err != nil {
		return err
	}
	c.New = editGitignore(old, outer, p.stack)
	switch {
	case why != "":
		c.Action, c.Why = Refuse, why
	case len(c.New) == 0 && old == nil:
		return nil // an outer one does it all
	case old == nil:
		c.Action = Create
	case bytes.Equal(old, c.New):
		c.Action = Same
	default:
		c.Action, c.Why = Edit, ".env stays out of git, .env.example and .env.schema belong into it"
	}
	c.Diff = c.unified()
	p.plan = append(p.plan, c)
	return nil
}

// outerGitignore is what the .gitignore files between the repository's root and the
// app's folder say, outermost first.
func (p *planner) outerGitignore() ([]byte, error) {
	var all []byte
	var dirs []string
	for dir := p.stack.Dir; dir != "."; {
		if i := strings.LastIndexByte(dir, '/'); i >= 0 {
			dir = dir[:i]
		} else {
			dir = "."
		}
		dirs = append(dirs, dir)
	}
	slices.Reverse(dirs)
	for _, dir := range dirs {
		src, _, err := current(p.root, strings.TrimPrefix(dir+"/.gitignore", "./"))
		if err != nil {
			return nil, err
		}
		all = append(append(all, src...), '\n')
	}
	return all, nil
}
