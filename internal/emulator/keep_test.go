package emulator_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator"
)

// keeping makes an emulator whose state is in dir, without starting it.
func keeping(dir string) (*emulator.Server, error) {
	return emulator.New(emulator.Options{StateDir: dir, SeedImages: []string{"shop:v1"}, NoPostgres: true})
}

// renderService is a body of Render's POST /services.
const renderService = `{"type":"web_service","name":"shop","ownerId":"tea-1","image":{"ownerId":"tea-1","imagePath":"registry.fly.io/shop:v1"},` +
	`"serviceDetails":{"runtime":"image","plan":"starter","region":"frankfurt"}}`

// What each platform knew is there after a restart, and what ran runs again.
func TestStateOutlivesARestart(t *testing.T) {
	dir := t.TempDir()
	first, err := keeping(dir)
	if err != nil {
		t.Fatal(err)
	}
	first.Start()
	for _, call := range []struct {
		method, address, body string
		want                  int
	}{
		{"POST", first.FlyURL() + "/v1/apps", `{"name":"shop","org_slug":"personal"}`, 201},
		{"POST", first.FlyURL() + "/v1/apps/shop/secrets", `{"values":{"K":"v"}}`, 200},
		{"POST", first.FlyURL() + "/v1/apps/shop/machines", `{"region":"fra","config":{"image":"registry.fly.io/shop:v1","services":[{"protocol":"tcp","internal_port":80}]}}`, 200},
		{"POST", first.RailwayURL() + "/graphql/v2", query(`mutation { projectCreate(input: {name: "shop"}) { id } }`), 200},
		{"POST", first.RenderURL() + "/v1/services", renderService, 201},
		{"POST", first.SentryURL() + "/api/0/organizations/emulator/releases/", `{"version":"shop@1","projects":["app"]}`, 201},
	} {
		if code, _, body := ask(t, call.method, call.address, "t", call.body); code != call.want || strings.Contains(body, `"errors"`) {
			t.Errorf("%s %s: %d %s, want %d", call.method, call.address, code, body, call.want)
		}
	}
	eventually(t, "the app answers", func() bool { code, _ := get(t, first, "shop", "/"); return code == 200 })
	if _, err := keeping(dir); !errors.Is(err, emulator.ErrState) {
		t.Errorf("a second emulator in the same directory: %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}

	again, err := keeping(dir)
	if err != nil {
		t.Fatal(err)
	}
	again.Start()
	t.Cleanup(func() { _ = again.Close() })
	for _, call := range []struct{ method, address, body, want string }{
		{"GET", again.FlyURL() + "/v1/apps/shop/secrets", "", `"name":"K"`},
		{"POST", again.RailwayURL() + "/graphql/v2", query(`{ projects { edges { node { name } } } }`), `"name":"shop"`},
		{"GET", again.RenderURL() + "/v1/services?name=shop", "", `"name":"shop"`},
		{"GET", again.SentryURL() + "/api/0/organizations/emulator/releases/", "", `"version":"shop@1"`},
	} {
		if _, _, body := ask(t, call.method, call.address, "t", call.body); !strings.Contains(body, call.want) {
			t.Errorf("%s %s after the restart: %s, want %s", call.method, call.address, body, call.want)
		}
	}
	eventually(t, "the app answers again", func() bool { code, _ := get(t, again, "shop", "/"); return code == 200 })
}

// Without a clean end only the last moments are lost.
func TestStateIsSavedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	s, err := keeping(dir)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { _ = s.Close() })
	if code, _, body := ask(t, "POST", s.FlyURL()+"/v1/apps", "t", `{"name":"shop","org_slug":"personal"}`); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	eventually(t, "the state is on disk", func() bool {
		data, err := os.ReadFile(filepath.Join(dir, "state.json"))
		return err == nil && strings.Contains(string(data), "shop") && json.Valid(data)
	})
	st, err := os.Stat(filepath.Join(dir, "state.json"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read the state: %v %v", st.Mode(), err)
	}
}

// A state that cannot be read stays as it is.
func TestDamagedState(t *testing.T) {
	for name, content := range map[string]string{
		"cut off":         `{"schema":"opsctl.emulator-kept/v1","platforms":{"fly":{`,
		"another version": `{"schema":"opsctl.emulator-kept/v9","platforms":{}}`,
		"not its form":    `{"schema":"opsctl.emulator-kept/v1","platforms":{"fly":{"world":{"apps":7}}}}`,
		"api not its":     `{"schema":"opsctl.emulator-kept/v1","platforms":{"render":{"api":7}}}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "state.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := keeping(dir)
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, emulator.ErrState) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if after, _ := os.ReadFile(path); string(after) != content {
			t.Errorf("%s: the file became %s", name, after)
		}
	}
}

// An app answers at its own platform's port and at no other.
func TestAppsAnswerAtTheirPlatform(t *testing.T) {
	s := start(t, func(o *emulator.Options) { o.Exec = nil })
	if code, _, body := ask(t, "POST", s.RenderURL()+"/v1/services", "t", renderService); code != 201 {
		t.Fatalf("%d %s", code, body)
	}
	at := func(base string) int {
		req, err := http.NewRequest(http.MethodGet, base+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.localhost"
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	eventually(t, "the service answers", func() bool { return at(s.RenderURL()) == 200 })
	for _, base := range []string{s.FlyURL(), s.RailwayURL()} {
		if code := at(base); code != 404 {
			t.Errorf("%s: %d", base, code)
		}
	}
}
