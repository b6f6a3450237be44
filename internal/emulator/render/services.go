package render

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
)

type imageInput struct {
	OwnerID      string `json:"ownerId"`
	ImagePath    string `json:"imagePath"`
	CredentialID string `json:"registryCredentialId"`
}

// serviceInput is the body of a creation and of a change.
type serviceInput struct {
	Type              string          `json:"type"`
	Name              string          `json:"name"`
	OwnerID           string          `json:"ownerId"`
	Repo              *string         `json:"repo"`
	Branch            *string         `json:"branch"`
	RootDir           *string         `json:"rootDir"`
	AutoDeploy        *string         `json:"autoDeploy"`
	AutoDeployTrigger *string         `json:"autoDeployTrigger"`
	BuildFilter       json.RawMessage `json:"buildFilter"`
	Image             *imageInput     `json:"image"`
	EnvVars           []envInput      `json:"envVars"`
	SecretFiles       []secretFile    `json:"secretFiles"`
	EnvironmentID     string          `json:"environmentId"`
	Details           detailsInput    `json:"serviceDetails"`
}

func (s *Server) serviceRoutes() {
	const one = "/services/{service}"
	s.handle("GET /services", s.locked(s.listServices))
	s.handle("POST /services", s.locked(s.createService))
	s.handle("GET "+one, s.serviceCall(func(_ *http.Request, v *service) (reply, error) { return ok(s.serviceDoc(v)) }))
	s.handle("PATCH "+one, s.serviceCall(s.patchService))
	s.handle("DELETE "+one, s.serviceCall(s.deleteService))
	s.handle("POST "+one+"/suspend", s.serviceCall(s.suspendService))
	s.handle("POST "+one+"/resume", s.serviceCall(s.resumeService))
	s.handle("POST "+one+"/restart", s.serviceCall(s.restartService))
	s.handle("POST "+one+"/scale", s.serviceCall(s.scaleService))
	s.handle("PUT "+one+"/autoscaling", s.serviceCall(s.setAutoscaling))
	s.handle("DELETE "+one+"/autoscaling", s.serviceCall(s.deleteAutoscaling))
	s.handle("GET "+one+"/instances", s.serviceCall(listInstances))
	s.handle("POST "+one+"/cache/purge", s.serviceCall(func(*http.Request, *service) (reply, error) { return empty(http.StatusAccepted) }))
}

// serviceCall is an endpoint of one service. It runs with s.mu.
func (s *Server) serviceCall(f func(*http.Request, *service) (reply, error)) endpoint {
	return s.locked(func(r *http.Request) (reply, error) {
		v := s.st.service(r.PathValue("service"))
		if v == nil || s.hidden(r, v.CreatedAt) {
			return reply{}, notFound("service", r.PathValue("service"))
		}
		return f(r, v)
	})
}

func (s *Server) createService(r *http.Request) (reply, error) {
	var in serviceInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if err := s.ownerFor(in.OwnerID); err != nil {
		return reply{}, err
	}
	switch {
	case !slices.Contains(serviceTypes(), in.Type):
		return reply{}, bad("invalid type %q", in.Type)
	case slugOf(in.Name) == "":
		return reply{}, bad("invalid name %q", in.Name)
	case (in.Repo == nil) == (in.Image == nil):
		return reply{}, bad("a service needs either a repo or an image")
	}
	if err := s.environmentFor(in.EnvironmentID); err != nil {
		return reply{}, err
	}
	now := s.w.Now()
	prefix := "srv"
	if in.Type == cronJob {
		prefix = "crn"
	}
	v := &service{
		ID: s.id(prefix), Name: in.Name, Type: in.Type, OwnerID: in.OwnerID, EnvironmentID: in.EnvironmentID, CreatedAt: now, UpdatedAt: now,
		AutoDeploy: "yes", AutoDeployTrigger: "commit", Branch: "main", Files: in.SecretFiles,
	}
	if in.Image != nil { // an image has nothing that could be pushed to
		v.AutoDeploy, v.AutoDeployTrigger, v.Branch = "no", "off", ""
	}
	var err error
	if v.Details, err = s.newDetails(in.Type, in.Details); err != nil {
		return reply{}, err
	}
	if err := v.change(in); err != nil {
		return reply{}, err
	}
	if v.Env, err = s.newEnv(in.EnvVars); err != nil {
		return reply{}, err
	}
	s.place(v)
	s.st.Services = append(s.st.Services, v)
	s.w.Logf("service %s: created as %s", v.Name, v.ID)
	d := s.newDeploy(v, "api", "", nil)
	return created(map[string]any{"service": s.serviceDoc(v), "deployId": d.ID})
}

// place gives the service its slug, which is its address: the name, or with
// some letters more where somebody has that already.
func (s *Server) place(v *service) {
	for v.Slug = slugOf(v.Name); ; v.Slug = slugOf(v.Name) + "-" + s.w.Hex(4) {
		app, fresh := s.w.NewApp(v.Slug, s.hosts(v)...)
		if fresh {
			v.app = app
			return
		}
	}
}

// hosts are the public names of a service; only some types have any.
func (s *Server) hosts(v *service) []string {
	if v.Type != webService && v.Type != staticSite {
		return nil
	}
	return []string{v.Slug + ".localhost", v.Slug + ".onrender.com"}
}

// url is where the service answers: its public address, or for a private
// service the one in the private network.
func (s *Server) url(v *service) string {
	switch {
	case v.Type == privateServ:
		return fmt.Sprintf("%s:%d", v.Slug, appPort)
	case s.opts.Port != nil:
		return fmt.Sprintf("http://%s.localhost:%d", v.Slug, s.opts.Port())
	}
	return "https://" + v.Slug + ".onrender.com"
}

func slugOf(text string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(text) {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
			b.WriteRune(c)
		default:
			b.WriteByte('-')
		}
	}
	return strings.Trim(b.String(), "-")
}

// change applies what creation and change have in common.
func (v *service) change(in serviceInput) error {
	for to, from := range map[*string]*string{&v.Repo: in.Repo, &v.Branch: in.Branch, &v.RootDir: in.RootDir} {
		if from != nil {
			*to = *from
		}
	}
	if given(in.BuildFilter) {
		v.BuildFilter = in.BuildFilter
	}
	if in.Image != nil {
		full, _, err := parseImage(in.Image.ImagePath)
		if err != nil {
			return bad("invalid imagePath %q", in.Image.ImagePath)
		}
		v.ImagePath, v.CredentialID = full, in.Image.CredentialID
	}
	if err := v.setAutoDeploy(in); err != nil {
		return err
	}
	if v.ImagePath != "" && v.Details.Runtime != "image" {
		return bad("a service of an image needs the runtime image, not %q", v.Details.Runtime)
	}
	return nil
}

func (v *service) setAutoDeploy(in serviceInput) error {
	if in.AutoDeploy != nil {
		switch *in.AutoDeploy {
		case "yes":
			v.AutoDeploy, v.AutoDeployTrigger = "yes", "commit"
		case "no":
			v.AutoDeploy, v.AutoDeployTrigger = "no", "off"
		default:
			return bad("autoDeploy must be yes or no")
		}
	}
	if in.AutoDeployTrigger != nil {
		switch *in.AutoDeployTrigger {
		case "commit", "checksPass":
			v.AutoDeploy = "yes"
		case "off":
			v.AutoDeploy = "no"
		default:
			return bad("invalid autoDeployTrigger %q", *in.AutoDeployTrigger)
		}
		v.AutoDeployTrigger = *in.AutoDeployTrigger
	}
	return nil
}

// parseImage returns a reference in full (docker.io/library/alpine:latest for
// alpine) and its repository with the host.
func parseImage(ref string) (full, repository string, err error) {
	if strings.TrimSpace(ref) == "" {
		return "", "", fmt.Errorf("empty image reference")
	}
	r, err := name.ParseReference(strings.TrimPrefix(strings.TrimPrefix(ref, "https://"), "http://"))
	if err != nil {
		return "", "", err
	}
	host := r.Context().RegistryStr()
	if host == name.DefaultRegistry {
		host = "docker.io"
	}
	repository = host + "/" + r.Context().RepositoryStr()
	if digest, is := r.(name.Digest); is {
		tag := "" // a reference may have both
		if base, _, _ := strings.Cut(ref, "@"); strings.Contains(base[strings.LastIndex(base, "/")+1:], ":") {
			tag = base[strings.LastIndex(base, ":"):]
		}
		return repository + tag + "@" + digest.DigestStr(), repository, nil
	}
	return repository + ":" + r.Identifier(), repository, nil
}

func (s *Server) listServices(r *http.Request) (reply, error) {
	f := newFilter(r)
	var list []*service
	for _, v := range slices.Backward(s.st.Services) { // newest first
		if f.any("name", v.Name) && f.any("type", v.Type) && f.any("environmentId", v.EnvironmentID) && f.any("ownerId", v.OwnerID) &&
			f.any("env", v.Details.Runtime) && f.any("region", v.Details.Region) && f.any("suspended", suspendedWord(v.Suspended)) &&
			f.span(v.CreatedAt, v.UpdatedAt) && !s.lagging(v.CreatedAt) {
			list = append(list, v)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "service", func(v *service) string { return v.ID }, func(v *service) any { return s.serviceDoc(v) })
}

func suspendedWord(is bool) string {
	if is {
		return "suspended"
	}
	return "not_suspended"
}

func suspenders(is bool) []string {
	if is {
		return []string{"user"}
	}
	return []string{}
}

func (s *Server) serviceDoc(v *service) map[string]any {
	doc := map[string]any{
		"id": v.ID, "name": v.Name, "slug": v.Slug, "type": v.Type, "ownerId": v.OwnerID, "createdAt": stamp(v.CreatedAt), "updatedAt": stamp(v.UpdatedAt),
		"autoDeploy": v.AutoDeploy, "autoDeployTrigger": v.AutoDeployTrigger, "notifyOnFail": "default", "rootDir": v.RootDir,
		"dashboardUrl": "https://dashboard.render.com/" + shortType(v.Type) + "/" + v.ID,
		"suspended":    suspendedWord(v.Suspended), "suspenders": suspenders(v.Suspended), "serviceDetails": s.detailsDoc(v),
	}
	if v.EnvironmentID != "" {
		doc["environmentId"] = v.EnvironmentID
	}
	if v.ImagePath != "" {
		doc["imagePath"] = v.ImagePath
	} else {
		doc["repo"], doc["branch"] = v.Repo, v.Branch
	}
	if v.BuildFilter != nil {
		doc["buildFilter"] = v.BuildFilter
	}
	return doc
}

// patchService changes settings, which count from the next deploy on; see Options.DeployOnUpdate.
func (s *Server) patchService(r *http.Request, v *service) (reply, error) {
	var in serviceInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	changed := *v
	if err := changed.Details.change(in.Details); err != nil {
		return reply{}, err
	}
	if in.Image != nil && v.ImagePath == "" || in.Repo != nil && v.Repo == "" {
		return reply{}, bad("a service cannot change between a repository and an image")
	}
	if err := changed.change(in); err != nil {
		return reply{}, err
	}
	if in.Name != "" {
		changed.Name = in.Name // the address stays
	}
	*v = changed
	v.UpdatedAt = s.w.Now()
	if s.opts.DeployOnUpdate && !v.Suspended {
		s.newDeploy(v, "service_updated", "", nil)
	}
	return ok(s.serviceDoc(v))
}

func (s *Server) deleteService(_ *http.Request, v *service) (reply, error) {
	if v.cancel != nil {
		v.cancel()
	}
	s.st.Services = remove(s.st.Services, v)
	for _, g := range s.st.Groups {
		g.Services = remove(g.Services, v.ID)
	}
	s.w.DeleteApp(v.Slug)
	s.w.Logf("service %s: deleted", v.Name)
	return empty(http.StatusNoContent)
}
