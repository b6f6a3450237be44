package front

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
)

// balancer sends a request to a target. One that cannot be reached at all has seen
// nothing of it, so another one is asked.
type balancer struct {
	proxy *proxy
	next  http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	body := r.Body // closed by the reverse proxy, once the answer is through: until then it may be read on
	tried := map[string]bool{}
	var last error
	for {
		target, ok := b.proxy.pick(tried)
		if !ok {
			if last == nil {
				last = errNoTarget
			}
			return nil, last
		}
		tried[target.Name] = true
		resp, err := b.try(r, target, body)
		if err == nil {
			return resp, nil
		}
		if last = err; !unreached(err) || r.Context().Err() != nil {
			return nil, err
		}
	}
}

func (b *balancer) try(r *http.Request, target Target, body io.ReadCloser) (*http.Response, error) {
	out := r.Clone(r.Context())
	out.URL.Host = target.Address
	if body != nil && body != http.NoBody {
		out.Body = io.NopCloser(body) // the transport closes it, and the next try reads on
	}
	var once sync.Once
	release := func() { once.Do(func() { b.proxy.release(target.Name) }) }
	resp, err := b.next.RoundTrip(out)
	if err != nil {
		release()
		return nil, err
	}
	if stream, ok := resp.Body.(io.ReadWriteCloser); ok { // of an upgraded connection
		resp.Body = &countedStream{stream, release}
	} else {
		resp.Body = &countedBody{resp.Body, release}
	}
	return resp, nil
}

// unreached tells whether an error came before anything was sent.
func unreached(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// countedBody ends the request with the answer's last byte.
type countedBody struct {
	io.ReadCloser
	release func()
}

// Close implements io.Closer.
func (c *countedBody) Close() error {
	defer c.release()
	return c.ReadCloser.Close()
}

type countedStream struct {
	io.ReadWriteCloser
	release func()
}

// Close implements io.Closer.
func (c *countedStream) Close() error {
	defer c.release()
	return c.ReadWriteCloser.Close()
}
