package main

import (
	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/platform/compose/front"
)

// newFrontCmd is opsctl inside the container that stands in front of an app on the
// compose platform. People do not call it.
func newFrontCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use: front.Command, Hidden: true, DisableFlagParsing: true,
		Short: "Stand in front of an app's containers (used by the compose platform)",
		RunE: func(cmd *cobra.Command, args []string) error {
			out, errOut := a.io.Raw()
			if code := front.Main(cmd.Context(), args, front.Streams{In: a.io.In, Out: out, Err: errOut}); code != 0 {
				return exitStatus(code)
			}
			return nil
		},
	}
}

// exitStatus ends opsctl with a status, when everything has been said.
type exitStatus int

func (e exitStatus) Error() string { return "exit status " + itoa(int(e)) }
