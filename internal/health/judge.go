package health

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// judge compares a complete answer with what is expected and collects every
// problem, not only the first.
func (p *Prober) judge(c Check, a *answer, res *Result) {
	want := c.Expect.Status
	if len(want) == 0 {
		want = defaultStatus
	}
	var doc any
	var docErr error
	if c.method() != http.MethodHead && !res.Truncated {
		if doc, docErr = decodeJSON(a.body); docErr == nil {
			res.Body = parseDoc(doc, a.header.Get("Content-Type"))
		} else {
			res.Body = undecodable(a.body, a.header.Get("Content-Type"))
		}
	}
	judgeStatus(want, res)
	if res.Truncated && (len(c.Expect.JSON) > 0 || c.Expect.Release != "") {
		docErr = fmt.Errorf("more than %d bytes", maxBody)
	}
	judgeJSON(c.Expect.JSON, doc, docErr, res)
	if t := c.Expect.BodyContains; t != "" && !bytes.Contains(a.body, []byte(t)) {
		res.add(Fail, FailBody, fmt.Sprintf("the body does not contain %q", t))
	}
	judgeRelease(c.Expect.Release, doc, res)
	if m := c.Expect.MaxLatency; m > 0 && res.Total > m {
		res.add(Fail, FailLatency, fmt.Sprintf("took %s, at most %s is allowed", roundDuration(res.Total), m))
	}
	p.judgeTLS(c.Expect.TLSDays, res)
}

// judgeStatus looks at the status and the health body together: they must
// agree, since load balancers look at one and people at the other.
func judgeStatus(want []StatusRange, res *Result) {
	expected := inRanges(res.Status, want)
	if !expected {
		text := fmt.Sprintf("status %d, expected %s", res.Status, joinRanges(want))
		if res.Body != nil && res.Body.Status == Fail {
			text += "; the body says " + bodySays(res.Body)
		}
		res.add(Fail, FailStatus, text)
	}
	b := res.Body
	if b == nil {
		return
	}
	bad := res.Status >= http.StatusBadRequest
	switch {
	case b.Status == Fail && !bad:
		res.add(Fail, FailBody, fmt.Sprintf("the body says %s although the status is %d", bodySays(b), res.Status))
	case b.Status != Fail && bad:
		res.add(Fail, FailBody, fmt.Sprintf("the body says %q although the status is %d", b.Raw, res.Status))
	case b.Status == Warn && expected:
		res.add(Warn, FailBody, "the body says "+bodySays(b))
	}
	if f := b.failing(); b.Status == Pass && !bad && f != "" {
		res.add(Warn, FailBody, fmt.Sprintf("the body says %q although these fail: %s", b.Raw, f))
	}
}

func bodySays(b *Body) string {
	s := fmt.Sprintf("%q", b.Raw)
	if b.Output != "" {
		s += ": " + b.Output
	}
	if f := b.failing(); f != "" {
		s += ": " + f
	}
	return s
}

func judgeJSON(asserts []JSONAssert, doc any, docErr error, res *Result) {
	for _, as := range asserts {
		if docErr != nil {
			res.add(Fail, FailJSON, "the body is no JSON: "+clean(docErr.Error()))
			return
		}
		path, err := ParsePath(as.Path)
		if err != nil {
			res.add(Fail, FailCheck, err.Error()) // Validate has parsed it before
			return
		}
		got, err := path.Lookup(doc)
		switch {
		case err != nil:
			res.add(Fail, FailJSON, clean(fmt.Sprintf("%s: %v", as.Path, err)))
		case !equalJSON(got, as.Value):
			res.add(Fail, FailJSON, fmt.Sprintf("%s is %q, expected %q", as.Path, clean(textOf(got)), as.Value))
		}
	}
}

// judgeRelease demands that the wanted release is the one that answers. It
// looks at the members that health+json has for it, in any JSON object.
func judgeRelease(want string, doc any, res *Result) {
	if want == "" {
		return
	}
	obj, _ := doc.(map[string]any)
	id, version := text(obj["releaseId"]), text(obj["version"])
	switch {
	case sameRelease(id, want) || sameRelease(version, want):
	case id == "" && version == "":
		res.add(Fail, FailRelease, fmt.Sprintf("the answer names no release, expected %s (releaseId or version in the JSON body)", want))
	default:
		res.add(Fail, FailRelease, fmt.Sprintf("release %s answers, expected %s", firstText(id, version), want))
	}
}

// minSHA is the length from which a shortened commit id counts as one.
const minSHA = 7

func sameRelease(got, want string) bool {
	if got == want {
		return got != ""
	}
	got, want = strings.ToLower(got), strings.ToLower(want)
	if len(got) > len(want) {
		got, want = want, got
	}
	return len(got) >= minSHA && strings.HasPrefix(want, got) && isHex(want)
}

func isHex(s string) bool { return strings.Trim(s, "0123456789abcdef") == "" }

func (p *Prober) judgeTLS(minDays int, res *Result) {
	t := res.TLS
	if t == nil {
		if minDays > 0 {
			res.add(Fail, FailCertificate, fmt.Sprintf("no TLS, so no certificate that is valid for %d days", minDays))
		}
		return
	}
	left := fmt.Sprintf("the certificate of %s ends in %d days (%s)", t.Expiring, t.DaysLeft, t.Expires.UTC().Format(time.DateOnly))
	switch {
	case minDays > 0 && t.DaysLeft < minDays:
		res.add(Fail, FailCertificate, left+fmt.Sprintf(", at least %d are expected", minDays))
	case t.late(p.now()):
		res.add(Warn, FailCertificate, left)
	}
}

// roundDuration shows three digits or so.
func roundDuration(d time.Duration) time.Duration {
	switch {
	case d >= 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d >= time.Second:
		return d.Round(10 * time.Millisecond)
	case d >= 10*time.Millisecond:
		return d.Round(time.Millisecond)
	default:
		return d.Round(10 * time.Microsecond)
	}
}
