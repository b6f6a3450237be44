package fly

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// app is one Fly app.
type app struct {
	w         *world.App
	id        string
	num       int64
	name      string
	org       string
	network   string
	createdAt time.Time

	machines []*machine
	secrets  secretStore
	releases []*release
	ips      []*ipAddress
	certs    []*certificate
	volumes  []*volume
}

// nameRule is what a DNS label allows, which is what an app name becomes.
var nameRule = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

func (s *Server) appRoutes() {
	s.handle("POST /v1/apps", s.createApp)
	s.handle("GET /v1/apps", s.listApps)
	s.handle("GET /v1/apps/{app}", s.getApp)
	s.handle("DELETE /v1/apps/{app}", s.deleteApp)
	s.handle("POST /v1/apps/{app}/deploy_token", s.deployToken)
	s.handle("GET /v1/apps/{app}/secrets", s.listSecrets)
	s.handle("POST /v1/apps/{app}/secrets", s.updateSecrets)
	s.handle("GET /v1/apps/{app}/secrets/{name}", s.getSecret)
	s.handle("POST /v1/apps/{app}/secrets/{name}", s.setSecret)
	s.handle("DELETE /v1/apps/{app}/secrets/{name}", s.deleteSecret)
	s.handle("GET /v1/apps/{app}/ip_assignments", s.listIPs)
	s.handle("POST /v1/apps/{app}/ip_assignments", s.assignIP)
	s.handle("DELETE /v1/apps/{app}/ip_assignments/{ip}", s.releaseIP)
}

func contains(list []string, s string) bool {
	return slices.Contains(list, s)
}

// find returns the app, or the error that its name deserves. Callers hold s.mu.
func (s *Server) find(name string) (*app, error) {
	if contains(s.opts.TakenNames, name) {
		return nil, fail(http.StatusForbidden, "unauthorized")
	}
	a := s.apps[name]
	if a == nil {
		return nil, notFound("app")
	}
	return a, nil
}

// visible is find for reads, which lag behind writes.
func (s *Server) visible(name string) (*app, error) {
	a, err := s.find(name)
	if err == nil && s.lagging(a.createdAt) {
		return nil, notFound("app")
	}
	return a, err
}

func (s *Server) lagging(created time.Time) bool {
	return s.opts.Lag > 0 && s.w.Now().Sub(created) < s.opts.Lag
}

func (s *Server) createApp(r *http.Request) (reply, error) {
	var in struct {
		Name           string `json:"name"`
		Org            string `json:"org_slug"`
		Network        string `json:"network"`
		IdempotencyKey string `json:"idempotency_key"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.newApp(in.Name, in.Org, in.Network, in.IdempotencyKey)
	if err != nil {
		return reply{}, err
	}
	return reply{code: http.StatusCreated, body: map[string]any{"id": a.id, "created_at": a.createdAt.UnixMilli()}}, nil
}

// newApp adds an app; the same idempotency key (key, may be empty) returns the
// same app again. Callers hold s.mu.
func (s *Server) newApp(name, org, network, key string) (*app, error) {
	if key != "" {
		if a := s.byKey[key]; a != nil && s.apps[a.name] == a {
			if a.name == name {
				return a, nil
			}
			return nil, fail(http.StatusUnprocessableEntity, "idempotency key was used for another app")
		}
	}
	switch {
	case org == "":
		return nil, fail(http.StatusBadRequest, "org_slug is required")
	case !contains(s.opts.Orgs, org):
		return nil, notFound("organization " + org)
	case !nameRule.MatchString(name):
		return nil, fail(http.StatusBadRequest, "name may only contain lowercase letters, numbers and dashes")
	case s.apps[name] != nil, contains(s.opts.TakenNames, name), s.w.App(name) != nil:
		return nil, &apiError{http.StatusUnprocessableEntity, "Name has already been taken", "name_taken"}
	}
	hosts := make([]string, 0, len(s.opts.HostSuffixes))
	for _, suffix := range s.opts.HostSuffixes {
		hosts = append(hosts, name+"."+suffix)
	}
	wa, _ := s.w.NewApp(name, hosts...)
	if network == "" {
		network = "default"
	}
	a := &app{w: wa, id: s.w.Hex(16), num: s.num(), name: name, org: org, network: network, createdAt: s.w.Now()}
	s.apps[name] = a
	if key != "" {
		s.byKey[key] = a
	}
	s.w.Logf("app %s: created", name)
	return a, nil
}

func (s *Server) getApp(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	return ok(s.appDoc(a))
}

// active returns the machines that aren't destroyed. Callers hold s.mu.
func (a *app) active() []*machine {
	var out []*machine
	for _, m := range a.machines {
		if m.m.Snapshot().State != world.Destroyed {
			out = append(out, m)
		}
	}
	return out
}

// status is pending before the first machine, suspended when none runs.
func (a *app) status() string {
	machines := a.active()
	if len(machines) == 0 {
		return "pending"
	}
	for _, m := range machines {
		if m.m.Snapshot().State != world.Stopped {
			return "deployed"
		}
	}
	return "suspended"
}

func (s *Server) appDoc(a *app) map[string]any {
	return map[string]any{
		"id": a.id, "name": a.name, "status": a.status(), "network": a.network, "internal_numeric_id": a.num,
		"machine_count": len(a.active()), "volume_count": len(a.volumes),
		"organization": map[string]any{"name": orgName(a.org), "slug": a.org, "internal_numeric_id": 1},
	}
}

func orgName(slug string) string { return strings.ToUpper(slug[:1]) + slug[1:] }

// sorted returns the apps of an organization ("" means all) by name. Callers hold s.mu.
func (s *Server) sorted(org string) []*app {
	var list []*app
	for _, a := range s.apps {
		if (org == "" || a.org == org) && !s.lagging(a.createdAt) {
			list = append(list, a)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].name < list[j].name })
	return list
}

func (s *Server) listApps(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	org := r.URL.Query().Get("org_slug")
	if org != "" && !contains(s.opts.Orgs, org) {
		return reply{}, notFound("organization " + org)
	}
	all := s.sorted(org)
	list, next := page(s, r, all, func(a *app) string { return a.name })
	docs := make([]any, 0, len(list))
	for _, a := range list {
		docs = append(docs, s.appDoc(a))
	}
	body := map[string]any{"apps": docs, "total_apps": len(all)}
	if next != "" {
		body["next_cursor"] = next
	}
	return ok(body)
}

func (s *Server) deleteApp(r *http.Request) (reply, error) {
	s.mu.Lock()
	a, err := s.find(r.PathValue("app"))
	if err == nil {
		delete(s.apps, a.name)
	}
	s.mu.Unlock()
	if err != nil {
		return reply{}, err
	}
	s.w.DeleteApp(a.name)
	s.w.Logf("app %s: deleted", a.name)
	return reply{code: http.StatusAccepted}, nil
}

func (s *Server) deployToken(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.find(r.PathValue("app")); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"token": "fo1_" + s.w.Hex(32)})
}

// ipAddress is a public or private address of an app.
type ipAddress struct {
	id, ip, typ, region string
	shared              bool
	createdAt           time.Time
}

func (ip *ipAddress) doc() map[string]any {
	return map[string]any{"ip": ip.ip, "region": ip.region, "shared": ip.shared, "created_at": stamp(ip.createdAt)}
}

func (s *Server) listIPs(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	docs := make([]any, 0, len(a.ips))
	for _, ip := range a.ips {
		docs = append(docs, ip.doc())
	}
	return ok(map[string]any{"ips": docs})
}

func (s *Server) assignIP(r *http.Request) (reply, error) {
	var in struct {
		Type   string `json:"type"`
		Region string `json:"region"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	ip, err := s.newIP(a, in.Type, in.Region)
	if err != nil {
		return reply{}, err
	}
	return ok(ip.doc())
}

// newIP gives the app an address from the documentation ranges (RFC 5737,
// RFC 3849), which reach nobody. A second shared_v4 is the first one again.
func (s *Server) newIP(a *app, typ, region string) (*ipAddress, error) {
	n := len(a.ips) + 1
	ip := &ipAddress{id: "ip_" + s.w.Hex(12), typ: typ, region: region, createdAt: s.w.Now()}
	switch typ {
	case "v4":
		ip.ip = fmt.Sprintf("203.0.113.%d", n)
	case "shared_v4":
		ip.ip, ip.shared = "198.51.100.1", true
		for _, old := range a.ips {
			if old.typ == typ {
				return old, nil
			}
		}
	case "v6":
		ip.ip = fmt.Sprintf("2001:db8::%x:%x", a.num, n)
	case "private_v6":
		ip.ip = fmt.Sprintf("fdaa:0:1:0:1::%x", n)
	default:
		return nil, fail(http.StatusBadRequest, fmt.Sprintf("invalid ip type %q", typ))
	}
	if region == "" {
		ip.region = "global"
	}
	a.ips = append(a.ips, ip)
	return ip, nil
}

func (s *Server) releaseIP(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	for i, ip := range a.ips {
		if ip.ip == r.PathValue("ip") {
			a.ips = append(a.ips[:i], a.ips[i+1:]...)
			return reply{code: http.StatusNoContent}, nil
		}
	}
	return reply{}, notFound("ip address")
}
