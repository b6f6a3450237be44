package railway_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator/railway"
)

func TestDomains(t *testing.T) {
	s := start(t, func(o *railway.Options) { o.Port = func() int { return 4280 } }).site()
	s.ends(s.release("ghcr.io/acme/shop:v1"), "SUCCESS")
	if s.world.AppByHost("web-production.localhost") != nil {
		t.Error("a service without a domain is public")
	}
	d := s.must("serviceDomainCreate", `mutation($i: ServiceDomainCreateInput!) { serviceDomainCreate(input: $i) { id domain suffix targetPort syncStatus serviceId environmentId } }`, m{"i": m{"serviceId": s.service, "environmentId": s.env, "targetPort": 3000}})
	if dig(d, "domain") != "web-production.localhost:4280" || dig(d, "suffix") != "localhost:4280" {
		t.Errorf("domain %v", d)
	}
	for _, host := range []string{"web-production.localhost", "web-production.up.railway.app"} {
		if app := s.world.AppByHost(host); app == nil {
			t.Errorf("nothing answers to %s", host)
		}
	}
	if v := s.variables(false); v["RAILWAY_PUBLIC_DOMAIN"] != "web-production.localhost:4280" {
		t.Errorf("RAILWAY_PUBLIC_DOMAIN is %v", v["RAILWAY_PUBLIC_DOMAIN"])
	}

	const status = `status { verified verificationDnsHost verificationToken certificateStatus certificateErrorMessage certificateErrorType certificateRetryable dnsRecords { recordType fqdn hostlabel zone requiredValue currentValue status purpose } }`
	const create = `mutation($i: CustomDomainCreateInput!) { customDomainCreate(input: $i) { id domain syncStatus ` + status + ` } }`
	in := m{"domain": "www.example.com", "projectId": s.project, "environmentId": s.env, "serviceId": s.service}
	c := s.must("customDomainCreate", create, m{"i": in})
	if dig(c, "status.certificateStatus") != "CERTIFICATE_STATUS_TYPE_VALIDATING_OWNERSHIP" || dig(c, "status.dnsRecords.0.hostlabel") != "www" || dig(c, "status.dnsRecords.0.zone") != "example.com" {
		t.Errorf("custom domain %v", c)
	}
	s.refused("not available", create, m{"i": in})
	s.refused("Invalid domain", create, m{"i": m{"domain": "nope", "projectId": s.project, "environmentId": s.env, "serviceId": s.service}})
	read := func() any {
		return s.must("customDomain.status", `query($id: String!, $p: String!) { customDomain(id: $id, projectId: $p) { id domain ... on Domain { serviceId } `+status+` } }`, m{"id": dig(c, "id"), "p": s.project})
	}
	if got := read(); dig(got, "certificateStatus") != "CERTIFICATE_STATUS_TYPE_ISSUING" {
		t.Errorf("first look: %v", got)
	}
	if got := read(); dig(got, "certificateStatus") != "CERTIFICATE_STATUS_TYPE_VALID" || dig(got, "dnsRecords.0.status") != "DNS_RECORD_STATUS_PROPAGATED" || dig(got, "verified") != true {
		t.Errorf("second look: %v", got)
	}
	if s.world.AppByHost("www.example.com") == nil {
		t.Error("nothing answers to the custom domain")
	}
	if err := s.s.FailDomain("www.example.com"); err != nil {
		t.Fatal(err)
	}
	if got := read(); dig(got, "certificateStatus") != "CERTIFICATE_STATUS_TYPE_ISSUE_FAILED" || dig(got, "certificateErrorMessage") == nil {
		t.Errorf("failed: %v", got)
	}
	s.must("customDomainIssueCertificate", `mutation($id: String!) { customDomainIssueCertificate(id: $id) }`, m{"id": dig(c, "id")})
	if got := read(); dig(got, "certificateStatus") != "CERTIFICATE_STATUS_TYPE_VALID" {
		t.Errorf("issued again: %v", got)
	}
	all := s.must("domains", `query($p: String!, $e: String!, $s: String!) { domains(projectId: $p, environmentId: $e, serviceId: $s) { serviceDomains { id domain } customDomains { id domain } } }`, m{"p": s.project, "e": s.env, "s": s.service})
	if dig(all, "serviceDomains.0.id") != dig(d, "id") || dig(all, "customDomains.0.id") != dig(c, "id") {
		t.Errorf("domains %v", all)
	}
	s.must("customDomainDelete", `mutation($id: String!) { customDomainDelete(id: $id) }`, m{"id": dig(c, "id")})
	s.must("serviceDomainDelete", `mutation($id: String!) { serviceDomainDelete(id: $id) }`, m{"id": dig(d, "id")})
	if s.world.AppByHost("www.example.com") != nil || s.world.AppByHost("web-production.localhost") != nil {
		t.Error("deleted domains still answer")
	}
}

func TestTCPProxy(t *testing.T) {
	s := start(t).site()
	s.ends(s.release("ghcr.io/acme/shop:v1"), "SUCCESS")
	p := s.must("tcpProxyCreate", `mutation($i: TCPProxyCreateInput!) { tcpProxyCreate(input: $i) { id domain proxyPort applicationPort syncStatus } }`, m{"i": m{"serviceId": s.service, "environmentId": s.env, "applicationPort": 3000}})
	addr := dig(p, "domain").(string) + ":" + strings.TrimSpace(jsonNumber(dig(p, "proxyPort")))
	s.eventually("the app answers through the proxy", func() bool {
		resp, err := http.Get("http://" + addr + "/")
		if err != nil {
			return false
		}
		defer func() { _ = resp.Body.Close() }()
		body, _ := io.ReadAll(resp.Body)
		return string(body) == "ghcr.io/acme/shop:v1"
	})
	if v := s.variables(false); v["RAILWAY_TCP_PROXY_DOMAIN"] != "127.0.0.1" || v["RAILWAY_TCP_APPLICATION_PORT"] != "3000" {
		t.Errorf("variables %v", v)
	}
	s.must("tcpProxies", `query($s: String!, $e: String!) { tcpProxies(serviceId: $s, environmentId: $e) { id domain proxyPort } }`, m{"s": s.service, "e": s.env})
	s.must("tcpProxyDelete", `mutation($id: String!) { tcpProxyDelete(id: $id) }`, m{"id": dig(p, "id")})
	if resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get("http://" + addr + "/"); err == nil {
		_ = resp.Body.Close()
		t.Error("a deleted proxy answers")
	}
}
