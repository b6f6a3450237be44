package compose

import (
	"context"
	"fmt"
	"net"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/opsctl/opsctl/internal/errs"
)

// FindFile is the compose file of a folder, by the names that Compose looks for, in
// its order; "" when there is none.
func FindFile(dir string) string {
	for _, name := range []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"} {
		file := filepath.Join(dir, name)
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			return file
		}
	}
	return ""
}

// composeFile is what matters of one.
type composeFile struct {
	app, postgres, redis, pooler *service // nil where it has none
	publish                      string   // host:port of the app's service
	notes                        []string // what of the app's service is not done here
}

// service is one of a compose file, ready to be made.
type service struct {
	name    string
	image   string
	command []string
	env     map[string]string
	flags   []string
	files   []file
	volumes []volume
	ports   []types.ServicePortConfig
	checked bool // it has a health check
}

// volume is a named one that a service uses.
type volume struct {
	name  string
	flags []string
	other bool // made by somebody else
}

// composeFile reads the app's file once; nil when it has none.
func (p *Platform) composeFile(app string) (*composeFile, error) {
	if p.o.File == "" {
		return nil, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if f, ok := p.files[app]; ok {
		return f, nil
	}
	project, err := p.load(app)
	if err != nil {
		return nil, err
	}
	f, err := p.sortOut(project)
	if err != nil {
		return nil, err
	}
	p.files[app] = f
	return f, nil
}

// load reads a compose file as Compose does, under the app's name. The services'
// env files are left out: opsctl has the environment's own.
func (p *Platform) load(app string) (*types.Project, error) {
	raw, err := os.ReadFile(p.o.File)
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "read the compose file")
	}
	dir, err := filepath.Abs(filepath.Dir(p.o.File))
	if err != nil {
		return nil, err
	}
	env := types.Mapping{}
	if text, err := os.ReadFile(filepath.Join(dir, ".env")); err == nil {
		vars, err := dotenv.UnmarshalBytesWithLookup(text, p.o.Lookup)
		if err != nil { // its words may show a secret
			return nil, errs.New(errs.Usage, "%s beside the compose file cannot be read as Compose reads it", ".env").WithHint("run: opsctl env check")
		}
		env = vars
	}
	lookup := func(name string) (string, bool) {
		if v, ok := p.o.Lookup(name); ok {
			return v, true
		}
		v, ok := env[name]
		return v, ok
	}
	details := types.ConfigDetails{WorkingDir: dir, ConfigFiles: []types.ConfigFile{{Filename: p.o.File, Content: raw}}, Environment: env}
	project, err := loader.LoadWithContext(context.Background(), details, func(o *loader.Options) {
		o.SetProjectName(app, true)
		o.SkipResolveEnvironment = true
		o.ResolvePaths = true
		o.Profiles = []string{"*"}
		o.Interpolate = &interpolation.Options{LookupValue: lookup, Substitute: quietly, TypeCastMapping: o.Interpolate.TypeCastMapping}
	})
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "read the compose file").WithHint("see what is wrong: docker compose config")
	}
	return project, nil
}

// quietly puts variables in; those that are not set are empty, as Compose has it.
func quietly(text string, mapping template.Mapping) (string, error) {
	return template.SubstituteWithOptions(text, mapping, template.WithoutLogging)
}

// sortOut tells the services apart.
func (p *Platform) sortOut(project *types.Project) (*composeFile, error) {
	f := &composeFile{}
	var rest []types.ServiceConfig
	var err error
	for _, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range project.Services {
			if !yield(name) {
				return
			}
		}
	}) {
		s := project.Services[name]
		kind := path.Base(strings.SplitN(strings.SplitN(s.Image, "@", 2)[0], ":", 2)[0])
		var slot **service
		switch {
		case name == p.o.Service:
		case slices.ContainsFunc([]string{"pgbouncer", "pgcat", "odyssey"}, func(k string) bool { return strings.Contains(kind, k) }):
			slot = &f.pooler
		case slices.ContainsFunc([]string{"postgres", "postgis", "timescale", "pgvector"}, func(k string) bool { return strings.Contains(kind, k) }):
			slot = &f.postgres
		case slices.ContainsFunc([]string{"redis", "valkey", "keydb", "dragonfly"}, func(k string) bool { return strings.Contains(kind, k) }):
			slot = &f.redis
		}
		if slot == nil {
			rest = append(rest, s)
			continue
		}
		if *slot != nil { // the first one by name is the app's; others are somebody else's affair
			continue
		}
		if *slot, err = readService(project, s); err != nil {
			return nil, err
		}
	}
	if at := p.pickApp(rest, project.Name); at >= 0 {
		if f.app, err = readService(project, rest[at]); err != nil {
			return nil, err
		}
		f.publish, f.notes = publishes(rest[at])
	} else if p.o.Service != "" {
		return nil, errs.New(errs.Usage, "the compose file has no service %q", p.o.Service)
	}
	return f, nil
}

// pickApp finds the app's service: the one that is named, else the one with a name
// that says so, else the only one that is built and publishes a port, else none.
func (p *Platform) pickApp(rest []types.ServiceConfig, app string) int {
	if p.o.Service != "" {
		return slices.IndexFunc(rest, func(s types.ServiceConfig) bool { return s.Name == p.o.Service })
	}
	for _, name := range []string{app, "app", "web"} {
		if i := slices.IndexFunc(rest, func(s types.ServiceConfig) bool { return s.Name == name }); i >= 0 {
			return i
		}
	}
	at := -1
	for i, s := range rest {
		if s.Build == nil || len(s.Ports) == 0 {
			continue
		}
		if at >= 0 {
			return -1
		}
		at = i
	}
	return at
}

// publishes is the address at which a service is published. Others than the first
// are not: there is one front.
func publishes(s types.ServiceConfig) (address string, notes []string) {
	for _, port := range s.Ports {
		at := net.JoinHostPort(port.HostIP, port.Published)
		switch _, err := strconv.Atoi(port.Published); {
		case err != nil || port.Protocol == "udp":
			notes = append(notes, fmt.Sprintf("port %d of the service %s is not published: it has no fixed TCP port on the host", port.Target, s.Name))
		case address == "":
			address = at
			if port.HostIP == "" { // as Compose has it: on every address
				address = net.JoinHostPort("0.0.0.0", port.Published)
			}
		default:
			notes = append(notes, fmt.Sprintf("port %s of the service %s is not published: the app is reached at %s", port.Published, s.Name, address))
		}
	}
	if s.NetworkMode != "" && s.NetworkMode != "bridge" {
		notes = append(notes, "network_mode of the service "+s.Name+" is not used: the app is in the network that the front is in")
	}
	return address, notes
}

// appService is what the compose file says of the app's own service; without one it
// is called app, and says nothing.
func (p *Platform) appService(app string) (*service, error) {
	f, err := p.composeFile(app)
	if err != nil {
		return nil, err
	}
	if f == nil || f.app == nil {
		return &service{name: "app"}, nil
	}
	s := *f.app
	// What is managed comes as a secret; the file's address is for work on one machine.
	env := map[string]string{}
	for name, value := range s.env {
		if !slices.Contains([]string{"DATABASE_URL", "DIRECT_DATABASE_URL", "REDIS_URL", "PORT"}, name) {
			env[name] = value
		}
	}
	s.env = env
	return &s, nil
}

// notes are what is not done of the compose file.
func (p *Platform) notes(app string) []string {
	f, err := p.composeFile(app)
	if err != nil || f == nil {
		return nil
	}
	return f.notes
}
