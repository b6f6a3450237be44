package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/opsctl/opsctl/internal/backup/archive"
	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/execx"
)

// childReader is a program's standard output. It ends with io.EOF only after
// the program ended with status 0; any other end is the program's error, so
// that whoever reads it cannot take half an output for a whole one.
type childReader struct {
	pipe    *os.File
	process *execx.Process
	err     error // after the end
}

// startChild starts a program whose output is to be read to the end, or
// closed with Close.
func startChild(ctx context.Context, c execx.Cmd) (*childReader, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	c.Stdout = w
	p, err := execx.Start(ctx, c)
	_ = w.Close()
	if err != nil {
		_ = r.Close()
		return nil, err
	}
	return &childReader{pipe: r, process: p}, nil
}

func (c *childReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.pipe.Read(p)
	if n > 0 || err == nil {
		return n, nil // an error comes again
	}
	c.finish(err)
	return 0, c.err
}

func (c *childReader) finish(err error) {
	_ = c.pipe.Close()
	waitErr := c.process.Wait()
	switch {
	case waitErr != nil:
		c.err = waitErr
	case errors.Is(err, io.EOF):
		c.err = io.EOF
	default:
		c.err = err
	}
}

// Close stops the program if it still runs.
func (c *childReader) Close() {
	if c.err == nil {
		_ = c.process.Terminate()
		c.finish(errors.New("closed"))
	}
}

// sealTo runs produce with a writer and stores what it writes, sealed, under
// key. An error of either side leaves no object.
func sealTo(ctx context.Context, st store.Store, key string, o seal.Options, produce func(io.Writer) error) (seal.Sums, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, w := io.Pipe()
	var sums seal.Sums
	produced := make(chan error, 1)
	go func() {
		err := produceSealed(w, o, produce, &sums)
		_ = w.CloseWithError(err) // nil is io.EOF: the only way to a stored object
		produced <- err
	}()
	object, putErr := st.Put(ctx, key, r)
	if putErr == nil {
		putErr = errors.New("the store stopped reading") // seen only if it did not read to the end
	}
	_ = r.CloseWithError(putErr)
	if err := <-produced; err != nil {
		return seal.Sums{}, err
	}
	if object.Key == "" {
		return seal.Sums{}, putErr
	}
	if object.Size != sums.Stored.Bytes {
		return seal.Sums{}, fmt.Errorf("%s: the store has %d of %d bytes", key, object.Size, sums.Stored.Bytes)
	}
	return sums, nil
}

func produceSealed(w io.Writer, o seal.Options, produce func(io.Writer) error, sums *seal.Sums) error {
	s, err := seal.NewWriter(w, o)
	if err != nil {
		return err
	}
	if err := produce(s); err != nil {
		s.Abort()
		return err
	}
	if err := s.Close(); err != nil {
		return err
	}
	*sums = s.Sums()
	return nil
}

// keepalives find a connection whose other end is gone, in about a minute and
// not in the two hours of most systems. libpq has no variables for them.
const keepalives = "keepalives_idle=30 keepalives_interval=10 keepalives_count=3 tcp_user_timeout=60000"

// dumpArgs are pg_dump's arguments; the connection is in its environment.
func dumpArgs(snapshot string) []string {
	args := []string{"--format=custom", "--compress=0", "--no-password", "--lock-wait-timeout=5min", "--dbname=" + keepalives}
	if snapshot != "" {
		args = append(args, "--snapshot="+snapshot)
	}
	return args
}

// dumpThrough runs pg_dump and reads its archive into w.
func dumpThrough(ctx context.Context, program string, args, env []string, w io.Writer) (*archive.Archive, error) {
	child, err := startChild(ctx, execx.Cmd{Path: program, Args: args, Env: env})
	if err != nil {
		return nil, err
	}
	defer child.Close()
	a, err := archive.Read(w, child)
	if err != nil && child.err == nil {
		// The archive did not parse, or w failed: the program is not at fault.
		return nil, fmt.Errorf("read pg_dump's output: %w", err)
	}
	return a, err
}

// meter reports the bytes that pass.
type meter struct {
	w     io.Writer
	event Event // what to emit, apart from Bytes
	emit  Func
	now   func() time.Time
	last  time.Time
}

func (m *meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.event.Bytes += int64(n)
	if t := m.now(); t.Sub(m.last) >= reportEvery {
		m.last = t
		m.emit.emit(m.event)
	}
	return n, err
}
