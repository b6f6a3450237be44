package render

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// domain is a custom domain of a service. It is routed once it is verified.
type domain struct {
	ID, Name     string
	Apex         bool
	PublicSuffix string
	RedirectFor  string // the other one of apex and www, where this one was added with it
	Verified     bool
	CreatedAt    time.Time
}

func (s *Server) domainRoutes() {
	const all = "/services/{service}/custom-domains"
	s.handle("GET "+all, s.serviceCall(s.listDomains))
	s.handle("POST "+all, s.serviceCall(s.createDomain))
	s.handle("GET "+all+"/{domain}", s.domainCall(func(v *service, d *domain) (reply, error) { return ok(domainDoc(v, d)) }))
	s.handle("DELETE "+all+"/{domain}", s.domainCall(s.deleteDomain))
	s.handle("POST "+all+"/{domain}/verify", s.domainCall(func(v *service, d *domain) (reply, error) {
		// The request stands for the user having set the DNS records.
		v.verify(d)
		return empty(http.StatusAccepted)
	}))
}

// domainCall finds a domain by its id or its name.
func (s *Server) domainCall(f func(*service, *domain) (reply, error)) endpoint {
	return s.serviceCall(func(r *http.Request, v *service) (reply, error) {
		key := r.PathValue("domain")
		for _, d := range v.Domains {
			if d.ID == key || d.Name == strings.ToLower(key) {
				return f(v, d)
			}
		}
		return reply{}, notFound("custom domain", key)
	})
}

func (v *service) verify(d *domain) {
	if !d.Verified {
		d.Verified = true
		v.app.AddHost(d.Name)
	}
}

// VerifyDomain stands for the DNS records of a domain being set: it is verified
// and routed without anybody asking. It reports whether there is such a domain.
func (s *Server) VerifyDomain(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.st.Services {
		for _, d := range v.Domains {
			if d.Name == strings.ToLower(name) {
				v.verify(d)
				return true
			}
		}
	}
	return false
}

// createDomain adds a domain. With the apex of a zone comes its www, and with
// that its apex; the answer is a list for that reason.
func (s *Server) createDomain(r *http.Request, v *service) (reply, error) {
	var in struct {
		Name string `json:"name"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	name := strings.ToLower(strings.TrimSuffix(strings.TrimSpace(in.Name), "."))
	if !validDomain(name) {
		return reply{}, bad("invalid domain name %q", in.Name)
	}
	if v.Type != webService && v.Type != staticSite {
		return reply{}, bad("a %s has no custom domains", v.Type)
	}
	names := []string{name}
	suffix := publicSuffix(name)
	if apex(name, suffix) {
		names = append(names, "www."+name)
	} else if rest, is := strings.CutPrefix(name, "www."); is && apex(rest, suffix) {
		names = append(names, rest)
	}
	docs := []any{}
	for _, n := range names {
		if s.domainTaken(n) {
			if n == name {
				return reply{}, fail(http.StatusConflict, "the domain %s is in use already", n)
			}
			continue
		}
		d := &domain{ID: s.id("cdm"), Name: n, Apex: apex(n, suffix), PublicSuffix: suffix, CreatedAt: s.w.Now()}
		if n != name {
			d.RedirectFor = name
		}
		v.Domains = append(v.Domains, d)
		docs = append(docs, domainDoc(v, d))
	}
	return created(docs)
}

func (s *Server) domainTaken(name string) bool {
	for _, v := range s.st.Services {
		if slices.ContainsFunc(v.Domains, func(d *domain) bool { return d.Name == name }) {
			return true
		}
	}
	return false
}

func validDomain(name string) bool {
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || strings.Trim(l, "-") != l || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-*") != "" {
			return false
		}
	}
	return len(labels) > 1
}

// publicSuffix is the part that belongs to nobody: the last label, or two of
// them in the common cases; the whole list is not needed here.
func publicSuffix(name string) string {
	labels := strings.Split(name, ".")
	n := len(labels)
	second := []string{"co", "com", "org", "net", "ac", "gov", "edu"}
	if n > 2 && len(labels[n-1]) == 2 && slices.Contains(second, labels[n-2]) {
		return strings.Join(labels[n-2:], ".")
	}
	return labels[n-1]
}

func apex(name, suffix string) bool {
	return !strings.Contains(strings.TrimSuffix(name, "."+suffix), ".")
}

func domainDoc(v *service, d *domain) map[string]any {
	typ, status := "subdomain", "unverified"
	if d.Apex {
		typ = "apex"
	}
	if d.Verified {
		status = "verified"
	}
	return map[string]any{
		"id": d.ID, "name": d.Name, "domainType": typ, "publicSuffix": d.PublicSuffix, "redirectForName": d.RedirectFor,
		"verificationStatus": status, "createdAt": stamp(d.CreatedAt), "server": map[string]any{"id": v.ID, "name": v.Name},
	}
}

func (s *Server) listDomains(r *http.Request, v *service) (reply, error) {
	f := newFilter(r)
	var list []*domain
	for _, d := range v.Domains {
		doc := domainDoc(v, d)
		if f.any("name", d.Name) && f.any("domainType", doc["domainType"].(string)) && f.any("verificationStatus", doc["verificationStatus"].(string)) &&
			f.times("created", &d.CreatedAt) {
			list = append(list, d)
		}
	}
	if f.err != nil {
		return reply{}, f.err
	}
	return page(s, r, list, "customDomain", func(d *domain) string { return d.ID }, func(d *domain) any { return domainDoc(v, d) })
}

func (s *Server) deleteDomain(v *service, d *domain) (reply, error) {
	v.app.RemoveHost(d.Name)
	v.Domains = remove(v.Domains, d)
	return empty(http.StatusNoContent)
}
