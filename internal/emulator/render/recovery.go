package render

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	pg "github.com/opsctl/opsctl/internal/postgres"
)

// recoveryPoint is where the content of a database comes from.
type recoveryPoint struct {
	Server string // the world's id
	Time   time.Time
}

// export is a logical backup: pg_dump's directory format as .tar.gz.
type export struct {
	ID, Key   string
	CreatedAt time.Time
	Done      bool

	data []byte // not kept over a restart
}

// window is the time that can be recovered. Recovery ends a while before now.
func (s *Server) window(p *postgres) (from, to time.Time, found bool) {
	if p.db == nil || p.Plan == "free" {
		return from, to, false
	}
	from, to = p.db.Window()
	if s.opts.RecoveryGap > 0 {
		to = to.Add(-s.opts.RecoveryGap)
	}
	return from, to, true
}

func (s *Server) recoveryInfo(_ *http.Request, p *postgres) (reply, error) {
	from, to, found := s.window(p)
	switch {
	case p.Plan == "free":
		return ok(map[string]any{"recoveryStatus": "NOT_AVAILABLE"})
	case !found || !from.Before(to):
		return ok(map[string]any{"recoveryStatus": "BACKUP_NOT_READY"})
	}
	return ok(map[string]any{"recoveryStatus": "AVAILABLE", "startsAt": stamp(from)})
}

// recoverPostgres makes a new database with the content of another time. The
// one that it comes from goes on.
func (s *Server) recoverPostgres(r *http.Request, p *postgres) (reply, error) {
	var in struct {
		Time          *time.Time `json:"restoreTime"`
		Name          string     `json:"restoreName"`
		Plan          string     `json:"plan"`
		EnvironmentID *string    `json:"environmentId"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	from, to, found := s.window(p)
	switch {
	case in.Time == nil:
		return reply{}, bad("restoreTime is required")
	case !found || !from.Before(to):
		return reply{}, bad("point-in-time recovery is not available for this database yet")
	case in.Time.Before(from) || in.Time.After(to):
		return reply{}, bad("restoreTime must be between %s and %s", stamp(from), stamp(to))
	case in.Plan != "" && !postgresPlan(in.Plan):
		return reply{}, bad("invalid plan %q", in.Plan)
	}
	n := *p
	n.ID, n.Name, n.Plan, n.Status = s.id("dpg")+"-a", orElse(in.Name, p.Name+"-recovery"), orElse(in.Plan, p.Plan), "recovery_in_progress"
	n.CreatedAt, n.UpdatedAt, n.Server, n.db, n.Exports, n.Replicas, n.Suspended = s.w.Now(), s.w.Now(), "", nil, nil, nil, false
	n.From, n.Password = &recoveryPoint{p.Server, *in.Time}, s.w.Hex(32)
	n.IPAllowList = slices.Clone(p.IPAllowList)
	if in.EnvironmentID != nil {
		if err := s.environmentFor(*in.EnvironmentID); err != nil {
			return reply{}, err
		}
		n.EnvironmentID = *in.EnvironmentID
	}
	s.st.Postgres = append(s.st.Postgres, &n)
	s.startPostgres(&n)
	return ok(s.postgresDoc(&n))
}

// createExport answers without an id, as the platform does; the list shows the
// export, at first without a URL.
func (s *Server) createExport(_ *http.Request, p *postgres) (reply, error) {
	if p.db == nil {
		return reply{}, bad("the database is %s", p.Status)
	}
	e := &export{ID: s.id("exp"), Key: s.w.Hex(32), CreatedAt: s.w.Now()}
	p.Exports = append(p.Exports, e)
	dsn, major, name := p.dsn(p.db.Addr()), p.db.Major(), p.Name
	s.background(func(ctx context.Context) {
		data, err := dump(ctx, dsn, major)
		s.mu.Lock()
		defer s.mu.Unlock()
		if err != nil {
			s.w.Logf("postgres %s: export: %v", name, err)
			p.Exports = remove(p.Exports, e)
			return
		}
		e.data, e.Done = data, true
		s.w.Touch()
	})
	return empty(http.StatusAccepted)
}

func (s *Server) listExports(_ *http.Request, p *postgres) (reply, error) {
	docs := []any{}
	for _, e := range slices.Backward(p.Exports) {
		doc := map[string]any{"id": e.ID, "createdAt": stamp(e.CreatedAt)}
		if e.Done && e.data != nil {
			doc["url"] = s.exportURL(e)
		}
		docs = append(docs, doc)
	}
	return ok(docs)
}

func (s *Server) exportURL(e *export) string {
	base := "https://api.render.com"
	if s.opts.Port != nil {
		base = fmt.Sprintf("http://127.0.0.1:%d", s.opts.Port())
	}
	return fmt.Sprintf("%s/v1/exports/%s/%s/%s.dir.tar.gz", base, e.ID, e.Key, e.CreatedAt.UTC().Format("2006-01-02T15:04Z"))
}

// downloadExport needs no key but the one in the address.
func (s *Server) downloadExport(rw http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	var data []byte
	for _, p := range s.st.Postgres {
		for _, e := range p.Exports {
			if e.ID == r.PathValue("export") && e.Key == r.PathValue("key") {
				data = e.data
			}
		}
	}
	s.mu.Unlock()
	if data == nil {
		s.fail(rw, notFound("export", r.PathValue("export")))
		return
	}
	rw.Header().Set("Content-Type", "application/gzip")
	_, _ = rw.Write(data)
}

// dump runs pg_dump of the server's version and packs the directory.
func dump(ctx context.Context, dsn string, major int) ([]byte, error) {
	in, err := pg.Find(ctx, pg.FindOptions{Major: major, Programs: []string{"pg_dump"}, NeededBy: "the emulator's exports"})
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "opsctl-emulator-export-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	out := filepath.Join(dir, "export")
	cmd := exec.CommandContext(ctx, in.Path("pg_dump"), "--format=directory", "--no-owner", "--file="+out) //nolint:gosec // PostgreSQL's own program
	env, err := connectionEnv(dsn)
	if err != nil {
		return nil, err
	}
	cmd.Env = append(os.Environ(), env...) // the password must not be an argument
	if text, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.Join(err, errors.New(string(bytes.TrimSpace(text))))
	}
	return pack(out)
}

// pack is a directory of files as .tar.gz.
func pack(dir string) ([]byte, error) {
	var buf bytes.Buffer
	zw := gzip.NewWriter(&buf)
	tw := tar.NewWriter(zw)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name())) //nolint:gosec // made by pg_dump just now
		if err != nil {
			return nil, err
		}
		if err := tw.WriteHeader(&tar.Header{Name: "export/" + e.Name(), Mode: 0o600, Size: int64(len(data))}); err != nil {
			return nil, err
		}
		if _, err := io.Copy(tw, bytes.NewReader(data)); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(tw.Close(), zw.Close()); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// connectionEnv is a connection URL as the variables that PostgreSQL's programs read.
func connectionEnv(dsn string) ([]string, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, errors.New("the connection string cannot be read")
	}
	password, _ := u.User.Password()
	return []string{
		"PGHOST=" + u.Hostname(), "PGPORT=" + u.Port(), "PGUSER=" + u.User.Username(), "PGPASSWORD=" + password,
		"PGDATABASE=" + strings.TrimPrefix(u.Path, "/"),
	}, nil
}
