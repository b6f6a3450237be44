package railway

import (
	"fmt"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// subscription is the feed of a root field.
func (s *Server) subscription(c *caller, x *execution, f *ast.Field) (feed, error) {
	args := arguments{}
	for _, a := range f.Arguments {
		if v, err := a.Value.Value(x.vars); err == nil {
			args[a.Name] = v
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := c.anybody(); err != nil {
		return nil, err
	}
	switch f.Name {
	case "buildLogs":
		return s.logFeed(c, args, s.buildEntries, func(d *deployment) bool {
			return d.Status != statusInitializing && d.Status != statusQueued && d.Status != statusBuilding && d.Status != statusDeploying
		})
	case "deploymentLogs":
		return s.logFeed(c, args, func(d *deployment) []entry { return s.runEntries(d) }, func(d *deployment) bool { return d.Status == statusRemoved || d.Status == statusFailed })
	case "environmentLogs":
		return s.environmentFeed(c, args)
	case "deployment":
		return s.deploymentFeed(c, args)
	case "deploymentEvents":
		return s.eventFeed(c, args)
	case "environmentStagedPatch":
		return s.patchFeed(c, args)
	}
	return nil, fail("Cannot subscribe to field %q", f.Name)
}

// logFeed sends the newest lines first of all, then each new one, in arrays.
func (s *Server) logFeed(c *caller, args arguments, entries func(*deployment) []entry, over func(*deployment) bool) (feed, error) {
	d, err := s.deployment(c, args.str("deploymentId"))
	if err != nil {
		return nil, err
	}
	q, err := readQuery(args)
	if err != nil {
		return nil, err
	}
	next := newTail(q.filter, q.limit)
	return func() (any, bool) {
		done := over(d) // before the lines: what comes with the end is not lost
		return next(entries(d)), done
	}, nil
}

func (s *Server) environmentFeed(c *caller, args arguments) (feed, error) {
	e, err := s.environment(c, args.str("environmentId"))
	if err != nil {
		return nil, err
	}
	words := filterWords(args.str("filter"))
	limit := args.num("beforeLimit")
	if limit == 0 {
		limit = defaultLogs
	}
	var from time.Time
	if v := args.str("anchorDate"); v != "" {
		if from, err = time.Parse(time.RFC3339, v); err != nil {
			return nil, invalid("anchorDate is no date")
		}
		limit = maxLogs
	}
	next := newTail(words, limit)
	return func() (any, bool) {
		list := s.environmentEntries(e.ID, words)
		if !from.IsZero() {
			n := 0
			for n < len(list) && list[n].at.Before(from) {
				n++
			}
			list = list[n:]
		}
		return next(list), false
	}, nil
}

// newTail remembers which lines were sent: it returns the new ones of a log as
// Log objects, or nil.
func newTail(words []string, limit int) func([]entry) any {
	seen := map[string]bool{}
	first := true
	return func(list []entry) any {
		var fresh []entry
		for _, e := range list {
			key := fmt.Sprintf("%s/%s/%d/%d", e.deployment.ID, e.replica, e.seq, e.at.UnixNano())
			if !seen[key] {
				seen[key] = true
				if e.fits(words) {
					fresh = append(fresh, e)
				}
			}
		}
		if first {
			first = false
			fresh = fresh[max(0, len(fresh)-limit):]
		}
		if len(fresh) == 0 {
			return nil
		}
		return objectsOf(fresh)
	}
}

// deploymentFeed sends a deployment at once and at each change of its status.
func (s *Server) deploymentFeed(c *caller, args arguments) (feed, error) {
	d, err := s.deployment(c, args.str("id"))
	if err != nil {
		return nil, err
	}
	last := ""
	return func() (any, bool) {
		over := d.Status == statusRemoved || d.Status == statusFailed
		if d.Status == last {
			return nil, over
		}
		last = d.Status
		return s.deploymentObject(c, d), over
	}, nil
}

// eventFeed sends each event when it begins and when it has ended.
func (s *Server) eventFeed(c *caller, args arguments) (feed, error) {
	d, err := s.deployment(c, args.str("id"))
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	return func() (any, bool) {
		for i, e := range d.Events {
			if key := fmt.Sprint(e.ID, e.Completed.IsZero()); !seen[key] {
				seen[key] = true
				s.touch() // there may be more
				return s.eventObjects(d)[i], false
			}
		}
		return nil, !d.unfinished()
	}, nil
}

func (s *Server) patchFeed(c *caller, args arguments) (feed, error) {
	e, err := s.environment(c, args.str("environmentId"))
	if err != nil {
		return nil, err
	}
	var last time.Time
	return func() (any, bool) {
		p := s.staged(e.ID)
		if p == nil || !p.UpdatedAt.After(last) {
			return nil, false
		}
		last = p.UpdatedAt
		return s.patchObject(c, p), false
	}, nil
}
