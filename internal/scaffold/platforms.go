package scaffold

import (
	"path"
	"slices"
)

// platformInfo is what the guide says of a platform.
type platformInfo struct {
	title, token, how, file, source string
}

var platforms = map[string]platformInfo{
	"fly": {
		"Fly.io", "FLY_API_TOKEN",
		"Make a token with `fly tokens create org` or in Fly.io's dashboard, and set `FLY_API_TOKEN`. Once the app exists, one of `fly tokens create deploy` is enough.",
		"fly.toml", "The image is built here, with Docker or Podman, and pushed to Fly.io's registry.",
	},
	"railway": {
		"Railway", "RAILWAY_TOKEN",
		"Make an account or workspace token in Railway's dashboard (Account Settings > Tokens), and set `RAILWAY_API_TOKEN`: the first deploy makes the project and its environment. Afterwards a project token of that environment (Project > Settings > Tokens) in `RAILWAY_TOKEN` is enough.",
		"railway.json", "Railway builds the image, from the files that are here.",
	},
	"render": {
		"Render", "RENDER_API_KEY",
		"Make a key in Render's dashboard (Account Settings > API Keys), and set `RENDER_API_KEY`.", "render.yaml",
		"Render builds the image, from the commit that is checked out: push it first, and let Render read the repository (Account Settings > Git).",
	},
	"compose": {
		"Docker Compose", "",
		"Install Docker on the server, and run opsctl there or set `DOCKER_HOST` to it (`ssh://user@server`).", "docker-compose.yml",
		"The image is built by the server's own Docker.",
	},
}

// PlatformTitle is a platform's name as people write it.
func (v View) PlatformTitle(p string) string { return platforms[p].title }

// TokenHow is how one gets it.
func (v View) TokenHow(p string) string { return platforms[p].how }

// BuiltHow is where the image of a deploy is built.
func (v View) BuiltHow(p string) string { return platforms[p].source }

// PlatformFile is the platform's own configuration, seen from the app's folder.
func (v View) PlatformFile(p string) string { return platforms[p].file }

// DeployTo is the environment that the guide's commands are about.
func (v View) DeployTo() Environment { return v.Production() }

// DeployFlags name that environment to opsctl deploy.
func (v View) DeployFlags() string {
	if e := v.DeployTo(); e.Name != "production" {
		return "--env " + e.Name
	}
	return "--platform " + v.DeployTo().Platform
}

// DeployName is that environment's name.
func (v View) DeployName() string { return v.DeployTo().Name }

// DeploysProduction tells whether production is among what the workflow deploys.
func (v View) DeploysProduction() bool {
	return slices.ContainsFunc(v.Deploys(), func(d Deploy) bool { return d.Name == "production" })
}

// DeploysOn tells whether the workflow deploys to the platform.
func (v View) DeploysOn(platform string) bool {
	return slices.ContainsFunc(v.Deploys(), func(d Deploy) bool { return d.Platform == platform })
}

// Token is the variable that holds the token of the environment's platform.
func (e Environment) Token() string { return platforms[e.Platform].token }

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
