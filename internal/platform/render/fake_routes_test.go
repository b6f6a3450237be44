package render_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
)

func (f *fake) envRoutes() {
	f.handle("GET /services/{s}/env-vars", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		var out []object
		for _, k := range slices.Sorted(maps.Keys(s.env)) {
			out = append(out, object{"key": k, "value": s.env[k]})
		}
		page(rw, r, "envVar", out)
	})
	f.handle("PUT /services/{s}/env-vars", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		var in []struct{ Key, Value string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		s.env = map[string]string{}
		for _, v := range in {
			s.env[v.Key] = v.Value
		}
		answer(rw, 200, []object{})
	})
	f.handle("GET /services/{s}/env-vars/{k}", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		v, ok := s.env[r.PathValue("k")]
		if !ok {
			answer(rw, 404, object{"message": "not found"})
			return
		}
		answer(rw, 200, object{"key": r.PathValue("k"), "value": v})
	})
	f.handle("PUT /services/{s}/env-vars/{k}", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		s.env[r.PathValue("k")] = fmt.Sprint(read(r)["value"])
		answer(rw, 200, object{"key": r.PathValue("k"), "value": s.env[r.PathValue("k")]})
	})
	f.handle("DELETE /services/{s}/env-vars/{k}", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		delete(s.env, r.PathValue("k"))
		rw.WriteHeader(204)
	})
}

func (f *fake) deployRoutes() {
	f.handle("GET /services/{s}/deploys", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		var out []object
		for _, d := range s.deploys {
			out = append(out, d.obj)
		}
		page(rw, r, "deploy", out)
	})
	f.handle("POST /services/{s}/deploys", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		in := read(r)
		image, _ := in["imageUrl"].(string)
		commit, _ := in["commitId"].(string)
		d := f.begin(s, "api", image, commit)
		if f.queue {
			rw.WriteHeader(202)
			return
		}
		answer(rw, 201, d.obj)
	})
	f.handle("POST /services/{s}/rollback", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		old := s.deploy(fmt.Sprint(read(r)["deployId"]))
		d := f.begin(s, "rollback", "", "")
		d.obj["image"], d.obj["commit"] = old.obj["image"], old.obj["commit"]
		answer(rw, 201, d.obj)
	})
	f.handle("GET /services/{s}/deploys/{d}", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		d := s.deploy(r.PathValue("d"))
		if d == nil {
			answer(rw, 404, object{"message": "not found"})
			return
		}
		was := d.obj["status"]
		s.look(d)
		if f.onLive != nil && d.obj["status"] == "live" && was != "live" {
			f.onLive()
		}
		answer(rw, 200, d.obj)
	})
	f.handle("POST /services/{s}/deploys/{d}/cancel", func(rw http.ResponseWriter, r *http.Request, s *fakeService) {
		d := s.deploy(r.PathValue("d"))
		d.steps, d.obj["status"] = []string{"canceled"}, "canceled"
		answer(rw, 200, d.obj)
	})
	f.mux.HandleFunc("GET /v1/logs", func(rw http.ResponseWriter, _ *http.Request) {
		answer(rw, 200, object{"logs": f.logs, "hasMore": false, "nextStartTime": "2026-01-01T00:00:00Z", "nextEndTime": "2026-01-01T00:00:00Z"})
	})
}

func (s *fakeService) deploy(id string) *fakeDeploy {
	i := slices.IndexFunc(s.deploys, func(d *fakeDeploy) bool { return d.obj["id"] == id })
	if i < 0 {
		return nil
	}
	return s.deploys[i]
}

// storeRoutes are databases and caches: both are lists with the same verbs.
func (f *fake) storeRoutes() {
	for path, kind := range map[string]struct{ key, prefix string }{"/postgres": {"postgres", "dpg"}, "/key-value": {"keyValue", "red"}} {
		f.handle("GET "+path, func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
			var out []object
			for id, o := range f.stores {
				if strings.HasPrefix(id, kind.prefix) && o["name"] == r.URL.Query().Get("name") {
					out = append(out, o)
				}
			}
			page(rw, r, kind.key, out)
		})
		f.handle("POST "+path, func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
			o := read(r)
			o["id"], o["status"] = f.id(kind.prefix), "available"
			f.stores[fmt.Sprint(o["id"])] = o
			answer(rw, 201, o)
		})
		f.handle("GET "+path+"/{id}", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
			if o, ok := f.stores[r.PathValue("id")]; ok {
				answer(rw, 200, o)
				return
			}
			answer(rw, 404, object{"message": "not found"})
		})
		f.handle("GET "+path+"/{id}/connection-info", func(rw http.ResponseWriter, r *http.Request, _ *fakeService) {
			id := r.PathValue("id")
			if _, ok := f.stores[id]; !ok {
				answer(rw, 404, object{"message": "not found"})
				return
			}
			answer(rw, 200, object{"internalConnectionString": "postgresql://u:p@" + id + "/db", "internalConnectionPoolString": "postgresql://u:p@" + id + "-pool/db"})
		})
	}
}
