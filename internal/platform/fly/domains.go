package fly

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform"
)

// Statuses of a certificate; the others are said as they are.
const (
	certificateActive    = "active"
	certificateOwnership = "pending_ownership"
)

// certificate is the API's account of a name: its certificates, what has to stand in
// the DNS, and, after a check, what stands there.
type certificate struct {
	Hostname         string `json:"hostname"`
	Configured       bool   `json:"configured"`
	Status           string `json:"status"`
	RateLimitedUntil string `json:"rate_limited_until"`
	Requirements     struct {
		A             []string `json:"a"`
		AAAA          []string `json:"aaaa"`
		CNAME         string   `json:"cname"`
		ACMEChallenge struct {
			Name   string `json:"name"`
			Target string `json:"target"`
		} `json:"acme_challenge"`
		Ownership struct {
			Name     string `json:"name"`
			AppValue string `json:"app_value"`
		} `json:"ownership"`
	} `json:"dns_requirements"`
	Validation struct {
		DNS       bool `json:"dns_configured"`
		Ownership bool `json:"ownership_txt_configured"`
	} `json:"validation"`
	Errors []struct {
		Code        string `json:"code"`
		Message     string `json:"message"`
		Remediation string `json:"remediation"`
	} `json:"validation_errors"`
	Records *struct {
		A                  []string `json:"a"`
		AAAA               []string `json:"aaaa"`
		CNAME              []string `json:"cname"`
		ACMEChallengeCNAME string   `json:"acme_challenge_cname"`
		OwnershipTXT       string   `json:"ownership_txt"`
		Resolved           []string `json:"resolved_addresses"`
	} `json:"dns_records"`
}

func certificatesPath(app string) string { return "/apps/" + url.PathEscape(app) + "/certificates" }

func certificatePath(app, name string) string {
	return certificatesPath(app) + "/" + url.PathEscape(name)
}

// Domains lists the names of an app, with their records. The list of the API has no
// records, so each name is asked for.
func (p *Platform) Domains(ctx context.Context, app string) ([]platform.Domain, error) {
	var names []string
	for cursor := ""; ; {
		path := certificatesPath(app)
		if cursor != "" {
			path += "?cursor=" + url.QueryEscape(cursor)
		}
		var page struct {
			Certificates []struct {
				Hostname string `json:"hostname"`
			} `json:"certificates"`
			NextCursor string `json:"next_cursor"`
		}
		if err := p.machinesCall(ctx, http.MethodGet, path, nil, &page, nil); err != nil {
			return nil, explain(err, "list the domains of %q", app)
		}
		for _, c := range page.Certificates {
			names = append(names, c.Hostname)
		}
		if page.NextCursor == "" || page.NextCursor == cursor {
			break
		}
		cursor = page.NextCursor
	}
	slices.Sort(names)
	out := make([]platform.Domain, 0, len(names))
	for _, name := range names {
		c, err := p.certificate(ctx, app, name)
		if err != nil {
			return nil, err
		}
		if c != nil { // it may have been removed since
			out = append(out, c.domain())
		}
	}
	return out, nil
}

// certificate reads how a name stands; nil when the app does not have it.
func (p *Platform) certificate(ctx context.Context, app, name string) (*certificate, error) {
	var c certificate
	err := p.machinesCall(ctx, http.MethodGet, certificatePath(app, name), nil, &c, nil)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	return &c, explain(err, "look at the domain %s", name)
}

// AddDomain asks for a certificate of Let's Encrypt, which Fly.io gets once the name points to the app.
func (p *Platform) AddDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	have, err := p.certificate(ctx, app, name)
	if err != nil {
		return platform.Domain{}, err
	}
	if have != nil {
		return have.domain(), nil
	}
	var made certificate
	err = p.machinesCall(ctx, http.MethodPost, certificatesPath(app)+"/acme", map[string]string{"hostname": name}, &made, nil)
	if err == nil {
		return made.domain(), nil
	}
	if lost(ctx, err) || status(err) == http.StatusUnprocessableEntity { // it may have been made, by us or just now by somebody else
		if have, e := p.certificate(ctx, app, name); e == nil && have != nil {
			return have.domain(), nil
		}
	}
	switch status(err) {
	case http.StatusNotFound:
		return platform.Domain{}, noApp(app)
	case http.StatusUnprocessableEntity, http.StatusBadRequest:
		return platform.Domain{}, errs.Wrap(err, errs.Usage, "add the domain %s", name)
	}
	return platform.Domain{}, explain(err, "add the domain %s", name)
}

// CheckDomain has the DNS looked at again.
func (p *Platform) CheckDomain(ctx context.Context, app, name string) (platform.Domain, error) {
	var c certificate
	err := p.machinesCall(httpx.WithRetryable(ctx), http.MethodPost, certificatePath(app, name)+"/check", nil, &c, nil)
	if status(err) == http.StatusNotFound {
		return platform.Domain{}, noDomain(app, name)
	}
	if err != nil {
		return platform.Domain{}, explain(err, "check the domain %s", name)
	}
	return c.domain(), nil
}

// RemoveDomain removes a name with its certificates.
func (p *Platform) RemoveDomain(ctx context.Context, app, name string) error {
	// Not repeated by itself: the second answer to a removal would be that there is nothing.
	err := p.machinesCall(httpx.WithoutRetry(ctx), http.MethodDelete, certificatePath(app, name), nil, nil, nil)
	if err != nil && transient(err) && ctx.Err() == nil {
		if err := p.sleep(ctx, pollInterval); err != nil {
			return err
		}
		have, e := p.certificate(ctx, app, name)
		switch {
		case e != nil:
			return e
		case have == nil:
			return nil
		}
		err = p.machinesCall(ctx, http.MethodDelete, certificatePath(app, name), nil, nil, nil)
	}
	if status(err) == http.StatusNotFound {
		return noDomain(app, name)
	}
	return explain(err, "remove the domain %s", name)
}

func noDomain(app, name string) error {
	return errs.New(errs.NotFound, "%q does not have the domain %s", app, name).WithHint("run: opsctl domains add %s", name)
}

// domain is a certificate in the words of package platform.
func (c certificate) domain() platform.Domain {
	d := platform.Domain{Name: c.Hostname, Ready: c.Status == certificateActive, Certificate: c.Status, Records: c.records()}
	if d.Ready {
		return d
	}
	var problems []string
	for _, e := range c.Errors {
		problems = append(problems, cmp.Or(e.Remediation, e.Message, e.Code))
	}
	if c.RateLimitedUntil != "" {
		problems = append(problems, "Let's Encrypt issues no more certificates for it until "+c.RateLimitedUntil)
	}
	d.Problem = strings.Join(problems, "; ")
	return d
}

// records are those that the owner has to make. The top of a zone cannot be a CNAME,
// so it gets the app's addresses. The others prove that the name is theirs where the
// name itself does not: a wildcard, or one that points elsewhere.
func (c certificate) records() []platform.DNSRecord {
	need := c.Requirements
	var out []platform.DNSRecord
	wildcard := strings.HasPrefix(c.Hostname, "*.")
	if need.CNAME != "" && !apex(c.Hostname) {
		out = append(out, platform.DNSRecord{Type: "CNAME", Name: c.Hostname, Value: need.CNAME, Found: c.found(need.CNAME, need.A, need.AAAA)})
	} else {
		for _, a := range need.A {
			out = append(out, platform.DNSRecord{Type: "A", Name: c.Hostname, Value: a, Found: c.found("", []string{a}, nil)})
		}
		for _, a := range need.AAAA {
			out = append(out, platform.DNSRecord{Type: "AAAA", Name: c.Hostname, Value: a, Found: c.found("", nil, []string{a})})
		}
	}
	if challenge := need.ACMEChallenge; wildcard && challenge.Target != "" {
		found := c.Records != nil && sameHost(c.Records.ACMEChallengeCNAME, challenge.Target)
		out = append(out, platform.DNSRecord{Type: "CNAME", Name: challenge.Name, Value: challenge.Target, Found: found})
	}
	if own := need.Ownership; own.AppValue != "" && (wildcard || c.Status == certificateOwnership) {
		found := c.Validation.Ownership || c.Records != nil && c.Records.OwnershipTXT == own.AppValue
		out = append(out, platform.DNSRecord{Type: "TXT", Name: own.Name, Value: own.AppValue, Found: found})
	}
	return out
}

// found tells whether the name has the record, or an address that comes to the same.
func (c certificate) found(cname string, a, aaaa []string) bool {
	r := c.Records
	if r == nil {
		return c.Validation.DNS || c.Status == certificateActive
	}
	for _, have := range r.CNAME {
		if cname != "" && sameHost(have, cname) {
			return true
		}
	}
	return slices.ContainsFunc(a, func(one string) bool { return slices.Contains(r.A, one) || slices.Contains(r.Resolved, one) }) ||
		slices.ContainsFunc(aaaa, func(one string) bool { return slices.Contains(r.AAAA, one) || slices.Contains(r.Resolved, one) })
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}

// apex tells whether a name is the top of a zone that can be bought: example.com,
// example.co.uk. It goes by the usual second levels of the country codes; where it is
// wrong, the records are still ones that work for a name below the top.
func apex(name string) bool {
	labels := strings.Split(strings.TrimSuffix(name, "."), ".")
	n := len(labels)
	if n <= 2 {
		return true
	}
	second := []string{"ac", "co", "com", "edu", "gov", "gv", "ltd", "me", "ne", "net", "nom", "or", "org", "plc", "sch"}
	return n == 3 && len(labels[2]) == 2 && slices.Contains(second, strings.ToLower(labels[1]))
}
