package render_test

import (
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/emulator/render"
)

// With DeployOnUpdate a change of settings deploys, and a suspended service stays so.
func TestDeployOnUpdate(t *testing.T) {
	f := start(t, func(o *render.Options) { o.DeployOnUpdate = true })
	id, first := f.create(web("shop", "v1"), "live")
	f.call(200, "PATCH", "/services/"+id, object{"image": object{"ownerId": "tea-1", "imagePath": "registry.example.com/shop:v2"}})
	list, _ := f.list("/services/"+id+"/deploys", "deploy")
	if len(list) != 2 || list[0].str("trigger") != "service_updated" {
		t.Fatalf("deploys %v", list)
	}
	f.ended(id, list[0].str("id"), "live")
	f.wantPage("shop.localhost", "/", "shop:v2@")
	if st := f.status(id, first); st != "deactivated" {
		t.Errorf("the first is %s", st)
	}
	f.call(202, "POST", "/services/"+id+"/suspend", nil)
	f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"healthCheckPath": "/"}})
	if list, _ = f.list("/services/"+id+"/deploys", "deploy"); len(list) != 2 {
		t.Errorf("deploys %v", list)
	}
}

// A Docker build needs its Dockerfile and its context to be in the repository.
func TestDockerfiles(t *testing.T) {
	f := start(t, func(o *render.Options) {
		o.HasFile = func(_, _, name string) bool {
			return name == "." || name == "apps/web" || name == "apps/web/Dockerfile"
		}
	})
	body := func(root string, specific object) object {
		return object{
			"type": "web_service", "name": "site", "ownerId": "tea-1", "repo": "https://github.com/example/shop", "branch": "main", "rootDir": root,
			"serviceDetails": object{"runtime": "docker", "envSpecificDetails": specific, "healthCheckPath": "/health"},
		}
	}
	id, _ := f.create(body("", object{}), "build_failed")
	if text := f.log(id); !strings.Contains(text, "Dockerfile: no such file") {
		t.Error(text)
	}
	f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"envSpecificDetails": object{"dockerfilePath": "./apps/web/Dockerfile", "dockerContext": "./lib"}}})
	f.deploy(id, object{}, "build_failed")
	f.call(200, "PATCH", "/services/"+id, object{"serviceDetails": object{"envSpecificDetails": object{"dockerContext": "./apps/web"}}})
	f.deploy(id, object{}, "live")
	f.call(200, "PATCH", "/services/"+id, object{"rootDir": "apps"})
	f.deploy(id, object{}, "build_failed")
	f.create(body("apps/web", object{}), "live")
}
