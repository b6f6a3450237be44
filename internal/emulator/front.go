package emulator

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// kind is what one platform's server is made of.
type kind struct {
	name string // as in the endpoints: fly, railway, render, sentry
	apps bool   // it runs apps, so it has a world
	// suffixes are the domains that the platform gives to apps.
	suffixes []string
	// requestID is the header that names a request.
	requestID string
	// refuse is the JSON body with which the platform refuses a request with the
	// status of a fault.
	refuse func(path string, f *Fault, id string) any
	// open makes the platform's API.
	open func(f *front) error
}

// keepable is what survives a restart.
type keepable interface {
	Snapshot() (json.RawMessage, error)
	Restore(state json.RawMessage) error
}

// front is one platform at its address.
type front struct {
	kind
	s     *Server
	world *world.World // nil: it runs no apps
	api   http.Handler
	view  any // keeps the state of api, if it is keepable
	ln    net.Listener
	http  *http.Server
}

// port is the TCP port of the platform's API and of its apps.
func (f *front) port() int { return f.ln.Addr().(*net.TCPAddr).Port }

func (f *front) host() string { return f.ln.Addr().String() }

func (f *front) url() string { return "http://" + f.host() }

// appURL is an app's public address, without a slash at the end.
func (f *front) appURL(app string) string {
	return fmt.Sprintf("http://%s.localhost:%d", app, f.port())
}

// serve sends a request where its host and path say.
func (f *front) serve(rw http.ResponseWriter, r *http.Request) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	switch {
	case f.world != nil && f.serveApp(rw, r, strings.ToLower(host)):
	case strings.HasPrefix(r.URL.Path, "/_emulator/"):
		f.s.control(rw, r)
	default:
		f.answer(rw, r)
	}
}

// serveApp answers a request that is for an app; false is any other.
func (f *front) serveApp(rw http.ResponseWriter, r *http.Request, host string) bool {
	if app := f.world.AppByHost(host); app != nil {
		f.route(rw, r, app)
		return true
	}
	for _, suffix := range append([]string{"localhost"}, f.suffixes...) {
		if strings.HasSuffix(host, "."+suffix) {
			http.Error(rw, "no app answers to "+host, http.StatusNotFound)
			return true
		}
	}
	rest, found := strings.CutPrefix(r.URL.Path, "/_app/")
	if !found {
		return false
	}
	name, path, _ := strings.Cut(rest, "/")
	app := f.world.App(name)
	if app == nil {
		app = f.world.AppByHost(name + ".localhost")
	}
	if app == nil {
		http.Error(rw, "no app named "+name, http.StatusNotFound)
		return true
	}
	r.URL.Path, r.URL.RawPath = "/"+path, ""
	f.route(rw, r, app)
	return true
}

// newID names a request.
func (f *front) newID() string {
	id := f.s.fronts[0].world.ULID()
	if f.name == platformFly {
		id += "-fra" // the region that took it
	}
	return id
}
