package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

type statusReport struct {
	Schema    string              `json:"schema"` // opsctl.status/v1
	App       string              `json:"app"`
	Platform  string              `json:"platform"`
	Env       string              `json:"environment"`
	URL       string              `json:"url"`
	Release   string              `json:"release,omitempty"`
	Image     string              `json:"image,omitempty"`
	Mixed     bool                `json:"mixed"` // the instances do not all run the same release
	Instances []platform.Instance `json:"instances"`
	Secrets   []string            `json:"secrets"` // names only
}

func newStatusCmd(a *app) *cobra.Command {
	var platformName string
	cmd := &cobra.Command{
		Use:     "status",
		Short:   "Show what runs",
		GroupID: "ship",
		Long:    "Show the app's release, its instances and their health, as the platform reports them.",
		Example: `  opsctl status
  opsctl status --env staging --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, _, state, err := a.observe(cmd.Context(), "status", platformName)
			if err != nil {
				return err
			}
			return a.printStatus(t, state)
		},
	}
	cmd.Flags().StringVar(&platformName, "platform", "", "platform to look at (default: the environment's)")
	return cmd
}

func (a *app) printStatus(t target, state *platform.State) error {
	report := statusReport{
		Schema: "opsctl.status/v1", App: state.App, Platform: t.env.Platform, Env: t.name, URL: state.URL,
		Mixed: state.Mixed, Instances: state.Instances, Secrets: []string{},
	}
	if report.Instances == nil {
		report.Instances = []platform.Instance{}
	}
	for _, s := range state.Secrets {
		report.Secrets = append(report.Secrets, s.Name)
	}
	if state.Current != nil {
		report.Release, report.Image = state.Current.Version, state.Current.Image
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, report)
	}
	w := a.io.Out
	fmt.Fprintf(w, "%s on %s (%s)\n", ui.Bold(report.App), report.Platform, report.Env)
	fmt.Fprintf(w, "  address  %s\n", report.URL)
	if state.Current == nil {
		fmt.Fprintln(w, a.forEnv("  nothing runs yet; run: opsctl deploy"))
		return nil
	}
	fmt.Fprintf(w, "  release  %s\n  image    %s\n", releaseText(report.Release), platform.ShortImage(report.Image))
	if report.Mixed {
		fmt.Fprintf(w, "  %s the instances do not all run the same release: a deploy is going on, or was cut off\n", ui.Warn)
	}
	fmt.Fprintln(w)
	rows := make([][]string, 0, len(report.Instances))
	for _, i := range report.Instances {
		mark := map[platform.Health]ui.Mark{platform.Healthy: ui.OK, platform.Unhealthy: ui.Fail, platform.Unknown: ui.Info}[i.Health]
		rows = append(rows, []string{mark.String() + " " + i.ID, i.Region, i.State, releaseText(i.Release), string(i.Health)})
	}
	ui.Table(w, a.io.Width(), []string{"  instance", "region", "state", "release", "health"}, rows)
	return nil
}

// releaseText is a release's name for a table; what ran before opsctl has none.
func releaseText(version string) string {
	if version == "" {
		return "-"
	}
	return version
}
