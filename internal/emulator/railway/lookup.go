package railway

import "time"

// The lookups below find what a caller names, and hold the caller to what its
// token is for. Callers hold s.mu.

// lagging reports whether something that new is still hidden from reads.
func (s *Server) lagging(created time.Time) bool {
	return s.opts.Lag > 0 && s.w.Now().Sub(created) < s.opts.Lag
}

func (s *Server) project(c *caller, id string) (*projectDoc, error) {
	p := s.st.project(id)
	if p == nil || s.lagging(p.CreatedAt) {
		return nil, notFound("Project")
	}
	if err := c.mayProject(id); err != nil {
		return nil, err
	}
	return p, nil
}

func (s *Server) environment(c *caller, id string) (*environmentDoc, error) {
	e := s.st.environment(id)
	if e == nil || s.lagging(e.CreatedAt) {
		return nil, notFound("Environment")
	}
	if err := c.mayEnvironment(id); err != nil {
		return nil, err
	}
	return e, nil
}

func (s *Server) service(c *caller, id string) (*serviceDoc, error) {
	v := s.st.service(id)
	if v == nil || s.lagging(v.CreatedAt) {
		return nil, notFound("Service")
	}
	if err := c.mayProject(v.ProjectID); err != nil {
		return nil, err
	}
	return v, nil
}

func (s *Server) instance(c *caller, serviceID, environmentID string) (*instance, error) {
	if _, err := s.service(c, serviceID); err != nil {
		return nil, err
	}
	if _, err := s.environment(c, environmentID); err != nil {
		return nil, err
	}
	i := s.st.instance(serviceID, environmentID)
	if i == nil {
		return nil, notFound("ServiceInstance")
	}
	return i, nil
}

// instances are those of a service that a call without an environment means:
// all of them in environments that are no forks.
func (s *Server) instances(c *caller, serviceID, environmentID string) ([]*instance, error) {
	if environmentID != "" {
		i, err := s.instance(c, serviceID, environmentID)
		return []*instance{i}, err
	}
	if _, err := s.service(c, serviceID); err != nil {
		return nil, err
	}
	return filter(s.st.Instances, func(i *instance) bool {
		return i.ServiceID == serviceID && c.mayEnvironment(i.EnvironmentID) == nil && !s.st.environment(i.EnvironmentID).Ephemeral
	}), nil
}

func (s *Server) deployment(c *caller, id string) (*deployment, error) {
	d := s.st.deployment(id)
	if d == nil || s.lagging(d.CreatedAt) {
		return nil, notFound("Deployment")
	}
	if err := c.mayEnvironment(d.EnvironmentID); err != nil {
		return nil, err
	}
	return d, nil
}

// serviceName is the name behind an id, "" when it is gone.
func (s *Server) serviceName(id string) string {
	if v := s.st.service(id); v != nil {
		return v.Name
	}
	return ""
}

// serviceOrError is for fields that may not be null: one without a service
// takes the whole answer with it, as the schema says.
func (s *Server) serviceOrError(c *caller, id string) (any, error) {
	if v := s.st.service(id); v != nil {
		return s.serviceObject(c, v), nil
	}
	return nil, notFound("Service")
}
