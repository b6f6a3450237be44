package backup

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/backup/archive"
)

// rereadReordered reads those tables again whose columns stand in another
// order than at the source, this time in the source's order: a table that
// inherits, after ALTER TABLE parent ADD COLUMN, is made anew with the
// parent's columns first. The archive's COPY statements tell the orders.
func (v *verifier) rereadReordered(ctx context.Context, is *archive.Archive, contents map[string]archive.Content) error {
	was := copyStatements(v.archive)
	for _, e := range is.Entries {
		key := ident(e.Schema, e.Tag)
		statement := was[key]
		if e.Desc != "TABLE DATA" || statement == "" || statement == e.Copy || !sameColumns(statement, e.Copy) {
			continue
		}
		c, err := v.copyOut(ctx, statement)
		if err != nil {
			return fmt.Errorf("read %s back in the source's order of columns: %w", key, err)
		}
		contents[key] = c
		v.note("the columns of %s stand in another order after a restore, as pg_dump does with inherited tables; its rows are compared in the source's order", key)
	}
	return nil
}

// sameColumns tells whether two COPY statements differ in order alone.
func sameColumns(a, b string) bool {
	return len(a) == len(b) && slices.Equal(slices.Sorted(slices.Values(strings.Fields(normalised(a)))), slices.Sorted(slices.Values(strings.Fields(normalised(b)))))
}

// normalised parts a COPY statement at commas and parentheses.
func normalised(statement string) string {
	return strings.NewReplacer(",", " ", "(", " ", ")", " ").Replace(statement)
}

func copyStatements(a *archive.Archive) map[string]string {
	out := make(map[string]string)
	for _, e := range a.Entries {
		if e.Desc == "TABLE DATA" {
			out[ident(e.Schema, e.Tag)] = e.Copy
		}
	}
	return out
}

// copyOut hashes what a COPY ... FROM stdin statement's columns hold now.
func (v *verifier) copyOut(ctx context.Context, statement string) (archive.Content, error) {
	statement, ok := strings.CutSuffix(strings.TrimSpace(statement), " FROM stdin;")
	if !ok {
		return archive.Content{}, fmt.Errorf("the statement %q is not understood", statement)
	}
	conn, err := v.at.connect(ctx)
	if err != nil {
		return archive.Content{}, err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := pinSession(ctx, conn); err != nil {
		return archive.Content{}, err
	}
	// As pg_dump does: the bytes as the database holds them.
	if _, err := conn.Exec(ctx, "SELECT set_config('client_encoding', getdatabaseencoding(), false), set_config('row_security', 'off', false)"); err != nil {
		return archive.Content{}, err
	}
	w := &lines{sum: archive.NewSum()}
	if _, err := conn.PgConn().CopyTo(ctx, w, statement+" TO STDOUT"); err != nil {
		return archive.Content{}, err
	}
	return w.sum.Content(), nil
}

// lines adds each line that is written to it to a sum.
type lines struct {
	sum  *archive.Sum
	rest []byte
}

func (l *lines) Write(p []byte) (int, error) {
	n := len(p)
	for {
		i := bytes.IndexByte(p, '\n')
		if i < 0 {
			l.rest = append(l.rest, p...)
			return n, nil
		}
		l.sum.Add(append(l.rest, p[:i]...))
		l.rest, p = l.rest[:0], p[i+1:]
	}
}
