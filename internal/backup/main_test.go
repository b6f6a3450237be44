package backup

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/backup/seal"
	"github.com/opsctl/opsctl/internal/backup/store"
	"github.com/opsctl/opsctl/internal/postgres"
)

// shared is the source server of all tests of this package; each test has a
// database of its own in it.
var shared struct {
	once    sync.Once
	cluster *postgres.Cluster
	err     error
	count   atomic.Int64
	cache   string // the scratch clusters' template
}

func TestMain(m *testing.M) {
	if os.Getenv("OPSCTL_TEST_CREATE") != "" {
		os.Exit(createChild())
	}
	var err error
	if shared.cache, err = os.MkdirTemp("", "opsctl-test-cache-"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(shared.cache)
	if shared.cluster != nil {
		_ = shared.cluster.Stop(context.Background())
	}
	os.Exit(code)
}

// cluster starts the shared source server, or skips visibly without PostgreSQL.
func cluster(tb testing.TB) *postgres.Cluster {
	tb.Helper()
	programs := slices.Concat(postgres.RestorePrograms, postgres.DumpPrograms)
	if _, err := postgres.Find(tb.Context(), postgres.FindOptions{Programs: programs}); err != nil {
		tb.Skip(err)
	}
	shared.once.Do(func() {
		shared.cluster, shared.err = postgres.StartScratch(context.Background(), postgres.ScratchOptions{
			Listen: "127.0.0.1", User: "boss", Password: sourcePassword,
			Settings: map[string]string{"autovacuum": "off"},
		})
	})
	if shared.err != nil {
		tb.Fatal(shared.err)
	}
	return shared.cluster
}

const sourcePassword = "hunter2-secret/@:"

// database makes an empty database and returns its URL.
func database(tb testing.TB, name string) string {
	tb.Helper()
	c := cluster(tb)
	if name == "" {
		name = fmt.Sprintf("app%d", shared.count.Add(1))
	}
	exec(tb, c.URLFor("postgres"), "CREATE DATABASE "+postgres.QuoteIdent(name))
	tb.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), c.URLFor("postgres"))
		if err == nil {
			_, _ = conn.Exec(context.Background(), "DROP DATABASE IF EXISTS "+postgres.QuoteIdent(name)+" WITH (FORCE)")
			_ = conn.Close(context.Background())
		}
	})
	return c.URLFor(name)
}

// exec runs SQL, which may be several statements.
func exec(tb testing.TB, url string, sql ...string) {
	tb.Helper()
	conn, err := pgx.Connect(tb.Context(), url)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, s := range sql {
		if _, err := conn.Exec(tb.Context(), s, pgx.QueryExecModeSimpleProtocol); err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
	}
}

// fixture is a store with a key pair.
type fixture struct {
	store      *store.File
	recipient  string
	identities []age.Identity
	events     []Event
}

func newFixture(tb testing.TB) *fixture {
	tb.Helper()
	k, err := seal.NewKeyPair()
	if err != nil {
		tb.Fatal(err)
	}
	ids, err := seal.ParseIdentities(strings.NewReader(k.File(time.Now())))
	if err != nil {
		tb.Fatal(err)
	}
	return &fixture{store: store.NewFile(filepath.Join(tb.TempDir(), "store")), recipient: k.Recipient, identities: ids}
}

func (f *fixture) createOptions(url string) CreateOptions {
	return CreateOptions{
		DatabaseURL: url, Store: f.store, Recipients: []string{f.recipient},
		Opsctl: "test", Now: time.Now, Random: rand.Reader, Progress: func(e Event) { f.events = append(f.events, e) },
	}
}

func (f *fixture) create(tb testing.TB, url string) *Manifest {
	tb.Helper()
	m, err := Create(tb.Context(), f.createOptions(url))
	if err != nil {
		tb.Fatalf("create: %v", err)
	}
	return m
}

func (f *fixture) verifyOptions(id string) VerifyOptions {
	return VerifyOptions{Store: f.store, ID: id, Identities: f.identities, Opsctl: "test", Now: time.Now, CacheDir: shared.cache}
}

func (f *fixture) verify(tb testing.TB, id string) *Verdict {
	tb.Helper()
	v, err := Verify(tb.Context(), f.verifyOptions(id))
	if err != nil {
		tb.Fatalf("verify: %v", err)
	}
	return v
}

// proven fails the test when the verdict is not proven.
func proven(tb testing.TB, v *Verdict) {
	tb.Helper()
	for _, d := range v.Differences {
		tb.Errorf("difference: %s", d)
	}
	if !v.Proven {
		tb.Errorf("not proven; stages %+v", v.Stages)
	}
}
