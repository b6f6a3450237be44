package backup

import (
	"context"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/errs"
)

// createChild is the opsctl that the next test kills.
func createChild() int {
	o := CreateOptions{
		DatabaseURL: os.Getenv("OPSCTL_TEST_URL"), Store: store.NewFile(os.Getenv("OPSCTL_TEST_CREATE")), Unencrypted: true,
		Opsctl: "test", Now: time.Now, Random: strings.NewReader("abc"),
		Progress: func(e Event) { fmt.Println(e.Stage, e.State) },
	}
	if _, err := Create(context.Background(), o); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func TestAKilledCreateIsNoBackupAndIsSweptAfterADay(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT i, md5(i::text) AS x FROM generate_series(1, 1000) i")
	// pg_dump ends well, pg_dumpall hangs: the dump is stored, the manifest is not.
	fakePgDump(t, `exec "$REAL" "$@"`)
	all := filepath.Join(os.Getenv("OPSCTL_PG_BINDIR"), "pg_dumpall")
	if err := os.Remove(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(all, []byte("#!/bin/sh\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "store")
	f.store = store.NewFile(dir)
	cmd := child(t, "OPSCTL_TEST_CREATE="+dir, "OPSCTL_TEST_URL="+url)
	waitFor(t, func() bool {
		objects, err := f.store.List(t.Context(), "")
		return err == nil && len(objects) == 1
	})
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()

	if list, err := List(t.Context(), f.store); err != nil || len(list) != 0 {
		t.Errorf("list: %v, %v", list, err)
	}
	if _, err := Find(t.Context(), f.store, Latest); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("latest: %v", err)
	}
	t.Setenv("OPSCTL_PG_BINDIR", "")
	m := f.create(t, url) // the next run works, and leaves what may still be running alone
	if objects, err := f.store.List(t.Context(), ""); err != nil || len(objects) != 4 {
		t.Errorf("objects: %v, %v", objects, err)
	}
	o := f.createOptions(url)
	o.Now = func() time.Time { return time.Now().Add(leftoverAge + time.Hour) }
	if _, err := Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	objects, err := f.store.List(t.Context(), "")
	if err != nil || len(objects) != 6 {
		t.Errorf("after a day: %v, %v", objects, err)
	}
	proven(t, f.verify(t, m.ID))
}

// child starts this test binary as a child with more variables.
func child(t *testing.T, env ...string) *osexec.Cmd {
	t.Helper()
	cmd := osexec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("timed out")
		}
	}
}
