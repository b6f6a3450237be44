package usage

import (
	"path"
	"strings"
)

// language is how a file is read.
type language int

const (
	none      language = iota
	script             // JavaScript and TypeScript
	component          // Vue, Svelte and Astro
	python
	golang
	prisma
	dockerfile
	compose
	workflow
	packageJSON
	settings // other files of configuration and code, where only known names count
)

var byExtension = map[string]language{
	".js": script, ".jsx": script, ".mjs": script, ".cjs": script, ".ts": script, ".tsx": script, ".mts": script, ".cts": script,
	".vue": component, ".svelte": component, ".astro": component,
	".py": python, ".pyi": none, ".go": golang, ".prisma": prisma,
	".yaml": settings, ".yml": settings, ".toml": settings, ".json": settings, ".jsonc": settings, ".sh": settings, ".bash": settings,
	".zsh": settings, ".tf": settings, ".hcl": settings, ".nix": settings, ".mk": settings, ".rb": settings, ".php": settings,
	".rs": settings, ".java": settings, ".kt": settings, ".scala": settings, ".ex": settings, ".exs": settings, ".cs": settings,
	".html": settings, ".mdx": settings, ".ini": settings, ".cfg": settings, ".conf": settings, ".service": settings, ".tmpl": settings,
}

// languageOf tells how a file is read, by its name.
func languageOf(name string) language {
	base := path.Base(name)
	lower := strings.ToLower(base)
	ext := path.Ext(lower)
	switch {
	case strings.HasPrefix(base, ".env"), strings.HasSuffix(lower, ".d.ts"), strings.HasSuffix(lower, ".min.js"),
		strings.HasSuffix(lower, "-lock.json"), strings.HasSuffix(lower, "-lock.yaml"), lower == "npm-shrinkwrap.json":
		return none
	case lower == "package.json":
		return packageJSON
	case lower == "dockerfile", lower == "containerfile", strings.HasPrefix(lower, "dockerfile."), ext == ".dockerfile":
		return dockerfile
	case (ext == ".yml" || ext == ".yaml") && (strings.HasPrefix(lower, "compose.") || strings.HasPrefix(lower, "docker-compose.")):
		return compose
	case strings.Contains("/"+name, "/.github/") && (ext == ".yml" || ext == ".yaml"):
		return workflow
	case lower == "makefile", lower == "justfile", lower == "procfile", lower == "gemfile", lower == "rakefile", lower == "jenkinsfile":
		return settings
	}
	return byExtension[ext]
}

// langName is the name of a language as results show it.
func langName(l language, name string) string {
	switch l {
	case script:
		if ext := path.Ext(name); ext == ".ts" || ext == ".tsx" || ext == ".mts" || ext == ".cts" {
			return "typescript"
		}
		return "javascript"
	case component:
		return strings.TrimPrefix(path.Ext(name), ".")
	case python:
		return "python"
	case golang:
		return "go"
	case prisma:
		return "prisma"
	case dockerfile:
		return "dockerfile"
	case compose:
		return "compose"
	case workflow:
		return "workflow"
	}
	return "config"
}
