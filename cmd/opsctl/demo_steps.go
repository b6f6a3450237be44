package main

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opsctl/opsctl/examples"
	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform/fly"
	"github.com/opsctl/opsctl/internal/ui"
)

// files: an app that has never seen opsctl becomes deployable.
func (d *demo) files(ctx context.Context) error {
	if err := examples.Write(d.app, examples.ERP()); err != nil {
		return err
	}
	d.say("a Next.js app with tenants, invoices and row-level security stands in %s", d.app)
	for _, command := range []string{"opsctl init", "opsctl init", "opsctl config check"} {
		if err := d.sh(ctx, 0, command); err != nil {
			return err
		}
	}
	d.proved("init wrote the files, and a second init changed nothing")
	return nil
}

// environment: a line that two readers take differently, found and mended.
func (d *demo) environment(ctx context.Context) error {
	const wrong, right = `postgresql://erp:p#a$1s@localhost:5432/erp`, `postgresql://erp:p%23a%241s@localhost:5432/erp`
	for _, step := range []struct {
		url  string
		exit int
	}{{wrong, errs.CheckFailed.Exit()}, {right, 0}} {
		lines := []string{
			"DATABASE_URL=" + step.url, "TEST_DATABASE_URL=postgresql://erp:erp@localhost:5432/erp_test",
			"REDIS_URL=redis://localhost:6379/0", "NEXT_PUBLIC_APP_URL=http://localhost:3000", "CLERK_WEBHOOK_SECRET=whsec_" + strings.Repeat("A", 32),
		}
		if err := os.WriteFile(filepath.Join(d.app, ".env"), []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			return err
		}
		d.say("%s grep ^DATABASE_URL .env\n%s", ui.Cyan("$"), lines[0])
		if err := d.sh(ctx, step.exit, "opsctl env check"); err != nil {
			return err
		}
	}
	d.proved("env check found the line that Next.js and docker compose read differently")
	return nil
}

// startEmulator: Fly.io's APIs, a registry and real processes on this machine.
func (d *demo) startEmulator(ctx context.Context) error {
	args := []string{
		"emulate", "--listen", "127.0.0.1:0", "--env-file", "../emulator.env", "--exec", "../bin/opsctl demo app serve",
		"--seed-image", "erp:1.0", "--seed-image", "erp:1.1" + brokenTag,
	}
	shown := `opsctl emulate --listen 127.0.0.1:0 --env-file ../emulator.env \
    --exec "../bin/opsctl demo app serve" --seed-image erp:1.0 --seed-image erp:1.1` + brokenTag
	var err error
	if d.emulator, err = d.start(ctx, shown, "emulator.log", args...); err != nil {
		return err
	}
	vars, err := d.awaitEmulator(ctx)
	if err != nil {
		return err
	}
	d.say("%s . ../emulator.env", ui.Cyan("$"))
	maps.Copy(d.env, vars)
	return d.export(map[string]string{
		// The example's own release command is `node migrate.mjs`; opsctl stands in for it here.
		"OPSCTL_RELEASE_COMMAND":       "../bin/opsctl,demo,app,migrate",
		"OPSCTL_DEPLOY_HEALTH_TIMEOUT": "8s", "OPSCTL_DEPLOY_INTERVAL": "300ms",
	})
}

// awaitEmulator waits until the emulator has written its variables.
func (d *demo) awaitEmulator(ctx context.Context) (map[string]string, error) {
	path := filepath.Join(d.dir, "emulator.env")
	deadline := time.Now().Add(30 * time.Second)
	for {
		src, err := os.ReadFile(path)
		if err == nil && bytes.HasSuffix(src, []byte("\n")) {
			vars := map[string]string{}
			for line := range strings.Lines(string(src)) {
				if name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "="); ok {
					vars[name] = strings.Trim(value, `'"`)
				}
			}
			return vars, nil
		}
		select {
		case <-d.emulator.done:
			err := d.emulator.err
			d.emulator = nil
			log, _ := os.ReadFile(filepath.Join(d.dir, "emulator.log"))
			return nil, errs.Wrap(err, errs.Failure, "the emulator ended: %s", strings.TrimSpace(string(log)))
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errs.New(errs.Timeout, "the emulator did not start within 30s")
		}
	}
}

// firstDeploy: everything from nothing, and a second run that changes nothing.
func (d *demo) firstDeploy(ctx context.Context) error {
	production := strings.Join([]string{
		"REDIS_URL=rediss://default:demo-only@cache.example.com:6379", "NEXT_PUBLIC_APP_URL=https://erp.example.com",
		"CLERK_WEBHOOK_SECRET=whsec_" + strings.Repeat("B", 32),
	}, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(d.app, ".env.production"), []byte(production), 0o600); err != nil {
		return err
	}
	const command = "opsctl deploy --platform fly --image registry.fly.io/erp:1.0"
	for _, step := range []string{command + " --dry-run", command, command, "opsctl status"} {
		if err := d.sh(ctx, 0, step); err != nil {
			return err
		}
	}
	direct, err := d.databaseURL(ctx)
	if err != nil {
		return err
	}
	if err := d.export(map[string]string{deploy.PooledURL: direct}); err != nil {
		return err
	}
	if err := d.seed(ctx); err != nil {
		return err
	}
	if err := d.sh(ctx, 0, "opsctl health "+d.appURL()+"/api/health"); err != nil {
		return err
	}
	d.proved("a deploy made the app, its PostgreSQL, ran the migrations and rolled out; a second one changed nothing")
	return nil
}

// databaseURL asks the platform for the direct URL of the app's database, which
// a real user has in a password manager.
func (d *demo) databaseURL(ctx context.Context) (string, error) {
	// fly-go reads this one base URL from the process's own environment.
	if err := os.Setenv("FLY_FLAPS_BASE_URL", d.env["FLY_FLAPS_BASE_URL"]); err != nil {
		return "", err
	}
	p, err := fly.New(ctx, fly.Options{
		Lookup: func(name string) (string, bool) { v, ok := d.env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl-demo"},
	})
	if err != nil {
		return "", err
	}
	db, err := p.FindPostgres(ctx, "erp", "erp-db")
	if err != nil {
		return "", err
	}
	if db == nil {
		return "", errs.New(errs.NotFound, "the demo's database is gone")
	}
	return db.Direct, nil
}

func (d *demo) seed(ctx context.Context) error {
	if err := d.sh(ctx, 0, `psql -q -v ON_ERROR_STOP=1 -f db/seed.sql "$DATABASE_URL" >/dev/null`); err != nil {
		return err
	}
	return d.sh(ctx, 0, `psql -Atc "select count(*) || ' invoices of ' || count(distinct tenant_id) || ' tenants' from invoices" "$DATABASE_URL"`)
}

func (d *demo) appURL() string {
	return "http://erp.localhost:" + d.env["FLY_FLAPS_BASE_URL"][strings.LastIndex(d.env["FLY_FLAPS_BASE_URL"], ":")+1:]
}

// badDeploy: the health check decides, and the version before comes back.
func (d *demo) badDeploy(ctx context.Context) error {
	if err := d.sh(ctx, errs.RolledBack.Exit(), "opsctl deploy --image registry.fly.io/erp:1.1"+brokenTag); err != nil {
		return err
	}
	for _, step := range []string{"opsctl history", "opsctl health " + d.appURL() + "/api/health --wait 10s --consecutive 2"} {
		if err := d.sh(ctx, 0, step); err != nil {
			return err
		}
	}
	d.proved("a release that never became healthy was rolled back (exit 8), and the app answers as before")
	return nil
}

// backup: encrypted, then restored and compared.
func (d *demo) backup(ctx context.Context) error {
	for _, step := range []string{
		"opsctl backup keygen --out ../backup-key.txt > ../backup-key.pub",
		`opsctl backup create --store file:../backups --recipient "$(cat ../backup-key.pub)"`,
		"opsctl backup verify --store file:../backups --identity ../backup-key.txt",
		"opsctl backup list --store file:../backups",
	} {
		if err := d.sh(ctx, 0, step); err != nil {
			return err
		}
	}
	d.proved("a backup was made, restored into a server of its own, and every row compared")
	return nil
}

// damage: one flipped byte in the middle of the largest object.
func (d *demo) damage(ctx context.Context) error {
	if err := d.sh(ctx, 0, "cp -R ../backups ../damaged"); err != nil {
		return err
	}
	path, size, err := d.largest()
	if err != nil {
		return err
	}
	rel, err := filepath.Rel(d.app, path)
	if err != nil {
		return err
	}
	flip, err := flippedByte(path, size/2)
	if err != nil {
		return err
	}
	command := fmt.Sprintf(`printf '\%03o' | dd of=%s bs=1 seek=%d conv=notrunc 2>/dev/null`, flip, rel, size/2)
	if err := d.sh(ctx, 0, command); err != nil {
		return err
	}
	if err := d.sh(ctx, errs.CheckFailed.Exit(), "opsctl backup verify --store file:../damaged --identity ../backup-key.txt"); err != nil {
		return err
	}
	d.proved("the same backup with one byte changed was not proven (exit 3)")
	return nil
}

// largest is the biggest object of the damaged store: the dump.
func (d *demo) largest() (path string, size int64, err error) {
	err = filepath.WalkDir(filepath.Join(d.dir, "damaged"), func(p string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil && info.Size() > size {
			path, size = p, info.Size()
		}
		return err
	})
	if err == nil && path == "" {
		err = errs.New(errs.Failure, "the store is empty")
	}
	return path, size, err
}

func flippedByte(path string, at int64) (byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	b := make([]byte, 1)
	if _, err := f.ReadAt(b, at); err != nil {
		return 0, err
	}
	return b[0] ^ 0x01, nil
}
