package platformtest

import (
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// database makes the app's database, and skips where the platform has none.
func (s Setup) database(t *testing.T) (platform.Databases, *platform.Database) {
	t.Helper()
	databases, ok := s.Platform.(platform.Databases)
	if !ok {
		t.Skipf("%s has no managed PostgreSQL", s.Platform.Name())
	}
	s.create(t)
	db, err := databases.CreatePostgres(t.Context(), platform.DatabaseSpec{
		App: app, Name: app + "-db", Version: 16, Region: s.Region, Plan: "basic", PoolMode: "transaction",
	}, silent)
	must(t, err)
	return databases, db
}

// ask runs a query that gives one number.
func ask(t *testing.T, url, sql string) (n int64) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	must(t, conn.QueryRow(t.Context(), sql).Scan(&n))
	return n
}

func do(t *testing.T, url string, sql ...string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	must(t, err)
	defer conn.Close(t.Context())
	for _, q := range sql {
		_, err := conn.Exec(t.Context(), q)
		must(t, err)
	}
}

func testPostgres(t *testing.T, s Setup) {
	databases, db := s.database(t)
	if db.Direct == "" || db.Pooled == "" || ask(t, db.Direct, "select 1") != 1 || ask(t, db.Pooled, "select 2") != 2 {
		t.Errorf("database %s is not ready", db.Name)
	}
	again, err := databases.CreatePostgres(t.Context(), platform.DatabaseSpec{App: app, Name: app + "-db", Version: 16, Region: s.Region, Plan: "basic", PoolMode: "transaction"}, silent)
	must(t, err)
	if again.ID != db.ID {
		t.Errorf("a second database was made: %s beside %s", again.ID, db.ID)
	}
	found, err := databases.FindPostgres(t.Context(), app, app+"-db")
	must(t, err)
	if found == nil || found.ID != db.ID || found.Direct != db.Direct || found.Pooled != db.Pooled {
		t.Errorf("found %v", found != nil)
	}
	if none, err := databases.FindPostgres(t.Context(), app, "nobody-has-this"); err != nil || none != nil {
		t.Errorf("found one that is not there: %v", err)
	}
}

func testRedis(t *testing.T, s Setup) {
	caches, ok := s.Platform.(platform.Caches)
	if !ok {
		t.Skipf("%s has no managed Redis", s.Platform.Name())
	}
	s.create(t)
	spec := platform.CacheSpec{App: app, Name: app + "-redis", Version: 7, Region: s.Region}
	redis, err := caches.CreateRedis(t.Context(), spec, silent)
	must(t, err)
	if err := ping(t.Context(), redis.URL); err != nil {
		t.Errorf("it does not answer: %v", err)
	}
	again, err := caches.CreateRedis(t.Context(), spec, silent)
	must(t, err)
	found, err := caches.FindRedis(t.Context(), app, spec.Name)
	must(t, err)
	if found == nil || found.ID != redis.ID || found.URL != redis.URL || again.ID != redis.ID {
		t.Errorf("made %s, again %s, found %v", redis.ID, again.ID, found)
	}
	if none, err := caches.FindRedis(t.Context(), app, "nobody-has-this"); err != nil || none != nil {
		t.Errorf("found one that is not there: %v", err)
	}
}

func testNativeBackups(t *testing.T, s Setup) {
	backups, ok := s.Platform.(platform.NativeBackups)
	if !ok {
		t.Skipf("%s does not back up databases itself", s.Platform.Name())
	}
	_, db := s.database(t)
	s.rollOut(t, s.release(t, 0, nil)) // there is an app that uses it
	do(t, db.Direct, "create table kept (n int)", "insert into kept values (1)")
	made, err := backups.CreateBackup(t.Context(), app, db.Name, silent)
	must(t, err)
	list, err := backups.Backups(t.Context(), app, db.Name)
	must(t, err)
	if !slices.ContainsFunc(list, func(b platform.NativeBackup) bool { return b.ID == made.ID && b.Ready && !b.Created.IsZero() }) {
		t.Errorf("made %+v, listed %+v", made, list)
	}
	window, err := backups.RecoveryWindow(t.Context(), app, db.Name)
	must(t, err)
	if window.From.IsZero() && window.Note == "" {
		t.Error("the window says nothing")
	}
	do(t, db.Direct, "insert into kept values (2)")
	time.Sleep(1500 * time.Millisecond) // platforms take whole seconds
	at := time.Now()
	time.Sleep(1500 * time.Millisecond)
	do(t, db.Direct, "delete from kept")
	restored, err := backups.RestoreDatabase(t.Context(), platform.RestoreSpec{App: app, Database: db.Name, Time: at, Name: "then"}, silent)
	must(t, err)
	if n := ask(t, restored.Direct, "select count(*) from kept"); n != 2 || restored.ID == db.ID {
		t.Errorf("%d rows in the database of then, want 2", n)
	}
	if n := ask(t, db.Direct, "select count(*) from kept"); n != 0 {
		t.Errorf("the source was touched: %d rows", n)
	}
	_, err = backups.RestoreDatabase(t.Context(), platform.RestoreSpec{App: app, Database: db.Name, Time: time.Now().AddDate(-1, 0, 0), Name: "long-ago"}, silent)
	if c := errs.CodeOf(err); c != errs.Usage && c != errs.NotFound {
		t.Errorf("a time outside the window: %q (%v)", c, err)
	}
}

func testDomains(t *testing.T, s Setup) {
	domains, ok := s.Platform.(platform.Domains)
	if !ok {
		t.Skipf("%s serves no other names", s.Platform.Name())
	}
	s.create(t)
	s.rollOut(t, s.release(t, 0, nil))
	const name = "erp.example.com"
	_, err := domains.CheckDomain(t.Context(), app, name)
	code(t, "check of one that was not added", err, errs.NotFound)
	added, err := domains.AddDomain(t.Context(), app, name)
	must(t, err)
	if added.Name != name || added.Ready || len(added.Records) == 0 || added.Records[0].Value == "" {
		t.Errorf("added %+v", added)
	}
	if _, err := domains.AddDomain(t.Context(), app, name); err != nil {
		t.Errorf("added again: %v", err)
	}
	if s.Verify != nil {
		s.Verify(name)
		var now platform.Domain
		for deadline := time.Now().Add(20 * time.Second); !now.Ready && time.Now().Before(deadline); {
			now, err = domains.CheckDomain(t.Context(), app, name)
			must(t, err)
		}
		if !now.Ready {
			t.Errorf("its records stand, and it is %+v", now)
		}
	}
	list, err := domains.Domains(t.Context(), app)
	must(t, err)
	if n := len(slices.DeleteFunc(list, func(d platform.Domain) bool { return d.Name != name })); n != 1 {
		t.Errorf("listed %d times", n)
	}
	must(t, domains.RemoveDomain(t.Context(), app, name))
	code(t, "remove it again", domains.RemoveDomain(t.Context(), app, name), errs.NotFound)
}

func testScale(t *testing.T, s Setup) {
	scaler, ok := s.Platform.(platform.Scaler)
	if !ok {
		t.Skipf("%s does not scale what runs", s.Platform.Name())
	}
	s.create(t)
	s.rollOut(t, s.release(t, 0, nil))
	for _, n := range []int{3, 1} {
		must(t, scaler.Scale(t.Context(), app, platform.Scale{Instances: n}, silent))
		state := s.observe(t)
		if len(state.Instances) != n || state.Mixed || state.Current.Instances != n || state.Current.Env["COLOR"] != "blue" {
			t.Errorf("scaled to %d: %d instances, %+v", n, len(state.Instances), state.Current)
		}
	}
	if s.Size != "" {
		must(t, scaler.Scale(t.Context(), app, platform.Scale{Size: s.Size}, silent))
		if c := s.observe(t).Current; c.Size != s.Size {
			t.Errorf("size %q, want %q", c.Size, s.Size)
		}
		code(t, "an unknown size", scaler.Scale(t.Context(), app, platform.Scale{Size: "galactic"}, silent), errs.Usage)
	}
}
