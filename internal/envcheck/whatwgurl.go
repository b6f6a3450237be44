package envcheck

import (
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// webURL is a URL as browsers and Node.js parse it (the WHATWG URL standard),
// as far as a check needs it. Go's own parser follows another standard.
type webURL struct {
	scheme string // without the colon, in lower case
	host   string // in lower case; an IPv6 address in brackets; "" for none
	port   string // "" for none or the scheme's own
}

// specialPorts are the schemes that must have a host, with their own port; file has neither.
var specialPorts = map[string]string{"http": "80", "https": "443", "ws": "80", "wss": "443", "ftp": "21", "file": ""}

// hasScheme reports whether a text begins like an absolute URL.
func hasScheme(s string) bool {
	end := strings.IndexByte(s, ':')
	if end < 1 || !isIdentStart(s[0]) {
		return false
	}
	for i := range end {
		if c := s[i]; !isIdentStart(c) && (c < '0' || c > '9') && c != '+' && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// parseWebURL parses an absolute URL; on failure, problem says why.
func parseWebURL(s string) (webURL, problem) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	if !hasScheme(s) {
		return webURL{}, bad("is not an absolute URL", "begin it with its scheme, such as https://")
	}
	scheme, rest, _ := strings.Cut(s, ":")
	u := webURL{scheme: strings.ToLower(scheme)}
	own, special := specialPorts[u.scheme]
	ends := "/?#"
	switch {
	case special && u.scheme != "file":
		rest = strings.TrimLeft(rest, `/\`)
		ends = `/\?#`
	case special:
		if len(rest) < 2 || strings.Trim(rest[:2], `/\`) != "" {
			return u, problem{}
		}
		rest, ends = rest[2:], `/\?#`
	case strings.HasPrefix(rest, "//"):
		rest = rest[2:]
	default:
		return u, problem{} // such as mailto:
	}
	if end := strings.IndexAny(rest, ends); end >= 0 {
		rest = rest[:end]
	}
	if u.scheme == "file" {
		if len(rest) == 2 && isIdentStart(rest[0]) && (rest[1] == ':' || rest[1] == '|') || rest == "" {
			return u, problem{} // a drive letter
		}
		p := u.setHost(rest, true)
		if u.host == "localhost" {
			u.host = ""
		}
		return u, p
	}
	at := strings.LastIndexByte(rest, '@')
	hostPort := rest[at+1:]
	if hostPort == "" && (at >= 0 || special) {
		return u, bad("is a URL without a host", "")
	}
	host, port := hostPort, ""
	if colon := strings.LastIndexByte(hostPort, ':'); colon > strings.LastIndexByte(hostPort, ']') {
		first := strings.IndexByte(hostPort[max(0, strings.LastIndexByte(hostPort, ']')):], ':') + max(0, strings.LastIndexByte(hostPort, ']'))
		host, port = hostPort[:first], hostPort[first+1:]
		if host == "" {
			return u, bad("is a URL without a host", "")
		}
	}
	if p := u.setHost(host, special); p.msg != "" {
		return u, p
	}
	n, err := strconv.ParseUint(strings.TrimLeft(port, "0"), 10, 32)
	switch {
	case port == "":
	case strings.Trim(port, "0123456789") != "", err != nil && strings.Trim(port, "0") != "", n > 65535:
		return u, bad("is a URL whose port is no number up to 65535", "percent-encode special characters in the user name and the password")
	case strconv.FormatUint(n, 10) != own:
		u.port = strconv.FormatUint(n, 10)
	}
	return u, problem{}
}

// setHost checks the host and keeps it as it compares.
func (u *webURL) setHost(host string, special bool) problem {
	wrong := bad("is a URL whose host is not valid", "percent-encode special characters in the user name and the password")
	if strings.HasPrefix(host, "[") {
		addr, err := netip.ParseAddr(strings.TrimSuffix(host[1:], "]"))
		if err != nil || !strings.HasSuffix(host, "]") || addr.Zone() != "" || !addr.Is6() {
			return wrong
		}
		u.host = "[" + addr.String() + "]"
		return problem{}
	}
	if !special {
		if strings.ContainsAny(host, "\x00\t\n\r #/:<>?@[\\]^|") {
			return wrong
		}
		u.host = host
		return problem{}
	}
	if decoded, err := url.PathUnescape(host); err == nil {
		host = decoded
	}
	host = mapHost(host)
	if host == "" || strings.IndexFunc(host, forbiddenInDomain) >= 0 {
		return wrong
	}
	labels := strings.Split(host, ".")
	for i, label := range labels {
		if code, ok := strings.CutPrefix(label, "xn--"); ok {
			if labels[i], ok = punycode(code); !ok {
				return wrong
			}
		}
	}
	host = strings.Join(labels, ".")
	if endsInNumber(host) {
		addr, ok := parseIPv4(host)
		if !ok {
			return wrong
		}
		host = addr
	}
	u.host = host
	return problem{}
}

// mapHost spells a host as the standard compares it (UTS 46, without the table
// of what is not allowed): small letters, wide digits and the dots of other
// scripts in their plain form, and nothing that cannot be seen.
func mapHost(host string) string {
	if host = strings.ToLower(host); isASCII(host) {
		return host
	}
	host = strings.Map(func(r rune) rune {
		switch {
		case r == '\u00ad', r == '\u200b', r == '\u2060', r == '\ufeff', r >= '\ufe00' && r <= '\ufe0f':
			return -1
		case r == '\u3002', r == '\uff0e', r == '\uff61':
			return '.'
		}
		return r
	}, host)
	return norm.NFKC.String(strings.ToLower(norm.NFKC.String(host)))
}

func forbiddenInDomain(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`#/:<>?@[\]^|%`, r) || r == unicode.ReplacementChar || unicode.IsSpace(r) || unicode.IsControl(r)
}

// endsInNumber decides whether a host is to be read as an IPv4 address.
func endsInNumber(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := labels[len(labels)-1]
	if last == "" {
		return false
	}
	_, ok := ipv4Number(last)
	return strings.Trim(last, "0123456789") == "" || ok
}

func ipv4Number(s string) (uint64, bool) {
	base := 10
	switch {
	case strings.HasPrefix(s, "0x"):
		s, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	if s == "" {
		return 0, base == 16
	}
	n, err := strconv.ParseUint(s, base, 64)
	return n, err == nil
}

// parseIPv4 reads an address of up to four numbers, where the last fills what is left.
func parseIPv4(host string) (string, bool) {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(labels) > 4 {
		return "", false
	}
	var total uint64
	for i, label := range labels {
		n, ok := ipv4Number(label)
		last := i == len(labels)-1
		if !ok || label == "" || !last && n > 255 || last && n >= 1<<(8*(5-len(labels))) {
			return "", false
		}
		if last {
			total += n
		} else {
			total += n << (8 * (3 - i))
		}
	}
	return netip.AddrFrom4([4]byte{byte(total >> 24), byte(total >> 16), byte(total >> 8), byte(total)}).String(), true
}

// punycode reads what stands after xn-- in a label (RFC 3492); false where that
// is no text that needs it.
func punycode(code string) (string, bool) {
	basic, rest := "", code
	if len(code) > 1000 { // no name has more than 63
		return "", false
	}
	if i := strings.LastIndexByte(code, '-'); i >= 0 {
		basic, rest = code[:i], code[i+1:]
	}
	text := []rune(basic)
	n, i, bias := 128, 0, 72
	for rest != "" {
		old, weight := i, 1
		for k := 36; ; k += 36 {
			if rest == "" {
				return "", false
			}
			digit := strings.IndexByte("abcdefghijklmnopqrstuvwxyz0123456789", rest[0])
			if rest = rest[1:]; digit < 0 || i > 1<<30 {
				return "", false
			}
			i += digit * weight
			threshold := min(max(k-bias, 1), 26)
			if digit < threshold {
				break
			}
			weight *= 36 - threshold
			if weight > 1<<30 {
				return "", false
			}
		}
		count := len(text) + 1
		bias = adaptBias(i-old, count, old == 0)
		n += i / count
		i %= count
		if r := rune(n); n > unicode.MaxRune || unicode.IsControl(r) || unicode.IsSpace(r) || unicode.IsUpper(r) {
			return "", false
		}
		text = slices.Insert(text, i, rune(n))
		i++
	}
	return string(text), len(text) > len(basic)
}

func adaptBias(delta, count int, first bool) int {
	if delta /= 2; first {
		delta /= 350
	}
	delta += delta / count
	k := 0
	for ; delta > 455; k += 36 {
		delta /= 35
	}
	return k + 36*delta/(delta+38)
}
