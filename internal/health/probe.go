package health

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// errProbeTime is the cause of a context that ended with the check's own time.
var errProbeTime = errors.New("the check's time is over")

// Probe runs the check once. It never returns later than the check's timeout,
// whatever the server does, and reports everything else in the Result.
func (p *Prober) Probe(ctx context.Context, c Check) Result {
	res := Result{Name: c.name(), URL: shownURL(c.URL), At: p.now(), State: Pass}
	if err := c.Validate(); err != nil {
		res.add(Fail, FailCheck, err.Error())
		return res
	}
	begin := time.Now()
	pctx, cancel := context.WithTimeoutCause(ctx, c.timeout(), errProbeTime)
	defer cancel()
	a := p.follow(pctx, c, &res)
	res.Total = time.Since(begin)
	if a != nil {
		p.judge(c, a, &res)
		a.free()
	}
	return res
}

// answer is the last response of a probe, read and closed. free gives the
// body's memory back.
type answer struct {
	header http.Header
	body   []byte
	free   func()
}

// follow makes the request and those that redirects lead to. It returns nil
// when there was no complete answer; the reason is in res then.
func (p *Prober) follow(ctx context.Context, c Check, res *Result) *answer {
	first, err := url.Parse(c.URL)
	if err != nil {
		res.add(Fail, FailCheck, err.Error()) // Validate has parsed it before
		return nil
	}
	target, method := first, c.method()
	for {
		next, a := p.request(ctx, c, first, target, method, res)
		if next == nil {
			return a
		}
		if len(res.Hops) > c.maxRedirects() {
			res.add(Fail, FailRedirect, fmt.Sprintf("gave up after %d redirects, the last one to %s", c.maxRedirects(), shownURL(next.String())))
			return nil
		}
		if method != http.MethodHead && (res.Status == http.StatusSeeOther || method == http.MethodPost && res.Status <= http.StatusFound) {
			method = http.MethodGet
		}
		target = next
	}
}

// request makes one request. It returns the address to go on with when the
// answer is a redirect that is to be followed, else the answer.
func (p *Prober) request(ctx context.Context, c Check, first, target *url.URL, method string, res *Result) (*url.URL, *answer) {
	w := newWatch()
	ex := &exchange{prober: p, check: c, watch: w, first: first, own: isOwn(c, first, target)}
	resp, err := ex.do(ctx, target, method)
	defer ex.close()
	res.Remote, res.TLS = ex.remote(), nil
	if err != nil {
		res.Phases = w.stop()
		res.Status, res.HTTPVersion = 0, ""
		res.TLS = p.unverified(err)
		f, text := explain(ctx, err, ex.failedIn(), c.timeout(), 0)
		res.add(Fail, f, text)
		return nil, nil
	}
	defer resp.Body.Close()
	res.Status, res.HTTPVersion = resp.StatusCode, resp.Proto
	if resp.TLS != nil {
		res.TLS = p.tlsInfo(resp.TLS)
	}
	if next, stop := redirectOf(c, target, resp, res); next != nil || stop {
		phases := w.stop()
		res.Phases = phases
		if next != nil {
			res.Hops = append(res.Hops, Hop{URL: shownURL(target.String()), Status: resp.StatusCode, To: shownURL(next.String()), Phases: phases})
		}
		return next, nil
	}
	a := &answer{header: resp.Header, free: func() {}}
	err = p.readBody(ctx, resp.Body, a)
	if len(a.body) > maxBody {
		a.body, res.Truncated = a.body[:maxBody], true
	}
	res.Phases, res.Bytes = w.stop(), int64(len(a.body))
	if err != nil {
		a.free()
		f, text := explain(ctx, err, phaseTransfer, c.timeout(), res.Bytes)
		res.add(Fail, f, text)
		return nil, nil
	}
	return nil, a
}

// redirectOf returns where a redirect leads, or nil for an answer that is to
// be judged. stop says that the redirect cannot be followed.
func redirectOf(c Check, from *url.URL, resp *http.Response, res *Result) (next *url.URL, stop bool) {
	switch resp.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, false
	}
	if c.MaxRedirects < 0 || inRanges(resp.StatusCode, c.Expect.Status) {
		return nil, false // the redirect itself is what is asked about
	}
	to, err := from.Parse(resp.Header.Get("Location"))
	if err != nil || resp.Header.Get("Location") == "" {
		res.add(Fail, FailRedirect, fmt.Sprintf("status %d without a usable Location", resp.StatusCode))
		return nil, true
	}
	if to.Scheme != "http" && to.Scheme != "https" || to.Hostname() == "" {
		res.add(Fail, FailRedirect, fmt.Sprintf("status %d leads to %s, which is no web address", resp.StatusCode, clean(shownURL(to.String()))))
		return nil, true
	}
	return to, false
}

// freeBody is how much of a body may be in memory without a slot.
const freeBody = 16 << 10

// readBody reads the body into a, up to one byte more than maxBody. The first
// part is free; the rest waits for one of the prober's buffers, so that
// hundreds of large answers at once stay within a fixed amount of memory.
func (p *Prober) readBody(ctx context.Context, r io.Reader, a *answer) (err error) {
	a.body, err = io.ReadAll(io.LimitReader(r, freeBody))
	if err != nil || len(a.body) < freeBody {
		return err
	}
	var buf []byte
	if p.slots != nil {
		select {
		case buf = <-p.slots:
			a.free = func() { p.slots <- buf }
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if buf == nil {
		buf = make([]byte, maxBody+1)
	}
	n := copy(buf, a.body)
	for err == nil && n < len(buf) {
		var m int
		m, err = r.Read(buf[n:])
		n += m
	}
	a.body = buf[:n]
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// isOwn says whether target is the app that the check names: the same origin
// as its URL, or the host that it sends as Host header, which is what an app
// behind a router puts into its redirects.
func isOwn(c Check, first, target *url.URL) bool {
	return first.Scheme == target.Scheme && (first.Host == target.Host || c.Host != "" && c.Host == target.Host)
}
