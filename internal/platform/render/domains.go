package render

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// apexAddress is Render's address for names that cannot be a CNAME: the root of a zone.
const apexAddress = "216.24.57.1"

const verified = "verified"

type customDomain struct {
	Name               string `json:"name"`
	DomainType         string `json:"domainType"` // apex or subdomain
	VerificationStatus string `json:"verificationStatus"`
	RedirectForName    string `json:"redirectForName"`
}

// domain says what has to stand in the DNS. Render gets a certificate by itself as
// soon as the name points to it, and tells nothing of it.
func (d customDomain) domain(svc *service) platform.Domain {
	ready := d.VerificationStatus == verified
	record := platform.DNSRecord{Type: "CNAME", Name: d.Name, Value: svc.host(), Found: ready}
	if d.DomainType == "apex" {
		record.Type, record.Value = "A", apexAddress
	}
	out := platform.Domain{Name: d.Name, Ready: ready, Certificate: d.VerificationStatus, Records: []platform.DNSRecord{record}}
	if !ready {
		out.Problem = "Render has not seen the record yet; an AAAA record of the name would be in the way"
	}
	return out
}

func domainsPath(svc *service) string { return servicePath(svc.ID) + "/custom-domains" }

func domainPath(svc *service, name string) string {
	return domainsPath(svc) + "/" + url.PathEscape(name)
}

// Domains lists the names, also those that Render added itself: www for a root, and the reverse.
func (p *Platform) Domains(ctx context.Context, app string) ([]platform.Domain, error) {
	s, err := p.known(ctx, app)
	if err != nil {
		return nil, err
	}
	all, err := list[customDomain](ctx, p, domainsPath(s.svc), nil, "customDomain", 0)
	if err != nil {
		return nil, explain(err, "list the domains of %q", app)
	}
	slices.SortFunc(all, func(a, b customDomain) int { return strings.Compare(a.Name, b.Name) })
	out := make([]platform.Domain, len(all))
	for i, d := range all {
		out[i] = d.domain(s.svc)
	}
	return out, nil
}

// AddDomain adds a name, or finds that it is there.
func (p *Platform) AddDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	s, err := p.known(ctx, app)
	if err != nil {
		return platform.Domain{}, err
	}
	d, err := p.getDomain(ctx, s.svc, name)
	if err == nil {
		return d.domain(s.svc), nil
	}
	if !missing(err) {
		return platform.Domain{}, explain(err, "look for the domain %s", name)
	}
	var made []customDomain
	err = p.once(ctx,
		func() error {
			return p.call(ctx, http.MethodPost, domainsPath(s.svc), nil, map[string]string{"name": name}, &made)
		},
		func() (bool, error) {
			d, err := p.getDomain(ctx, s.svc, name)
			if missing(err) {
				return false, nil
			}
			made = []customDomain{d}
			return err == nil, err
		})
	switch status(err) {
	case http.StatusConflict:
		return platform.Domain{}, errs.Wrap(err, errs.Conflict, "add the domain %s", name).WithHint("it belongs to another service: remove it there first")
	case http.StatusBadRequest:
		return platform.Domain{}, errs.Wrap(err, errs.Usage, "add the domain %s", name).WithHint("a name such as erp.example.com; with other letters in Punycode (xn--...)")
	}
	if err != nil {
		return platform.Domain{}, explain(err, "add the domain %s", name)
	}
	for _, d := range made {
		if strings.EqualFold(d.Name, name) {
			return d.domain(s.svc), nil
		}
	}
	return platform.Domain{}, errs.New(errs.Failure, "Render did not add the domain %s", name).WithHint("run the same command again")
}

func (p *Platform) getDomain(ctx context.Context, svc *service, name string) (customDomain, error) {
	var d customDomain
	err := p.call(ctx, http.MethodGet, domainPath(svc, name), nil, nil, &d)
	return d, err
}

// CheckDomain makes Render look at the DNS, and tells what it saw.
func (p *Platform) CheckDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	s, err := p.known(ctx, app)
	if err != nil {
		return platform.Domain{}, err
	}
	err = p.call(again(ctx), http.MethodPost, domainPath(s.svc, name)+"/verify", nil, nil, nil)
	if missing(err) {
		return platform.Domain{}, noDomain(app, name)
	}
	if err != nil {
		return platform.Domain{}, explain(err, "check the domain %s", name)
	}
	d, err := p.getDomain(ctx, s.svc, name)
	if missing(err) {
		return platform.Domain{}, noDomain(app, name)
	}
	if err != nil {
		return platform.Domain{}, explain(err, "look at the domain %s", name)
	}
	return d.domain(s.svc), nil
}

// RemoveDomain takes a name away.
func (p *Platform) RemoveDomain(ctx context.Context, app, name string) error {
	s, err := p.known(ctx, app)
	if err != nil {
		return err
	}
	// Looked for first: a repeated DELETE would not tell a name that was never there.
	if _, err := p.getDomain(ctx, s.svc, name); err != nil {
		if missing(err) {
			return noDomain(app, name)
		}
		return explain(err, "look for the domain %s", name)
	}
	err = p.call(ctx, http.MethodDelete, domainPath(s.svc, name), nil, nil, nil)
	if missing(err) {
		return nil
	}
	return explain(err, "remove the domain %s", name)
}

func noDomain(app, name string) error {
	return errs.New(errs.NotFound, "%q does not have the domain %s", app, name).WithHint("see: opsctl domains list")
}
