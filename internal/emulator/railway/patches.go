package railway

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
)

// The statuses of a patch.
const (
	patchStaged    = "STAGED"
	patchApplying  = "APPLYING" // committed, as long as reads lag behind
	patchCommitted = "COMMITTED"
)

// staged is the environment's patch that waits, or nil. Callers hold s.mu.
func (s *Server) staged(environmentID string) *patch {
	return find(s.st.Patches, func(p *patch) bool { return p.EnvironmentID == environmentID && p.Status == patchStaged })
}

func (s *Server) stagedCount(environmentID string) any {
	p := s.staged(environmentID)
	if p == nil {
		return 0
	}
	n := 0
	for _, part := range p.Changes {
		m, _ := part.(map[string]any)
		n += len(m)
	}
	return n
}

func (s *Server) newPatch(environmentID, status string) *patch {
	now := s.w.Now()
	p := &patch{ID: s.uuid(), EnvironmentID: environmentID, Status: status, Changes: map[string]any{}, CreatedAt: now, UpdatedAt: now}
	s.st.Patches = append(s.st.Patches, p)
	return p
}

// stage adds changes to what waits for a commit.
func (s *Server) stage(environmentID string, changes map[string]any, merge bool) *patch {
	p := s.staged(environmentID)
	if p == nil {
		p = s.newPatch(environmentID, patchStaged)
	}
	if merge {
		deepMerge(p.Changes, changes)
	} else {
		p.Changes = changes
	}
	p.UpdatedAt = s.w.Now()
	s.touch()
	return p
}

// deepMerge puts one JSON object into another; null stays, it takes something away.
func deepMerge(to, from map[string]any) {
	for k, v := range from {
		a, both := to[k].(map[string]any)
		b, is := v.(map[string]any)
		if both && is {
			deepMerge(a, b)
			continue
		}
		to[k] = v
	}
}

func (s *Server) patchObject(c *caller, p *patch) *object {
	e, status := s.st.environment(p.EnvironmentID), p.Status
	if status == patchCommitted && s.lagging(p.AppliedAt) {
		status = patchApplying
	}
	return &object{"EnvironmentPatch", map[string]any{
		"id": p.ID, "environmentId": p.EnvironmentID, "status": status, "message": orNil(p.Message), "patch": p.Changes, "createdAt": stamp(p.CreatedAt),
		"updatedAt": stamp(p.UpdatedAt), "appliedAt": stampOrNil(p.AppliedAt), "appliedBy": nil, "lastAppliedError": nil,
		"environment": lazy(func() any { return s.environmentObject(c, e) }),
	}}
}

func (s *Server) stagedChanges(c *caller) resolver {
	return func(args arguments) (any, error) {
		e, err := s.environment(c, args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		p := s.staged(e.ID)
		if p == nil { // the platform answers with an empty one
			p = &patch{ID: s.uuid(), EnvironmentID: e.ID, Status: patchStaged, Changes: map[string]any{}, CreatedAt: s.w.Now(), UpdatedAt: s.w.Now()}
		}
		return s.patchObject(c, p), nil
	}
}

func (s *Server) stageChanges(c *caller) resolver {
	return func(args arguments) (any, error) {
		e, err := s.environment(c, args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		changes, err := input[map[string]any](args, "input")
		if err != nil {
			return nil, err
		}
		if err := s.checkChanges(e, changes); err != nil {
			return nil, err
		}
		return s.patchObject(c, s.stage(e.ID, changes, args.flag("merge"))), nil
	}
}

// commitStaged applies what was staged, and answers with the patch's id.
func (s *Server) commitStaged(c *caller) resolver {
	return func(args arguments) (any, error) {
		e, err := s.environment(c, args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		p := s.staged(e.ID)
		if p == nil || len(p.Changes) == 0 {
			return nil, fail("No patch to apply")
		}
		return s.commit(e, p, args)
	}
}

// commitPatch stages and applies in one.
func (s *Server) commitPatch(c *caller) resolver {
	return func(args arguments) (any, error) {
		e, err := s.environment(c, args.str("environmentId"))
		if err != nil {
			return nil, err
		}
		changes, err := input[map[string]any](args, "patch")
		if err != nil {
			return nil, err
		}
		if err := s.checkChanges(e, changes); err != nil {
			return nil, err
		}
		p := s.newPatch(e.ID, patchCommitted)
		p.Changes = changes
		return s.commit(e, p, args)
	}
}

func (s *Server) commit(e *environmentDoc, p *patch, args arguments) (any, error) {
	affected, err := s.applyChanges(e, p.Changes)
	if err != nil {
		return nil, err
	}
	p.Status, p.Message, p.AppliedAt, p.UpdatedAt = patchCommitted, args.str("commitMessage"), s.w.Now(), s.w.Now()
	if !args.flag("skipDeploys") {
		for _, i := range affected {
			if i.deployable() {
				d := s.deploy(i)
				d.PatchID, d.Message = p.ID, p.Message
			}
		}
	}
	s.touch()
	return p.ID, nil
}

// serviceChange is a service's part of an EnvironmentConfig.
type serviceChange struct {
	Source       *source                    `json:"source"`
	Variables    map[string]*variableChange `json:"variables"`
	Deploy       settingsInput              `json:"deploy"`
	Build        settingsInput              `json:"build"`
	VolumeMounts map[string]*struct {
		MountPath string `json:"mountPath"`
	} `json:"volumeMounts"`
	Deleted    bool   `json:"isDeleted"`
	Created    bool   `json:"isCreated"`
	Name       string `json:"name"`
	Networking any    `json:"networking"`
	Icon       string `json:"icon"`
}

type variableChange struct {
	Value    *string `json:"value"`
	IsSealed bool    `json:"isSealed"`
}

// changeSet is an EnvironmentConfig as a patch.
type changeSet struct {
	Services        map[string]*serviceChange  `json:"services"`
	SharedVariables map[string]*variableChange `json:"sharedVariables"`
}

func readChanges(changes map[string]any) (changeSet, error) {
	var set changeSet
	data, err := json.Marshal(changes)
	if err == nil {
		err = json.Unmarshal(data, &set)
	}
	if err != nil {
		return set, invalid("Invalid environment config: %v", err)
	}
	return set, nil
}

func (s *Server) checkChanges(e *environmentDoc, changes map[string]any) error {
	set, err := readChanges(changes)
	if err != nil {
		return err
	}
	for id, ch := range set.Services {
		if ch == nil || (s.st.instance(id, e.ID) == nil && !ch.Created) {
			return notFound("Service " + id)
		}
		probe := settings{}
		for _, in := range []settingsInput{ch.Deploy, ch.Build} {
			if err := in.apply(&probe); err != nil {
				return err
			}
		}
	}
	return nil
}

// applyChanges changes the environment; it returns what has to be deployed, in
// the order in which the services were made (a database before its users).
func (s *Server) applyChanges(e *environmentDoc, changes map[string]any) ([]*instance, error) {
	set, err := readChanges(changes)
	if err != nil {
		return nil, err
	}
	applyVariables(s, s.shared(e.ID), set.SharedVariables)
	var affected []*instance
	for _, id := range slices.Sorted(maps.Keys(set.Services)) {
		ch := set.Services[id]
		v := s.st.service(id)
		if v == nil && ch.Created && !ch.Deleted {
			name := ch.Name
			if name == "" {
				name = "service-" + s.w.Hex(6)
			}
			if v, err = s.newService(s.st.project(e.ProjectID), name); err != nil {
				return nil, err
			}
			v.ID = id
		}
		if v == nil {
			continue
		}
		i := s.newInstance(v, e)
		if ch.Deleted {
			s.removeInstance(i)
			continue
		}
		if err := s.changeInstance(i, ch); err != nil {
			return nil, err
		}
		affected = append(affected, i)
	}
	slices.SortStableFunc(affected, func(a, b *instance) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return affected, nil
}

func (s *Server) changeInstance(i *instance, ch *serviceChange) error {
	ch.Source.apply(&i.Settings)
	for _, in := range []settingsInput{ch.Deploy, ch.Build} {
		if err := in.apply(&i.Settings); err != nil {
			return err
		}
	}
	applyVariables(s, i.Variables, ch.Variables)
	for id, mount := range ch.VolumeMounts {
		for _, vi := range s.st.VolumeInstances {
			if vi.VolumeID != id || vi.EnvironmentID != i.EnvironmentID {
				continue
			}
			if mount == nil {
				vi.ServiceID = ""
			} else {
				vi.ServiceID, vi.MountPath = i.ServiceID, mount.MountPath
			}
		}
	}
	i.UpdatedAt = s.w.Now()
	return nil
}

func applyVariables(s *Server, set map[string]*variable, changes map[string]*variableChange) {
	for name, ch := range changes {
		if ch == nil || ch.Value == nil {
			delete(set, name)
			continue
		}
		s.setVariable(set, name, *ch.Value)
		set[name].Sealed = set[name].Sealed || ch.IsSealed
	}
}

// hidden stands for a value that isn't shown.
const hidden = "*****"

// config is the environment's EnvironmentConfig.
func (s *Server) config(e *environmentDoc, decrypt bool) map[string]any {
	services, volumes := map[string]any{}, map[string]any{}
	for _, i := range s.st.instances(e.ID) {
		services[i.ServiceID] = s.instanceConfig(i, decrypt)
	}
	for _, v := range s.st.VolumeInstances {
		if v.EnvironmentID == e.ID {
			volumes[v.VolumeID] = map[string]any{"sizeMB": v.SizeMB, "region": v.Region}
		}
	}
	return map[string]any{
		"services": services, "sharedVariables": variableConfig(s.st.Shared[e.ID], decrypt), "volumes": volumes, "buckets": map[string]any{},
		"privateNetworkDisabled": false,
	}
}

func variableConfig(set map[string]*variable, decrypt bool) map[string]any {
	out := map[string]any{}
	for name, v := range set {
		switch {
		case v.Sealed:
			out[name] = map[string]any{"isSealed": true}
		case decrypt:
			out[name] = map[string]any{"value": v.Value}
		default:
			out[name] = map[string]any{"value": hidden}
		}
	}
	return out
}

func (s *Server) instanceConfig(i *instance, decrypt bool) map[string]any {
	set := i.Settings
	deploy := map[string]any{"multiRegionConfig": set.multiRegion(), "numReplicas": len(set.replicas()), "restartPolicyType": set.restartPolicy(), "restartPolicyMaxRetries": set.maxRetries()}
	build := map[string]any{"builder": set.builder()}
	src := map[string]any{}
	put := func(m map[string]any, key string, v any) {
		if v != nil {
			m[key] = v
		}
	}
	put(deploy, "startCommand", orNil(set.StartCommand))
	put(deploy, "healthcheckPath", orNil(set.HealthcheckPath))
	put(deploy, "healthcheckTimeout", orNil(set.HealthcheckTimeout))
	put(deploy, "preDeployCommand", orNilList(set.PreDeployCommand))
	put(deploy, "overlapSeconds", orNil(set.OverlapSeconds))
	put(deploy, "drainingSeconds", orNil(set.DrainingSeconds))
	put(deploy, "cronSchedule", orNil(set.CronSchedule))
	put(build, "buildCommand", orNil(set.BuildCommand))
	put(build, "dockerfilePath", orNil(set.DockerfilePath))
	put(src, "image", orNil(set.Image))
	put(src, "repo", orNil(set.Repo))
	put(src, "branch", orNil(set.Branch))
	domains, custom, proxies, mounts := map[string]any{}, map[string]any{}, map[string]any{}, map[string]any{}
	is := func(serviceID, environmentID string) bool {
		return serviceID == i.ServiceID && environmentID == i.EnvironmentID
	}
	for _, d := range s.st.ServiceDomains {
		if is(d.ServiceID, d.EnvironmentID) {
			domains[s.domain(d.Label)] = map[string]any{"port": orNil(d.TargetPort)}
		}
	}
	for _, d := range s.st.CustomDomains {
		if is(d.ServiceID, d.EnvironmentID) {
			custom[d.Domain] = map[string]any{"port": orNil(d.TargetPort)}
		}
	}
	for _, p := range s.st.Proxies {
		if is(p.ServiceID, p.EnvironmentID) {
			proxies[strconv.Itoa(p.ApplicationPort)] = map[string]any{}
		}
	}
	for _, v := range s.st.volumesOf(i.ServiceID, i.EnvironmentID) {
		mounts[v.VolumeID] = map[string]any{"mountPath": v.MountPath}
	}
	return map[string]any{
		"source": src, "deploy": deploy, "build": build, "variables": variableConfig(i.Variables, decrypt), "volumeMounts": mounts,
		"networking": map[string]any{"serviceDomains": domains, "customDomains": custom, "tcpProxies": proxies, "privateNetworkEndpoint": label(s.serviceName(i.ServiceID))},
	}
}

// configEtag changes with the configuration.
func (s *Server) configEtag(e *environmentDoc) string {
	data, err := json.Marshal(s.config(e, true))
	if err != nil {
		return ""
	}
	h := fnv.New64a()
	_, _ = h.Write(data)
	return fmt.Sprintf("%016x", h.Sum64())
}
