package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

func newScaleCmd(a *app) *cobra.Command {
	var (
		to           platform.Scale
		platformName string
	)
	cmd := &cobra.Command{
		Use:     "scale",
		Short:   "Change the number, size or region of what runs",
		GroupID: "ship",
		Long: `Change the number of instances, their size or their region, without a new release.
The next deploy goes by opsctl.yaml again, so write it there too: this command says
what. Taking instances away asks first; without a terminal it needs --yes.`,
		Example: `  opsctl scale --count 3
  opsctl scale --size shared-cpu-2x
  opsctl scale --count 2 --env staging --dry-run`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("count") && (to.Instances < 1 || to.Instances > 100) {
				return errs.New(errs.Usage, "--count: %d is not between 1 and 100", to.Instances)
			}
			if to == (platform.Scale{}) {
				return errs.New(errs.Usage, "nothing to change").WithHint("say --count, --size or --region")
			}
			return a.scale(cmd, to, platformName)
		},
	}
	cmd.Flags().IntVar(&to.Instances, "count", 0, "`number` of instances")
	cmd.Flags().StringVar(&to.Size, "size", "", "size of an instance, by the platform's `name` (see: opsctl platforms NAME)")
	cmd.Flags().StringVar(&to.Region, "region", "", "`region` to run in")
	cmd.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	return cmd
}

func (a *app) scale(cmd *cobra.Command, to platform.Scale, platformName string) error {
	ctx := cmd.Context()
	t, p, state, err := a.observe(ctx, "scale", platformName)
	if err != nil {
		return err
	}
	scaler, err := ability[platform.Scaler](p, "scale")
	if err != nil {
		return err
	}
	if state.Current == nil {
		return errs.New(errs.NotFound, "%q runs nothing yet", t.env.App).WithHint("run: opsctl deploy")
	}
	if !a.global.Quiet && !a.global.JSON {
		a.printScale(state, to)
	}
	if a.global.DryRun {
		if a.global.JSON {
			return ui.JSON(a.io.Out, map[string]any{
				"schema": "opsctl.scale/v1", "dry_run": true, "app": t.env.App, "instances": max(to.Instances, 0), "size": to.Size, "region": to.Region,
			})
		}
		return nil
	}
	if question := scaleQuestion(state, to); question != "" {
		if ok, err := a.confirm(ctx, question); err != nil || !ok {
			return err
		}
	}
	lease, err := p.Lock(ctx, t.env.App, a.holder()+": scale")
	if err != nil {
		return err
	}
	err = scaler.Scale(ctx, t.env.App, to, a.report())
	if released := a.releaseLease(ctx, lease); err == nil {
		err = released
	}
	if err != nil {
		return err
	}
	if state, err = p.Observe(ctx, t.env.App); err != nil {
		return err
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{
			"schema": "opsctl.scale/v1", "app": t.env.App, "instances": len(state.Instances), "size": state.Current.Size, "region": state.Current.Region,
		})
	}
	_, err = fmt.Fprintf(a.io.Out, "%s: %s\n", t.env.App, strings.Join(nonEmpty(itoa(len(state.Instances))+" ×", state.Current.Region, state.Current.Size), " "))
	a.printScaleHint(t, to)
	return err
}

func (a *app) printScale(state *platform.State, to platform.Scale) {
	line := func(what, old, now string) {
		if now != "" && now != old {
			fmt.Fprintf(a.io.Err, "  %s %s: %s → %s\n", ui.Yellow("~"), what, old, now)
		}
	}
	count := ""
	if to.Instances != 0 {
		count = itoa(to.Instances)
	}
	line("instances", itoa(len(state.Instances)), count)
	line("size", cmp.Or(state.Current.Size, "the platform's own"), to.Size)
	line("region", state.Current.Region, to.Region)
}

// printScaleHint says what to write into opsctl.yaml, or the next deploy undoes it.
func (a *app) printScaleHint(t target, to platform.Scale) {
	if a.global.Quiet {
		return
	}
	keep := ""
	if to.Instances != 0 && to.Instances != t.env.Instances {
		keep += fmt.Sprintf(" instances: %d", to.Instances)
	}
	if to.Size != "" && to.Size != t.env.Size {
		keep += " size: " + to.Size
	}
	if to.Region != "" && to.Region != t.env.Region {
		keep += " region: " + to.Region
	}
	switch {
	case keep == "":
	case to.Region != "" && to.Region != t.env.Region:
		fmt.Fprintf(a.io.Err, "write it into opsctl.yaml (environments.%s), or the next deploy refuses to go on:%s\n", t.name, keep)
	default:
		fmt.Fprintf(a.io.Err, "write it into opsctl.yaml (environments.%s), or the next deploy puts it back:%s\n", t.name, keep)
	}
}

// scaleQuestion is what to ask before instances go; "" when none does.
func scaleQuestion(state *platform.State, to platform.Scale) string {
	switch {
	case to.Region != "" && to.Region != state.Current.Region:
		return fmt.Sprintf("move the app from %s to %s? its instances there are made anew", state.Current.Region, to.Region)
	case to.Instances != 0 && to.Instances < len(state.Instances):
		return fmt.Sprintf("go from %d to %d instances?", len(state.Instances), to.Instances)
	default:
		return ""
	}
}
