package railway

import (
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

type serviceDomain struct {
	ID, Label, ServiceID, EnvironmentID, ProjectID string
	TargetPort                                     int
	CreatedAt                                      time.Time
}

type customDomain struct {
	ID, Domain, ServiceID, EnvironmentID, ProjectID string
	Token                                           string
	TargetPort, Queries                             int
	Valid, Failed                                   bool
	CreatedAt                                       time.Time
}

type tcpProxy struct {
	ID, ServiceID, EnvironmentID, Domain string
	ApplicationPort, Port                int
	CreatedAt                            time.Time
}

// publicDomain is the first domain of an instance, "" when it has none.
func (s *Server) publicDomain(i *instance) string {
	for _, d := range s.st.CustomDomains {
		if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID && d.Valid {
			return d.Domain
		}
	}
	for _, d := range s.st.ServiceDomains {
		if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID {
			return s.domain(d.Label)
		}
	}
	return ""
}

// privateDomain is the name in the private network. A database's is this
// machine: there is no private network here that its clients could be in.
func (s *Server) privateDomain(i *instance) string {
	if engineOf(i.Settings.Image) != "" {
		return "127.0.0.1"
	}
	return label(s.serviceName(i.ServiceID)) + ".railway.internal"
}

func (s *Server) serviceDomainObject(d *serviceDomain) *object {
	suffix := publicSuffix
	if s.opts.Port != nil {
		_, suffix, _ = strings.Cut(s.domain(d.Label), ".")
	}
	return &object{"ServiceDomain", map[string]any{
		"id": d.ID, "domain": s.domain(d.Label), "suffix": suffix, "serviceId": d.ServiceID, "environmentId": d.EnvironmentID, "projectId": d.ProjectID,
		"targetPort": orNil(d.TargetPort), "createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.CreatedAt), "deletedAt": nil, "edgeId": nil,
		"cdnMode": nil, "newDomainName": nil, "newHostLabel": nil, "syncStatus": "ACTIVE",
	}}
}

func (s *Server) allDomains(i *instance) *object {
	own, custom := []*object{}, []*object{}
	for _, d := range s.st.ServiceDomains {
		if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID {
			own = append(own, s.serviceDomainObject(d))
		}
	}
	for _, d := range s.st.CustomDomains {
		if d.ServiceID == i.ServiceID && d.EnvironmentID == i.EnvironmentID {
			custom = append(custom, s.customDomainObject(d))
		}
	}
	return &object{"AllDomains", map[string]any{"serviceDomains": own, "customDomains": custom}}
}

func (s *Server) createServiceDomain(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ServiceID string
			TargetPort               int
		}](args, "input")
		if err != nil {
			return nil, err
		}
		i, err := s.instance(c, in.ServiceID, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		d := &serviceDomain{
			ID: s.uuid(), Label: i.App, ServiceID: i.ServiceID, EnvironmentID: i.EnvironmentID, ProjectID: i.ProjectID, TargetPort: in.TargetPort, CreatedAt: s.w.Now(),
		}
		for slices.ContainsFunc(s.st.ServiceDomains, func(o *serviceDomain) bool { return o.Label == d.Label }) {
			d.Label = i.App + "-" + s.w.Hex(4)
		}
		s.st.ServiceDomains = append(s.st.ServiceDomains, d)
		s.open(i, d)
		s.touch()
		return s.serviceDomainObject(d), nil
	}
}

// open makes the service answer under the domain.
func (s *Server) open(i *instance, d *serviceDomain) {
	s.addHost(i, d.Label+"."+publicSuffix)
	s.addHost(i, d.Label+".localhost")
}

// addHost makes the service answer under a host name, once.
func (s *Server) addHost(i *instance, host string) {
	if app := s.app(i); app != nil && s.w.AppByHost(host) != app {
		app.AddHost(host)
	}
}

func (s *Server) deleteServiceDomain(c *caller) resolver {
	return func(args arguments) (any, error) {
		d := find(s.st.ServiceDomains, func(d *serviceDomain) bool { return d.ID == args.str("id") })
		if d == nil {
			return nil, notFound("ServiceDomain")
		}
		i, err := s.instance(c, d.ServiceID, d.EnvironmentID)
		if err != nil {
			return nil, err
		}
		if app := s.app(i); app != nil {
			app.RemoveHost(d.Label + "." + publicSuffix)
			app.RemoveHost(d.Label + ".localhost")
		}
		s.st.ServiceDomains = slices.DeleteFunc(s.st.ServiceDomains, func(o *serviceDomain) bool { return o == d })
		s.touch()
		return true, nil
	}
}

// domainName is a name below a top-level domain.
var domainName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\*\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$`)
})

func (s *Server) createCustomDomain(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			Domain, EnvironmentID, ProjectID, ServiceID string
			TargetPort                                  int
		}](args, "input")
		if err != nil {
			return nil, err
		}
		i, err := s.instance(c, in.ServiceID, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		in.Domain = strings.ToLower(in.Domain)
		if !domainName().MatchString(in.Domain) {
			return nil, invalid("Invalid domain: %s", in.Domain)
		}
		if slices.ContainsFunc(s.st.CustomDomains, func(d *customDomain) bool { return d.Domain == in.Domain }) {
			return nil, fail("Domain is not available: %s", in.Domain)
		}
		d := &customDomain{
			ID: s.uuid(), Domain: in.Domain, ServiceID: i.ServiceID, EnvironmentID: i.EnvironmentID, ProjectID: i.ProjectID,
			Token: "railway-verify=" + s.w.Hex(40), TargetPort: in.TargetPort, CreatedAt: s.w.Now(),
		}
		s.st.CustomDomains = append(s.st.CustomDomains, d)
		s.touch()
		return s.customDomainObject(d), nil
	}
}

func (s *Server) customDomain(c *caller, id string) (*customDomain, *instance, error) {
	d := find(s.st.CustomDomains, func(d *customDomain) bool { return d.ID == id })
	if d == nil {
		return nil, nil, notFound("CustomDomain")
	}
	i, err := s.instance(c, d.ServiceID, d.EnvironmentID)
	return d, i, err
}

// readCustomDomain answers `customDomain`: some queries after its creation the
// DNS records are found and the certificate is there, unless FailDomain said
// otherwise.
func (s *Server) readCustomDomain(c *caller) resolver {
	return func(args arguments) (any, error) {
		d, _, err := s.customDomain(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		if d.ProjectID != args.str("projectId") {
			return nil, notFound("CustomDomain")
		}
		d.Queries++
		if d.Queries >= s.opts.Domains && !d.Failed {
			s.validate(d)
		}
		return s.customDomainObject(d), nil
	}
}

func (s *Server) validate(d *customDomain) {
	if i := s.st.instance(d.ServiceID, d.EnvironmentID); i != nil && !d.Valid {
		d.Valid = true
		s.addHost(i, d.Domain)
		s.touch()
	}
}

// FailDomain makes the certificate of a custom domain fail until
// customDomainIssueCertificate is called.
func (s *Server) FailDomain(domain string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := find(s.st.CustomDomains, func(d *customDomain) bool { return d.Domain == domain })
	if d == nil {
		return fmt.Errorf("no custom domain %s", domain)
	}
	d.Failed, d.Valid = true, false
	return nil
}

func (s *Server) issueCertificate(c *caller) resolver {
	return func(args arguments) (any, error) {
		d, _, err := s.customDomain(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		d.Failed, d.Queries = false, s.opts.Domains-1
		s.touch()
		return true, nil
	}
}

func (s *Server) deleteCustomDomain(c *caller) resolver {
	return func(args arguments) (any, error) {
		d, i, err := s.customDomain(c, args.str("id"))
		if err != nil {
			return nil, err
		}
		if app := s.app(i); app != nil {
			app.RemoveHost(d.Domain)
		}
		s.st.CustomDomains = slices.DeleteFunc(s.st.CustomDomains, func(o *customDomain) bool { return o == d })
		s.touch()
		return true, nil
	}
}

func (s *Server) customDomainObject(d *customDomain) *object {
	host, zone := split(d.Domain)
	target := ""
	if i := s.st.instance(d.ServiceID, d.EnvironmentID); i != nil {
		target = i.App[:min(len(i.App), 8)] + "." + publicSuffix
	}
	record := func(typ, label, fqdn, want string) *object {
		status, current := "DNS_RECORD_STATUS_REQUIRES_UPDATE", ""
		if d.Valid {
			status, current = "DNS_RECORD_STATUS_PROPAGATED", want
		}
		return &object{"DNSRecords", map[string]any{
			"recordType": typ, "hostlabel": label, "fqdn": fqdn, "zone": zone, "requiredValue": want, "currentValue": current, "status": status,
			"purpose": "DNS_RECORD_PURPOSE_TRAFFIC_ROUTE",
		}}
	}
	verifyHost := strings.Trim("_railway-verify."+host, ".")
	status := map[string]any{
		"verified": d.Valid, "verificationDnsHost": verifyHost, "verificationToken": d.Token, "cdnProvider": nil, "certificates": nil,
		"certificateStatus": "CERTIFICATE_STATUS_TYPE_VALIDATING_OWNERSHIP", "certificateStatusDetailed": nil,
		"certificateErrorMessage": nil, "certificateErrorType": nil, "certificateRetryable": nil,
		"dnsRecords": []*object{record("DNS_RECORD_TYPE_CNAME", host, d.Domain, target)},
	}
	switch {
	case d.Failed:
		status["certificateStatus"], status["certificateErrorType"] = "CERTIFICATE_STATUS_TYPE_ISSUE_FAILED", "CERTIFICATE_ERROR_TYPE_DNS_VALIDATION"
		status["certificateErrorMessage"], status["certificateRetryable"] = "DNS validation failed", true
	case d.Valid:
		status["certificateStatus"] = "CERTIFICATE_STATUS_TYPE_VALID"
	case d.Queries > 0:
		status["certificateStatus"] = "CERTIFICATE_STATUS_TYPE_ISSUING"
	}
	return &object{"CustomDomain", map[string]any{
		"id": d.ID, "domain": d.Domain, "serviceId": d.ServiceID, "environmentId": d.EnvironmentID, "projectId": d.ProjectID, "targetPort": orNil(d.TargetPort),
		"createdAt": stamp(d.CreatedAt), "updatedAt": stamp(d.CreatedAt), "deletedAt": nil, "edgeId": nil, "cdnMode": nil, "isRailwayDomain": false,
		"syncStatus": "ACTIVE", "status": &object{"CustomDomainStatus", status},
	}}
}

// split takes a domain apart into the host's label and the zone.
func split(domain string) (host, zone string) {
	parts := strings.Split(domain, ".")
	if len(parts) < 3 {
		return "", domain
	}
	return strings.Join(parts[:len(parts)-2], "."), strings.Join(parts[len(parts)-2:], ".")
}

func (s *Server) proxyObject(p *tcpProxy) *object {
	return &object{"TCPProxy", map[string]any{
		"id": p.ID, "domain": p.Domain, "proxyPort": p.Port, "applicationPort": p.ApplicationPort, "serviceId": p.ServiceID, "environmentId": p.EnvironmentID,
		"createdAt": stamp(p.CreatedAt), "updatedAt": stamp(p.CreatedAt), "deletedAt": nil, "syncStatus": "ACTIVE",
	}}
}

func (s *Server) createProxy(c *caller) resolver {
	return func(args arguments) (any, error) {
		in, err := input[struct {
			EnvironmentID, ServiceID string
			ApplicationPort          int
		}](args, "input")
		if err != nil {
			return nil, err
		}
		i, err := s.instance(c, in.ServiceID, in.EnvironmentID)
		if err != nil {
			return nil, err
		}
		p, err := s.newProxy(i, in.ApplicationPort)
		if err != nil {
			return nil, err
		}
		s.touch()
		return s.proxyObject(p), nil
	}
}

// newProxy gives an instance a port of this machine.
func (s *Server) newProxy(i *instance, applicationPort int) (*tcpProxy, error) {
	p := &tcpProxy{ID: s.uuid(), ServiceID: i.ServiceID, EnvironmentID: i.EnvironmentID, ApplicationPort: applicationPort, CreatedAt: s.w.Now()}
	f, err := s.forwardTo("proxy/"+p.ID, 0, s.targetOf(i))
	if err != nil {
		return nil, fail("could not open a TCP proxy: %v", err)
	}
	p.Domain, p.Port = "127.0.0.1", f.port()
	s.st.Proxies = append(s.st.Proxies, p)
	return p, nil
}

func (s *Server) deleteProxy(c *caller) resolver {
	return func(args arguments) (any, error) {
		p := find(s.st.Proxies, func(p *tcpProxy) bool { return p.ID == args.str("id") })
		if p == nil {
			return nil, notFound("TCPProxy")
		}
		if _, err := s.instance(c, p.ServiceID, p.EnvironmentID); err != nil {
			return nil, err
		}
		s.dropForward("proxy/" + p.ID)
		s.st.Proxies = slices.DeleteFunc(s.st.Proxies, func(o *tcpProxy) bool { return o == p })
		s.touch()
		return true, nil
	}
}

// removeNetworking forgets all names and ports of an instance.
func (s *Server) removeNetworking(i *instance) {
	is := func(serviceID, environmentID string) bool {
		return serviceID == i.ServiceID && environmentID == i.EnvironmentID
	}
	for _, p := range s.st.Proxies {
		if is(p.ServiceID, p.EnvironmentID) {
			s.dropForward("proxy/" + p.ID)
		}
	}
	s.dropForward("private/" + i.ID)
	s.st.Proxies = slices.DeleteFunc(s.st.Proxies, func(p *tcpProxy) bool { return is(p.ServiceID, p.EnvironmentID) })
	s.st.ServiceDomains = slices.DeleteFunc(s.st.ServiceDomains, func(d *serviceDomain) bool { return is(d.ServiceID, d.EnvironmentID) })
	s.st.CustomDomains = slices.DeleteFunc(s.st.CustomDomains, func(d *customDomain) bool { return is(d.ServiceID, d.EnvironmentID) })
}

// hostPort joins an address.
func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
