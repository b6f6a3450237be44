package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

type logEvent struct {
	Schema string `json:"schema"` // opsctl.log/v1
	platform.LogLine
}

func newLogsCmd(a *app) *cobra.Command {
	var (
		q            platform.LogQuery
		platformName string
	)
	cmd := &cobra.Command{
		Use:     "logs",
		Short:   "Print the app's log",
		GroupID: "ship",
		Long:    "Print the last lines that the app wrote. With --follow it goes on until Ctrl-C.",
		Example: `  opsctl logs --lines 200
  opsctl logs --follow
  opsctl logs --instance 148ed123c0d789 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.Limit < 1 {
				return errs.New(errs.Usage, "--lines: %d is not a number of lines", q.Limit)
			}
			t, p, state, err := a.observe(cmd.Context(), "logs", platformName)
			if err != nil {
				return err
			}
			source, ok := p.(platform.Logs)
			if !ok {
				return errs.New(errs.Usage, "%s gives no logs to opsctl", p.Name())
			}
			printed := 0
			err = source.Logs(cmd.Context(), t.env.App, q, func(l platform.LogLine) error {
				printed++
				return a.printLog(l)
			})
			known := slices.ContainsFunc(state.Instances, func(i platform.Instance) bool { return i.ID == q.Instance })
			if err == nil && printed == 0 && q.Instance != "" && !known { // a task's instance is gone, but has lines
				return errs.New(errs.NotFound, "%q has no instance %q", t.env.App, q.Instance).WithHint("see: opsctl status")
			}
			if q.Follow && errors.Is(err, context.Canceled) {
				return nil // Ctrl-C is how following ends
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&q.Follow, "follow", "f", false, "go on until Ctrl-C")
	cmd.Flags().IntVar(&q.Limit, "lines", 100, "how many of the last lines to begin with")
	cmd.Flags().StringVar(&q.Instance, "instance", "", "lines of one instance only, by `id`")
	cmd.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	return cmd
}

func (a *app) printLog(l platform.LogLine) error {
	if a.global.JSON {
		return ui.Event(a.io.Out, logEvent{"opsctl.log/v1", l})
	}
	_, err := fmt.Fprintf(a.io.Out, "%s %s %s\n", ui.Faint(l.Time.UTC().Format(time.RFC3339)), ui.Cyan(l.Instance), l.Message)
	return err
}
