package render_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/platform/render"
	"github.com/opsctl/opsctl/internal/spectest"
)

func TestTheDocumentIsThere(t *testing.T) {
	spectest.Require(t, spectest.RenderFile)
	if _, err := document(); err != nil {
		t.Error(err)
	}
}

func TestNoKeyIsAnAuthErrorWithTheVariable(t *testing.T) {
	_, err := render.New(t.Context(), render.Options{Lookup: func(string) (string, bool) { return "", false }})
	if errs.ExitCode(err) != 4 || !strings.Contains(errs.HintOf(err), "RENDER_API_KEY") {
		t.Errorf("%v, %s", err, errs.HintOf(err))
	}
}

func TestWhoAmI(t *testing.T) {
	other := object{"id": "tea-2", "name": "Other", "email": "o@example.com", "type": "team"}
	for name, tt := range map[string]struct {
		owner   string // option
		several bool
		account string
		code    errs.Code
		costs   int
	}{
		"the only one":       {"none", false, "me@example.com (workspace Acme)", "", 2},
		"by id, one request": {"tea-2", true, "me@example.com (workspace tea-2)", "", 1},
		"by name":            {"Other", true, "me@example.com (workspace Other)", "", 3},
		"none is chosen":     {"none", true, "", errs.Usage, 3},
		"an unknown name":    {"Nobody", true, "", errs.Usage, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			if tt.several {
				f.owners = append(f.owners, other)
			}
			p := f.client(func(o *render.Options) {
				lookup := o.Lookup
				o.Lookup = func(name string) (string, bool) {
					if name == "RENDER_WORKSPACE" {
						return "", false
					}
					return lookup(name)
				}
				if tt.owner != "none" {
					o.Owner = tt.owner
				}
			})
			id, err := p.WhoAmI(t.Context())
			if errs.CodeOf(err) != tt.code || id.Account != tt.account || f.requests("") > tt.costs {
				t.Errorf("%+v, %v, %d requests", id, err, f.requests(""))
			}
			if err != nil && (!strings.Contains(errs.HintOf(err), "tea-1  Acme") || !strings.Contains(errs.HintOf(err), "RENDER_WORKSPACE")) {
				t.Errorf("hint %q", errs.HintOf(err))
			}
		})
	}
}

func TestRefusedKeysAndTrouble(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	for st, code := range map[int]errs.Code{401: errs.Auth, 403: errs.Auth, 402: errs.Failure, 406: errs.Failure} {
		f.refuse["GET /users"] = st
		_, err := p.WhoAmI(t.Context())
		if errs.CodeOf(err) != code || !strings.Contains(err.Error(), "HTTP "+strconv.Itoa(st)) || strings.Contains(fmt.Sprint(err, errs.HintOf(err)), "rnd_test") {
			t.Errorf("%d: %v", st, err)
		}
	}
	f.refuse["GET /users"] = 503
	if _, err := p.WhoAmI(t.Context()); err != nil {
		t.Errorf("one 503 was not waited out: %v", err)
	}
}

// Variables: one by one, or as a whole; whatever others set meanwhile stays.
func TestStagedSecrets(t *testing.T) {
	for _, n := range []int{2, 15} {
		f, p, _ := running(t)
		s := f.svc[0]
		_, err := p.Observe(t.Context(), app)
		must(t, err)
		s.env["THEIRS"] = "set at the dashboard"
		changes := map[string]*string{"SECRET": nil}
		value := "new"
		for i := range n {
			changes[fmt.Sprintf("S_%02d", i)] = &value
		}
		must(t, p.StageSecrets(t.Context(), app, changes))
		if s.env["THEIRS"] == "" || s.env["S_00"] != "new" || s.env["COLOR"] != "1" {
			t.Errorf("%v", s.env)
		}
		if _, there := s.env["SECRET"]; there {
			t.Error("SECRET is still there")
		}
		if n := len(s.deploys); n != 1 {
			t.Errorf("staging deployed: %d deploys", n)
		}
		if puts := f.requests("PUT"); n > 10 && puts > 3 { // what ran, what is staged, and the variables
			t.Errorf("%d PUTs for %d variables", puts, n)
		}
		state, err := f.client(nil).Observe(t.Context(), app) // another process
		must(t, err)
		for _, secret := range state.Secrets {
			if secret.Pending != strings.HasPrefix(secret.Name, "S_") {
				t.Errorf("%s: pending %v", secret.Name, secret.Pending)
			}
		}
		_, err = p.RollOut(t.Context(), app, release("2"), silent)
		must(t, err)
		state, err = p.Observe(t.Context(), app)
		must(t, err)
		for _, secret := range state.Secrets {
			if secret.Pending {
				t.Errorf("%s is pending after the roll-out", secret.Name)
			}
		}
	}
	_, p, _ := running(t)
	v := "x"
	if err := p.StageSecrets(t.Context(), app, map[string]*string{"OPSCTL_STATE": &v}); errs.CodeOf(err) != errs.Usage {
		t.Errorf("opsctl's own variable: %v", err)
	}
}

func TestPlainVariablesThatAreGoneAreTakenAway(t *testing.T) {
	f, p, _ := running(t)
	want := release("2")
	want.Env = map[string]string{"SIZE": "large"}
	_, err := p.RollOut(t.Context(), app, want, silent)
	must(t, err)
	if _, there := f.svc[0].env["COLOR"]; there || f.svc[0].env["SIZE"] != "large" || f.svc[0].env["SECRET"] != "s3cret" {
		t.Errorf("%v", f.svc[0].env)
	}
}

func TestLocks(t *testing.T) {
	f, p, _ := running(t)
	second := f.client(nil)
	lease, err := p.Lock(t.Context(), app, "first@here")
	must(t, err)
	if _, err := second.Lock(t.Context(), app, "second@there"); errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), "first@here") {
		t.Errorf("%v", err)
	}
	if _, err := second.Lock(t.Context(), app, "first@here"); errs.CodeOf(err) != errs.Conflict { // the same words are no proof
		t.Errorf("%v", err)
	}
	must(t, lease.Release(t.Context()))
	must(t, lease.Release(t.Context()))
	// One that has expired is nobody's.
	late := f.client(func(o *render.Options) { o.Now = func() time.Time { return time.Now().Add(11 * time.Minute) } })
	_, err = p.Lock(t.Context(), app, "first@here")
	must(t, err)
	info, err := late.LockedBy(t.Context(), app)
	must(t, err)
	if info != nil {
		t.Errorf("%+v", info)
	}
	taken, err := late.Lock(t.Context(), app, "second@there")
	must(t, err)
	must(t, taken.Release(t.Context()))
}

// Who has lost the lock writes and deploys nothing any more, and is told who has it.
func TestALockThatIsLost(t *testing.T) {
	f, p, one := running(t)
	_, err := p.RollOut(t.Context(), app, release("2"), silent)
	must(t, err)
	lease, err := p.Lock(t.Context(), app, "first@here")
	must(t, err)
	second := f.client(nil)
	must(t, second.BreakLock(t.Context(), app))
	value := "x"
	tries := func(want string) {
		t.Helper()
		f.log = nil
		_, rolled := p.RollOut(t.Context(), app, release("3"), silent)
		_, restored := p.Restore(t.Context(), app, one, silent)
		for what, err := range map[string]error{
			"roll out": rolled, "restore": restored, "remove": p.Remove(t.Context(), app, silent), "scale": p.Scale(t.Context(), app, platform.Scale{Instances: 5}, silent),
			"stage": p.StageSecrets(t.Context(), app, map[string]*string{"X": &value}),
		} {
			if errs.CodeOf(err) != errs.Conflict || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if n := f.requests("P") + f.requests("DELETE"); n != 0 {
			t.Errorf("%d writes: %v", n, f.log)
		}
	}
	tries("first@here")
	taken, err := second.Lock(t.Context(), app, "second@there")
	must(t, err)
	tries("second@there")
	must(t, lease.Release(t.Context()))
	if info, err := second.LockedBy(t.Context(), app); err != nil || info == nil || info.Holder != "second@there" {
		t.Errorf("%+v, %v", info, err)
	}
	must(t, taken.Release(t.Context()))
	// Lost between setting up and deploying.
	lease, err = p.Lock(t.Context(), app, "first@here")
	must(t, err)
	f.onPatch = func() { delete(f.svc[0].env, "OPSCTL_LOCK") }
	if _, err := p.RollOut(t.Context(), app, release("3"), silent); errs.CodeOf(err) != errs.Conflict || len(f.svc[0].deploys) != 2 {
		t.Errorf("%v, %d deploys", err, len(f.svc[0].deploys))
	}
	must(t, lease.Release(t.Context()))
}

// The lock taken before there is a service goes with it.
func TestTheLockOfAFirstDeploy(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	lease, err := p.Lock(t.Context(), app, "first@here")
	must(t, err)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	_, err = p.RollOut(t.Context(), app, release("1"), silent)
	must(t, err)
	if _, err := f.client(nil).Lock(t.Context(), app, "second@there"); errs.CodeOf(err) != errs.Conflict {
		t.Errorf("%v", err)
	}
	must(t, lease.Release(t.Context()))
	if strings.Contains(f.svc[0].env["OPSCTL_LOCK"], "first@here") {
		t.Error("it is still locked")
	}
}

// What a deploy that changes nothing asks: at most six requests.
func TestRequestsOfADeployThatChangesNothing(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	must(t, p.CreateApp(t.Context(), platform.AppSpec{Name: app}))
	_, err := p.CreatePostgres(t.Context(), platform.DatabaseSpec{App: app, Name: "shop-db", Version: 16, Region: "frankfurt", Plan: "basic", PoolMode: "transaction"}, silent)
	must(t, err)
	_, err = p.CreateRedis(t.Context(), platform.CacheSpec{App: app, Name: "shop-redis", Region: "frankfurt"}, silent)
	must(t, err)
	_, err = p.RollOut(t.Context(), app, release("1"), silent)
	must(t, err)
	f.log = nil
	p = f.client(nil) // another process
	_, err = p.WhoAmI(t.Context())
	must(t, err)
	_, err = p.Observe(t.Context(), app)
	must(t, err)
	db, err := p.FindPostgres(t.Context(), app, "shop-db")
	must(t, err)
	cache, err := p.FindRedis(t.Context(), app, "shop-redis")
	must(t, err)
	_, err = p.Releases(t.Context(), app, 20)
	must(t, err)
	_, err = p.ReadVariables(t.Context(), app)
	must(t, err)
	if n := f.requests(""); n > 6 || db.Pooled == db.Direct || db.Pooled == "" || cache.URL == "" {
		t.Errorf("%d requests: %v", n, f.log)
	}
	// One that was deleted, and made again, is found by its name.
	for id, o := range f.stores {
		if strings.HasPrefix(id, "dpg-") {
			delete(f.stores, id)
			o["id"] = "dpg-again"
			f.stores["dpg-again"] = o
			break
		}
	}
	if db, err = f.client(nil).FindPostgres(t.Context(), app, "shop-db"); err != nil || db == nil || db.ID != "dpg-again" {
		t.Errorf("%+v, %v", db, err)
	}
}

func TestStoresWithLostAnswers(t *testing.T) {
	f := newFake(t)
	p := f.client(nil)
	f.lose["POST /postgres"], f.lose["POST /key-value"] = 1, 1
	db, err := p.CreatePostgres(t.Context(), platform.DatabaseSpec{App: app, Name: "shop-db", Version: 16, PoolMode: "transaction"}, silent)
	must(t, err)
	cache, err := p.CreateRedis(t.Context(), platform.CacheSpec{App: app, Name: "shop-redis"}, silent)
	must(t, err)
	if len(f.stores) != 2 || f.stores[db.ID]["connectionPool"] != "pgbouncer" || f.stores[cache.ID]["maxmemoryPolicy"] != "noeviction" {
		t.Errorf("%v", f.stores)
	}
	for _, o := range f.stores { // reached from within Render only
		if list, ok := o["ipAllowList"].([]any); !ok || len(list) != 0 {
			t.Errorf("%v", o)
		}
	}
}

func TestListsOfManyPages(t *testing.T) {
	f, _, _ := running(t)
	for i := range 7 {
		f.svc[0].env[fmt.Sprintf("V_%d", i)] = "x"
	}
	p := f.client(func(o *render.Options) { o.PageSize = 3 })
	set, err := p.ReadVariables(t.Context(), app)
	must(t, err)
	if len(set.Values) != 9 {
		t.Errorf("%d values", len(set.Values))
	}
}

func TestScale(t *testing.T) {
	f, p, _ := running(t)
	must(t, p.Scale(t.Context(), app, platform.Scale{Instances: 4}, silent))
	if f.svc[0].instances != 4 || len(f.svc[0].deploys) != 1 {
		t.Errorf("%d instances, %d deploys", f.svc[0].instances, len(f.svc[0].deploys))
	}
	must(t, p.Scale(t.Context(), app, platform.Scale{Size: "pro"}, silent))
	state, err := p.Observe(t.Context(), app)
	must(t, err)
	if c := state.Current; c.Size != "pro" || c.Instances != 4 || c.Label != "label-1" || len(f.svc[0].deploys) != 2 {
		t.Errorf("%+v", c)
	}
	for _, to := range []platform.Scale{{Size: "galactic"}, {Region: "oregon"}, {Region: "fra"}} {
		if err := p.Scale(t.Context(), app, to, silent); errs.CodeOf(err) != errs.Usage {
			t.Errorf("%+v: %v", to, err)
		}
	}
}

func TestDomains(t *testing.T) {
	f, p, _ := running(t)
	domains := map[string]object{}
	path := "/services/" + f.svc[0].obj["id"].(string) + "/custom-domains"
	f.handle("POST "+path, func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
		name := read(r)["name"].(string)
		kind := "subdomain"
		if strings.Count(name, ".") == 1 {
			kind = "apex"
			domains["www."+name] = object{"name": "www." + name, "domainType": "subdomain", "verificationStatus": "unverified"}
		}
		domains[name] = object{"name": name, "domainType": kind, "verificationStatus": "unverified"}
		out := []object{}
		for _, d := range domains {
			out = append(out, d)
		}
		answer(rw, 201, out)
	})
	f.handle("GET "+path+"/{name}", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
		if d, ok := domains[r.PathValue("name")]; ok {
			answer(rw, 200, d)
			return
		}
		answer(rw, 404, object{"message": "not found"})
	})
	f.handle("POST "+path+"/{name}/verify", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
		domains[r.PathValue("name")]["verificationStatus"] = "verified"
		rw.WriteHeader(202)
	})
	f.lose["POST "+path] = 1
	for name, want := range map[string]platform.DNSRecord{
		"erp.example.com": {Type: "CNAME", Name: "erp.example.com", Value: "shop.onrender.com"},
		"example.com":     {Type: "A", Name: "example.com", Value: "216.24.57.1"},
	} {
		d, err := p.AddDomain(t.Context(), app, name)
		must(t, err)
		if d.Ready || d.Records[0] != want {
			t.Errorf("%+v", d)
		}
		if d, err = p.CheckDomain(t.Context(), app, name); err != nil || !d.Ready || !d.Records[0].Found {
			t.Errorf("%+v, %v", d, err)
		}
	}
	if len(domains) != 3 {
		t.Errorf("%v", domains)
	}
}

func TestExports(t *testing.T) {
	f, p, _ := running(t)
	f.stores["dpg-1"] = object{"id": "dpg-1", "name": "shop-db", "status": "available"}
	exports, looks := []object{{"id": "exp-1", "createdAt": "2026-01-01T00:00:00Z", "url": "https://example.com/1"}}, 0
	f.handle("GET /postgres/dpg-1/export", func(rw http.ResponseWriter, _ *http.Request, _ *fakeService) {
		if looks++; looks > 5 {
			exports[len(exports)-1]["url"] = "https://example.com/2"
		}
		answer(rw, 200, exports)
	})
	f.handle("POST /postgres/dpg-1/export", func(rw http.ResponseWriter, _ *http.Request, _ *fakeService) {
		exports = append(exports, object{"id": "exp-2", "createdAt": time.Now()})
		rw.WriteHeader(202)
	})
	f.lose["POST /postgres/dpg-1/export"] = 1
	made, err := p.CreateBackup(t.Context(), app, "shop-db", silent)
	must(t, err)
	list, err := p.Backups(t.Context(), app, "shop-db")
	must(t, err)
	if made.ID != "exp-2" || !made.Ready || len(list) != 2 || list[0].ID != "exp-2" || len(exports) != 2 {
		t.Errorf("%+v, %+v", made, list)
	}
	if _, err := p.RestoreDatabase(t.Context(), platform.RestoreSpec{App: app, Database: "shop-db", Backup: "exp-1", Name: "x"}, silent); errs.CodeOf(err) != errs.Usage {
		t.Errorf("from an export: %v", err)
	}
	if _, err := p.Backups(t.Context(), app, "nobody-has-this"); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("%v", err)
	}
}
