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

func newLockCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "lock",
		Short:   "See who deploys, and break a lock that was left behind",
		GroupID: "ship",
		Long: `A deploy keeps others away while it runs: on the platform, where everybody sees it,
and on this machine. A run that was killed leaves the platform's lock until it ends by
itself, or until the next run from the same machine takes it over.`,
		Example: `  opsctl lock status
  opsctl lock release --yes`,
	}
	var platformName string
	status := &cobra.Command{
		Use:     "status",
		Short:   "Say who holds the lock",
		Long:    "Say who holds the app's lock, on the platform and on this machine. Exit status 6 when somebody does.",
		Example: "  opsctl lock status\n  opsctl lock status --json",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.lockStatus(cmd, platformName) },
	}
	release := &cobra.Command{
		Use:   "release",
		Short: "Take the platform's lock away from whoever holds it",
		Long: `Take the platform's lock away from whoever holds it. When that deploy is still
running, two at once can leave mixed versions: make sure that it is dead. It asks
first; without a terminal it needs --yes.`,
		Example: "  opsctl lock release --yes",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.lockRelease(cmd, platformName) },
	}
	for _, c := range []*cobra.Command{status, release} {
		c.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	}
	cmd.AddCommand(status, release)
	return cmd
}

type lockReport struct {
	Schema   string             `json:"schema"` // opsctl.lock/v1
	App      string             `json:"app"`
	Platform *platform.LockInfo `json:"platform"` // null: nobody holds it
	Here     *deploy.Run        `json:"here"`     // null: no run on this machine is going on
}

func (a *app) lockStatus(cmd *cobra.Command, platformName string) error {
	ctx := cmd.Context()
	t, err := a.target("lock status", platformName)
	if err != nil {
		return err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return err
	}
	report := lockReport{Schema: "opsctl.lock/v1", App: t.env.App}
	report.Platform, err = p.LockedBy(ctx, t.env.App)
	if err != nil && errs.CodeOf(err) != errs.NotFound {
		return err
	}
	runs, err := deploy.Runs(a.stateDir(t))
	if err != nil {
		return err
	}
	if len(runs) > 0 && runs[0].Outcome == deploy.GoingOn {
		report.Here = &runs[0]
	}
	if a.global.JSON {
		if err := ui.JSON(a.io.Out, report); err != nil {
			return err
		}
	} else {
		a.printLock(report)
	}
	if report.Platform != nil || report.Here != nil {
		return errs.New(errs.Conflict, "%q is locked", t.env.App).WithHint("wait for that run to end; when it is dead: opsctl lock release")
	}
	return nil
}

func (a *app) printLock(r lockReport) {
	w := a.io.Out
	if r.Platform == nil && r.Here == nil {
		fmt.Fprintf(w, "%s: nobody holds the lock\n", r.App)
		return
	}
	if i := r.Platform; i != nil {
		fmt.Fprintf(w, "%s: held by %s\n", r.App, i.Holder)
		if !i.Since.IsZero() {
			fmt.Fprintf(w, "  since    %s (%s)\n", i.Since.UTC().Format(time.DateTime), a.ago(i.Since))
		}
		if !i.Expires.IsZero() {
			fmt.Fprintf(w, "  expires  %s, unless it is renewed\n", i.Expires.UTC().Format(time.DateTime))
		}
	}
	if run := r.Here; run != nil {
		fmt.Fprintf(w, "%s: on this machine, the %s %s of %s is going on since %s, at %q\n", r.App, run.Command, run.ID, run.By, a.ago(run.Started), run.LastStep)
	}
}

func (a *app) lockRelease(cmd *cobra.Command, platformName string) error {
	ctx := cmd.Context()
	t, err := a.target("lock release", platformName)
	if err != nil {
		return err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return err
	}
	info, err := p.LockedBy(ctx, t.env.App)
	if err != nil {
		return err
	}
	runs, err := deploy.Runs(a.stateDir(t))
	if err != nil {
		return err
	}
	if len(runs) > 0 && runs[0].Outcome == deploy.GoingOn {
		return errs.New(errs.Conflict, "the %s %s of %s is going on on this machine", runs[0].Command, runs[0].ID, runs[0].By).WithHint("wait for it to end, or stop it: Ctrl-C undoes what it has begun")
	}
	if info == nil {
		_, err := fmt.Fprintf(a.io.Out, "%s: nobody holds the lock\n", t.env.App)
		return err
	}
	if a.global.DryRun {
		_, err := fmt.Fprintf(a.io.Out, "%s: the lock of %s would be taken away\n", t.env.App, info.Holder)
		return err
	}
	if ok, err := a.confirm(ctx, fmt.Sprintf("take the lock of %s away?", info.Holder)); err != nil || !ok {
		return err
	}
	if err := p.BreakLock(ctx, t.env.App); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.io.Out, "%s: the lock of %s was taken away\n", t.env.App, info.Holder)
	return err
}
