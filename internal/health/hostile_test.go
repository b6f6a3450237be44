package health

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// rawServer answers every connection with a function of its own.
func rawServer(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				handle(c)
			}()
		}
	}()
	return ln.Addr().String()
}

func readRequest(c net.Conn) {
	buf := make([]byte, 4096)
	_, _ = c.Read(buf)
}

// drip sends head, then a byte every few milliseconds until the peer is gone.
func drip(head string) func(net.Conn) {
	return func(c net.Conn) {
		readRequest(c)
		fmt.Fprint(c, head)
		for {
			if _, err := c.Write([]byte("x")); err != nil {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func closedPort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestHostileServers(t *testing.T) {
	hold := func(c net.Conn) { readRequest(c); _, _ = io.Copy(io.Discard, c) }
	const timeout = 150 * time.Millisecond
	tests := []struct {
		name    string
		url     string
		failure Failure
		reason  string
		within  time.Duration
	}{
		{"drips the body", "http://" + rawServer(t, drip("HTTP/1.1 200 OK\r\n\r\n")), FailTimeout, "timed out after 150ms while reading the answer (", time.Second},
		{"drips the header", "http://" + rawServer(t, drip("HTTP/1.1 200 OK\r\nX-Slow: ")), FailTimeout, "timed out after 150ms while reading the answer", time.Second},
		{"never answers", "http://" + rawServer(t, hold), FailTimeout, "timed out after 150ms while waiting for the answer", time.Second},
		{"never ends the TLS handshake", "https://" + rawServer(t, hold), FailTimeout, "timed out after 150ms while the TLS handshake", time.Second},
		{"closes at once", "http://" + rawServer(t, func(net.Conn) {}), FailConnection, "the connection was closed without an answer", timeout},
		{"closes in the TLS handshake", "https://" + rawServer(t, readRequest), FailTLS, "the connection was closed in the TLS handshake", timeout},
		{"breaks TLS half-way", "https://" + rawServer(t, func(c net.Conn) { readRequest(c); fmt.Fprint(c, "\x16\x03\x03\x00\x7agarbage") }), FailTLS, "the connection was closed in the TLS handshake", timeout},
		{"speaks HTTP on the TLS port", "https://" + rawServer(t, func(c net.Conn) { readRequest(c); fmt.Fprint(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }), FailTLS, "the port does not speak TLS", timeout},
		{"closes in the body", "http://" + rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
		}), FailConnection, "the connection was closed in the middle of the body (5 bytes)", timeout},
		{"closes in a large body", "http://" + rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"+strings.Repeat("x", 30000))
		}), FailConnection, "the connection was closed in the middle of the body (30000 bytes)", timeout},
		{"is not HTTP", "http://" + rawServer(t, func(c net.Conn) { readRequest(c); fmt.Fprint(c, "220 smtp.example.com ESMTP\r\n") }), FailProtocol, "the answer is not HTTP", timeout},
		{"huge header", "http://" + rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nX-Big: "+strings.Repeat("a", 1<<20)+"\r\n\r\n")
		}), FailProtocol, "the answer's header is larger than 64 KiB", timeout},
		{"endless header", "http://" + rawServer(t, func(c net.Conn) {
			readRequest(c)
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\n")
			for {
				if _, err := fmt.Fprint(c, "X-More: "+strings.Repeat("a", 1000)+"\r\n"); err != nil {
					return
				}
			}
		}), FailProtocol, "the answer's header is larger than 64 KiB", timeout},
		{"refuses", "http://" + closedPort(t), FailRefused, "connection refused by 127.0.0.1:", timeout},
		{"does not exist", "http://db.invalid/", FailNoHost, "no such host: db.invalid", timeout},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			begin := time.Now()
			res := (&Prober{}).Probe(t.Context(), Check{URL: tt.url, Timeout: timeout})
			if res.State != Fail || res.Failure() != tt.failure || !strings.HasPrefix(res.Reason(), tt.reason) {
				t.Errorf("%s, %s: %q", res.State, res.Failure(), res.Reason())
			}
			if took := time.Since(begin); took > max(tt.within, time.Second) {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestAnswersWithoutEndAreCut(t *testing.T) {
	var sent atomic.Int64
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "10000000000")
		chunk := make([]byte, 64<<10)
		for {
			n, err := w.Write(chunk)
			if sent.Add(int64(n)); err != nil {
				return
			}
		}
	})
	res := (&Prober{}).Probe(t.Context(), Check{URL: u})
	if res.State != Pass || !res.Truncated || res.Bytes != maxBody {
		t.Errorf("state %s %v, truncated %v, %d bytes", res.State, res.Problems, res.Truncated, res.Bytes)
	}
	res = (&Prober{}).Probe(t.Context(), Check{URL: u, Expect: Expect{JSON: []JSONAssert{{"status", "pass"}}}})
	if res.State != Fail || !strings.Contains(res.Reason(), "more than 1048576 bytes") {
		t.Errorf("assertion on a cut body: %s, %q", res.State, res.Reason())
	}
	if n := sent.Load(); n > 64<<20 {
		t.Errorf("the server could send %d bytes", n)
	}
}

// 200 endpoints that all answer without end: memory stays far under the sum of
// their bodies.
func TestManyLargeAnswersStaySmallInMemory(t *testing.T) {
	u := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		chunk := make([]byte, 32<<10)
		for range 64 {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	checks := make([]Check, 200)
	for i := range checks {
		checks[i] = Check{URL: u, Timeout: 30 * time.Second}
	}
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var peak atomic.Uint64
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				if m.HeapAlloc > peak.Load() {
					peak.Store(m.HeapAlloc)
				}
			}
		}
	}()
	results := (&Prober{}).ProbeAll(t.Context(), checks, 0)
	close(stop)
	for _, r := range results {
		if r.Bytes != maxBody || !r.Truncated {
			t.Fatalf("%d bytes, %v", r.Bytes, r.Problems)
		}
	}
	// The server's own buffers are in the same process and counted too.
	if grown := int64(peak.Load()) - int64(before.HeapAlloc); grown > 60<<20 {
		t.Errorf("the heap grew by %d MiB", grown>>20)
	}
}

func TestTheCallersContextEndsAProbe(t *testing.T) {
	addr := rawServer(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(20*time.Millisecond, cancel)
	begin := time.Now()
	res := (&Prober{}).Probe(ctx, Check{URL: "http://" + addr})
	if res.Failure() != FailInterrupted || time.Since(begin) > 2*time.Second {
		t.Errorf("%s %q after %v", res.Failure(), res.Reason(), time.Since(begin))
	}
}

// Nothing is left running by probes that were cut off.
func TestProbesLeaveNoGoroutines(t *testing.T) {
	addr := rawServer(t, drip("HTTP/1.1 200 OK\r\n\r\n"))
	before := runtime.NumGoroutine()
	for range 10 {
		(&Prober{}).Probe(t.Context(), Check{URL: "http://" + addr, Timeout: 20 * time.Millisecond})
	}
	for end := time.Now().Add(3 * time.Second); ; {
		if n := runtime.NumGoroutine(); n <= before+1 {
			return
		} else if time.Now().After(end) {
			t.Fatalf("%d goroutines before, %d after", before, n)
		}
		time.Sleep(10 * time.Millisecond)
	}
}
