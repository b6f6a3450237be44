package emulator

import (
	"net/http"
	"strings"
)

func isRegistry(path string) bool { return path == "/v2" || strings.HasPrefix(path, "/v2/") }

// registry guards the image registry: a token is needed, and as at
// registry.fly.io a repository of one word is an app's and can only be pushed
// to when the app exists. Longer names are for the other platforms, which take
// their images from anywhere.
func (s *Server) registry(rw http.ResponseWriter, r *http.Request) {
	// Pulling is for everybody, as from a public registry: Railway and Render come
	// without a token of Fly's. The bare /v2/ asks for one, so that whoever pushes sends it.
	pull := r.Method == http.MethodGet || r.Method == http.MethodHead
	if bare := strings.Trim(r.URL.Path, "/") == "v2"; (bare || !pull) && !s.fly.RegistryAuth(r) {
		rw.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
		registryError(rw, http.StatusUnauthorized, "UNAUTHORIZED", "authentication required")
		return
	}
	name := repository(r.URL.Path)
	if name != "" && !strings.Contains(name, "/") && r.Method != http.MethodGet && r.Method != http.MethodHead && !s.fly.HasApp(name) {
		registryError(rw, http.StatusNotFound, "NAME_UNKNOWN", "app repository not found")
		return
	}
	s.images.ServeHTTP(rw, r)
}

// repository is the name in a path of the registry API: /v2/NAME/blobs/...,
// /v2/NAME/manifests/... or /v2/NAME/tags/....
func repository(path string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(path, "/v2"), "/")
	for _, verb := range []string{"/blobs/", "/manifests/", "/tags/"} {
		if i := strings.LastIndex(name, verb); i > 0 {
			return name[:i]
		}
	}
	return name
}

func registryError(rw http.ResponseWriter, code int, word, message string) {
	writeJSON(rw, code, registryErrors(word, message))
}

func registryErrors(word, message string) any {
	return map[string]any{"errors": []any{map[string]any{"code": word, "message": message}}}
}
