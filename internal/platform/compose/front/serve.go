package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// stopTimeout is what requests under way have when the front itself is stopped.
const stopTimeout = 10 * time.Second

// socketFile is where the commands reach a proxy that runs.
const socketFile = ".front.sock"

// serve runs the proxy and its socket until ctx ends.
func serve(ctx context.Context, dir, address string, errorLog io.Writer) error {
	files := store{dir}
	p := newProxy(errorLog)
	c, err := files.config()
	if err != nil {
		return fmt.Errorf("read %s: %w", ConfigFile, err)
	}
	p.set(c)
	defer p.set(Config{}) // ends the checks
	socket := filepath.Join(dir, socketFile)
	if err := os.Remove(socket); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was killed
		return err
	}
	admin, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	web, err := net.Listen("tcp", address)
	if err != nil {
		return errors.Join(err, admin.Close())
	}
	servers := []*http.Server{
		{Handler: p, ReadHeaderTimeout: headerTimeout, IdleTimeout: visitorIdle, ErrorLog: p.errors},
		{Handler: commands(p, files), ReadHeaderTimeout: headerTimeout, ErrorLog: p.errors},
	}
	failed := make(chan error, len(servers))
	for i, l := range []net.Listener{web, admin} {
		go func() { failed <- servers[i].Serve(l) }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
		err = nil
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	for _, s := range servers {
		if e := s.Shutdown(stop); e != nil {
			_ = s.Close() // streams that go on
		}
	}
	return err
}

// commands are what the socket answers.
func commands(p *proxy, files store) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /set", func(w http.ResponseWriter, r *http.Request) {
		var c Config
		if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if err := files.saveConfig(c); err != nil { // first: a restart must not go back to what is gone
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		p.set(c)
		answer(w, p.status())
	})
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, p.status()) })
	mux.HandleFunc("POST /drain", func(w http.ResponseWriter, r *http.Request) {
		seconds, _ := strconv.Atoi(r.URL.Query().Get("seconds"))
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-p.drained(r.URL.Query()["name"]):
			answer(w, p.status())
		case <-timer.C:
			http.Error(w, "requests are under way still", http.StatusGatewayTimeout)
		case <-r.Context().Done():
		}
	})
	return mux
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

// NotServing is what a command says when no proxy runs over this state.
const NotServing = "the proxy does not run"

var errNotServing = errors.New(NotServing)

// ask sends a command to the proxy that runs.
func ask(ctx context.Context, dir, method, path string, query url.Values, in io.Reader) (status int, body []byte, err error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(dir, socketFile))
	}}}
	req, err := http.NewRequestWithContext(ctx, method, "http://front"+path+"?"+query.Encode(), in)
	if err != nil {
		return 0, nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, nil, fmt.Errorf("%w: %w", errNotServing, err)
	}
	defer resp.Body.Close()
	body, err = readAll(resp.Body)
	return resp.StatusCode, body, err
}
