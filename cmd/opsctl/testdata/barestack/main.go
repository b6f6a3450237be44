// Command barestack links what opsctl's command line is made of and does
// nothing with it: the floor that opsctl's start-up is measured against.
package main

import (
	"fmt"

	"charm.land/lipgloss/v2"
	"github.com/spf13/cobra"
	"github.com/spf13/viper"
)

func main() {
	viper.New()
	cmd := &cobra.Command{Use: "barestack", Short: lipgloss.NewStyle().Bold(true).Render("nothing"), Run: func(*cobra.Command, []string) {}}
	if err := cmd.Execute(); err != nil {
		fmt.Println(err)
	}
}
