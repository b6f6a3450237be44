package fly_test

import (
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// A request that makes something, and whose answer is lost, makes it once, and what
// was made is found.
func TestWhatIsMadeWithALostAnswerIsMadeOnce(t *testing.T) {
	database := platform.DatabaseSpec{App: "suite", Name: "suite-db", Version: 16, Region: "fra", Plan: "basic", PoolMode: "transaction"}
	redis := platform.CacheSpec{App: "suite", Name: "suite-redis", Version: 7, Region: "fra"}
	for name, tt := range map[string]struct {
		fault, met string
		make       func(suite) (string, error)
		prepare    func(suite)
		count      func(suite) int
	}{
		"a database": {
			fault: "POST /v1/postgres=502,late,count=1", met: "/v1/postgres",
			make: func(s suite) (string, error) {
				db, err := s.p.CreatePostgres(t.Context(), database, silent)
				if err != nil {
					return "", err
				}
				return db.ID, nil
			},
		},
		"a database, of which nothing was made": {
			fault: "POST /v1/postgres=502,count=1", met: "/v1/postgres",
			make: func(s suite) (string, error) {
				db, err := s.p.CreatePostgres(t.Context(), database, silent)
				if err != nil {
					return "", err
				}
				return db.ID, nil
			},
		},
		"a database, and the connection breaks": {
			fault: "POST /v1/postgres=reset,late,count=1", met: "/v1/postgres",
			make: func(s suite) (string, error) {
				db, err := s.p.CreatePostgres(t.Context(), database, silent)
				if err != nil {
					return "", err
				}
				return db.ID, nil
			},
		},
		"a Redis": {
			fault: "POST /graphql=502,late,count=1,skip=2", met: "/graphql", // skip: the look and the plans
			make: func(s suite) (string, error) {
				r, err := s.p.CreateRedis(t.Context(), redis, silent)
				if err != nil {
					return "", err
				}
				return r.ID, nil
			},
		},
		"an entry of the list of releases": {
			fault: "POST /api/v1/releases=502,late,count=1", met: "/api/v1/releases",
			make: func(s suite) (string, error) {
				r, err := s.p.BeginRelease(t.Context(), "suite", platform.Release{Image: "registry.fly.io/suite:1", Label: "20260101-000000-abcdef", Port: 3000, Strategy: "rolling", Region: "fra"})
				return r.ID, err
			},
			count: func(s suite) int {
				list, err := s.p.Releases(t.Context(), "suite", 10)
				s.must(err)
				return len(list)
			},
		},
		"a domain": {
			fault: "POST /v1/apps/suite/certificates/acme=502,late,count=1", met: "/v1/apps/suite/certificates/acme",
			make: func(s suite) (string, error) {
				d, err := s.p.AddDomain(t.Context(), "suite", "erp.example.com")
				return d.Name, err
			},
			count: func(s suite) int {
				list, err := s.p.Domains(t.Context(), "suite")
				s.must(err)
				return len(list)
			},
		},
		"a backup": {
			fault: "POST /v1/postgres/*/backups=502,late,count=1", met: "/backups",
			prepare: func(s suite) {
				_, err := s.p.CreatePostgres(t.Context(), database, silent)
				s.must(err)
			},
			make: func(s suite) (string, error) {
				b, err := s.p.CreateBackup(t.Context(), "suite", "suite-db", silent)
				return b.ID, err
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSuite(t)
			if tt.prepare != nil {
				tt.prepare(s)
			}
			if _, err := s.p.Observe(t.Context(), "suite"); err != nil { // what is asked for only once is out of the way
				t.Fatal(err)
			}
			s.fault(tt.fault)
			id, err := tt.make(s)
			if err != nil || id == "" {
				t.Fatalf("%q, %v\n%s", id, err, errs.HintOf(err))
			}
			s.server.ClearFaults()
			if tt.count != nil {
				if n := tt.count(s); n != 1 {
					t.Errorf("%d were made", n)
				}
			} else if tt.prepare == nil {
				again, err := tt.make(s)
				if err != nil || again != id {
					t.Errorf("made %s, and then found %s, %v", id, again, err)
				}
			}
			if !met(s, tt.met) {
				t.Error("the fault met no such request")
			}
		})
	}
}

func met(s suite, path string) bool {
	for _, r := range s.server.Requests() {
		if r.Fault != "" && len(r.Path) >= len(path) && r.Path[len(r.Path)-len(path):] == path {
			return true
		}
	}
	return false
}

// Two domains removed at once, and an answer that is lost: gone is gone.
func TestADomainRemovedWithALostAnswer(t *testing.T) {
	s := newSuite(t)
	_, err := s.p.AddDomain(t.Context(), "suite", "erp.example.com")
	s.must(err)
	s.fault("DELETE /v1/apps/suite/certificates/*=502,late,count=1")
	s.must(s.p.RemoveDomain(t.Context(), "suite", "erp.example.com"))
	if err := s.p.RemoveDomain(t.Context(), "suite", "erp.example.com"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}

// While a backup is being made another one is refused, and said to be.
func TestASecondBackupIsAConflict(t *testing.T) {
	s := newSuite(t)
	_, err := s.p.CreatePostgres(t.Context(), platform.DatabaseSpec{App: "suite", Name: "suite-db", Version: 16, Region: "fra", Plan: "basic", PoolMode: "transaction"}, silent)
	s.must(err)
	s.fault("POST /v1/postgres/*/backups=409")
	if _, err := s.p.CreateBackup(t.Context(), "suite", "suite-db", silent); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("%v", err)
	}
	s.server.ClearFaults()
	_, err = s.p.RestoreDatabase(t.Context(), platform.RestoreSpec{App: "suite", Database: "suite-db", Backup: "none-such", Name: "then"}, silent)
	if c := errs.CodeOf(err); c != errs.NotFound && c != errs.Usage {
		t.Errorf("a backup that there is not: %v", err)
	}
	if _, err := s.p.Backups(t.Context(), "suite", "none-such"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("a database that there is not: %v", err)
	}
}
