package health

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority is a certificate authority of the test's own.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, notAfter time.Time) authority {
	t.Helper()
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key := newKey(t)
	return authority{sign(t, tmpl, tmpl, key, key), key}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t *testing.T, tmpl, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// serveTLS runs a server whose certificate is for erp.example.com and lives
// from and until the given moments.
func (a authority) serveTLS(t *testing.T, from, until time.Time) string {
	t.Helper()
	key := newKey(t)
	leaf := sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), NotBefore: from, NotAfter: until, DNSNames: []string{"erp.example.com"},
	}, a.cert, key, a.key)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Host) }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what some tests want
	srv.EnableHTTP2 = true
	srv.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: key}}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "https://")
}

func (a authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func TestTLS(t *testing.T) {
	day := 24 * time.Hour
	now := time.Now()
	long, short := newAuthority(t, now.Add(1000*day)), newAuthority(t, now.Add(20*day))
	fresh := long.serveTLS(t, now.Add(-5*day), now.Add(85*day+time.Hour))
	late := long.serveTLS(t, now.Add(-80*day), now.Add(10*day+time.Hour))
	sixDays := long.serveTLS(t, now.Add(-day), now.Add(5*day+time.Hour))
	expired := long.serveTLS(t, now.Add(-90*day), now.Add(-2*day))
	shortCA := short.serveTLS(t, now.Add(-5*day), now.Add(85*day))

	tests := []struct {
		name    string
		addr    string
		roots   *x509.CertPool
		host    string
		minDays int
		state   State
		failure Failure
		reason  string
		days    int
	}{
		{"fresh", fresh, long.pool(), "erp.example.com", 14, Pass, "", "", 85},
		{"late", late, long.pool(), "erp.example.com", 0, Warn, FailCertificate, "the certificate of erp.example.com ends in 10 days", 10},
		{"late, and days are demanded", late, long.pool(), "erp.example.com", 14, Fail, FailCertificate, "the certificate of erp.example.com ends in 10 days", 10},
		{"a certificate for six days is not late after one", sixDays, long.pool(), "erp.example.com", 0, Pass, "", "", 5},
		{"the authority ends before the leaf", shortCA, short.pool(), "erp.example.com", 30, Fail, FailCertificate, "the certificate of test authority ends in 19 days", 19},
		{"expired", expired, long.pool(), "erp.example.com", 0, Fail, FailTLS, "the certificate has expired or is not valid yet", -2 - 1},
		{"unknown authority", fresh, short.pool(), "erp.example.com", 0, Fail, FailTLS, "the certificate is signed by an unknown authority", 85},
		{"another name", fresh, long.pool(), "shop.example.com", 0, Fail, FailTLS, "the certificate is not for shop.example.com but for erp.example.com", 85},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := &Prober{RootCAs: tt.roots, Resolver: noResolver{}}
			res := p.Probe(t.Context(), Check{URL: "https://" + tt.host + "/", DialAddr: tt.addr, Expect: Expect{TLSDays: tt.minDays}})
			if res.State != tt.state || res.Failure() != tt.failure || !strings.HasPrefix(res.Reason(), tt.reason) {
				t.Errorf("%s, %s: %q", res.State, res.Failure(), res.Reason())
			}
			if res.TLS == nil || res.TLS.DaysLeft != tt.days {
				t.Fatalf("TLS %+v, want %d days left", res.TLS, tt.days)
			}
			if res.State != Fail && (res.HTTPVersion != "HTTP/2.0" || res.TLS.Version != "TLS 1.3" || !res.TLS.Verified || res.Phases.TLS <= 0) {
				t.Errorf("%s, %+v, phases %+v", res.HTTPVersion, res.TLS, res.Phases)
			}
		})
	}
}

func TestHostIsTheTLSName(t *testing.T) {
	ca := newAuthority(t, time.Now().Add(1000*time.Hour))
	addr := ca.serveTLS(t, time.Now().Add(-time.Hour), time.Now().Add(900*time.Hour))
	p := &Prober{RootCAs: ca.pool()}
	res := p.Probe(t.Context(), Check{URL: "https://" + addr, Host: "erp.example.com", Expect: Expect{BodyContains: "erp.example.com"}})
	if res.State != Pass {
		t.Errorf("%s: %q", res.State, res.Reason())
	}
}
