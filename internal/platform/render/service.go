package render

import (
	"context"
	"maps"
	"net/http"
	"net/url"
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

// origin adds where the code comes from.
func (p *Platform) origin(ctx context.Context, body *serviceBody, ownerID string, want platform.Release) error {
	if want.Source != nil {
		body.Repo, body.Branch, body.Details.Runtime = repository(want.Source.Remote), want.Source.Branch, runtimeDocker
		return nil
	}
	credential, err := p.credential(ctx, ownerID, want.Image)
	if err != nil {
		return err
	}
	body.Image, body.Details.Runtime = &imageBody{ownerID, imagePath(want.Image), credential}, runtimeImage
	return nil
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

// configure sets a service up for a release: its settings in one request, then the
// variables that differ. None of it deploys. origin says to name where the code
// comes from even when it is the same.
func (p *Platform) configure(ctx context.Context, app string, s *snapshot, want platform.Release, command, origin bool) error {
	body, err := settings(want, command)
	if err != nil {
		return err
	}
	if want.Image != "" && (origin || originDiffers(s.svc, want)) {
		if err := p.origin(ctx, &body, s.svc.OwnerID, want); err != nil {
			return err
		}
	}
	if err := p.stillMine(ctx, app, s.svc.ID); err != nil {
		return err
	}
	if err := p.call(again(ctx), http.MethodPatch, servicePath(s.svc.ID), nil, body, nil); err != nil {
		return explain(err, "set up the service %q", app)
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
	// Last, and before any deploy: a run that is cut off before leaves variables
	// that count as secrets until the next one, and takes nothing for a release.
	return p.amend(ctx, app, s.svc, func(l *ledger) {
		s.settle(l)
		l.configure(want, p.now())
	})
}

func (s *snapshot) has(name string) bool {
	_, there := s.env[name]
	return there
}
