package render

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// The bodies of the requests that make and change a service.

type serviceBody struct {
	Type          string       `json:"type,omitempty"`
	Name          string       `json:"name,omitempty"`
	OwnerID       string       `json:"ownerId,omitempty"`
	AutoDeploy    string       `json:"autoDeploy,omitempty"`
	EnvironmentID string       `json:"environmentId,omitempty"`
	Repo          string       `json:"repo,omitempty"`
	Branch        string       `json:"branch,omitempty"`
	RootDir       *string      `json:"rootDir,omitempty"`
	Image         *imageBody   `json:"image,omitempty"`
	EnvVars       []envVar     `json:"envVars,omitempty"`
	Details       *detailsBody `json:"serviceDetails,omitempty"`
}

type imageBody struct {
	OwnerID    string `json:"ownerId"`
	ImagePath  string `json:"imagePath"`
	Credential string `json:"registryCredentialId,omitempty"`
}

type detailsBody struct {
	Runtime      string  `json:"runtime,omitempty"`
	Plan         string  `json:"plan,omitempty"`
	Region       string  `json:"region,omitempty"`
	NumInstances int     `json:"numInstances,omitempty"`
	Health       *string `json:"healthCheckPath,omitempty"`
	PreDeploy    *string `json:"preDeployCommand,omitempty"` // "" takes it away

	Docker *dockerBody `json:"envSpecificDetails,omitempty"`
}

// dockerBody says what of a repository is built; its paths begin at the root.
type dockerBody struct {
	Dockerfile string `json:"dockerfilePath,omitempty"`
	Context    string `json:"dockerContext,omitempty"`
}

// Render's words for where the code comes from.
const (
	runtimeImage  = "image"
	runtimeDocker = "docker"
)

// check refuses what Render cannot do, before anything is touched.
func check(want platform.Release, svc *service) error {
	if want.Strategy != "" && want.Strategy != strategy {
		return errs.New(errs.Usage, "Render has no strategy %q", want.Strategy).WithHint("its deploys are rolling: set strategy: rolling")
	}
	if want.Size != "" && !slices.Contains(sizes(), want.Size) && (svc == nil || svc.Details.Plan != want.Size) {
		return errs.New(errs.Usage, "Render has no instance type %q", want.Size).WithHint("it has: %s", strings.Join(sizes(), ", "))
	}
	return checkRegion(want.Region, svc)
}

func checkRegion(region string, svc *service) error {
	if region == "" || svc != nil && svc.Details.Region == region {
		return nil
	}
	if !slices.Contains(regions(), region) {
		return errs.New(errs.Usage, "Render has no region %q", region).WithHint("it has: %s", strings.Join(regions(), ", "))
	}
	if svc != nil {
		return errs.New(errs.Usage, "the service is in %s, and a service on Render cannot move to %s", svc.Details.Region, region).
			WithHint("set region: %s, or deploy an app of another name there", svc.Details.Region)
	}
	return nil
}

// settings are what a release sets on a service that there is. command says
// whether its release command is to run with the next deploy.
func settings(want platform.Release, command bool) (serviceBody, error) {
	line := ""
	if command {
		var err error
		if line, err = shellCommand(want.Command); err != nil {
			return serviceBody{}, err
		}
	}
	return serviceBody{
		AutoDeploy: "no", // or the next push would undo what opsctl did
		Details:    &detailsBody{Plan: want.Size, Health: &want.Health, PreDeploy: &line},
	}, nil
}

// origin adds where the code comes from. svc is the service as it is; nil for a new one.
func (p *Platform) origin(ctx context.Context, body *serviceBody, svc *service, ownerID string, want platform.Release) error {
	if src := want.Source; src != nil {
		body.Repo, body.Branch, body.Details.Runtime = repository(src.Remote), src.Branch, runtimeDocker
		if src.Dockerfile != "" || src.Context != "" {
			// Both count from the root of the repository, so nothing else may be the root.
			body.RootDir, body.Details.Docker = new(""), &dockerBody{fromRoot(src.Dockerfile), fromRoot(src.Context)}
		}
		return nil
	}
	var credential string
	if svc != nil && svc.RegistryCredential != nil && p.o.RegistryCredential == "" && !originDiffers(svc, want) {
		credential = svc.RegistryCredential.ID // it has pulled from there before
	} else {
		var err error
		if credential, err = p.credential(ctx, ownerID, want.Image); err != nil {
			return err
		}
	}
	body.Image, body.Details.Runtime = &imageBody{ownerID, imagePath(want.Image), credential}, runtimeImage
	return nil
}

// fromRoot is a path in the form of Render's own defaults, "./Dockerfile" and ".".
func fromRoot(name string) string {
	if name == "" {
		return ""
	}
	if name = path.Clean(name); name == "." {
		return name
	}
	return "./" + name
}

// originDiffers tells whether the service gets its code from elsewhere.
func originDiffers(svc *service, want platform.Release) bool {
	if want.Source != nil {
		return repository(svc.Repo) != repository(want.Source.Remote) || want.Source.Branch != "" && svc.Branch != want.Source.Branch
	}
	return svc.ImagePath == "" || repositoryOf(svc.ImagePath) != repositoryOf(want.Image)
}

// repository is a remote in the form that Render takes: the page of the
// repository, without credentials.
func repository(remote string) string {
	if rest, ok := strings.CutPrefix(remote, "git@"); ok {
		remote = "https://" + strings.Replace(rest, ":", "/", 1)
	}
	if u, err := url.Parse(remote); err == nil && u.Host != "" {
		u.User, u.RawQuery, u.Fragment = nil, "", ""
		if u.Scheme == "ssh" || u.Scheme == "git" {
			u.Scheme, u.Host = "https", u.Hostname()
		}
		remote = u.String()
	}
	return strings.TrimSuffix(strings.TrimRight(remote, "/"), ".git")
}

// releaseEnv are the variables that a release sets beside the secrets.
func releaseEnv(want platform.Release) map[string]string {
	env := map[string]string{}
	if want.Port != 0 {
		env[portName] = strconv.Itoa(want.Port)
	}
	if want.Label != "" {
		env[releaseName] = want.Label
	}
	for name, value := range want.Env {
		if !internal(name) {
			env[name] = value
		}
	}
	return env
}

// configure sets a service up for a release: the variables that differ, the ledger,
// and its settings, in one request. Render's document does not say that changing
// settings deploys; where it does (the trigger service_updated), that deploy sees
// everything, since they come last; see byItself. origin says to name where the code
// comes from even when it is the same.
func (p *Platform) configure(ctx context.Context, app string, s *snapshot, want platform.Release, command, origin bool) error {
	body, err := settings(want, command)
	if err != nil {
		return err
	}
	if want.Image != "" && (origin || originDiffers(s.svc, want)) {
		if err := p.origin(ctx, &body, s.svc, s.svc.OwnerID, want); err != nil {
			return err
		}
	}
	changes := map[string]*string{}
	env := releaseEnv(want)
	for name, value := range env {
		if have, there := s.env[name]; !there || have != value {
			changes[name] = &value
		}
	}
	gone := slices.Collect(maps.Keys(s.ledger.plain()))
	for _, name := range append(gone, releaseName) {
		if _, wanted := env[name]; !wanted && s.has(name) {
			changes[name] = nil
		}
	}
	if err := p.writeEnv(ctx, app, s.svc.ID, changes); err != nil {
		return err
	}
	// After the variables, and before any deploy: a run that is cut off before leaves
	// variables that count as secrets until the next one, and takes nothing for a release.
	err = p.amend(ctx, app, s.svc, func(l *ledger) {
		s.settle(l)
		l.configure(want, p.now())
	})
	if err != nil {
		return err
	}
	return p.patch(ctx, app, s.svc.ID, body)
}

// patch changes the settings of a service.
func (p *Platform) patch(ctx context.Context, app, id string, body serviceBody) error {
	if err := p.stillMine(ctx, app, id); err != nil {
		return err
	}
	err := p.call(again(ctx), http.MethodPatch, servicePath(id), nil, body, nil)
	p.forget(app)
	return explain(err, "set up the service %q", app)
}

func (s *snapshot) has(name string) bool {
	_, there := s.env[name]
	return there
}
