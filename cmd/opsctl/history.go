package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/deploy"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

func newHistoryCmd(a *app) *cobra.Command {
	var (
		limit        int
		platformName string
	)
	cmd := &cobra.Command{
		Use:     "history",
		Short:   "List releases and what this machine did",
		GroupID: "ship",
		Long: `List the app's releases, newest first, from the platform's ledger, and the
deploys and rollbacks that were run from this machine, from its journal.`,
		Example: `  opsctl history
  opsctl history --limit 5 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return errs.New(errs.Usage, "--limit: %d is not a number of releases", limit)
			}
			t, p, state, err := a.observe(cmd.Context(), "history", platformName)
			if err != nil {
				return err
			}
			releases, err := p.Releases(cmd.Context(), t.env.App, limit)
			if err != nil {
				return err
			}
			runs, err := deploy.Runs(a.stateDir(t))
			if err != nil {
				return err
			}
			return a.printHistory(t, state, releases, runs[:min(limit, len(runs))])
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 10, "how many of each")
	cmd.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	return cmd
}

type releaseEntry struct {
	Version string                 `json:"version"`
	Image   string                 `json:"image"`
	Status  platform.ReleaseStatus `json:"status"`
	Created time.Time              `json:"created"`
	Author  string                 `json:"author,omitempty"`
	Runs    bool                   `json:"runs"` // it is the one that runs now
}

func (a *app) printHistory(t target, state *platform.State, releases []platform.Release, runs []deploy.Run) error {
	entries := make([]releaseEntry, 0, len(releases))
	for _, r := range releases {
		entries = append(entries, releaseEntry{
			r.Version, r.Image, r.Status, r.Created, r.Author, state.Current != nil && state.Current.Version == r.Version,
		})
	}
	if a.global.JSON {
		if runs == nil {
			runs = []deploy.Run{}
		}
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.history/v1", "app": t.env.App, "releases": entries, "runs": runs})
	}
	rows := make([][]string, 0, len(entries))
	for _, e := range entries {
		mark := ui.Info
		switch {
		case e.Runs:
			mark = ui.OK
		case e.Status == platform.Failed:
			mark = ui.Fail
		}
		rows = append(rows, []string{mark.String() + " " + releaseText(e.Version), a.ago(e.Created), string(e.Status), platform.ShortImage(e.Image)})
	}
	ui.Table(a.io.Out, a.io.Width(), []string{"  release", "when", "status", "image"}, rows)
	if len(runs) == 0 {
		return nil
	}
	fmt.Fprintln(a.io.Out)
	rows = rows[:0]
	for _, r := range runs {
		rows = append(rows, []string{r.Command, a.ago(r.Started), string(r.Outcome), r.By, r.ID})
	}
	ui.Table(a.io.Out, a.io.Width(), []string{"from here", "when", "outcome", "by", "run"}, rows)
	return nil
}

// ago is how long ago a moment was.
func (a *app) ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return ui.Duration(max(0, a.now().Sub(t))) + " ago"
}
