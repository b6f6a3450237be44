package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/opsctl/opsctl/internal/postgres"
)

// The scripts in testdata/script are opsctl's manual: each runs the real
// program in a fresh directory. The test binary is opsctl itself, so that
// coverage and the race detector see everything.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"opsctl":       main,
		"healthserver": healthServerMain,
		"bounded":      boundedMain,
	})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   filepath.Join("testdata", "script"),
		Setup: setupScript,
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    cmdExits,
			"waitenv":  cmdWaitenv,
			"postgres": cmdPostgres,
			"waitline": cmdWaitline,
			"mode":     cmdMode,
		},
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}

// setupScript gives a script a home of its own and none of the developer's credentials.
func setupScript(e *testscript.Env) error {
	home := filepath.Join(e.WorkDir, ".home")
	if err := os.MkdirAll(home, 0o700); err != nil {
		return err
	}
	e.Setenv("HOME", home)
	e.Setenv("XDG_CONFIG_HOME", filepath.Join(home, ".config"))
	e.Setenv("XDG_STATE_HOME", filepath.Join(home, ".state"))
	e.Setenv("XDG_CACHE_HOME", filepath.Join(home, ".cache"))
	e.Setenv("NO_COLOR", "1")
	if dir := os.Getenv("OPSCTL_PG_BINDIR"); dir != "" {
		e.Setenv("OPSCTL_PG_BINDIR", dir)
	}
	return nil
}

// cmdExits runs a program and wants an exact exit status: exits 3 opsctl env check.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM [ARGS...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// cmdWaitenv waits for a file of NAME=VALUE or export lines that a program in the
// background writes when it is ready, and sets the variables: waitenv emulator.env.
func cmdWaitenv(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitenv FILE")
	}
	path := ts.MkAbs(args[0])
	var src []byte
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		var err error
		if src, err = os.ReadFile(path); err == nil && strings.HasSuffix(string(src), "\n") {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s did not appear", args[0])
		}
	}
	for line := range strings.Lines(string(src)) {
		name, value, ok := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		if ok {
			ts.Setenv(name, strings.Trim(value, `'"`))
		}
	}
}

// cmdWaitline waits until the files below a directory hold a text, so many
// times: waitline DIR TEXT [TIMES].
func cmdWaitline(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: waitline DIR TEXT [TIMES]")
	}
	times := 1
	if len(args) == 3 {
		var err error
		times, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		found := 0
		_ = filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				src, _ := os.ReadFile(path)
				found += strings.Count(string(src), args[1])
			}
			return nil
		})
		if found >= times {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%q was found %d times, not %d", args[1], found, times)
		}
	}
}

// cmdPostgres starts a PostgreSQL server for the rest of the script and sets
// the named variable (DATABASE_URL by default) to its URL: postgres [NAME].
func cmdPostgres(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 1 {
		ts.Fatalf("usage: postgres [NAME]")
	}
	name := "DATABASE_URL"
	if len(args) == 1 {
		name = args[0]
	}
	cluster, err := postgres.StartScratch(context.Background(), postgres.ScratchOptions{
		Listen: "127.0.0.1", User: "owner", Password: "s3cret-of-the-test", Database: "app",
	})
	ts.Check(err)
	ts.Defer(func() { ts.Check(cluster.Stop(context.Background())) })
	ts.Setenv(name, cluster.URL())
}

// cmdMode wants the permission bits of a file: mode 600 FILE
func cmdMode(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mode BITS FILE")
	}
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatUint(uint64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
