package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/ui"
)

// Set by the release build with -ldflags -X.
var (
	version = "dev"
	commit  = ""
	date    = ""
)

type versionInfo struct {
	Schema  string `json:"schema"` // opsctl.version/v1
	Version string `json:"version"`
	Commit  string `json:"commit,omitempty"`
	Date    string `json:"date,omitempty"`
	Go      string `json:"go"`
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

func newVersionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		GroupID: "tool",
		Example: `  opsctl version
  opsctl version --json`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := buildVersion()
			if a.global.JSON {
				return ui.JSON(a.io.Out, info)
			}
			line := "opsctl " + info.Version
			if info.Commit != "" {
				line += " (" + info.Commit + ")"
			}
			_, err := fmt.Fprintf(a.io.Out, "%s %s %s/%s\n", line, info.Go, info.OS, info.Arch)
			return err
		},
	}
}

// buildVersion prefers what the release build set; a `go install` build
// carries its module version and revision itself.
func buildVersion() versionInfo {
	info := versionInfo{
		Schema: "opsctl.version/v1", Version: version, Commit: commit, Date: date,
		Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	if info.Version == "dev" && build.Main.Version != "" && build.Main.Version != "(devel)" {
		info.Version = build.Main.Version
	}
	for _, s := range build.Settings {
		if s.Key == "vcs.revision" && info.Commit == "" && len(s.Value) >= 12 {
			info.Commit = s.Value[:12]
		}
	}
	return info
}
