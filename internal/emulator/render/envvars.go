package render

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// envInput is a variable with a value or with the wish for a random one.
type envInput struct {
	Key      string  `json:"key"`
	Value    *string `json:"value"`
	Generate bool    `json:"generateValue"`
}

func (s *Server) envRoutes() {
	const vars, files = "/services/{service}/env-vars", "/services/{service}/secret-files"
	s.handle("GET "+vars, s.serviceCall(s.listEnv))
	s.handle("PUT "+vars, s.serviceCall(s.replaceEnv))
	s.handle("GET "+vars+"/{key}", s.serviceCall(func(r *http.Request, v *service) (reply, error) { return getEnv(v.Env, r) }))
	s.handle("PUT "+vars+"/{key}", s.serviceCall(s.setEnv))
	s.handle("DELETE "+vars+"/{key}", s.serviceCall(s.deleteEnv))
	s.handle("GET "+files, s.serviceCall(s.listFiles))
	s.handle("PUT "+files, s.serviceCall(s.replaceFiles))
	s.handle("GET "+files+"/{file}", s.serviceCall(func(r *http.Request, v *service) (reply, error) { return getFile(v.Files, r) }))
	s.handle("PUT "+files+"/{file}", s.serviceCall(s.setFile))
	s.handle("DELETE "+files+"/{file}", s.serviceCall(s.deleteFile))
}

// resolve makes a variable of an input. A generated value is 256 random bits in base64.
func (in envInput) resolve() (envVar, error) {
	switch {
	case !validKey(in.Key):
		return envVar{}, bad("invalid environment variable key %q", in.Key)
	case in.Generate && in.Value == nil:
		b := make([]byte, 32)
		if _, err := rand.Read(b); err != nil {
			return envVar{}, err
		}
		return envVar{in.Key, base64.StdEncoding.EncodeToString(b)}, nil
	case in.Value == nil || in.Generate:
		return envVar{}, bad("environment variable %s needs a value or generateValue", in.Key)
	}
	return envVar{in.Key, *in.Value}, nil
}

func validKey(k string) bool {
	for i, c := range k {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789-.", c)) {
			return false
		}
	}
	return k != ""
}

// newEnv are variables by key.
func (s *Server) newEnv(in []envInput) ([]envVar, error) {
	var out []envVar
	for _, v := range in {
		e, err := v.resolve()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o envVar) bool { return o.Key == e.Key }) {
			return nil, bad("environment variable %s is given twice", e.Key)
		}
		out = putEnv(out, e)
	}
	return out, nil
}

// putEnv adds or replaces a variable; the list stays sorted by key.
func putEnv(list []envVar, e envVar) []envVar {
	at, found := slices.BinarySearchFunc(list, e.Key, func(o envVar, key string) int { return cmp.Compare(o.Key, key) })
	if found {
		list = slices.Clone(list)
		list[at] = e
		return list
	}
	return slices.Insert(slices.Clone(list), at, e)
}

func dropEnv(list []envVar, key string) ([]envVar, bool) {
	out := slices.DeleteFunc(slices.Clone(list), func(o envVar) bool { return o.Key == key })
	return out, len(out) < len(list)
}

func getEnv(list []envVar, r *http.Request) (reply, error) {
	for _, e := range list {
		if e.Key == r.PathValue("key") {
			return ok(e)
		}
	}
	return reply{}, notFound("environment variable", r.PathValue("key"))
}

func (s *Server) listEnv(r *http.Request, v *service) (reply, error) {
	return page(s, r, v.Env, "envVar", func(e envVar) string { return e.Key }, func(e envVar) any { return e })
}

// replaceEnv replaces all variables. Like every change of them it is saved
// only: instances see it with the next deploy.
func (s *Server) replaceEnv(r *http.Request, v *service) (reply, error) {
	var in []envInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	env, err := s.newEnv(in)
	if err != nil {
		return reply{}, err
	}
	v.Env, v.UpdatedAt = env, s.w.Now()
	docs := []any{}
	for _, e := range v.Env {
		docs = append(docs, map[string]any{"cursor": cursorOf(e.Key), "envVar": e})
	}
	return ok(docs)
}

func (s *Server) setEnv(r *http.Request, v *service) (reply, error) {
	var in envInput
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	in.Key = r.PathValue("key")
	e, err := in.resolve()
	if err != nil {
		return reply{}, err
	}
	v.Env, v.UpdatedAt = putEnv(v.Env, e), s.w.Now()
	return ok(e)
}

func (s *Server) deleteEnv(r *http.Request, v *service) (reply, error) {
	env, found := dropEnv(v.Env, r.PathValue("key"))
	if !found {
		return reply{}, notFound("environment variable", r.PathValue("key"))
	}
	v.Env, v.UpdatedAt = env, s.w.Now()
	return empty(http.StatusNoContent)
}

func (s *Server) listFiles(r *http.Request, v *service) (reply, error) {
	return page(s, r, v.Files, "secretFile", func(f secretFile) string { return f.Name }, func(f secretFile) any { return f })
}

func getFile(list []secretFile, r *http.Request) (reply, error) {
	for _, f := range list {
		if f.Name == r.PathValue("file") {
			return ok(f)
		}
	}
	return reply{}, notFound("secret file", r.PathValue("file"))
}

func putFile(list []secretFile, f secretFile) []secretFile {
	at, found := slices.BinarySearchFunc(list, f.Name, func(o secretFile, n string) int { return cmp.Compare(o.Name, n) })
	if found {
		list = slices.Clone(list)
		list[at] = f
		return list
	}
	return slices.Insert(slices.Clone(list), at, f)
}

func (s *Server) replaceFiles(r *http.Request, v *service) (reply, error) {
	var in []secretFile
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	var files []secretFile
	docs := []any{}
	for _, f := range in {
		if f.Name == "" || strings.Contains(f.Name, "/") {
			return reply{}, bad("invalid secret file name %q", f.Name)
		}
		files = putFile(files, f)
	}
	for _, f := range files {
		docs = append(docs, map[string]any{"cursor": cursorOf(f.Name), "secretFile": f})
	}
	v.Files, v.UpdatedAt = files, s.w.Now()
	return ok(docs)
}

func (s *Server) setFile(r *http.Request, v *service) (reply, error) {
	f := secretFile{}
	if err := decode(r, &f); err != nil {
		return reply{}, err
	}
	f.Name = r.PathValue("file")
	v.Files, v.UpdatedAt = putFile(v.Files, f), s.w.Now()
	return created(f)
}

func (s *Server) deleteFile(r *http.Request, v *service) (reply, error) {
	out := slices.DeleteFunc(slices.Clone(v.Files), func(f secretFile) bool { return f.Name == r.PathValue("file") })
	if len(out) == len(v.Files) {
		return reply{}, notFound("secret file", r.PathValue("file"))
	}
	v.Files, v.UpdatedAt = out, s.w.Now()
	return empty(http.StatusNoContent)
}
