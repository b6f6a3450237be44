package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/backup"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// addGuards adds what is looked at before a deploy touches anything.
func (a *app) addGuards(ctx context.Context, t target, o deployOptions, in envInput, req *deploy.Request) error {
	if !o.skipEnv {
		req.Preflight = a.envPreflight(t, in)
		req.Public = envcheck.IsPublicName
	}
	if o.image == "" && o.plan == "" && !o.dirty {
		if err := a.cleanTree(ctx, t); err != nil {
			return err
		}
	}
	age := o.requireBackup
	if age == 0 {
		age = t.project.Deploy.RequireBackup.D()
	}
	if age < 0 {
		return errs.New(errs.Usage, "--require-backup: %s is no age", age)
	}
	if age > 0 {
		req.BackupGate = func(ctx context.Context, url string) (string, error) { return a.youngBackup(ctx, t, age, url) }
	}
	req.ImageGuard = a.imageGuard(t)
	return nil
}

// cleanTree refuses to build what is in no commit: nobody could build it again. A
// directory that is no repository has no such promise to keep.
func (a *app) cleanTree(ctx context.Context, t target) error {
	dir := filepath.Dir(t.project.Path)
	var out, why bytes.Buffer
	paths := []string{"."}
	if filepath.Clean(t.project.Build.Context) != "." {
		paths = append(paths, t.project.Build.Context)
	}
	git := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "status", "--porcelain", "--"}, paths...)...)
	git.Stdout, git.Stderr = &out, &why
	if err := git.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) || strings.Contains(why.String(), "not a git repository") {
			return nil
		}
		text, _, _ := strings.Cut(strings.TrimSpace(why.String()), "\n")
		return errs.New(errs.Usage, "git cannot tell whether everything is committed: %s", errs.Redact(text)).WithHint("mend that, or build all the same with --allow-dirty")
	}
	changed := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	if len(changed) == 1 && changed[0] == "" {
		return nil
	}
	first := strings.TrimSpace(changed[0][min(3, len(changed[0])):])
	what := first
	if n := len(changed) - 1; n > 0 {
		what += fmt.Sprintf(" and %d more", n)
	}
	return errs.New(errs.Usage, "the image would be built from uncommitted changes: %s", what).
		WithHint("commit them, or build them all the same with --allow-dirty, or name a finished image with --image")
}

// youngBackup finds a backup that was proven and is young enough.
func (a *app) youngBackup(ctx context.Context, t target, age time.Duration, database string) (string, error) {
	location := t.project.Backup.Store
	if dir, isFile := strings.CutPrefix(location, "file:"); isFile && dir != "" && !filepath.IsAbs(dir) && a.getenv("OPSCTL_BACKUP_STORE") == "" {
		location = "file:" + filepath.Join(filepath.Dir(t.project.Path), dir)
	}
	if location == "" {
		return "", errs.New(errs.Usage, "--require-backup: opsctl.yaml names no backup.store").WithHint("add one, such as: backup: {store: file:/var/backups/%s}", t.project.App)
	}
	st, err := store.Open(location)
	if err != nil {
		return "", err
	}
	entries, err := backup.List(ctx, st)
	if err != nil {
		return "", err
	}
	var newest time.Time
	proven, others := "", 0
	from := ""
	name, host := databaseOf(database)
	for _, e := range entries {
		if e.Manifest == nil || e.Verdict == nil || !e.Verdict.Proven || e.Damaged() != "" {
			continue
		}
		if name != "" && e.Manifest.Source.Database != name { // of another environment's database
			others++
			continue
		}
		if e.Manifest.Created.After(newest) {
			newest, proven, from = e.Manifest.Created, e.ID, e.Manifest.Source.Host
		}
	}
	hint := "make one: opsctl backup create && opsctl backup verify"
	switch {
	case proven == "" && others > 0:
		return "", errs.New(errs.CheckFailed, "%s holds no proven backup of the database %s, only of others", st, name).WithHint("%s", hint)
	case proven == "":
		return "", errs.New(errs.CheckFailed, "%s holds no backup that was restored and compared", st).WithHint("%s", hint)
	case a.now().Sub(newest) > age:
		return "", errs.New(errs.CheckFailed, "the newest proven backup, %s, is %s old, and %s is the most", proven, ui.Duration(a.now().Sub(newest)), ui.Duration(age)).WithHint("%s", hint)
	default:
		note := fmt.Sprintf("backup %s was proven, and is %s old", proven, ui.Duration(a.now().Sub(newest)))
		if host != "" && from != "" && host != from { // a tunnel, or another server with a database of that name
			note += fmt.Sprintf("; it was taken from %s, and the app's database is at %s", from, host)
		}
		return note, nil
	}
}

// databaseOf is the name and the host in a database's URL; "" when it is none.
func databaseOf(address string) (name, host string) {
	u, err := url.Parse(address)
	if err != nil {
		return "", ""
	}
	return strings.Trim(u.Path, "/"), u.Hostname()
}

// plainVars are the environment's plain variables, and what the app is told of its
// database's pool: the platform's pooler does not know how many instances share it.
func plainVars(t target) map[string]string {
	vars := map[string]string{}
	if p := t.project.Postgres; p != nil {
		vars["DATABASE_POOL_MAX"] = strconv.Itoa(max(1, p.Pool.MaxConnections/max(1, t.env.Instances)))
		vars["DATABASE_CONNECT_TIMEOUT"] = strconv.Itoa(int(p.Pool.ConnectTimeout.D().Seconds()))
		vars["DATABASE_IDLE_TIMEOUT"] = strconv.Itoa(int(p.Pool.IdleTimeout.D().Seconds()))
	}
	maps.Copy(vars, t.env.Vars)
	return vars
}

// redisSpec is the managed Redis that the project asks for; nil for none.
func redisSpec(t target) *platform.CacheSpec {
	r := t.project.Redis
	if r == nil {
		return nil
	}
	return &platform.CacheSpec{App: t.env.App, Org: t.env.Org, Name: t.env.App + "-redis", Version: r.Version, Region: t.env.Region, Plan: r.Plan}
}

// gitOutput is one line that git says of a repository that a platform is to build from.
func gitOutput(ctx context.Context, dir string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", append([]string{"-C", dir}, args...)...).Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		var failed *exec.ExitError
		text := err.Error()
		if errors.As(err, &failed) && len(failed.Stderr) > 0 {
			text, _, _ = strings.Cut(strings.TrimSpace(string(failed.Stderr)), "\n")
		}
		return "", errs.New(errs.Usage, "git %s: %s", args[0], errs.Redact(text)).
			WithHint("the platform builds from a commit that it can fetch: push one, or deploy a finished image with --image")
	}
	return strings.TrimSpace(string(out)), nil
}
