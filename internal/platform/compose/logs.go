package compose

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
	"github.com/opsctl/opsctl/internal/platform"
)

// maxLogLine bounds a line; what is longer is cut.
const maxLogLine = 1 << 20

// cursor is how far the output of a container was read: the time of its last line,
// and how many lines of that very time there were.
type cursor struct {
	at   time.Time
	same int
}

// Logs reads what the engine keeps of the app's containers and release commands. Each
// line has a time to the nanosecond, so a stream that breaks off is taken up where it
// ended, and containers that come later are found by looking for them.
func (p *Platform) Logs(ctx context.Context, app string, q platform.LogQuery, line func(platform.LogLine) error) error {
	found, err := p.logged(ctx, app, q.Instance)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		if err := p.exists(ctx, app); err != nil {
			return err
		}
	}
	cursors := map[string]cursor{}
	var past []platform.LogLine
	for _, c := range found {
		lines, err := p.past(ctx, c.name(), q.Limit)
		if err != nil && !gone(err) {
			return explain(err, "read the log of %s", c.name())
		}
		past = append(past, lines...)
		cursors[c.ID] = after(lines)
	}
	slices.SortStableFunc(past, func(a, b platform.LogLine) int { return a.Time.Compare(b.Time) })
	if q.Limit > 0 && len(past) > q.Limit {
		past = past[len(past)-q.Limit:]
	}
	for _, l := range past {
		if err := line(l); err != nil {
			return err
		}
	}
	if !q.Follow {
		return nil
	}
	return (&follower{p: p, app: app, q: q, cursors: cursors, done: map[string]string{}, following: map[string]string{}}).run(ctx, line)
}

// logged are the containers whose output is the app's.
func (p *Platform) logged(ctx context.Context, app, instance string) ([]container, error) {
	all, err := p.list(ctx, composeProject, app)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(c container) bool {
		ours := c.role() == roleApp || c.role() == roleTask
		return !ours || instance != "" && c.name() != instance && !strings.HasPrefix(c.ID, instance)
	}), nil
}

// past is what a container has printed, at most the newest limit lines; 0 is all.
func (p *Platform) past(ctx context.Context, name string, limit int) ([]platform.LogLine, error) {
	tail := "all"
	if limit > 0 {
		tail = strconv.Itoa(limit)
	}
	var out []platform.LogLine
	err := p.stream(ctx, name, []string{"logs", "--timestamps", "--tail", tail, name}, func(l platform.LogLine) error {
		out = append(out, l)
		return nil
	})
	slices.SortStableFunc(out, func(a, b platform.LogLine) int { return a.Time.Compare(b.Time) }) // the two streams
	return out, err
}

// after is the cursor behind lines.
func after(lines []platform.LogLine) cursor {
	var c cursor
	for _, l := range lines {
		c.pass(l)
	}
	return c
}

func (c *cursor) pass(l platform.LogLine) {
	if l.Time.Equal(c.at) {
		c.same++
	} else {
		c.at, c.same = l.Time, 1
	}
}

// stream runs a command that prints log lines with their times, both streams of them.
func (p *Platform) stream(ctx context.Context, name string, args []string, line func(platform.LogLine) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	in, out, err := os.Pipe()
	if err != nil {
		return err
	}
	defer in.Close()
	ended := make(chan error, 1)
	go func() {
		err := p.engine.do(ctx, call{args: args, stdout: out, stderr: out})
		ended <- errors.Join(err, out.Close())
	}()
	var other []string // what is no log line: the command's own words
	failed := readLines(in, func(text string) error {
		at, message, _ := strings.Cut(text, " ")
		if when, err := time.Parse(time.RFC3339Nano, at); err == nil {
			return line(platform.LogLine{Time: when.UTC(), Instance: name, Message: message})
		}
		if len(other) < 5 {
			other = append(other, text)
		}
		return nil
	})
	stop()
	err = <-ended
	if failed != nil {
		return failed
	}
	if err != nil && len(other) > 0 {
		return withStderr(err, strings.Join(other, "\n"))
	}
	return nil
}

// readLines calls line for each line until the end of in, or an error of line.
func readLines(in io.Reader, line func(string) error) error {
	r := bufio.NewReaderSize(in, 64<<10)
	var text []byte
	for {
		part, err := r.ReadSlice('\n')
		if room := maxLogLine - len(text); room > 0 {
			text = append(text, part[:min(len(part), room)]...)
		}
		end := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !end:
			return err
		case len(text) > 0:
			if e := line(strings.TrimSuffix(string(text), "\n")); e != nil {
				return e
			}
		}
		if text = text[:0]; end {
			return nil
		}
	}
}

// patience is how long an engine may not answer while its logs are followed.
const patience = time.Minute

// follower follows all containers of an app, those that are and those that come.
type follower struct {
	p         *Platform
	app       string
	q         platform.LogQuery
	cursors   map[string]cursor // by container
	following map[string]string // container to the state in which following it began
	done      map[string]string // container to the state in which its stream ended
}

// followed is a line, or the end of a container's stream.
type followed struct {
	id   string
	line *platform.LogLine
}

func (f *follower) run(ctx context.Context, line func(platform.LogLine) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	lines := make(chan followed)
	failing := time.Time{}
	look := time.NewTimer(0)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case got := <-lines:
			if got.line == nil {
				f.done[got.id] = f.following[got.id]
				delete(f.following, got.id)
				continue
			}
			c := f.cursors[got.id]
			c.pass(*got.line)
			f.cursors[got.id] = c
			if err := line(*got.line); err != nil {
				return err
			}
		case <-look.C:
			look.Reset(f.p.o.Poll)
			found, err := f.p.logged(ctx, f.app, f.q.Instance)
			if err != nil {
				if failing.IsZero() {
					failing = f.p.o.Now()
				}
				if f.p.o.Now().Sub(failing) > patience {
					return err
				}
				continue
			}
			failing = time.Time{}
			for _, c := range found {
				f.follow(ctx, c, lines)
			}
		}
	}
}

// follow reads on in a container, unless that is being done, or it has not run since.
func (f *follower) follow(ctx context.Context, c container, lines chan<- followed) {
	state := c.State.StartedAt.String() + c.State.Status
	if _, now := f.following[c.ID]; now || f.done[c.ID] == state && !c.State.Running {
		return
	}
	f.following[c.ID] = state
	from := f.cursors[c.ID]
	args := []string{"logs", "--timestamps", "--follow"}
	if !from.at.IsZero() {
		args = append(args, "--since", from.at.Format(time.RFC3339Nano))
	}
	go func() {
		skip := from.same
		// Errors are no end: the next look finds the container, and it is read on.
		_ = f.p.stream(ctx, c.name(), append(args, c.name()), func(l platform.LogLine) error {
			switch {
			case l.Time.Before(from.at):
				return nil
			case l.Time.Equal(from.at) && skip > 0:
				skip--
				return nil
			}
			return f.send(ctx, lines, followed{c.ID, &l})
		})
		_ = f.send(ctx, lines, followed{id: c.ID})
	}()
}

func (f *follower) send(ctx context.Context, lines chan<- followed, got followed) error {
	select {
	case lines <- got:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// withStderr gives an error of a command the words that went to the common stream.
func withStderr(err error, words string) error {
	return &execx.Error{Program: "logs", Exit: exitOf(err), Stderr: errs.Redact(words), Cause: err}
}
