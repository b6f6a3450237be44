package railway

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

func (s *Server) serviceObject(c *caller, v *serviceDoc) *object {
	return &object{"Service", map[string]any{
		"id": v.ID, "name": v.Name, "icon": orNil(v.Icon), "projectId": v.ProjectID, "createdAt": stamp(v.CreatedAt), "updatedAt": stamp(v.UpdatedAt),
		"deletedAt": nil, "groupId": nil, "isRestricted": false, "hasHiddenRegistryCredentialsFromTemplate": false, "featureFlags": []*object{},
		"templateId": orNil(v.TemplateID), "templateServiceId": nil, "templateThreadSlug": nil,
		"project": lazy(func() any { return s.projectObject(c, s.st.project(v.ProjectID)) }),
		"serviceInstances": s.connection("ServiceServiceInstancesConnection", func() []*object {
			var out []*object
			for _, i := range s.st.Instances {
				if i.ServiceID == v.ID && c.mayEnvironment(i.EnvironmentID) == nil {
					out = append(out, s.instanceObject(c, i))
				}
			}
			return out
		}),
		"deployments": s.connection("ServiceDeploymentsConnection", func() []*object {
			return s.deploymentObjects(c, func(d *deployment) bool { return d.ServiceID == v.ID })
		}),
		"repoTriggers": s.connection("ServiceRepoTriggersConnection", none),
	}}
}

func (s *Server) instanceObject(c *caller, i *instance) *object {
	set := i.Settings
	source := func() any {
		if set.Image == "" && set.Repo == "" {
			return nil
		}
		return &object{"ServiceSource", map[string]any{"image": orNil(set.Image), "repo": orNil(set.Repo)}}
	}
	var command any
	if len(set.PreDeployCommand) > 0 {
		command = set.PreDeployCommand
	}
	return &object{"ServiceInstance", map[string]any{
		"id": i.ID, "serviceId": i.ServiceID, "environmentId": i.EnvironmentID, "serviceName": s.serviceName(i.ServiceID),
		"createdAt": stamp(i.CreatedAt), "updatedAt": stamp(i.UpdatedAt), "deletedAt": nil, "isUpdatable": true,
		"builder": set.builder(), "buildCommand": orNil(set.BuildCommand), "startCommand": orNil(set.StartCommand), "dockerfilePath": orNil(set.DockerfilePath),
		"rootDirectory": orNil(set.RootDirectory), "healthcheckPath": orNil(set.HealthcheckPath), "healthcheckTimeout": orNil(set.HealthcheckTimeout),
		"preDeployCommand": command, "numReplicas": orNil(set.NumReplicas), "region": orNil(set.Region),
		"restartPolicyType": set.restartPolicy(), "restartPolicyMaxRetries": set.maxRetries(),
		"overlapSeconds": orNil(set.OverlapSeconds), "drainingSeconds": orNil(set.DrainingSeconds), "cronSchedule": orNil(set.CronSchedule),
		"sleepApplication": set.SleepApplication, "railwayConfigFile": orNil(set.RailwayConfigFile), "watchPatterns": append([]string{}, set.WatchPatterns...),
		"ipv6EgressEnabled": nil, "nextCronRunAt": nil, "nixpacksPlan": nil, "railpackInfo": nil, "upstreamUrl": nil, "edgeConfig": nil,
		"source":  lazy(source),
		"service": lazy(func() any { return s.serviceObject(c, s.st.service(i.ServiceID)) }),
		"domains": lazy(func() any { return s.allDomains(i) }),
		"latestDeployment": lazy(func() any {
			for _, d := range slices.Backward(s.st.Deployments) {
				if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID && !s.lagging(d.CreatedAt) {
					return s.deploymentObject(c, d)
				}
			}
			return nil
		}),
		"activeDeployments": lazy(func() any {
			if d := s.st.deployment(i.Active); d != nil {
				return []*object{s.deploymentObject(c, d)}
			}
			return []*object{}
		}),
	}}
}

func (s *Server) createService(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			ProjectID, EnvironmentID, Name, Branch, Icon, TemplateID, TemplateServiceID string
			Source                                                                      *source
			Variables                                                                   map[string]string
			RegistryCredentials                                                         *credentials
		}](args, "input")
		if err != nil {
			return nil, err
		}
		p, err := s.project(c, in.ProjectID)
		if err != nil {
			return nil, err
		}
		if in.EnvironmentID != "" {
			if e, err := s.environment(c, in.EnvironmentID); err != nil {
				return nil, err
			} else if e.ProjectID != p.ID {
				return nil, notFound("Environment")
			}
		}
		if in.Name == "" {
			in.Name = "service-" + s.w.Hex(6)
		}
		v, err := s.newService(p, in.Name)
		if err != nil {
			return nil, err
		}
		v.Icon, v.TemplateID = in.Icon, in.TemplateID
		for _, e := range s.st.environments(p.ID) {
			if e.ID != in.EnvironmentID && (e.Ephemeral || c.mayEnvironment(e.ID) != nil || s.isFork(in.EnvironmentID)) {
				continue
			}
			i := s.newInstance(v, e)
			in.Source.apply(&i.Settings)
			i.Settings.Branch, i.Settings.Credentials = in.Branch, in.RegistryCredentials != nil
			for name, value := range in.Variables {
				s.setVariable(i.Variables, name, value)
			}
			if i.deployable() {
				s.deploy(i) // a service with a source is deployed at once
			}
		}
		s.touch()
		return s.serviceObject(c, v), nil
	}
}

func (s *Server) isFork(environmentID string) bool {
	e := s.st.environment(environmentID)
	return e != nil && e.Ephemeral
}

// newService adds a service without instances.
func (s *Server) newService(p *projectDoc, name string) (*serviceDoc, error) {
	for _, v := range s.st.services(p.ID) {
		if v.Name == name {
			return nil, fail("A service named %q already exists in this project", name)
		}
	}
	if strings.TrimSpace(name) == "" || len(name) > 100 {
		return nil, invalid("Invalid service name")
	}
	now := s.w.Now()
	v := &serviceDoc{ID: s.uuid(), ProjectID: p.ID, Name: name, CreatedAt: now, UpdatedAt: now}
	s.st.Services = append(s.st.Services, v)
	return v, nil
}

// newInstance puts a service into an environment, where it has an app of the world.
func (s *Server) newInstance(v *serviceDoc, e *environmentDoc) *instance {
	if i := s.st.instance(v.ID, e.ID); i != nil {
		return i
	}
	now := s.w.Now()
	i := &instance{
		ID: s.uuid(), ServiceID: v.ID, EnvironmentID: e.ID, ProjectID: v.ProjectID, Variables: map[string]*variable{}, CreatedAt: now, UpdatedAt: now,
	}
	i.App = label(v.Name) + "-" + label(e.Name)
	for {
		if _, fresh := s.w.NewApp(i.App); fresh {
			break
		}
		i.App = label(v.Name) + "-" + label(e.Name) + "-" + s.w.Hex(4)
	}
	s.st.Instances = append(s.st.Instances, i)
	return i
}

// app is the part of the world that runs an instance.
func (s *Server) app(i *instance) *world.App { return s.w.App(i.App) }

// notLabel is what cannot stand in a host name.
var notLabel = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^a-z0-9]+`) })

// label makes a host name's label of a name.
func label(name string) string {
	l := strings.Trim(notLabel().ReplaceAllString(strings.ToLower(name), "-"), "-")
	if l == "" {
		l = "service"
	}
	return l[:min(len(l), 40)]
}

func (s *Server) updateService(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ Name, Icon *string }](args, "input")
		if err != nil {
			return nil, err
		}
		v, err := s.service(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		assign(&v.Name, in.Name)
		assign(&v.Icon, in.Icon)
		v.UpdatedAt = s.w.Now()
		s.touch()
		return s.serviceObject(c, v), nil
	}
}

// connectService changes where a service comes from, and deploys it from there.
func (s *Server) connectService(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct{ Branch, Image, Repo string }](args, "input")
		if err != nil {
			return nil, err
		}
		v, err := s.service(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		if (in.Image == "") == (in.Repo == "") {
			return nil, invalid("Either an image or a repo must be given")
		}
		list, err := s.instances(c, v.ID, "")
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			(&source{Image: in.Image, Repo: in.Repo}).apply(&i.Settings)
			i.Settings.Branch = in.Branch
			if i.deployable() {
				s.deploy(i)
			}
		}
		s.touch()
		return s.serviceObject(c, v), nil
	}
}

func (s *Server) disconnectService(c *caller) resolver {
	return func(args arguments) (any, error) {
		list, err := s.instances(c, args.str("id"), "")
		if err != nil {
			return nil, err
		}
		for _, i := range list {
			i.Settings.Repo, i.Settings.Branch, i.Settings.Image = "", "", ""
		}
		return s.serviceObject(c, s.st.service(args.str("id"))), nil
	}
}

func (s *Server) deleteService(c *caller) resolver {
	return func(args arguments) (any, error) {
		v, err := s.service(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		if env := args.str("environmentId"); env != "" {
			if _, err := s.environment(c, env); err != nil {
				return nil, err
			}
		} else if err := c.everything(); err != nil {
			return nil, err
		}
		env := ""
		if s.isFork(args.str("environmentId")) {
			env = args.str("environmentId")
		}
		s.removeService(v, env)
		s.touch()
		return true, nil
	}
}

// removeService takes a service out of an environment, or ("") out of all of them.
func (s *Server) removeService(v *serviceDoc, environmentID string) {
	for _, i := range filter(s.st.Instances, func(i *instance) bool { return i.ServiceID == v.ID }) {
		if environmentID == "" || i.EnvironmentID == environmentID {
			s.removeInstance(i)
		}
	}
	if environmentID == "" {
		s.st.Services = slices.DeleteFunc(s.st.Services, func(o *serviceDoc) bool { return o == v })
	}
}

func (s *Server) removeInstance(i *instance) {
	for _, d := range s.st.Deployments {
		if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID {
			s.remove(d)
		}
	}
	s.removeNetworking(i)
	for _, v := range s.st.volumesOf(i.ServiceID, i.EnvironmentID) {
		v.ServiceID = "" // a volume outlives its service
		s.stopBackend(v.ID)
	}
	s.w.DeleteApp(i.App)
	s.st.Instances = slices.DeleteFunc(s.st.Instances, func(o *instance) bool { return o == i })
}

func (s *Server) updateLimits(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ServiceID string
			MemoryGB, VCPUs          *float64
		}](args, "input")
		if err != nil {
			return nil, err
		}
		i, err := s.instance(c, in.ServiceID, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		if (in.MemoryGB != nil && (*in.MemoryGB <= 0 || *in.MemoryGB > 32)) || (in.VCPUs != nil && (*in.VCPUs <= 0 || *in.VCPUs > 32)) {
			return nil, invalid("Limits must be above 0 and at most 32")
		}
		assign(&i.MemoryGB, in.MemoryGB)
		assign(&i.CPUs, in.VCPUs)
		s.touch()
		return true, nil
	}
}

// limitsDoc is the ServiceInstanceLimit scalar.
func limitsDoc(i *instance, merged bool) any {
	containers := map[string]any{}
	if i.CPUs > 0 {
		containers["cpu"] = i.CPUs
	} else if merged {
		containers["cpu"] = 32
	}
	if i.MemoryGB > 0 {
		containers["memoryBytes"] = int64(i.MemoryGB * 1e9)
	} else if merged {
		containers["memoryBytes"] = int64(32e9)
	}
	if len(containers) == 0 {
		return nil
	}
	return map[string]any{"containers": containers}
}
