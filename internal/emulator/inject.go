package emulator

import (
	"net"
	"net/http"
	"strconv"
)

// inject answers with the fault; id names the request.
func (f *front) inject(rw *statusWriter, r *http.Request, fault *Fault, id string) {
	if fault.Status == 0 && !fault.Drop && !fault.Hang { // only slow
		f.api.ServeHTTP(rw, r)
		return
	}
	if fault.Late {
		f.api.ServeHTTP(&discard{header: http.Header{}}, r)
	}
	switch {
	case fault.Drop:
		drop(rw)
	case fault.Hang:
		select {
		case <-r.Context().Done():
		case <-f.s.stop:
		}
		drop(rw)
	default:
		after := fault.RetryAfter
		if after == 0 && fault.Status == http.StatusTooManyRequests && f.name == platformRailway {
			after = 1 // its documentation promises the header
		}
		if after > 0 {
			rw.Header().Set("Retry-After", strconv.Itoa(after))
		}
		writeJSON(rw, fault.Status, f.refuse(r.URL.Path, fault, id))
	}
}

// drop closes the connection with a reset.
func drop(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// discard swallows an answer.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}
