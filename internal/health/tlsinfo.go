package health

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// TLSInfo describes a connection's certificates.
type TLSInfo struct {
	Version  string // for example "TLS 1.3"
	Names    []string
	Issuer   string
	Verified bool
	// Expires is the earliest end of a certificate in the chain, Expiring the
	// name of that certificate.
	Expires  time.Time
	Expiring string
	// Lifetime is how long that certificate was made for.
	Lifetime time.Duration
	DaysLeft int // whole days until Expires, negative when it has passed
}

// warnDays is the number of days left from which a certificate is worth a
// warning, if it has also used up two thirds of its life: automatic renewal
// should have happened by then, and certificates that live only six days are
// not always late.
const warnDays = 30

func (p *Prober) tlsInfo(s *tls.ConnectionState) *TLSInfo {
	chain, verified := s.PeerCertificates, false
	if len(s.VerifiedChains) > 0 {
		chain, verified = s.VerifiedChains[0], true
	}
	info := p.chainInfo(chain)
	if info != nil {
		info.Version, info.Verified = tls.VersionName(s.Version), verified
	}
	return info
}

// unverified describes the chain that a failed handshake showed, if it did.
func (p *Prober) unverified(err error) *TLSInfo {
	var ce *tls.CertificateVerificationError
	if !errors.As(err, &ce) {
		return nil
	}
	return p.chainInfo(ce.UnverifiedCertificates)
}

func (p *Prober) chainInfo(chain []*x509.Certificate) *TLSInfo {
	if len(chain) == 0 {
		return nil
	}
	leaf, first := chain[0], chain[0]
	for _, c := range chain {
		if c.NotAfter.Before(first.NotAfter) {
			first = c
		}
	}
	info := &TLSInfo{
		Issuer: clean(leaf.Issuer.String()), Expires: first.NotAfter, Expiring: clean(certName(first)),
		Lifetime: first.NotAfter.Sub(first.NotBefore), DaysLeft: days(first.NotAfter.Sub(p.now())),
	}
	for _, n := range leaf.DNSNames {
		info.Names = append(info.Names, clean(n))
	}
	return info
}

func certName(c *x509.Certificate) string {
	if len(c.DNSNames) > 0 {
		return c.DNSNames[0]
	}
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return c.Subject.String()
}

// days rounds down, so that an expired certificate is at least one day over.
func days(d time.Duration) int {
	n := int(d / (24 * time.Hour))
	if d < 0 {
		n--
	}
	return n
}

// late says whether the certificate should have been renewed by now.
func (t *TLSInfo) late(now time.Time) bool {
	left := t.Expires.Sub(now)
	return t.DaysLeft < warnDays && left < t.Lifetime/3
}
