package world

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"sync"
)

// passThrough is a second address of a server: what arrives there is copied to
// the server and back, byte by byte.
type passThrough struct {
	ln     net.Listener
	target func() (host string, port int)
	wg     sync.WaitGroup
	ctx    context.Context //nolint:containedctx // ends a connection attempt that close finds under way
	cancel context.CancelFunc

	mu    sync.Mutex
	conns map[net.Conn]bool
	ended bool
}

// newPassThrough listens on the port, or on a free one when that is 0 or taken.
func newPassThrough(port int, target func() (string, int)) (*passThrough, error) {
	ln, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil && port != 0 {
		ln, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listen for the pooler: %w", err)
	}
	p := &passThrough{ln: ln, target: target, conns: map[net.Conn]bool{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.wg.Go(p.accept)
	return p, nil
}

func (p *passThrough) addr() (string, int) {
	a := p.ln.Addr().(*net.TCPAddr)
	return a.IP.String(), a.Port
}

func (p *passThrough) accept() {
	for {
		conn, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		if p.hold(conn) {
			p.wg.Go(func() { p.serve(conn) })
		}
	}
}

// hold remembers an open connection, or closes it when the end has come.
func (p *passThrough) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		_ = conn.Close()
		return false
	}
	p.conns[conn] = true
	return true
}

func (p *passThrough) release(conn net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, conn)
	_ = conn.Close()
}

func (p *passThrough) serve(client net.Conn) {
	defer p.release(client)
	host, port := p.target()
	server, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return // as with a pooler whose server is away, the connection is cut
	}
	if !p.hold(server) {
		return
	}
	defer p.release(server)
	done := make(chan struct{}, 2)
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		if half, ok := to.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
		done <- struct{}{}
	}
	go pipe(server, client)
	go pipe(client, server)
	<-done
	<-done
}

// close ends the listener and all connections, and waits for that.
func (p *passThrough) close() {
	p.mu.Lock()
	p.ended = true
	p.cancel()
	_ = p.ln.Close()
	for conn := range p.conns {
		_ = conn.Close()
	}
	p.mu.Unlock()
	p.wg.Wait()
}
