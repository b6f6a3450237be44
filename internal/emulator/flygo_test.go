package emulator_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// gqlQuery is a query among the raw string literals of a Go file.
var gqlQuery = regexp.MustCompile("(?s)`\\s*(query\\b[^`]*)`")

// unanswered are fields that only Fly's old, self-managed Postgres needs.
var unanswered = []string{"latestImageTag", "postgresAttachments"}

// missing are the answers about what an emulator never has.
var missing = []string{"Unknown repository", "Could not find WireGuardPeer"}

// Every query that Fly's own client library knows is answered: an emulator
// that lacks a field would stop flyctl somewhere.
func TestEveryQueryOfFlyGo(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/superfly/fly-go").Output()
	if err != nil {
		t.Skip("cannot find the module: ", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*.go"))
	if err != nil || len(files) == 0 {
		t.Skip("the module's files are not here")
	}
	s := start(t)
	c := connect(t, s)
	c.app("shop")
	m := c.launch("shop", web("shop:v1"))
	_, v := c.call("POST", "/v1/apps/shop/volumes", map[string]any{"name": "data", "region": "fra", "size_gb": 1})
	vars := map[string]any{
		"appName": "shop", "name": "shop", "slug": "personal", "imageRef": "registry.fly.io/shop:v1", "image": "shop:v1", "admin": false, "limit": 5,
		"machineId": m.ID, "id": v["id"],
	}
	asked := 0
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range gqlQuery.FindAllSubmatch(src, -1) {
			doc := string(match[1])
			if strings.HasSuffix(file, "_test.go") || containsAny(doc, unanswered) {
				continue
			}
			asked++
			given := map[string]any{}
			for name, val := range vars {
				if strings.Contains(doc, "$"+name+":") || strings.Contains(doc, "$"+name+" ") {
					given[name] = val
				}
			}
			_, body, _ := c.send("POST", "/graphql", map[string]any{"query": doc, "variables": given})
			var answer struct{ Errors []struct{ Message string } }
			if err := json.Unmarshal(body, &answer); err != nil {
				t.Errorf("%s: %s", filepath.Base(file), body)
			}
			if len(answer.Errors) > 0 && !containsAny(answer.Errors[0].Message, missing) {
				t.Errorf("%s: %s: %s", filepath.Base(file), strings.Join(strings.Fields(doc), " "), answer.Errors[0].Message)
			}
		}
	}
	if asked < 30 {
		t.Errorf("found only %d queries", asked)
	}
}

func containsAny(s string, words []string) bool {
	for _, w := range words {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}
