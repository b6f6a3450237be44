package fly

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"regexp"
	"sort"
	"time"
)

// secretStore keeps an app's secrets. Every change is a new version; a change
// is only staged: a machine sees it at its next update or start.
type secretStore struct {
	version uint64
	values  map[string]secret
}

type secret struct {
	value            string
	digest           string
	created, updated time.Time
}

var secretName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// apply sets and removes (nil) values as one new version.
func (st *secretStore) apply(appID string, values map[string]*string, now time.Time) error {
	for name := range values {
		if !secretName.MatchString(name) {
			return fail(http.StatusBadRequest, "invalid secret name "+name)
		}
	}
	if st.values == nil {
		st.values = map[string]secret{}
	}
	for name, v := range values {
		if v == nil {
			delete(st.values, name)
			continue
		}
		sum := sha256.Sum256([]byte(appID + "\x00" + *v))
		created := now
		if old, ok := st.values[name]; ok {
			created = old.created
		}
		st.values[name] = secret{*v, hex.EncodeToString(sum[:8]), created, now}
	}
	st.version++
	return nil
}

// snapshot is what a machine that starts now gets.
func (st *secretStore) snapshot() map[string]string {
	out := make(map[string]string, len(st.values))
	for k, v := range st.values {
		out[k] = v.value
	}
	return out
}

func (st *secretStore) doc(name string, show bool) map[string]any {
	v := st.values[name]
	d := map[string]any{"name": name, "digest": v.digest, "created_at": stamp(v.created), "updated_at": stamp(v.updated)}
	if show {
		d["value"] = v.value
	}
	return d
}

func (st *secretStore) docs(show bool) []any {
	names := make([]string, 0, len(st.values))
	for n := range st.values {
		names = append(names, n)
	}
	sort.Strings(names)
	docs := make([]any, 0, len(names))
	for _, n := range names {
		docs = append(docs, st.doc(n, show))
	}
	return docs
}

// readSecrets finds the app and checks min_version.
func (s *Server) readSecrets(r *http.Request) (*app, bool, error) {
	a, err := s.visible(r.PathValue("app"))
	if err != nil {
		return nil, false, err
	}
	q := r.URL.Query()
	if uint64(atoi(q.Get("min_version"))) > a.secrets.version {
		return nil, false, fail(http.StatusRequestTimeout, "secrets have not reached that version yet")
	}
	return a, q.Get("show_secrets") == "true", nil
}

func (s *Server) listSecrets(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, show, err := s.readSecrets(r)
	if err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"secrets": a.secrets.docs(show)})
}

func (s *Server) getSecret(r *http.Request) (reply, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, show, err := s.readSecrets(r)
	if err != nil {
		return reply{}, err
	}
	name := r.PathValue("name")
	if _, found := a.secrets.values[name]; !found {
		return reply{}, notFound("secret " + name)
	}
	return ok(a.secrets.doc(name, show))
}

func (s *Server) updateSecrets(r *http.Request) (reply, error) {
	var in struct {
		Values map[string]*string `json:"values"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	if len(in.Values) == 0 {
		return reply{}, fail(http.StatusBadRequest, "no secrets given")
	}
	if err := a.secrets.apply(a.id, in.Values, s.w.Now()); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"secrets": a.secrets.docs(false), "version": a.secrets.version, "Version": a.secrets.version})
}

func (s *Server) setSecret(r *http.Request) (reply, error) {
	var in struct {
		Value *string `json:"value"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if in.Value == nil {
		return reply{}, fail(http.StatusBadRequest, "value is required")
	}
	name := r.PathValue("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err == nil {
		err = a.secrets.apply(a.id, map[string]*string{name: in.Value}, s.w.Now())
	}
	if err != nil {
		return reply{}, err
	}
	d := a.secrets.doc(name, false)
	d["version"], d["Version"] = a.secrets.version, a.secrets.version
	return reply{code: http.StatusCreated, body: d}, nil
}

func (s *Server) deleteSecret(r *http.Request) (reply, error) {
	name := r.PathValue("name")
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.find(r.PathValue("app"))
	if err != nil {
		return reply{}, err
	}
	if _, found := a.secrets.values[name]; !found {
		return reply{}, notFound("secret " + name)
	}
	if err := a.secrets.apply(a.id, map[string]*string{name: nil}, s.w.Now()); err != nil {
		return reply{}, err
	}
	return ok(map[string]any{"version": a.secrets.version, "Version": a.secrets.version})
}
