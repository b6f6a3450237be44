package main

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/opsctl/opsctl/internal/config"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "opsctl",
		Short: "From a fresh repository to a production you can prove",
		Long: `opsctl takes a web app from a fresh repository to a production it can prove:
files rendered, environment checked, deployed, backed up, restored to prove the
backup, and probed.`,
		Example: `  opsctl init                            # files that build and run
  opsctl env check                       # is .env what the schema asks for?
  opsctl deploy --platform fly --dry-run # the plan
  opsctl backup create && opsctl backup verify
  opsctl demo                            # all of it, on this machine, no account`,
		SilenceErrors: true,
		SilenceUsage:  true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			global, err := a.loader.Global(cmd.Flags())
			if err != nil {
				return err
			}
			a.global = global
			a.io.SetColor(ui.Color(global.Color))
			// Cobra itself checks this later, when an error is no longer one of the command line.
			if err := cmd.ValidateFlagGroups(); err != nil {
				return err
			}
			a.running = true
			return nil
		},
	}
	addGlobalFlags(root.PersistentFlags())
	root.CompletionOptions.HiddenDefaultCmd = false

	root.AddGroup(&cobra.Group{ID: "build", Title: "Build and check:"},
		&cobra.Group{ID: "ship", Title: "Ship and run:"},
		&cobra.Group{ID: "data", Title: "Data:"},
		&cobra.Group{ID: "tool", Title: "Tool:"})
	for _, c := range commands(a) {
		root.AddCommand(c)
	}
	root.SetHelpCommandGroupID("tool")
	root.SetHelpCommand(newHelpCmd(root))
	root.SetCompletionCommandGroupID("tool")
	root.AddCommand(helpTopics()...)
	root.InitDefaultCompletionCmd() // now, so that it refuses unknown shells like every group
	for _, c := range root.Commands() {
		strictGroups(c)
	}
	strictGroups(root)
	return root
}

// commands lists the tool's commands, in the order of a project's life.
func commands(a *app) []*cobra.Command {
	return []*cobra.Command{
		newInitCmd(a),
		newEnvCmd(a),
		newConfigCmd(a),
		newPlatformsCmd(a),
		newWhoamiCmd(a),
		newPlanCmd(a),
		newDeployCmd(a),
		newPromoteCmd(a),
		newStatusCmd(a),
		newLogsCmd(a),
		newScaleCmd(a),
		newDomainsCmd(a),
		newRollbackCmd(a),
		newHistoryCmd(a),
		newLockCmd(a),
		newHealthCmd(a),
		newBackupCmd(a),
		newEmulateCmd(a),
		newDemoCmd(a),
		newFrontCmd(a),
		newVersionCmd(a),
	}
}

func addGlobalFlags(f *pflag.FlagSet) {
	f.StringP("config", "c", "", "project `file` (default: opsctl.yaml here or above)")
	f.StringP("env", "e", config.DefaultEnv, "environment of opsctl.yaml to work on, by `name`")
	f.Bool("json", false, "print data, events and errors as JSON")
	f.BoolP("yes", "y", false, "answer yes to every question")
	f.Bool("no-input", false, "never ask; fail where an answer is needed")
	f.BoolP("dry-run", "n", false, "show what would be done and change nothing")
	f.String("color", string(ui.ColorAuto), "colour: auto, always or never")
	f.BoolP("verbose", "v", false, "say more on stderr")
	f.BoolP("quiet", "q", false, "say only what failed on stderr")
}

// strictGroups makes a command that only groups others refuse unknown words,
// with the nearest command, instead of printing its help and exiting 0.
func strictGroups(c *cobra.Command) {
	for _, sub := range c.Commands() {
		strictGroups(sub)
	}
	if c.Runnable() || !c.HasSubCommands() {
		return
	}
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		e := errs.New(errs.Usage, "unknown command %q for %q", args[0], cmd.CommandPath())
		var names []string
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				names = append(names, sub.Name())
			}
		}
		if near := errs.Closest(args[0], names); near != "" {
			return e.WithHint("did you mean: %s %s", cmd.CommandPath(), near)
		}
		return e.WithHint("one of: %s", strings.Join(names, ", "))
	}
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	}
	cmd.Flags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}
