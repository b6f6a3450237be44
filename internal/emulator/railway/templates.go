package railway

import (
	"context"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// template is a composition of services that can be deployed.
type template struct {
	id, code, name string
	config         map[string]any
}

// obj is a JSON object.
type obj = map[string]any

// value is a template's variable.
func value(v string) obj { return obj{"defaultValue": v, "isOptional": false} }

// The template codes.
const (
	codePostgres = "postgres"
	codeRedis    = "redis"
	codePooler   = "postgres-with-pgbouncer"
	codePITR     = "postgres-pitr"
)

const (
	postgresPort  = "5432"
	redisPort     = "6379"
	postgresMount = "/var/lib/postgresql/data"
	postgresUser  = "railway" // the platform's is postgres, which the world's servers keep for themselves
	letters       = `"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"`
)

// The ids of templates and of their services are fixed, as they are there.
func templates() []template {
	root := obj{
		"name": "Postgres", "icon": "https://devicons.railway.app/i/postgresql.svg", "clusterRole": "root",
		"source": obj{"image": "ghcr.io/railwayapp-templates/postgres-ssl:17"}, "build": obj{},
		"deploy":       obj{"requiredMountPath": postgresMount},
		"networking":   obj{"tcpProxies": obj{postgresPort: obj{}}, "serviceDomains": obj{}},
		"volumeMounts": obj{"2b3c1f0a-51d7-4d5e-8f0a-0a53c2f0d001": obj{"mountPath": postgresMount}},
		"variables":    postgresVariables(),
	}
	pooler := obj{
		"name": "PgBouncer", "clusterRole": "edge", "source": obj{"image": "ghcr.io/railwayapp-templates/pgbouncer:1"}, "build": obj{},
		"deploy": obj{"numReplicas": 1}, "networking": obj{"tcpProxies": obj{postgresPort: obj{}}, "serviceDomains": obj{}},
		"variables": poolerVariables(),
	}
	redis := obj{
		"name": "Redis", "icon": "https://devicons.railway.app/i/redis.svg", "source": obj{"image": "redis:8.2.1"}, "build": obj{},
		"deploy":       obj{"requiredMountPath": "/data"},
		"networking":   obj{"tcpProxies": obj{redisPort: obj{}}, "serviceDomains": obj{}},
		"volumeMounts": obj{"2b3c1f0a-51d7-4d5e-8f0a-0a53c2f0d002": obj{"mountPath": "/data"}},
		"variables":    redisVariables(),
	}
	overlay := obj{"name": "Postgres", "clusterRole": "root", "variables": obj{
		"WAL_ARCHIVE_BUCKET": value("postgres-pitr"), "WAL_ARCHIVE_PATH": value("/pgbackrest"), "WAL_ARCHIVE_REGION": value("auto"),
		"WAL_ARCHIVE_ENDPOINT": value("https://storage.railway.app"),
	}}
	services := func(list ...obj) obj {
		out := obj{}
		for i, svc := range list {
			out["7d5d8e0f-93a6-4c2b-b1a5-00000000000"+strconv.Itoa(i+1)] = svc
		}
		return obj{"services": out}
	}
	return []template{
		{"b55da7dc-09f3-4fb0-9a7c-4f60b5a2f001", codePostgres, "Postgres", services(root)},
		{"b55da7dc-09f3-4fb0-9a7c-4f60b5a2f002", codeRedis, "Redis", services(redis)},
		{"b55da7dc-09f3-4fb0-9a7c-4f60b5a2f003", codePooler, "Postgres with PgBouncer", services(root, pooler)},
		{"b55da7dc-09f3-4fb0-9a7c-4f60b5a2f004", codePITR, "Postgres PITR", services(overlay)},
	}
}

func postgresVariables() obj {
	return obj{
		"PGDATA": value(postgresMount + "/pgdata"), "PGHOST": value("${{RAILWAY_PRIVATE_DOMAIN}}"), "PGPORT": value(postgresPort), "PGUSER": value("${{POSTGRES_USER}}"),
		"PGPASSWORD": value("${{POSTGRES_PASSWORD}}"), "PGDATABASE": value("${{POSTGRES_DB}}"), "POSTGRES_DB": value("railway"), "POSTGRES_USER": value(postgresUser),
		"POSTGRES_PASSWORD": value(`${{ secret(32, ` + letters + `) }}`), "SSL_CERT_DAYS": value("820"), "RAILWAY_DEPLOYMENT_DRAINING_SECONDS": value("60"),
		"DATABASE_URL":        value("postgresql://${{PGUSER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:${{PGPORT}}/${{PGDATABASE}}"),
		"DATABASE_PUBLIC_URL": value("postgresql://${{PGUSER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}:${{RAILWAY_TCP_PROXY_PORT}}/${{PGDATABASE}}"),
	}
}

func poolerVariables() obj {
	return obj{
		"POSTGRES_USER": value("${{Postgres.POSTGRES_USER}}"), "POSTGRES_PASSWORD": value("${{Postgres.POSTGRES_PASSWORD}}"), "PGDATABASE": value("${{Postgres.PGDATABASE}}"),
		"PGPORT": value(postgresPort), "POOL_MODE": value("transaction"), "MAX_CLIENT_CONN": value("1000"), "DEFAULT_POOL_SIZE": value("20"),
		"MAX_PREPARED_STATEMENTS": value("100"), "SERVER_RESET_QUERY": value("DISCARD ALL"),
		"DATABASE_URL":                 value("postgresql://${{POSTGRES_USER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_PRIVATE_DOMAIN}}:${{PGPORT}}/${{PGDATABASE}}"),
		"DATABASE_PUBLIC_URL":          value("postgresql://${{POSTGRES_USER}}:${{POSTGRES_PASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}:${{RAILWAY_TCP_PROXY_PORT}}/${{PGDATABASE}}"),
		"DATABASE_UNPOOLED_URL":        value("${{Postgres.DATABASE_URL}}"),
		"DATABASE_PUBLIC_UNPOOLED_URL": value("${{Postgres.DATABASE_PUBLIC_URL}}"),
	}
}

func redisVariables() obj {
	return obj{
		"REDISHOST": value("${{RAILWAY_PRIVATE_DOMAIN}}"), "REDISPORT": value(redisPort), "REDISUSER": value("default"), "REDISPASSWORD": value("${{REDIS_PASSWORD}}"),
		"REDIS_PASSWORD":   value(`${{ secret(32, ` + letters + `) }}`),
		"REDIS_URL":        value("redis://${{REDISUSER}}:${{REDIS_PASSWORD}}@${{REDISHOST}}:${{REDISPORT}}"),
		"REDIS_PUBLIC_URL": value("redis://default:${{REDIS_PASSWORD}}@${{RAILWAY_TCP_PROXY_DOMAIN}}:${{RAILWAY_TCP_PROXY_PORT}}"),
	}
}

func (s *Server) readTemplate(arguments arguments) (any, error) {
	for _, t := range templates() {
		if t.code == arguments.str("code") || t.id == arguments.str("id") {
			return s.templateObject(t), nil
		}
	}
	return nil, notFound("Template")
}

func (s *Server) templateObject(t template) *object {
	now := stamp(s.w.Now())
	return &object{"Template", map[string]any{
		"id": t.id, "code": t.code, "name": t.name, "description": nil, "category": "Storage", "image": nil, "readme": nil, "status": "PUBLISHED", "tags": []string{},
		"languages": nil, "createdAt": now, "updatedAt": now, "isApproved": true, "isVerified": true, "isV2Template": true, "health": 100.0,
		"projects": 1, "activeProjects": 1, "recentProjects": 1, "totalPayout": 0.0, "teamId": nil, "workspaceId": nil, "demoProjectId": nil, "creator": nil,
		"communityThreadSlug": nil, "canvasConfig": nil, "guides": nil, "maintainer": nil, "similarTemplates": []*object{}, "supportHealthMetrics": nil,
		"config": t.config, "metadata": obj{}, "serializedConfig": t.config, "services": s.connection("TemplateServicesConnection", none),
	}}
}

// templateService is a service of a SerializedTemplateConfig.
type templateService struct {
	Name        string                                          `json:"name"`
	Icon        string                                          `json:"icon"`
	ClusterRole string                                          `json:"clusterRole"`
	Source      *source                                         `json:"source"`
	Deploy      settingsInput                                   `json:"deploy"`
	Variables   map[string]struct{ DefaultValue, Value string } `json:"variables"`
	Networking  struct {
		TCPProxies     map[string]any `json:"tcpProxies"`
		ServiceDomains map[string]any `json:"serviceDomains"`
	} `json:"networking"`
	VolumeMounts map[string]struct{ MountPath string } `json:"volumeMounts"`
}

type templateInput struct {
	TemplateID, ProjectID, EnvironmentID, WorkspaceID, ExistingRootServiceID string
	SerializedConfig                                                         json.RawMessage
	StageOnly                                                                bool
}

func (s *Server) deployTemplate(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[templateInput](args, "input")
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(templates(), func(t template) bool { return t.id == in.TemplateID }) {
			return nil, notFound("Template")
		}
		var config struct{ Services map[string]*templateService }
		if err := json.Unmarshal(in.SerializedConfig, &config); err != nil || len(config.Services) == 0 {
			return nil, invalid("Invalid serializedConfig")
		}
		p, err := s.project(c, in.ProjectID)
		if err != nil {
			return nil, err
		}
		if in.EnvironmentID == "" {
			in.EnvironmentID = p.BaseEnvironment
		}
		e, err := s.environment(c, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		var root *instance
		if in.ExistingRootServiceID != "" {
			if root, err = s.instance(c, in.ExistingRootServiceID, e.ID); err != nil {
				return nil, err
			}
		}
		id := s.startWorkflow(func(context.Context) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.compose(e, p, root, in.TemplateID, config.Services, in.StageOnly)
		})
		return &object{"TemplateDeployPayload", map[string]any{"projectId": p.ID, "workflowId": id}}, nil
	}
}

// compose makes a template's services. The root of an overlay is a service
// that exists: it only gets the variables that it lacks. Callers hold s.mu.
func (s *Server) compose(e *environmentDoc, p *projectDoc, root *instance, templateID string, services map[string]*templateService, stageOnly bool) error {
	renamed := map[string]string{}
	made := map[*templateService]*instance{}
	for _, id := range slices.Sorted(maps.Keys(services)) {
		t := services[id]
		if root != nil && t.ClusterRole == "root" {
			renamed[t.Name], made[t] = s.serviceName(root.ServiceID), root
			continue
		}
		name := t.Name
		for slices.ContainsFunc(s.st.services(p.ID), func(v *serviceDoc) bool { return v.Name == name }) {
			name = t.Name + "-" + s.w.Hex(4)
		}
		v, err := s.newService(p, name)
		if err != nil {
			return err
		}
		v.Icon, v.TemplateID = t.Icon, templateID
		renamed[t.Name], made[t] = name, s.newInstance(v, e)
	}
	changes := map[string]any{}
	var fresh []*instance
	for _, id := range slices.Sorted(maps.Keys(services)) {
		t := services[id]
		i := made[t]
		if i == root {
			if change := s.overlay(root, t, renamed); len(change) > 0 {
				changes[i.ServiceID] = map[string]any{"variables": change}
			}
			continue
		}
		if err := s.furnish(i, t, renamed); err != nil {
			return err
		}
		changes[i.ServiceID] = map[string]any{"isCreated": true}
		fresh = append(fresh, i)
	}
	if stageOnly {
		s.stage(e.ID, map[string]any{"services": changes}, true)
		return nil
	}
	affected, err := s.applyChanges(e, map[string]any{"services": changes})
	if err != nil {
		return err
	}
	for _, i := range affected {
		if slices.Contains(fresh, i) || i == root {
			s.deploy(i)
		}
	}
	s.touch()
	return nil
}

// overlay are the variables that an existing service gets.
func (s *Server) overlay(root *instance, t *templateService, renamed map[string]string) map[string]any {
	out := map[string]any{}
	for name, v := range t.Variables {
		if root.Variables[name] == nil {
			out[name] = map[string]any{"value": s.templateValue(v.Value+v.DefaultValue, renamed)}
		}
	}
	return out
}

// furnish gives a new service what the template says.
func (s *Server) furnish(i *instance, t *templateService, renamed map[string]string) error {
	t.Source.apply(&i.Settings)
	deploy := maps.Clone(t.Deploy)
	maps.DeleteFunc(deploy, func(name string, _ json.RawMessage) bool { return strings.HasPrefix(name, "required") })
	if err := deploy.apply(&i.Settings); err != nil {
		return err
	}
	for name, v := range t.Variables {
		given := v.Value
		if given == "" {
			given = v.DefaultValue
		}
		s.setVariable(i.Variables, name, s.templateValue(given, renamed))
	}
	for _, m := range t.VolumeMounts {
		v := s.newVolume(i.ProjectID, label(s.serviceName(i.ServiceID))+"-volume")
		s.newVolumeInstance(v, i.EnvironmentID, i.ServiceID, m.MountPath)
	}
	if err := s.ports(i); err != nil {
		return err
	}
	for port := range t.Networking.TCPProxies {
		n, err := strconv.Atoi(port)
		if err != nil {
			return invalid("Invalid port: %s", port)
		}
		if _, err := s.newProxy(i, n); err != nil {
			return err
		}
	}
	return nil
}

// ports opens the private port of a database service. The private network is
// this machine, where each has a port of its own.
func (s *Server) ports(i *instance) error {
	engine := engineOf(i.Settings.Image)
	if engine == "" {
		return nil
	}
	port, err := s.privatePort(i)
	if err != nil {
		return err
	}
	for _, name := range []string{"PGPORT", "REDISPORT"} {
		if i.Variables[name] != nil {
			i.Variables[name].Value = strconv.Itoa(port)
		}
	}
	if engine == engineRedis {
		return s.startRedis(i)
	}
	return nil
}

// secretCall is the template function ${{ secret(32, "alphabet") }}.
var secretCall = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\$\{\{\s*secret\(\s*(\d*)\s*(?:,\s*"([^"]+)"\s*)?\)\s*\}\}`)
})

// templateValue works out a template's functions and names the services as
// they are called here.
func (s *Server) templateValue(v string, renamed map[string]string) string {
	v = secretCall().ReplaceAllStringFunc(v, func(call string) string {
		m := secretCall().FindStringSubmatch(call)
		n, err := strconv.Atoi(m[1])
		if err != nil {
			n = 32
		}
		if m[2] == "" {
			return s.w.Hex(n)
		}
		alphabet, out := []rune(m[2]), strings.Builder{}
		for range min(n, 256) {
			b, _ := strconv.ParseUint(s.w.Hex(4), 16, 16) // four hexadecimal digits always are a number
			out.WriteRune(alphabet[int(b)%len(alphabet)])
		}
		return out.String()
	})
	return reference().ReplaceAllStringFunc(v, func(ref string) string {
		m := reference().FindStringSubmatch(ref)
		if name := renamed[strings.TrimSpace(m[1])]; name != "" {
			return "${{" + name + "." + m[2] + "}}"
		}
		return ref
	})
}
