package render_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opsctl/opsctl/internal/httpx"
	"github.com/opsctl/opsctl/internal/platform/render"
	"github.com/opsctl/opsctl/internal/spectest"
)

// fake is as much of Render as the tests of single answers need: one that does
// exactly what a test says. Whether the adapter works with all of Render is
// tested against the emulator.
type fake struct {
	t           *testing.T
	mux         *http.ServeMux
	mu          sync.Mutex
	n           int
	owners      []object
	credentials []object
	svc         []*fakeService
	stores      map[string]object // /postgres or /key-value + id
	next        [][]string        // the statuses of the deploys to come, one a look; then normal ones
	queue       bool              // deploys are queued: 202 without a body
	lose        map[string]int    // "METHOD /path" -> how many answers get lost after the deed
	refuse      map[string]int    // "METHOD /path" -> the status of the next request, without a deed
	log         []string          // "METHOD /path" of each request
	logs        []object
	events      []object
	hide        int    // how many looks at the services show none
	late        int    // how many do not show the first one
	onMake      func() // after a service was made
	onLive      func() // after a deploy went live
	onPatch     func() // after a service was changed
	kill        func()
	nth         map[int]string // number of a request -> what is to happen to it: "lose", or a status
}

type object = map[string]any

type fakeService struct {
	obj       object
	env       map[string]string
	deploys   []*fakeDeploy // newest first
	instances int
}

type fakeDeploy struct {
	obj   object
	steps []string
}

func newFake(t *testing.T) *fake {
	f := &fake{t: t, mux: http.NewServeMux(), credentials: []object{}, stores: map[string]object{}, lose: map[string]int{}, refuse: map[string]int{}, owners: []object{{"id": "tea-1", "name": "Acme", "email": "ops@example.com", "type": "team"}}}
	f.routes()
	return f
}

// client is an adapter on the fake, in a hurry, with every request held against the schema.
func (f *fake) client(change func(*render.Options)) *render.Platform {
	f.t.Helper()
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	env := map[string]string{"RENDER_API_KEY": "rnd_test", "RENDER_HOST": server.URL + "/v1/", "RENDER_WORKSPACE": "tea-1"}
	o := render.Options{
		Lookup: func(name string) (string, bool) { v, ok := env[name]; return v, ok },
		HTTP:   httpx.Options{UserAgent: "opsctl/test", MaxAttempts: 3, MinBackoff: time.Millisecond, MaxBackoff: 2 * time.Millisecond},
		Poll:   2 * time.Millisecond, Settle: time.Millisecond, Fresh: time.Minute,
	}
	if api, err := document(); err == nil {
		check := api.Check(f.t)
		check.Answers, check.Refused = false, true
		o.HTTP.Base = check.Transport(nil)
	}
	if change != nil {
		change(&o)
	}
	p, err := render.New(f.t.Context(), o)
	if err != nil {
		f.t.Fatal(err)
	}
	return p
}

// document is Render's, read once: it is large.
var document = sync.OnceValues(spectest.LoadRender)

// requests counts those whose line begins so.
func (f *fake) requests(prefix string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, line := range f.log {
		if strings.HasPrefix(line, prefix) {
			n++
		}
	}
	return n
}

func (f *fake) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	line := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/v1")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.log = append(f.log, line)
	switch trouble := f.nth[len(f.log)]; trouble {
	case "":
	case "kill":
		f.kill()
		f.lose[line] = 1
	case "lose":
		f.lose[line] = 1
	case "reset":
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		_ = conn.Close()
		return
	default:
		f.refuse[line], _ = strconv.Atoi(trouble)
	}
	if st := f.refuse[line]; st != 0 {
		delete(f.refuse, line)
		rw.WriteHeader(st)
		return
	}
	if f.lose[line] > 0 {
		f.lose[line]--
		f.mux.ServeHTTP(httptest.NewRecorder(), r)
		conn, _, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			f.t.Error(err)
			return
		}
		_ = conn.Close()
		return
	}
	f.mux.ServeHTTP(rw, r)
}

func (f *fake) id(prefix string) string {
	f.n++
	return fmt.Sprintf("%s-%05d", prefix, f.n)
}

func answer(rw http.ResponseWriter, status int, v any) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_ = json.NewEncoder(rw).Encode(v)
}

func read(r *http.Request) object {
	var o object
	_ = json.NewDecoder(r.Body).Decode(&o)
	return o
}

// page answers with a page of a list.
func page(rw http.ResponseWriter, r *http.Request, key string, all []object) {
	limit, _ := strconv.Atoi(cmp.Or(r.URL.Query().Get("limit"), "20"))
	from, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	out := []object{}
	for i := from; i < len(all) && i < from+limit; i++ {
		out = append(out, object{"cursor": strconv.Itoa(i + 1), key: all[i]})
	}
	answer(rw, http.StatusOK, out)
}

func (f *fake) handle(pattern string, h func(rw http.ResponseWriter, r *http.Request, s *fakeService)) {
	method, path, _ := strings.Cut(pattern, " ")
	f.mux.HandleFunc(method+" /v1"+path, func(rw http.ResponseWriter, r *http.Request) {
		i := slices.IndexFunc(f.svc, func(s *fakeService) bool { return s.obj["id"] == r.PathValue("s") })
		if i < 0 && strings.Contains(path, "{s}") {
			answer(rw, http.StatusNotFound, object{"message": "not found"})
			return
		}
		var s *fakeService
		if i >= 0 {
			s = f.svc[i]
		}
		h(rw, r, s)
	})
}

func (f *fake) routes() {
	f.handle("GET /users", func(rw http.ResponseWriter, _ *http.Request, _ *fakeService) {
		answer(rw, 200, object{"email": "me@example.com", "name": "Me"})
	})
	f.handle("GET /owners", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) { page(rw, r, "owner", f.owners) })
	f.handle("GET /registrycredentials", func(rw http.ResponseWriter, _ *http.Request, _ *fakeService) { answer(rw, 200, f.credentials) })
	f.handle("GET /services", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
		var out []object
		if f.hide > 0 {
			f.hide--
			page(rw, r, "service", out)
			return
		}
		for i, s := range f.svc {
			if i == 0 && f.late > 0 {
				f.late--
				continue
			}
			if s.obj["name"] == r.URL.Query().Get("name") {
				out = append(out, s.obj)
			}
		}
		page(rw, r, "service", out)
	})
	f.handle("POST /services", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) { f.make(rw, read(r)) })
	f.handle("DELETE /services/{s}", func(rw http.ResponseWriter, _ *http.Request, s *fakeService) {
		f.svc = slices.DeleteFunc(f.svc, func(o *fakeService) bool { return o == s })
		rw.WriteHeader(204)
	})
	f.handle("PATCH /services/{s}", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		in := read(r)
		details, _ := in["serviceDetails"].(object)
		maps.Copy(s.obj["serviceDetails"].(object), details)
		if image, ok := in["image"].(object); ok {
			s.obj["imagePath"] = image["imagePath"]
		}
		for _, name := range []string{"autoDeploy", "repo", "branch", "rootDir"} {
			if v, ok := in[name]; ok {
				s.obj[name] = v
			}
		}
		if f.onPatch != nil {
			f.onPatch()
		}
		answer(rw, 200, s.obj)
	})
	f.handle("POST /services/{s}/suspend", func(rw http.ResponseWriter, _ *http.Request, s *fakeService) {
		s.obj["suspended"] = "suspended"
		rw.WriteHeader(202)
	})
	f.handle("POST /services/{s}/resume", func(rw http.ResponseWriter, _ *http.Request, s *fakeService) {
		s.obj["suspended"] = "not_suspended"
		f.begin(s, "service_resumed", fmt.Sprint(s.obj["imagePath"]), "")
		rw.WriteHeader(202)
	})
	f.handle("POST /services/{s}/scale", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		n := int(read(r)["numInstances"].(float64))
		s.instances = n
		s.obj["serviceDetails"].(object)["numInstances"] = n
		rw.WriteHeader(202)
	})
	f.handle("GET /services/{s}/instances", func(rw http.ResponseWriter, _ *http.Request, s *fakeService) {
		out := []object{}
		for i := range s.instances {
			out = append(out, object{"id": fmt.Sprintf("%s-%d", s.obj["id"], i), "createdAt": time.Now()})
		}
		answer(rw, 200, out)
	})
	f.handle("GET /services/{s}/events", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) { page(rw, r, "event", f.events) })
	f.envRoutes()
	f.deployRoutes()
	f.storeRoutes()
}

func (f *fake) make(rw http.ResponseWriter, in object) {
	details, _ := in["serviceDetails"].(object)
	s := &fakeService{env: map[string]string{}, instances: 1}
	if n, ok := details["numInstances"].(float64); ok {
		s.instances = int(n)
	}
	details["numInstances"], details["url"] = s.instances, fmt.Sprintf("https://%s.onrender.com", in["name"])
	s.obj = object{"id": f.id("srv"), "name": in["name"], "ownerId": in["ownerId"], "type": in["type"], "suspended": "not_suspended", "createdAt": time.Now(), "serviceDetails": details}
	image := ""
	if i, ok := in["image"].(object); ok {
		image = fmt.Sprint(i["imagePath"])
		s.obj["imagePath"] = image
	}
	s.obj["repo"], s.obj["branch"], s.obj["rootDir"] = in["repo"], in["branch"], in["rootDir"]
	for _, v := range in["envVars"].([]any) {
		v := v.(object)
		s.env[fmt.Sprint(v["key"])] = fmt.Sprint(v["value"])
	}
	f.svc = append(f.svc, s)
	if f.onMake != nil {
		f.onMake()
	}
	commit := ""
	if image == "" {
		commit = "newest"
	}
	d := f.begin(s, "api", image, commit)
	answer(rw, 201, object{"service": s.obj, "deployId": d.obj["id"]})
}

// begin begins a deploy.
func (f *fake) begin(s *fakeService, trigger, image, commit string) *fakeDeploy {
	d := &fakeDeploy{steps: []string{"created", "update_in_progress", "live"}}
	if len(f.next) > 0 {
		d.steps, f.next = f.next[0], f.next[1:]
	}
	d.obj = object{"id": f.id("dep"), "trigger": trigger, "createdAt": time.Now(), "status": d.steps[0]}
	if image != "" {
		ref, sha, _ := strings.Cut(image, "@")
		d.obj["image"] = object{"ref": ref, "sha": sha}
	}
	if commit != "" {
		d.obj["commit"] = object{"id": commit}
	}
	s.deploys = slices.Insert(s.deploys, 0, d)
	return d
}

// look moves a deploy one step on.
func (s *fakeService) look(d *fakeDeploy) {
	if len(d.steps) > 1 {
		d.steps = d.steps[1:]
	}
	if d.steps[0] == "live" && d.obj["status"] != "live" && d.obj["status"] != "deactivated" {
		for _, o := range s.deploys {
			if o.obj["status"] == "live" {
				o.obj["status"], o.steps = "deactivated", []string{"deactivated"}
			}
		}
	}
	d.obj["status"] = d.steps[0]
}
