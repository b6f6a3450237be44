package railway

import (
	"context"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// What the API calls a certificate and a record that are as they should be.
const (
	certificateValid  = "CERTIFICATE_STATUS_TYPE_VALID"
	certificateFailed = "CERTIFICATE_STATUS_TYPE_ISSUE_FAILED"
	recordStands      = "DNS_RECORD_STATUS_PROPAGATED"
)

const domainFields = ` id domain status {
	verified verificationDnsHost verificationToken certificateStatus certificateErrorMessage certificateRetryable
	dnsRecords { recordType fqdn zone requiredValue currentValue status }
} `

type customDomain struct {
	ID     string `json:"id"`
	Domain string `json:"domain"`
	Status struct {
		Verified         bool   `json:"verified"`
		VerificationHost string `json:"verificationDnsHost"`
		VerificationText string `json:"verificationToken"`
		Certificate      string `json:"certificateStatus"`
		CertificateError string `json:"certificateErrorMessage"`
		Retryable        bool   `json:"certificateRetryable"`
		Records          []struct {
			Type     string `json:"recordType"`
			Name     string `json:"fqdn"`
			Zone     string `json:"zone"`
			Required string `json:"requiredValue"`
			Current  string `json:"currentValue"`
			Status   string `json:"status"`
		} `json:"dnsRecords"`
	} `json:"status"`
}

// domain is a custom domain in the words of package platform. The record that
// proves the ownership is not among dnsRecords.
func (d customDomain) domain() platform.Domain {
	s := d.Status
	out := platform.Domain{
		Name: d.Domain, Certificate: strings.ToLower(strings.TrimPrefix(s.Certificate, "CERTIFICATE_STATUS_TYPE_")),
		Ready: s.Certificate == certificateValid, Problem: s.CertificateError,
	}
	for _, r := range s.Records {
		found := r.Status == recordStands || r.Current != "" && strings.EqualFold(strings.TrimSuffix(r.Current, "."), strings.TrimSuffix(r.Required, "."))
		out.Records = append(out.Records, platform.DNSRecord{Type: strings.TrimPrefix(r.Type, "DNS_RECORD_TYPE_"), Name: withZone(r.Name, r.Zone), Value: r.Required, Found: found})
		out.Ready = out.Ready && found
	}
	if s.VerificationText != "" {
		host := s.VerificationHost
		if host == "" {
			host = "_railway-verify." + d.Domain
		}
		out.Records = append(out.Records, platform.DNSRecord{Type: "TXT", Name: host, Value: s.VerificationText, Found: s.Verified})
	}
	return out
}

// withZone is the full name of a record, which the API gives without the zone at times.
func withZone(name, zone string) string {
	name, zone = strings.TrimSuffix(name, "."), strings.TrimSuffix(zone, ".")
	switch {
	case zone == "" || strings.EqualFold(name, zone) || strings.HasSuffix(strings.ToLower(name), "."+strings.ToLower(zone)):
		return name
	case name == "" || name == "@":
		return zone
	}
	return name + "." + zone
}

// customDomains are those of the service. They are listed: asking for one by its
// id is refused to most tokens.
func (p *Platform) customDomains(ctx context.Context, v *view) ([]customDomain, error) {
	var data struct {
		Domains struct {
			Custom []customDomain `json:"customDomains"`
		} `json:"domains"`
	}
	const text = "query($project: String!, $environment: String!, $service: String!) { domains(projectId: $project, environmentId: $environment, serviceId: $service) { customDomains {" + domainFields + "} } }"
	if err := p.query(ctx, text, v.vars(map[string]any{"service": v.service}), &data); err != nil {
		return nil, p.explain(err, "list the domains of %q", v.app)
	}
	list := data.Domains.Custom
	slices.SortFunc(list, func(a, b customDomain) int { return strings.Compare(a.Domain, b.Domain) })
	return list, nil
}

// Domains lists the app's own names.
func (p *Platform) Domains(ctx context.Context, app string) ([]platform.Domain, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	list, err := p.customDomains(ctx, v)
	if err != nil {
		return nil, err
	}
	out := make([]platform.Domain, 0, len(list))
	for _, d := range list {
		out = append(out, d.domain())
	}
	return out, nil
}

// findDomain is the custom domain of that name; nil when the app does not have it.
func (p *Platform) findDomain(ctx context.Context, v *view, name string) (*customDomain, error) {
	list, err := p.customDomains(ctx, v)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if strings.EqualFold(list[i].Domain, name) {
			return &list[i], nil
		}
	}
	return nil, nil
}

// AddDomain adds a name, or finds the one that is there.
func (p *Platform) AddDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return platform.Domain{}, err
	}
	have, err := p.findDomain(ctx, v, name)
	if err != nil {
		return platform.Domain{}, err
	}
	if have != nil {
		return have.domain(), nil
	}
	create := func() error {
		var data struct {
			Domain customDomain `json:"customDomainCreate"`
		}
		const text = "mutation($input: CustomDomainCreateInput!) { customDomainCreate(input: $input) {" + domainFields + "} }"
		in := map[string]any{"domain": name, "projectId": v.project.ID, "environmentId": v.environment.ID, "serviceId": v.service}
		err := p.mutate(ctx, text, map[string]any{"input": in}, &data, false)
		have = &data.Domain
		return err
	}
	find := func() (bool, error) {
		have, err = p.findDomain(ctx, v, name)
		return have != nil, err
	}
	if err := p.once(ctx, create, find); err != nil {
		if e, ok := asAPI(err); ok && e.says("not available", "already", "in use", "taken") {
			return platform.Domain{}, errs.Wrap(err, errs.Conflict, "add the domain %q", name).WithHint("it is used by another service: remove it there first")
		}
		return platform.Domain{}, p.explain(err, "add the domain %q", name)
	}
	return have.domain(), nil
}

// domainNow asks for one domain, which has Railway look at it. Tokens that are
// refused this question get what the list says.
func (p *Platform) domainNow(ctx context.Context, v *view, listed *customDomain) (*customDomain, error) {
	var data struct {
		Domain customDomain `json:"customDomain"`
	}
	const text = "query($id: String!, $project: String!) { customDomain(id: $id, projectId: $project) {" + domainFields + "} }"
	err := p.query(ctx, text, map[string]any{"id": listed.ID, "project": v.project.ID}, &data)
	if refused(err) || missing(err) {
		return listed, nil
	}
	return &data.Domain, p.explain(err, "look at the domain %q", listed.Domain)
}

// CheckDomain reads how the domain stands, and asks for the certificate again
// where that failed and may go well now.
func (p *Platform) CheckDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	v, d, err := p.ownDomain(ctx, app, name)
	if err != nil {
		return platform.Domain{}, err
	}
	if d, err = p.domainNow(ctx, v, d); err != nil {
		return platform.Domain{}, err
	}
	if d.Status.Certificate == certificateFailed && d.Status.Retryable {
		const text = "mutation($id: String!) { customDomainIssueCertificate(id: $id) }"
		if err := p.mutate(ctx, text, map[string]any{"id": d.ID}, nil, true); err != nil {
			return platform.Domain{}, p.explain(err, "ask for the certificate of %q", name)
		}
		if d, err = p.findDomain(ctx, v, name); err != nil || d == nil {
			return platform.Domain{}, err
		}
	}
	return d.domain(), nil
}

func (p *Platform) ownDomain(ctx context.Context, app, name string) (*view, *customDomain, error) {
	v, err := p.look(ctx, app)
	if err != nil {
		return nil, nil, err
	}
	d, err := p.findDomain(ctx, v, name)
	if err == nil && d == nil {
		err = errs.New(errs.NotFound, "%q does not have the domain %q", app, name).WithHint("run: opsctl domains add %s", name)
	}
	return v, d, err
}

// RemoveDomain takes a name away.
func (p *Platform) RemoveDomain(ctx context.Context, app, name string) error {
	_, d, err := p.ownDomain(ctx, app, name)
	if err != nil {
		return err
	}
	err = p.mutate(ctx, "mutation($id: String!) { customDomainDelete(id: $id) }", map[string]any{"id": d.ID}, nil, true)
	if missing(err) { // the first of two attempts did it
		return nil
	}
	return p.explain(err, "remove the domain %q", name)
}
