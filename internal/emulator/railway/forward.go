package railway

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// forward is a port of this machine behind which something runs that may come
// later, move and be replaced: what the platform's private network and its TCP
// proxies are to their users.
type forward struct {
	ln     net.Listener
	target func() string // "host:port", "" while nothing is there
	once   sync.Once
	err    error
	mu     sync.Mutex
	conns  map[net.Conn]bool
	closed bool
}

// forwardTo opens a listener under a key, on the port when it is free. The
// target is asked at each connection. Callers hold s.mu.
func (s *Server) forwardTo(key string, port int, target func() string) (*forward, error) {
	if f := s.fwd[key]; f != nil {
		return f, nil
	}
	ln, err := net.Listen("tcp", hostPort("127.0.0.1", port))
	if err != nil && port != 0 {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, err
	}
	f := &forward{ln: ln, target: target, conns: map[net.Conn]bool{}}
	s.fwd[key] = f
	s.background(f.serve)
	return f, nil
}

func (s *Server) dropForward(key string) {
	if f := s.fwd[key]; f != nil {
		delete(s.fwd, key)
		_ = f.close()
	}
}

func (f *forward) port() int { return f.ln.Addr().(*net.TCPAddr).Port }

// close ends the listener and all its connections.
func (f *forward) close() error {
	f.once.Do(func() {
		f.err = f.ln.Close()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.closed = true
		for c := range f.conns {
			_ = c.Close()
		}
	})
	return f.err
}

// hangUp ends the connections that there are: what was behind them has gone.
func (f *forward) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.conns {
		_ = c.Close()
	}
}

func (f *forward) serve(ctx context.Context) {
	var work sync.WaitGroup
	defer work.Wait()
	for {
		c, err := f.ln.Accept()
		if err != nil {
			if !errors.Is(err, net.ErrClosed) {
				time.Sleep(10 * time.Millisecond) // out of file handles, most likely
				continue
			}
			return
		}
		work.Go(func() { f.carry(ctx, c) })
	}
}

// keep remembers a connection so that close can end it.
func (f *forward) keep(c net.Conn, is bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if is && !f.closed {
		f.conns[c] = true
	} else {
		delete(f.conns, c)
	}
	return !f.closed
}

func (f *forward) carry(ctx context.Context, c net.Conn) {
	defer func() { _ = c.Close() }()
	addr := f.target()
	if addr == "" || !f.keep(c, true) {
		return
	}
	defer f.keep(c, false)
	up, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	if !f.keep(up, true) {
		return
	}
	defer f.keep(up, false)
	var both sync.WaitGroup
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if t, ok := to.(*net.TCPConn); ok {
			_ = t.CloseWrite()
		}
	}
	both.Go(func() { pipe(up, c) })
	both.Go(func() { pipe(c, up) })
	both.Wait()
}
