package nextconfig

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// stubs are the packages that the shapes import. They do what the real ones do to a
// configuration: give it back with something more in it.
var stubs = map[string]string{
	"@sentry/nextjs/config": `exports.withSentryConfig = wrapper("sentry");`,
	"@sentry/nextjs":        `exports.withSentryConfig = wrapper("sentry");`,
	"@next/bundle-analyzer": `module.exports = (options) => wrapper("analyzer");`,
	"@next/mdx":             `module.exports = (options) => wrapper("mdx"); module.exports.default = module.exports;`,
	"next-pwa":              `module.exports = (options) => wrapper("pwa");`,
	"next-intl/plugin":      `module.exports = (path) => wrapper("intl");`,
	"next-compose-plugins":  `module.exports = (plugins, config) => async (phase) => ({ ...config, plugins: plugins.length });`,
	"next/constants":        `exports.PHASE_DEVELOPMENT_SERVER = "phase-development-server";`,
	"next/constants.js":     `exports.PHASE_DEVELOPMENT_SERVER = "phase-development-server";`,
	"@nx/next":              `exports.withNx = wrapper("nx"); exports.composePlugins = (...plugins) => (config) => plugins.reduce((c, p) => p(c), config);`,
	"jiti":                  `exports.createJiti = () => {};`,
}

const stubHead = `const wrapper = (name) => (config, options) => {
  const add = (c) => ({ ...c, wrappers: [...(c.wrappers ?? []), name], ...(options ? { [name]: options } : {}) });
  if (typeof config !== "function") return add(config);
  return async (...args) => add(await config(...args));
};
`

// evaluator prints what Next.js would get from each file, for two phases.
const evaluator = `import { pathToFileURL } from "node:url";
const show = (key, value) => typeof value === "function" ? "function " + value.toString().replace(/\s+/g, " ") : value;
for (const file of process.argv.slice(2)) {
  const out = [];
  for (const phase of ["phase-production-build", "phase-development-server"]) {
    try {
      const module = await import(pathToFileURL(file));
      let config = module.default ?? module;
      if (typeof config === "function") config = config(phase, { defaultConfig: { fromNext: true } });
      out.push(await config);
    } catch (error) {
      out.push({ error: String(error) });
    }
  }
  process.stdout.write(JSON.stringify(out, show) + "\n");
}
`

// Node.js itself evaluates every shape before and after: the configuration that
// Next.js gets is the same but for output and the wrapper.
func TestEvaluatedByNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("there is no node")
	}
	dir := t.TempDir()
	writeStubs(t, filepath.Join(dir, "node_modules"))
	writeFile(t, filepath.Join(dir, "evaluate.mjs"), evaluator)
	writeFile(t, filepath.Join(dir, "next.shared.mjs"), "export const shared = { fromShared: true };\n")
	writeFile(t, filepath.Join(dir, "next.shared.js"), "module.exports = { fromShared: true };\n")
	var files []string
	var edited []shapeFile
	for _, s := range shapes(t) {
		if bytes.Equal(s.in, s.want) {
			continue
		}
		base := strings.TrimSuffix(filepath.Base(s.path), ".txtar")
		for _, v := range []struct {
			when string
			src  []byte
		}{{"before", s.in}, {"after", s.want}} {
			folder := filepath.Join(dir, v.when, base)
			writeFile(t, filepath.Join(folder, runnable(s)), javaScript(t, s.name, v.src))
			writeFile(t, filepath.Join(folder, "base.mjs"), "export default { fromBase: true };\n")
			writeFile(t, filepath.Join(folder, "src", "env.js"), "")
			files = append(files, filepath.Join(folder, runnable(s)))
		}
		edited = append(edited, s)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, append([]string{filepath.Join(dir, "evaluate.mjs")}, files...)...)
	cmd.Env = append(os.Environ(), "SENTRY_AUTH_TOKEN=", "ANALYZE=1", "DOCKER=", "CDN=x", "NEXT_PUBLIC_SENTRY_DSN=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "[{") { // a shape may print something itself
			lines = append(lines, line)
		}
	}
	if len(lines) != len(files) {
		t.Fatalf("%d results for %d files", len(lines), len(files))
	}
	for i, s := range edited {
		compareEvaluated(t, s, strings.ReplaceAll(lines[2*i], "/before/", "/after/"), lines[2*i+1])
	}
}

// writeStubs writes the packages, each with its modules as its exports.
func writeStubs(t *testing.T, dir string) {
	t.Helper()
	exports := map[string]map[string]string{}
	for name, body := range stubs {
		parts := strings.Split(name, "/")
		n := 1
		if strings.HasPrefix(name, "@") {
			n = 2
		}
		pkg, file := strings.Join(parts[:n], "/"), strings.Join(append([]string{"m"}, parts[n:]...), "-")+".cjs"
		if exports[pkg] == nil {
			exports[pkg] = map[string]string{}
		}
		exports[pkg][strings.Join(append([]string{"."}, parts[n:]...), "/")] = "./" + file
		writeFile(t, filepath.Join(dir, pkg, file), stubHead+body)
	}
	for pkg, e := range exports {
		manifest, err := json.Marshal(map[string]any{"name": pkg, "exports": e})
		if err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(dir, pkg, "package.json"), string(manifest))
	}
}

// runnable is the name that Node.js runs a shape by: TypeScript is turned into
// JavaScript first.
func runnable(s shapeFile) string {
	if strings.Contains(string(s.in), "module.exports") || strings.Contains(string(s.in), "export =") {
		return "next.config.cjs"
	}
	return "next.config.mjs"
}

func javaScript(t *testing.T, name string, src []byte) string {
	t.Helper()
	loader, err := loaderOf(name)
	if err != nil {
		t.Fatal(err)
	}
	format := api.FormatDefault
	if bytes.Contains(src, []byte("export =")) {
		format = api.FormatCommonJS
	}
	r := api.Transform(string(src), api.TransformOptions{Loader: loader, Format: format})
	if len(r.Errors) > 0 {
		t.Fatalf("%s: %s", name, r.Errors[0].Text)
	}
	return string(r.Code)
}

func compareEvaluated(t *testing.T, s shapeFile, before, after string) {
	t.Helper()
	var was, is []map[string]any
	for text, to := range map[string]*[]map[string]any{before: &was, after: &is} {
		if err := json.Unmarshal([]byte(text), to); err != nil {
			t.Fatalf("%s: %v in %s", s.path, err, text)
		}
	}
	standalone := strings.Contains(s.done, "standalone")
	wrapped := strings.Contains(s.done, sentryWrapper)
	for i := range was {
		if was[i]["error"] != nil || is[i]["error"] != nil {
			t.Errorf("%s: %v, and after the edit %v", s.path, was[i]["error"], is[i]["error"])
			continue
		}
		if standalone {
			if is[i]["output"] != standaloneOutput {
				t.Errorf("%s: output is %v", s.path, is[i]["output"])
			}
			was[i]["output"] = standaloneOutput
		}
		if wrapped {
			list, _ := is[i]["wrappers"].([]any)
			if len(list) == 0 || list[len(list)-1] != "sentry" {
				t.Errorf("%s: Sentry is not the outermost of %v", s.path, list)
				continue
			}
			if list = list[:len(list)-1]; len(list) == 0 {
				delete(is[i], "wrappers")
			} else {
				is[i]["wrappers"] = list
			}
			options, _ := is[i]["sentry"].(map[string]any)
			if options["silent"] != true || options["telemetry"] != false {
				t.Errorf("%s: Sentry is told %v", s.path, options)
			}
			delete(is[i], "sentry")
		}
		a, errA := json.Marshal(was[i])
		b, errB := json.Marshal(is[i])
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s: the configuration was\n%s\nand is\n%s", s.path, a, b)
		}
	}
}

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
