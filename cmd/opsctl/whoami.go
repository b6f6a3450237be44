package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/ui"
)

func newWhoamiCmd(a *app) *cobra.Command {
	var platformName string
	cmd := &cobra.Command{
		Use:     "whoami",
		Short:   "Say whose credentials are in use",
		GroupID: "ship",
		Long: `Ask the platform of an environment whose credentials are in use, what kind of token
it is, and what it may do. Exit status 4 when there is none or it is refused.`,
		Example: `  opsctl whoami
  opsctl whoami --env staging --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := a.target("whoami", platformName)
			if err != nil {
				return err
			}
			p, err := a.platform(cmd.Context(), t)
			if err != nil {
				return err
			}
			id, err := p.WhoAmI(cmd.Context())
			if err != nil {
				return err
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, map[string]any{
					"schema": "opsctl.whoami/v1", "platform": p.Name(), "account": id.Account, "token": id.Token, "scope": id.Scope,
				})
			}
			fmt.Fprintf(a.io.Out, "%s on %s\n  token  %s\n", ui.Bold(id.Account), p.Name(), id.Token)
			if id.Scope != "" {
				fmt.Fprintf(a.io.Out, "  may    %s\n", id.Scope)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&platformName, "platform", "", "platform (default: the environment's)")
	return cmd
}
