package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opsctl/opsctl/internal/execx"
)

// initialise fills the data directory: with initdb, or with a copy of what
// initdb made the last time, which takes a fifth of the time. Clusters from
// one template share a system identifier, which nothing compares for a cluster
// that is thrown away.
func (c *Cluster) initialise(ctx context.Context, identity *execx.User) error {
	template := c.template()
	if template != "" && usable(template) {
		err := copyTree(ctx, template, c.DataDir(), identity)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := emptyDir(c.DataDir()); err != nil { // a half copy; initdb wants it empty
			return err
		}
	}
	err := execx.Run(ctx, execx.Cmd{
		Path: c.install.Path("initdb"),
		Args: append([]string{
			"-D", c.DataDir(), "-U", c.opts.User, "-E", "UTF8", "--locale=C",
			"--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync", "--no-instructions",
		}, c.initArgs()...),
		Env: childEnv(), Dir: c.dir, User: identity,
	})
	if err == nil && template != "" {
		keepTemplate(ctx, c.DataDir(), template) // the next start is slower without it, no more
	}
	return err
}

// template is the directory of the template for this cluster, "" for none.
func (c *Cluster) template() string {
	if c.opts.CacheDir == "" || !plainWord(c.opts.User) || !plainWord(c.install.Version) {
		return ""
	}
	name := fmt.Sprintf("initdb-%s-%s", c.install.Version, c.opts.User)
	if c.opts.Archive {
		name += "-archive"
	}
	return filepath.Join(c.opts.CacheDir, name)
}

// initArgs are what initdb is told beyond the usual.
func (c *Cluster) initArgs() []string {
	if c.opts.Archive { // a segment is archived whole, however little is in it
		return []string{"--wal-segsize=1"}
	}
	return nil
}

func plainWord(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '_' || r == '.') {
			return false
		}
	}
	return s != "" && s[0] != '.'
}

// usable tells whether the template is complete (it is renamed into place) and
// nobody else's.
func usable(template string) bool {
	info, err := os.Lstat(template)
	if err != nil || !info.IsDir() || !ownedByUs(info) || info.Mode().Perm()&0o022 != 0 {
		return false
	}
	_, err = os.Stat(filepath.Join(template, "PG_VERSION"))
	return err == nil
}

// keepTemplate copies a fresh data directory into the cache.
func keepTemplate(ctx context.Context, data, template string) {
	parent := filepath.Dir(template)
	if os.MkdirAll(parent, 0o700) != nil {
		return
	}
	temp, err := os.MkdirTemp(parent, ".new-")
	if err != nil {
		return
	}
	defer func() { _ = os.RemoveAll(temp) }()
	if copyTree(ctx, data, temp, nil) == nil {
		_ = os.Rename(temp, template) // fails when another run was first
	}
}

// copyTree copies directories and regular files from one directory into
// another that exists; what it makes belongs to owner, nil for ourselves.
func copyTree(ctx context.Context, from, to string, owner *execx.User) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case d.IsDir():
			err = os.Mkdir(target, 0o700)
		case d.Type().IsRegular():
			err = copyFile(path, target)
		default:
			return fmt.Errorf("%s is neither file nor directory", rel)
		}
		if err == nil && owner != nil {
			err = os.Lchown(target, int(owner.UID), int(owner.GID))
		}
		return err
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// sameCluster tells whether two data directories that no server has used hold
// the same cluster: the control file has its identity.
func sameCluster(a, b string) bool {
	x, errX := os.ReadFile(filepath.Join(a, "global", "pg_control"))
	y, errY := os.ReadFile(filepath.Join(b, "global", "pg_control"))
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// linkOrCopy fills a directory, made when it is missing, with hard links or,
// where that fails, with copies.
func linkOrCopy(ctx context.Context, from, to string, identity *execx.User) error {
	if err := ownDir(to, identity); err != nil {
		return err
	}
	if linkTree(from, to) == nil {
		return nil
	}
	if err := emptyDir(to); err != nil {
		return err
	}
	return copyTree(ctx, from, to, identity)
}

// linkTree is copyTree with hard links: the files stay when the original goes.
// They are one file system's, and nobody writes to them.
func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || rel == "." {
			return err
		}
		if d.IsDir() {
			return os.Mkdir(filepath.Join(to, rel), 0o700)
		}
		if strings.HasSuffix(rel, ".new") { // a segment on its way into the archive
			return nil
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}

// TreeSize is the size of all files in a directory, in bytes.
func TreeSize(dir string) (int64, error) {
	var size int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
