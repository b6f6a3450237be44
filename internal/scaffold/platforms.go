package scaffold

import (
	"path"
	"slices"
	"strings"
)

// platformInfo is what the guide says of a platform.
type platformInfo struct {
	title, token, how, file, byHand string
}

var platforms = map[string]platformInfo{
	"fly": {
		"Fly.io", "FLY_API_TOKEN",
		"Make a token with `fly tokens create deploy` or in Fly.io's dashboard, and set `FLY_API_TOKEN`.", "fly.toml", "",
	},
	"railway": {
		"Railway", "RAILWAY_TOKEN",
		"Make a project token in Railway's dashboard (Project > Settings > Tokens), and set `RAILWAY_TOKEN`.", "railway.json",
		"Connect the repository in its dashboard, which reads `railway.json`, or run `railway up`.",
	},
	"render": {
		"Render", "RENDER_API_KEY",
		"Make a key in Render's dashboard (Account Settings > API Keys), and set `RENDER_API_KEY`.", "render.yaml",
		"Make the services from `render.yaml` in its dashboard (New > Blueprint), and start each deploy there.",
	},
	"compose": {"Docker Compose", "", "Install Docker on the server, and sign in to it.", "docker-compose.yml", "Run `docker compose up --build -d` on the server."},
}

// PlatformTitle is a platform's name as people write it.
func (v View) PlatformTitle(p string) string { return platforms[p].title }

// TokenName is the variable that holds the platform's token.
func (v View) TokenName(p string) string { return platforms[p].token }

// TokenHow is how one gets it.
func (v View) TokenHow(p string) string { return platforms[p].how }

// ByHand is how one deploys to a platform that opsctl does not deploy to.
func (v View) ByHand(p string) string { return platforms[p].byHand }

// PlatformFile is the platform's own configuration, seen from the app's folder.
func (v View) PlatformFile(p string) string { return platforms[p].file }

// DeployFlags name the environment that the guide's commands are about.
func (v View) DeployFlags() string {
	for i, e := range v.Deployed() {
		if e.Name == "production" {
			return "--platform " + e.Platform
		}
		if i == len(v.Deployed())-1 {
			return "--env " + v.Deployed()[0].Name
		}
	}
	return ""
}

// DeployName is that environment's name.
func (v View) DeployName() string {
	if strings.HasPrefix(v.DeployFlags(), "--env ") {
		return v.Deployed()[0].Name
	}
	return "production"
}

// DeploysProduction tells whether production is among what the workflow deploys.
func (v View) DeploysProduction() bool {
	return slices.ContainsFunc(v.Deployed(), func(e Environment) bool { return e.Name == "production" })
}

// Platforms are those of the environments, each once.
func (v View) Platforms() []string {
	var list []string
	for _, e := range v.Environments {
		if !slices.Contains(list, e.Platform) {
			list = append(list, e.Platform)
		}
	}
	return list
}

// MigrationsFromApp is the migrations' folder seen from the app's.
func (v View) MigrationsFromApp() string { return path.Join(v.Migrations.Home, v.Migrations.Dir) }
