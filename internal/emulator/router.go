package emulator

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// route sends a request to one of the app's machines that may take traffic.
// A machine that refuses the connection is passed over while there is another
// one and the request has no body that would be lost.
func (f *front) route(rw http.ResponseWriter, r *http.Request, app *world.App) {
	backends := app.Backends()
	if len(backends) == 0 {
		http.Error(rw, "no machine of "+app.Name+" is started, healthy and in the routing", http.StatusServiceUnavailable)
		return
	}
	tries := 1
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		tries = len(backends)
	}
	for i := range tries {
		if f.proxy(rw, r, backends[i], i == tries-1) {
			return
		}
	}
}

// proxy passes the request on; it reports false when nothing was sent back
// and another machine may be tried.
func (f *front) proxy(rw http.ResponseWriter, r *http.Request, addr string, last bool) bool {
	answered := true
	p := &httputil.ReverseProxy{
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.SetURL(&url.URL{Scheme: "http", Host: addr})
			pr.Out.Host = pr.In.Host
			pr.SetXForwarded()
			f.sign(pr.Out.Header)
		},
		ErrorLog:  log.New(io.Discard, "", 0),
		Transport: f.s.backends,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			if !last {
				answered = false
				return
			}
			w.WriteHeader(http.StatusBadGateway)
			_, _ = fmt.Fprintf(w, "machine at %s: %v\n", addr, err)
		},
	}
	p.ServeHTTP(rw, r)
	return answered
}

// sign sets the headers that the platform's proxy adds to a request for an app.
func (f *front) sign(h http.Header) {
	id := f.newID()
	h.Set(f.requestID, id)
	if f.name == platformFly {
		h.Set("Fly-Client-IP", "127.0.0.1")
	}
}
