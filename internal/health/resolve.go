package health

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// resolve returns the first address of the wanted family. Two kinds of names
// never go to the system's resolver (RFC 6761): *.localhost is loopback,
// though few resolvers know it, and *.invalid does not exist.
func (p *Prober) resolve(ctx context.Context, host string, f Family) (netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if !f.has(ip) {
			return ip, &familyError{host, f}
		}
		return ip, nil
	}
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case name == "localhost" || strings.HasSuffix(name, ".localhost"):
		if f == IPv6 {
			return netip.IPv6Loopback(), nil
		}
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	case name == "invalid" || strings.HasSuffix(name, ".invalid"):
		return netip.Addr{}, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	ips, err := p.resolver().LookupNetIP(ctx, "ip", host)
	if err != nil {
		return netip.Addr{}, err
	}
	for _, ip := range ips {
		if f.has(ip) {
			return ip.Unmap(), nil
		}
	}
	return netip.Addr{}, &familyError{host, f}
}

func (f Family) has(ip netip.Addr) bool {
	switch f {
	case IPv4:
		return ip.Unmap().Is4()
	case IPv6:
		return !ip.Unmap().Is4()
	default:
		return true
	}
}

// familyError is a host without an address of the wanted family.
type familyError struct {
	host   string
	family Family
}

func (e *familyError) Error() string {
	if e.family == AnyFamily {
		return e.host + " has no address"
	}
	return e.host + " has no IPv" + string(rune('0'+int(e.family))) + " address"
}
