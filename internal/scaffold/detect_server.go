package scaffold

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// Server is a server of the app's own, which the image runs with all its production
// dependencies beside it.
type Server struct {
	Command []string // "node" and its arguments
	Built   bool     // the file is made by the build
}

var (
	assignment  = lazily(`^[A-Za-z_][A-Za-z0-9_]*=`)
	nextStart   = lazily(`\bnext start\b`)
	startsNode  = lazily(`(^|\s|&&)\s*(?:node|tsx|ts-node|ts-node-esm|nodemon|bun|pm2|pm2-runtime)\s`)
	scriptFile  = lazily(`\.(js|mjs|cjs)$`)
	shellSyntax = lazily("[|;<>$`'\"*(){}]")
)

// startScripts are package.json's scripts that run the app in production, the most
// telling first.
var startScripts = []string{"start:prod", "start:production", "start"}

// detectServer finds a server of the app's own beside Next.js, whose standalone
// output has none.
func (d *detector) detectServer(m *manifest) error {
	script, ok := m.Scripts["start"]
	if !ok || nextStart.MatchString(script) || !startsNode.MatchString(script) || d.OwnDockerfile != nil {
		return nil
	}
	if strings.Contains(script, "standalone/server.js") {
		return nil // Next.js's own
	}
	return d.useServer(m, "start")
}

// useServer takes the command of a start script. Programs that are development
// dependencies are not in the image, and what a shell would do nobody does there.
func (d *detector) useServer(m *manifest, name string) error {
	script, line := m.Scripts[name], m.line("scripts", name)
	refuse := func(why string) error {
		return errs.New(errs.CheckFailed, "package.json:%d: the %s script is %q, and %s", line, name, script, why).
			WithHint("have the image's command in a script start:prod that runs a file with node, such as \"node dist/server.js\"; or write a Dockerfile and run init again")
	}
	words := strings.Fields(script)
	if i := slices.Index(words, "&&"); i >= 0 && migrating.MatchString(strings.Join(words[:i], " ")) {
		d.Notes = append(d.Notes, fmt.Sprintf("package.json:%d migrates whenever the app starts; the image does not, that is the release command's part", line))
		words = words[i+1:]
	}
	for len(words) > 0 && (words[0] == "cross-env" || assignment.MatchString(words[0])) {
		if assignment.MatchString(words[0]) && !strings.HasPrefix(words[0], "NODE_ENV=") {
			d.Notes = append(d.Notes, fmt.Sprintf("package.json:%d sets %s when the app starts; the image does not: put it into the environment", line, strings.SplitN(words[0], "=", 2)[0]))
		}
		words = words[1:]
	}
	switch {
	case len(words) < 2 || words[0] != "node":
		return refuse("the image can only run node and a file")
	case shellSyntax.MatchString(strings.Join(words, " ")) || slices.Contains(words, "&&"):
		return refuse("it needs a shell, which would not hand signals on")
	}
	entry := entryFile(words[1:])
	if entry == "" {
		return refuse("it names no file")
	}
	if !d.hasEntry(entry) && !d.isBuilt(m, entry) {
		return refuse(entry + " is not there, and no build script makes it")
	}
	d.Server = &Server{Command: words, Built: !d.hasEntry(entry)}
	d.because("server", strings.Join(words, " "), "package.json", line, "the app's own server, so the image holds all production dependencies")
	return nil
}

// entryFile is the file that node runs: the first argument that is no option.
func entryFile(args []string) string {
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "-r" || args[i] == "--require" || args[i] == "--import" || args[i] == "--loader":
			i++
		case !strings.HasPrefix(args[i], "-"):
			return path.Clean(args[i])
		}
	}
	return ""
}

func (d *detector) hasEntry(entry string) bool {
	if scriptFile.MatchString(entry) {
		return isFile(d.app, entry)
	}
	return isFile(d.app, entry+".js") || isFile(d.app, path.Join(entry, "index.js"))
}

// isBuilt tells whether the build can make a file that is not in the repository.
func (d *detector) isBuilt(m *manifest, entry string) bool {
	_, build := m.Scripts["build"]
	return build && strings.Contains(entry, "/")
}

// detectNode is the detection of a plain Node.js server.
func (d *detector) detectNode(m *manifest) (bool, error) {
	i := slices.IndexFunc(startScripts, func(name string) bool { return m.Scripts[name] != "" })
	if m.src == nil || i < 0 {
		return false, nil
	}
	if !startsNode.MatchString(m.Scripts[startScripts[i]]) && !strings.HasPrefix(m.Scripts[startScripts[i]], "nest start") {
		return false, nil
	}
	d.Kind = Node
	name := startScripts[i]
	d.because("stack", "Node.js server", "package.json", m.line("scripts", name), "the "+name+" script: "+m.Scripts[name])
	steps := []func(*manifest) error{
		d.detectJavaScript,
		func(m *manifest) error {
			if d.OwnDockerfile != nil {
				return nil
			}
			return d.useServer(m, name)
		},
		d.detectServices, d.detectMigrations, d.detectBuild, d.detectFolders,
	}
	for _, step := range steps {
		if err := step(m); err != nil {
			return true, err
		}
	}
	return true, nil
}

// healthRoute matches the path of a health check where a router is told of it, in any
// of the languages: get("/healthz", path("health/", HandleFunc("GET /health",
// @Controller("health").
var healthRoute = lazily("\\b(?:get|Get|GET|all|use|route|Route|Handle|HandleFunc|path|re_path|url|Controller)\\(\\s*r?[\"'`](?:GET )?\\^?(/?(?:[a-z0-9-]+/){0,2}(?:health|healthz|healthcheck|health-check|readyz|livez)/?)\\$?[\"'`]")

// detectHealth looks for the health route of an app that init writes none into. One
// that is named health comes before the other names.
func (d *detector) detectHealth() error {
	sources, err := d.sources()
	if err != nil {
		return err
	}
	var found, file string
	var line int
	for _, s := range sources {
		if !codeFile.MatchString(s.name) {
			continue
		}
		src, err := s.read()
		if err != nil {
			return err
		}
		for _, m := range healthRoute.FindAllSubmatchIndex(src) {
			route := string(src[m[2]:m[3]])
			if found == "" || strings.Contains(route, "health") && !strings.Contains(found, "health") {
				found, file, line = route, s.shown, lineAt(src, m[0])
			}
		}
	}
	if found == "" {
		d.HealthPath = "/"
		d.because("health", "/", "", 0, "no route is named like a health check")
		d.Notes = append(d.Notes, "no health route was found, so / is probed: add one that answers 503 when the app's services are down, and set web.health in opsctl.yaml")
	} else {
		d.HealthPath = "/" + strings.TrimPrefix(found, "/")
		if d.Kind != Django { // which redirects from a path without the slash
			d.HealthPath = "/" + strings.Trim(found, "/")
		}
		d.because("health", d.HealthPath, file, line, "the first route that is named like a health check")
	}
	d.LivePath = d.HealthPath
	return nil
}
