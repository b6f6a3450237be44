package fly

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// certificate is a custom domain of an app. It starts unverified and becomes
// active with the first check: that stands for the user setting the DNS records.
type certificate struct {
	hostname  string
	custom    bool
	active    bool
	createdAt time.Time
	updatedAt time.Time
}

func (s *Server) certRoutes() {
	const path = "/v1/apps/{app}/certificates"
	s.handle("GET "+path, s.listCerts)
	s.handle("POST "+path+"/acme", s.createCert(false))
	s.handle("POST "+path+"/custom", s.createCert(true))
	s.handle("GET "+path+"/{host}", s.certCall(func(*certificate) {}))
	s.handle("POST "+path+"/{host}/check", s.certCall(func(c *certificate) { c.active, c.updatedAt = true, s.w.Now() }))
	s.handle("DELETE "+path+"/{host}", s.deleteCert)
	s.handle("DELETE "+path+"/{host}/acme", s.certCall(func(c *certificate) { c.active = c.custom }))
	s.handle("DELETE "+path+"/{host}/custom", s.certCall(func(c *certificate) { c.custom = false }))
}

func (c *certificate) status() string {
	if c.active {
		return "active"
	}
	return "pending_ownership"
}

func (c *certificate) summary() map[string]any {
	return map[string]any{
		"hostname": c.hostname, "configured": c.active, "acme_requested": !c.custom, "acme_alpn_configured": c.active && !c.custom,
		"acme_dns_configured": c.active && !c.custom, "acme_http_configured": c.active && !c.custom, "ownership_txt_configured": c.active,
		"has_custom_certificate": c.custom, "has_fly_certificate": c.active && !c.custom, "status": c.status(),
		"created_at": stamp(c.createdAt), "updated_at": stamp(c.updatedAt),
	}
}

func (s *Server) certDoc(a *app, c *certificate) map[string]any {
	source, issuer := "fly", "Let's Encrypt"
	if c.custom {
		source, issuer = "custom", "Emulator"
	}
	expires := c.createdAt.Add(90 * 24 * time.Hour)
	entry := map[string]any{"source": source, "status": c.status(), "issuer": issuer, "created_at": stamp(c.createdAt), "issued": []any{}}
	if c.active {
		entry["expires_at"] = stamp(expires)
		entry["issued"] = []any{map[string]any{"type": "ecdsa", "expires_at": stamp(expires), "certificate_authority": issuer}}
	}
	errs := []any{}
	target := fmt.Sprintf("%x.%s.fly.dev", a.num, a.name)
	a4, a6 := []string{}, []string{}
	for _, ip := range a.ips {
		switch ip.typ {
		case "v4", "shared_v4":
			a4 = append(a4, ip.ip)
		case "v6":
			a6 = append(a6, ip.ip)
		}
	}
	if !c.active {
		errs = append(errs, map[string]any{
			"code": "dns_not_configured", "message": c.hostname + " does not point to this app", "timestamp": stamp(c.updatedAt),
			"remediation": "Create a CNAME record for " + c.hostname + " that points to " + target + ", then check again.",
		})
	}
	return map[string]any{
		"hostname": c.hostname, "configured": c.active, "acme_requested": !c.custom, "status": c.status(), "dns_provider": "unknown",
		"certificates": []any{entry}, "validation_errors": errs,
		"validation": map[string]any{"alpn_configured": c.active, "dns_configured": c.active, "http_configured": c.active, "ownership_txt_configured": c.active},
		"dns_requirements": map[string]any{
			"a": a4, "aaaa": a6, "cname": target,
			"acme_challenge": map[string]any{"name": "_acme-challenge." + c.hostname, "target": c.hostname + "." + target},
			"ownership":      map[string]any{"name": "_fly-ownership." + c.hostname, "app_value": "app-" + a.id, "org_value": "org-" + a.org},
		},
	}
}

// cert finds the certificate that the path names. Callers hold s.mu.
func (s *Server) cert(r *http.Request) (*app, int, error) {
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return nil, 0, err
	}
	for i, c := range a.certs {
		if c.hostname == strings.ToLower(r.PathValue("host")) {
			return a, i, nil
		}
	}
	return nil, 0, notFound("certificate for " + r.PathValue("host"))
}

func (s *Server) certCall(f func(*certificate)) endpoint {
	return func(r *http.Request) (reply, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		a, i, err := s.cert(r)
		if err != nil {
			return reply{}, err
		}
		f(a.certs[i])
		return ok(s.certDoc(a, a.certs[i]))
	}
}

func (s *Server) createCert(custom bool) endpoint {
	return func(r *http.Request) (reply, error) {
		var in struct {
			Hostname  string `json:"hostname"`
			Fullchain string `json:"fullchain"`
			Key       string `json:"private_key"`
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
		c, err := s.newCert(a, in.Hostname, custom)
		if err != nil {
			return reply{}, err
		}
		if custom && (in.Fullchain == "" || in.Key == "") {
			return reply{}, fail(http.StatusUnprocessableEntity, "fullchain and private_key are required")
		}
		return reply{code: http.StatusCreated, body: s.certDoc(a, c)}, nil
	}
}

func (s *Server) newCert(a *app, hostname string, custom bool) (*certificate, error) {
	host := strings.ToLower(strings.TrimSpace(hostname))
	if !strings.Contains(host, ".") || strings.ContainsAny(host, " /:") {
		return nil, fail(http.StatusUnprocessableEntity, "hostname is invalid")
	}
	for _, other := range s.apps {
		for _, c := range other.certs {
			if c.hostname == host {
				return nil, fail(http.StatusUnprocessableEntity, "hostname already exists on app "+other.name)
			}
		}
	}
	c := &certificate{hostname: host, custom: custom, active: custom, createdAt: s.w.Now(), updatedAt: s.w.Now()}
	a.certs = append(a.certs, c)
	a.w.AddHost(host)
	return c, nil
}

func (s *Server) listCerts(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	filter := r.URL.Query().Get("filter")
	var all []*certificate
	for _, c := range a.certs {
		if strings.Contains(c.hostname, filter) {
			all = append(all, c)
		}
	}
	list, next := page(s, r, all, func(c *certificate) string { return c.hostname })
	docs := make([]any, 0, len(list))
	for _, c := range list {
		docs = append(docs, c.summary())
	}
	body := map[string]any{"certificates": docs, "total_count": len(all)}
	if next != "" {
		body["next_cursor"] = next
	}
	return ok(body)
}

func (s *Server) deleteCert(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, i, err := s.cert(r)
	if err != nil {
		return reply{}, err
	}
	a.w.RemoveHost(a.certs[i].hostname)
	a.certs = append(a.certs[:i], a.certs[i+1:]...)
	return reply{code: http.StatusNoContent}, nil
}
