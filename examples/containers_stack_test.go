package examples_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// stackPassword takes the place of the database's password in docker-compose.yml.
// Nothing that the app says may hold it.
const stackPassword = "canary-of-the-database"

// composeFile is what the stack needs of the rendered docker-compose.yml. The Compose
// plugin is not everywhere, so its services are started with docker alone.
type composeFile struct {
	Services map[string]struct {
		Image       string
		Command     []string
		Environment map[string]string
		Configs     []struct{ Source, Target string }
		Healthcheck struct{ Test []string }
	}
	Configs map[string]struct{ Content string }
}

func readCompose(t *testing.T, repo string) composeFile {
	t.Helper()
	text := strings.ReplaceAll(read(t, repo, "docker-compose.yml"), "$$", "\x00")
	text = regexp.MustCompile(`\$\{(\w+)(?::-([^}]*))?\}`).ReplaceAllStringFunc(text, func(v string) string {
		m := regexp.MustCompile(`\$\{(\w+)(?::-([^}]*))?\}`).FindStringSubmatch(v)
		if m[1] == "POSTGRES_PASSWORD" {
			return stackPassword
		}
		return m[2]
	})
	var c composeFile
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "\x00", "$")), &c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app", "migrate", "postgres"} {
		if _, ok := c.Services[name]; !ok {
			t.Fatalf("docker-compose.yml has no service %s", name)
		}
	}
	return c
}

// stack is the app's services on a network of their own, where each has its name.
type stack struct {
	*engine
	compose composeFile
	image   string
	part    string // in every name of this stack
}

func (e *engine) startStack(t *testing.T, repo, image string) *stack {
	t.Helper()
	s := &stack{engine: e, compose: readCompose(t, repo), image: image, part: strings.TrimPrefix(image, e.id+"-")}
	s.part, _, _ = strings.Cut(s.part, ":")
	s.run(t, slices.Concat([]string{"network", "create"}, s.labels(), []string{s.container("net")})...)
	services := []string{"postgres", "redis"}
	if _, ok := s.compose.Services["redis"]; !ok {
		services = services[:1]
	}
	for _, service := range services {
		s.create(t, service)
		s.run(t, "start", s.container(service))
	}
	for _, service := range services {
		s.waitFor(t, service)
	}
	return s
}

func (s *stack) container(service string) string { return s.name(s.part + "-" + service) }

// flags of docker run and docker create that put a container into the stack.
func (s *stack) flags(service string, env ...string) []string {
	flags := slices.Concat(s.labels(), []string{"--network", s.container("net")})
	for name, value := range s.compose.Services[service].Environment {
		env = append(env, name+"="+value)
	}
	for _, kv := range env {
		flags = append(flags, "--env", kv)
	}
	return flags
}

// hardened is how strictly the app has to be able to run.
var hardened = []string{"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"}

// create makes a database's container with the files that Compose would mount.
func (s *stack) create(t *testing.T, service string) {
	t.Helper()
	def := s.compose.Services[service]
	args := slices.Concat([]string{"create", "--name", s.container(service), "--network-alias", service}, s.flags(service), []string{def.Image}, def.Command)
	s.run(t, args...)
	for _, c := range def.Configs {
		file := filepath.Join(t.TempDir(), path.Base(c.Target))
		if err := os.WriteFile(file, []byte(s.compose.Configs[c.Source].Content), 0o644); err != nil {
			t.Fatal(err)
		}
		s.run(t, "cp", file, s.container(service)+":"+c.Target)
	}
}

// waitFor asks as the rendered health check does.
func (s *stack) waitFor(t *testing.T, service string) {
	t.Helper()
	test := s.compose.Services[service].Healthcheck.Test
	if len(test) < 2 || test[0] != "CMD" {
		t.Fatalf("the health check of %s is %v", service, test)
	}
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		out, err := s.try(t.Context(), nil, append([]string{"exec", s.container(service)}, test[1:]...)...)
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			logs, _ := s.try(t.Context(), nil, "logs", s.container(service))
			t.Fatalf("%s is not healthy: %v\n%s\n%s", service, err, out, logs)
		}
	}
}

// migrate runs the release command in the image, several at the same time.
func (s *stack) migrate(t *testing.T, atOnce int) string {
	t.Helper()
	args := slices.Concat([]string{"run", "--rm"}, hardened, s.flags("migrate"), []string{s.image}, s.compose.Services["migrate"].Command)
	outputs := make(chan string, atOnce)
	for range atOnce {
		go func() {
			out, err := s.try(t.Context(), nil, args...)
			if err != nil {
				out += "\n" + err.Error()
			}
			outputs <- out
		}()
	}
	var all []string
	for range atOnce {
		all = append(all, <-outputs)
	}
	return strings.Join(all, "\n")
}

// query asks the app's database as its own role.
func (s *stack) query(t *testing.T, sql string) string {
	t.Helper()
	return s.run(t, "exec", s.container("postgres"), "psql", "--no-psqlrc", "--tuples-only", "--no-align",
		"--dbname", strings.Replace(s.compose.Services["app"].Environment["DATABASE_URL"], "@postgres:", "@127.0.0.1:", 1), "--command", sql)
}

// startApp runs the image as strictly as it gets, and waits until its own health
// check passes. Only the interval is another, to be done sooner.
func (s *stack) startApp(t *testing.T, env ...string) *app {
	t.Helper()
	name := s.container("app")
	started := time.Now()
	s.run(t, slices.Concat([]string{"run", "--detach", "--name", name, "--publish", "127.0.0.1::3000", "--health-interval", "500ms"},
		hardened, s.flags("app", env...), []string{s.image})...)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		state := s.inspect(t, name, "{{.State.Status}} {{.State.Health.Status}}")
		if state == "running healthy" {
			break
		}
		if time.Now().After(deadline) || !strings.HasPrefix(state, "running") {
			t.Fatalf("the app is %s after %s\n%s", state, time.Since(started), s.run(t, "logs", name))
		}
	}
	t.Logf("healthy after %.1fs", time.Since(started).Seconds())
	address, _, _ := strings.Cut(s.run(t, "port", name, "3000/tcp"), "\n")
	return &app{url: "http://" + address, log: &log{}}
}

// checkProcess reads what the kernel knows of the container's first process.
func (s *stack) checkProcess(t *testing.T) {
	t.Helper()
	status := s.run(t, "exec", s.container("app"), "cat", "/proc/1/status")
	for field, want := range map[string]string{
		"Uid": "1001 1001 1001 1001", "Gid": "1001 1001 1001 1001", "CapEff": "0000000000000000", "NoNewPrivs": "1",
	} {
		m := regexp.MustCompile(`(?m)^` + field + `:\s*(.*)$`).FindStringSubmatch(status)
		if m == nil || strings.Join(strings.Fields(m[1]), " ") != want {
			t.Errorf("%s of the first process is %q, want %s", field, m, want)
		}
	}
	if exe := s.run(t, "exec", s.container("app"), "readlink", "/proc/1/exe"); filepath.Base(exe) != "node" {
		t.Errorf("the first process is %s: a signal reaches it and not the app", exe)
	}
}

// checkOutage stops PostgreSQL under the running app, and starts it again.
func (s *stack) checkOutage(t *testing.T, a *app) {
	t.Helper()
	s.run(t, "stop", "--time", "10", s.container("postgres"))
	status, _, body := a.get(t, "/api/health")
	h := parseHealth(t, body)
	if status != 503 || h.Status != "fail" || h.of("postgres").Status != "fail" || h.of("redis").Status != "pass" {
		t.Errorf("health is %d with PostgreSQL stopped: %s", status, body)
	}
	for _, secret := range []string{stackPassword, "postgres://", "postgresql://", "redis://", "5432", "ECONN", "ENOTFOUND", "rror", "connect", "terminat", "stack"} {
		if strings.Contains(body, secret) {
			t.Errorf("the answer holds %q: %s", secret, body)
		}
	}
	if status, _, _ := a.get(t, "/livez"); status != 200 {
		t.Errorf("livez is %d with PostgreSQL stopped: the platform would restart the app for it", status)
	}
	s.run(t, "start", s.container("postgres"))
	s.waitFor(t, "postgres")
	if status, _, body := a.get(t, "/api/health"); status != 200 {
		t.Errorf("health is %d after PostgreSQL came back: %s", status, body)
	}
}

// checkStop ends the app as a platform does: SIGTERM, and ten seconds.
func (s *stack) checkStop(t *testing.T) {
	t.Helper()
	name := s.container("app")
	started := time.Now()
	s.run(t, "stop", "--time", "10", name)
	took := time.Since(started)
	// 143 is SIGTERM's own status; 137 would be the kill after ten seconds.
	code := s.inspect(t, name, "{{.State.ExitCode}}")
	t.Logf("ended %.1fs after SIGTERM with status %s", took.Seconds(), code)
	if took >= 10*time.Second || code != "0" && code != "143" {
		t.Errorf("it took %s to end, with status %s", took, code)
	}
	if logs := s.run(t, "logs", name); strings.Contains(logs, stackPassword) || strings.Contains(logs, "EROFS") {
		t.Errorf("the app's log holds the password, or that it wanted to write:\n%s", logs)
	}
}
