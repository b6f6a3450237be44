package railway

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// shared are an environment's shared variables. Callers hold s.mu.
func (s *Server) shared(environmentID string) map[string]*variable {
	m := s.st.Shared[environmentID]
	if m == nil {
		m = map[string]*variable{}
		s.st.Shared[environmentID] = m
	}
	return m
}

func (s *Server) setVariable(set map[string]*variable, name, value string) {
	if old := set[name]; old != nil {
		old.Value = value // a sealed one stays sealed
		return
	}
	set[name] = &variable{Value: value, CreatedAt: s.w.Now()}
}

// provided are the variables that the platform gives to a service.
func (s *Server) provided(i *instance) map[string]string {
	p, e := s.st.project(i.ProjectID), s.st.environment(i.EnvironmentID)
	out := map[string]string{
		"RAILWAY_PROJECT_ID": p.ID, "RAILWAY_PROJECT_NAME": p.Name, "RAILWAY_ENVIRONMENT_ID": e.ID, "RAILWAY_ENVIRONMENT_NAME": e.Name,
		"RAILWAY_ENVIRONMENT": e.Name, "RAILWAY_SERVICE_ID": i.ServiceID, "RAILWAY_SERVICE_NAME": s.serviceName(i.ServiceID),
		"RAILWAY_PRIVATE_DOMAIN": s.privateDomain(i),
	}
	if d := s.publicDomain(i); d != "" {
		out["RAILWAY_PUBLIC_DOMAIN"], out["RAILWAY_STATIC_URL"] = d, d
	}
	if px := find(s.st.Proxies, func(x *tcpProxy) bool { return x.ServiceID == i.ServiceID && x.EnvironmentID == i.EnvironmentID }); px != nil {
		out["RAILWAY_TCP_PROXY_DOMAIN"], out["RAILWAY_TCP_PROXY_PORT"] = px.Domain, strconv.Itoa(px.Port)
		out["RAILWAY_TCP_APPLICATION_PORT"] = strconv.Itoa(px.ApplicationPort)
	}
	for _, v := range s.st.volumesOf(i.ServiceID, i.EnvironmentID) {
		out["RAILWAY_VOLUME_ID"], out["RAILWAY_VOLUME_NAME"], out["RAILWAY_VOLUME_MOUNT_PATH"] = v.VolumeID, s.st.volume(v.VolumeID).Name, v.MountPath
	}
	return out
}

// reference is ${{VAR}}, ${{SERVICE.VAR}} or ${{shared.VAR}}.
var reference = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$\{\{\s*(?:([^{}.]+)\.)?([A-Za-z_][A-Za-z0-9_]*)\s*\}\}`)
})

// maxReferences ends a reference that leads to itself.
const maxReferences = 20

// render replaces the references in a value of the instance, "" for those that lead nowhere.
func (s *Server) render(i *instance, environmentID, value string, depth int) string {
	if depth > maxReferences {
		return ""
	}
	return reference().ReplaceAllStringFunc(value, func(ref string) string {
		m := reference().FindStringSubmatch(ref)
		space, name := strings.Trim(strings.TrimSpace(m[1]), `"`), m[2]
		if space == "shared" {
			if v := s.st.Shared[environmentID][name]; v != nil {
				return s.render(nil, environmentID, v.Value, depth+1)
			}
			return ""
		}
		of := i
		if space != "" {
			of = find(s.st.instances(environmentID), func(o *instance) bool { return s.serviceName(o.ServiceID) == space })
		}
		if of == nil {
			return ""
		}
		if v := of.Variables[name]; v != nil {
			return s.render(of, environmentID, v.Value, depth+1)
		}
		return s.provided(of)[name]
	})
}

// rendered are all variables of an instance as its processes get them.
func (s *Server) rendered(i *instance) map[string]string {
	out := s.provided(i)
	for name, v := range i.Variables {
		out[name] = s.render(i, i.EnvironmentID, v.Value, 0)
	}
	return out
}

// scope finds the variables that a call means: those of a service, or the shared ones.
func (s *Server) scope(c *caller, projectID, environmentID, serviceID string) (map[string]*variable, *instance, error) {
	if _, err := s.project(c, projectID); err != nil {
		return nil, nil, err
	}
	e, err := s.environment(c, environmentID)
	if err != nil {
		return nil, nil, err
	}
	if e.ProjectID != projectID {
		return nil, nil, notFound("Environment")
	}
	if serviceID == "" {
		return s.shared(environmentID), nil, nil
	}
	i, err := s.instance(c, serviceID, environmentID)
	if err != nil {
		return nil, nil, err
	}
	return i.Variables, i, nil
}

// readVariables answers `variables`. Sealed ones never come back.
func (s *Server) readVariables(c *caller) resolver {
	return func(args arguments) (any, error) {
		set, i, err := s.scope(c, args.str("projectId"), args.str("environmentId"), args.str("serviceId"))
		if err != nil {
			return nil, err
		}
		out := map[string]string{}
		if i != nil {
			out = s.provided(i)
		}
		for name, v := range set {
			switch {
			case v.Sealed:
				delete(out, name)
			case args.flag("unrendered"):
				out[name] = v.Value
			default:
				out[name] = s.render(i, args.str("environmentId"), v.Value, 0)
			}
		}
		return out, nil
	}
}

func (s *Server) deploymentVariables(c *caller) resolver {
	return func(args arguments) (any, error) {
		_, i, err := s.scope(c, args.str("projectId"), args.str("environmentId"), args.str("serviceId"))
		if err != nil {
			return nil, err
		}
		if i == nil {
			return nil, notFound("Service")
		}
		out := s.rendered(i)
		for name, v := range i.Variables {
			if v.Sealed {
				delete(out, name)
			}
		}
		return out, nil
	}
}

// variableName is what may be set.
var variableName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`) })

func (s *Server) upsertCollection(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ProjectID, ServiceID string
			Replace, SkipDeploys                bool
			Variables                           map[string]*string
		}](args, "input")
		if err != nil {
			return nil, err
		}
		set, i, err := s.scope(c, in.ProjectID, in.EnvironmentID, in.ServiceID)
		if err != nil {
			return nil, err
		}
		for name := range in.Variables {
			if !variableName().MatchString(name) {
				return nil, invalid("Invalid variable name: %s", name)
			}
		}
		if in.Replace {
			for name := range set {
				if _, kept := in.Variables[name]; !kept {
					delete(set, name)
				}
			}
		}
		for name, value := range in.Variables {
			if i != nil && value != nil && s.provided(i)[name] == *value && set[name] == nil {
				continue // what the platform gives itself, sent back by a reader
			}
			if value == nil {
				delete(set, name)
			} else {
				s.setVariable(set, name, *value)
			}
		}
		s.variablesChanged(in.EnvironmentID, i, in.SkipDeploys)
		return true, nil
	}
}

func (s *Server) upsertVariable(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ProjectID, ServiceID, Name, Value string
			SkipDeploys                                      bool
		}](args, "input")
		if err != nil {
			return nil, err
		}
		set, i, err := s.scope(c, in.ProjectID, in.EnvironmentID, in.ServiceID)
		if err != nil {
			return nil, err
		}
		if !variableName().MatchString(in.Name) {
			return nil, invalid("Invalid variable name: %s", in.Name)
		}
		s.setVariable(set, in.Name, in.Value)
		s.variablesChanged(in.EnvironmentID, i, in.SkipDeploys)
		return true, nil
	}
}

func (s *Server) deleteVariable(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ EnvironmentID, ProjectID, ServiceID, Name string }](args, "input")
		if err != nil {
			return nil, err
		}
		set, i, err := s.scope(c, in.ProjectID, in.EnvironmentID, in.ServiceID)
		if err != nil {
			return nil, err
		}
		if set[in.Name] == nil {
			return nil, notFound("Variable")
		}
		delete(set, in.Name)
		s.variablesChanged(in.EnvironmentID, i, false)
		return true, nil
	}
}

// variablesChanged redeploys what a change of variables concerns: the service,
// or for shared ones every service that refers to one. A service that was
// never deployed is left alone.
func (s *Server) variablesChanged(environmentID string, i *instance, skip bool) {
	defer s.touch()
	if skip {
		return
	}
	concerned := []*instance{i}
	if i == nil {
		concerned = filter(s.st.instances(environmentID), func(o *instance) bool {
			return slices.ContainsFunc(slices.Collect(maps.Values(o.Variables)), func(v *variable) bool { return strings.Contains(v.Value, "shared.") })
		})
	}
	for _, o := range concerned {
		if s.everDeployed(o) && o.deployable() {
			s.deploy(o)
		}
	}
}

func (s *Server) everDeployed(i *instance) bool {
	return slices.ContainsFunc(s.st.Deployments, func(d *deployment) bool { return d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID })
}

// Seal hides a service's variable from all reads, as the dashboard can. The
// service and the environment are named by id or name.
func (s *Server) Seal(serviceName, environment, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.st.Instances {
		e := s.st.environment(i.EnvironmentID)
		if (i.ServiceID == serviceName || s.serviceName(i.ServiceID) == serviceName) && (e.ID == environment || e.Name == environment) && i.Variables[name] != nil {
			i.Variables[name].Sealed = true
			return nil
		}
	}
	return fmt.Errorf("no variable %s of %s in %s", name, serviceName, environment)
}

func (s *Server) variableObjects(c *caller, e *environmentDoc) []*object {
	if c.mayEnvironment(e.ID) != nil {
		return nil
	}
	var out []*object
	add := func(set map[string]*variable, i *instance) {
		for _, name := range slices.Sorted(maps.Keys(set)) {
			v := set[name]
			var serviceID any
			of := ""
			id := e.ID + "/" + name
			if i != nil {
				serviceID, of, id = i.ServiceID, i.ServiceID, i.ID+"/"+name
			}
			refs := []string{}
			for _, m := range reference().FindAllString(v.Value, -1) {
				refs = append(refs, strings.TrimSpace(strings.Trim(m, "${}")))
			}
			out = append(out, &object{"Variable", map[string]any{
				"id": id, "name": name, "isSealed": v.Sealed, "createdAt": stamp(v.CreatedAt), "updatedAt": stamp(v.CreatedAt), "environmentId": e.ID,
				"serviceId": serviceID, "pluginId": nil, "references": refs,
				"environment": lazy(func() any { return s.environmentObject(c, e) }),
				"service":     resolver(func(arguments) (any, error) { return s.serviceOrError(c, of) }),
			}})
		}
	}
	add(s.st.Shared[e.ID], nil)
	for _, i := range s.st.instances(e.ID) {
		add(i.Variables, i)
	}
	return out
}
