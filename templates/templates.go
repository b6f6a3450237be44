// Package templates holds the files that opsctl init writes, as Go text
// templates in one folder a target. They read like the files they become; the
// decisions behind them (which driver, which package manager) are made in
// internal/scaffold, whose View type names every field used here.
package templates

import "embed"

// FS holds every template. A template's path says what it renders; the file it
// becomes is decided in internal/scaffold.
//
//go:embed docker compose env fly railway render nextjs migrate docs github opsctl
var FS embed.FS
