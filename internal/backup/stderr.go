package backup

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/execx"
)

// stderrLines keeps of a program's standard error what says what failed: the
// error lines and the archive's entry. Everything that shows rows or SQL
// (DETAIL, CONTEXT, QUERY, LINE, "Command was") is dropped as it comes, since
// what remains goes into verdicts and logs. The programs run under LC_ALL=C.
type stderrLines struct {
	line   []byte
	errors []string
	entry  string // "TABLE DATA public t owner"
	raised bool   // by a function of the user's, whose text may hold anything
}

const (
	maxErrorLine  = 1000
	maxErrorLines = 5
)

func (s *stderrLines) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexByte(p, '\n')
		part := p
		if i >= 0 {
			part = p[:i]
		}
		s.line = append(s.line, part[:min(len(part), maxErrorLine-len(s.line))]...)
		if i < 0 {
			break
		}
		s.add(string(s.line))
		s.line, p = s.line[:0], p[i+1:]
	}
	return n, nil
}

var (
	tocEntry  = regexp.MustCompile(`from TOC entry \d+; \d+ \d+ (.*)$`)
	errorLine = regexp.MustCompile(`^(?:pg_restore|pg_dump|psql)(?::<stdin>:\d+)?: (?:error: )?(.*\b(?:ERROR|FATAL|PANIC): .*|.*)$`)
)

func (s *stderrLines) add(line string) {
	if m := tocEntry.FindStringSubmatch(line); m != nil {
		s.entry = m[1]
		return
	}
	s.raised = s.raised || strings.Contains(line, " at RAISE")
	isError := strings.Contains(line, ": error: ") || strings.Contains(line, "ERROR:  ") || strings.Contains(line, "FATAL:  ")
	if m := errorLine.FindStringSubmatch(line); m != nil && isError && len(s.errors) < maxErrorLines {
		s.errors = append(s.errors, m[1])
	}
}

// String is what failed, in one line without values.
func (s *stderrLines) String() string {
	if len(s.line) > 0 {
		s.add(string(s.line))
		s.line = s.line[:0]
	}
	var out []string
	for _, e := range s.errors {
		if s.raised && strings.Contains(e, "ERROR:  ") {
			e, _, _ = strings.Cut(e, "ERROR:  ")
			e += "ERROR:  raised by a function of the database, whose text is not shown"
		}
		out = append(out, withoutValues(e))
	}
	text := strings.Join(slices.Compact(out), "; ")
	if s.entry != "" {
		text += " (" + s.entry + ")"
	}
	return strings.Join(strings.Fields(errs.Redact(text)), " ")
}

// run runs a program of PostgreSQL's; its error has no values of rows.
func (s *stderrLines) run(ctx context.Context, c execx.Cmd) error {
	c.Stderr = s
	err := execx.Run(ctx, c)
	if failed, ok := errors.AsType[*execx.Error](err); ok {
		failed.Stderr = s.String()
	}
	return err
}

var valueFirst = regexp.MustCompile(`\bvalue "(?:[^"]|"")*"`)

// withoutValues cuts the values off an error message of the server's: they
// stand behind `: "`, or in `value "..." is out of range`.
func withoutValues(message string) string {
	message, _, _ = strings.Cut(message, `: "`)
	return valueFirst.ReplaceAllString(message, "a value")
}

// sqlError is an error of the server's without values, for what is stored.
func sqlError(err error) string {
	var pg *pgconn.PgError
	switch {
	case !errors.As(err, &pg):
		return withoutValues(err.Error())
	case pg.Code[:2] == "P0": // raised by a function
		return "an error raised by a function of the database (SQLSTATE " + pg.Code + ")"
	default:
		return withoutValues(pg.Message) + " (SQLSTATE " + pg.Code + ")"
	}
}

// localTexts are how PostgreSQL's programs say that this machine, not the
// backup, is at fault.
var localTexts = []string{
	"No space left on device", "Disk quota exceeded", "Read-only file system", "Input/output error", "Too many open files",
	"out of memory", "Out of memory", "Cannot allocate memory", "out of shared memory", "could not resize shared memory", "could not fork",
	"shared_preload_libraries", "could not load library", "could not access file",
	"server closed the connection", "terminating connection", "connection to server", "the database system is",
	"too many connections", "too many clients",
}

// isLocalText tells whether the message speaks of this machine.
func isLocalText(text string) bool {
	return slices.ContainsFunc(localTexts, func(s string) bool { return strings.Contains(text, s) })
}

// isLocal tells whether a statement failed for this machine's sake: the
// session is gone, or the error is of class 53, 57 or 58 (insufficient
// resources, operator intervention, system error).
func isLocal(conn *pgx.Conn, err error) bool {
	if err == nil {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) && slices.Contains([]string{"53", "57", "58"}, pg.Code[:2]) {
		return true
	}
	return conn.IsClosed() || isLocalText(err.Error())
}
