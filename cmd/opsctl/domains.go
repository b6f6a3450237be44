package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// domainOptions are the flags of the domains commands.
type domainOptions struct {
	platform string
	wait     time.Duration
}

func newDomainsCmd(a *app) *cobra.Command {
	var o domainOptions
	cmd := &cobra.Command{
		Use:     "domains",
		Short:   "Serve the app under your own names",
		GroupID: "ship",
		Long: `Add a name to an app, see which DNS records it needs, and wait until it has its
certificate. opsctl never changes your DNS: it says what to set there.`,
		Example: `  opsctl domains add erp.example.com
  opsctl domains check erp.example.com --wait 15m
  opsctl domains list --json`,
	}
	sub := func(use, short, long, example string, args cobra.PositionalArgs, run func(context.Context, []string) error) *cobra.Command {
		c := &cobra.Command{Use: use, Short: short, Long: long, Example: example, Args: args, RunE: func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), args) }}
		c.Flags().StringVar(&o.platform, "platform", "", "platform (default: the environment's)")
		cmd.AddCommand(c)
		return c
	}
	one := exactArgs(1, "one name, such as erp.example.com")
	sub("list", "List the app's names", "List the app's own names, and those of opsctl.yaml that it does not have yet.",
		"  opsctl domains list", cobra.NoArgs, func(ctx context.Context, _ []string) error { return a.domainsList(ctx, o) })
	add := sub("add NAME", "Add a name, and say which DNS records it needs", "Add a name to the app, and say which DNS records it needs. With --wait it goes on until\nthe name points at the app and has its certificate; then exit status 7 is a time-out.",
		"  opsctl domains add erp.example.com --wait 10m", one, func(ctx context.Context, args []string) error { return a.domainAdd(ctx, o, args[0]) })
	check := sub("check NAME", "Have the platform look at a name's records again", "Have the platform look at a name's DNS records again, and say how it stands. Exit status 3\nwhen it is not ready.",
		"  opsctl domains check erp.example.com\n  opsctl domains check erp.example.com --wait 15m", one, func(ctx context.Context, args []string) error { return a.domainCheck(ctx, o, args[0]) })
	sub("remove NAME", "Take a name away from the app", "Take a name away from the app. It asks first; without a terminal it needs --yes.",
		"  opsctl domains remove erp.example.com --yes", one, func(ctx context.Context, args []string) error { return a.domainRemove(ctx, o, args[0]) })
	for _, c := range []*cobra.Command{add, check} {
		c.Flags().DurationVar(&o.wait, "wait", 0, "wait so long for the records and the certificate")
	}
	return cmd
}

func (a *app) domains(ctx context.Context, o domainOptions) (target, platform.Domains, error) {
	t, err := a.target("domains", o.platform)
	if err != nil {
		return t, nil, err
	}
	p, err := a.platform(ctx, t)
	if err != nil {
		return t, nil, err
	}
	d, err := ability[platform.Domains](p, "custom domains")
	return t, d, err
}

func (a *app) domainsList(ctx context.Context, o domainOptions) error {
	t, domains, err := a.domains(ctx, o)
	if err != nil {
		return err
	}
	list, err := domains.Domains(ctx, t.env.App)
	if err != nil {
		return err
	}
	var missing []string
	for _, name := range t.env.Domains {
		if !slices.ContainsFunc(list, func(d platform.Domain) bool { return d.Name == name }) {
			missing = append(missing, name)
		}
	}
	if a.global.JSON {
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.domains/v1", "app": t.env.App, "domains": nonNil(list), "missing": nonNil(missing)})
	}
	rows := make([][]string, 0, len(list))
	for _, d := range list {
		mark := ui.OK
		if !d.Ready {
			mark = ui.Warn
		}
		rows = append(rows, []string{mark.String() + " " + d.Name, d.Certificate, d.Problem})
	}
	if len(rows) > 0 {
		ui.Table(a.io.Out, a.io.Width(), []string{"  name", "certificate", ""}, rows)
	} else {
		fmt.Fprintf(a.io.Out, "%s has no name of its own\n", t.env.App)
	}
	for _, name := range missing {
		fmt.Fprintf(a.io.Err, "%s is in opsctl.yaml and not on %s; run: opsctl domains add %s\n", name, t.env.Platform, name)
	}
	return nil
}

func (a *app) domainAdd(ctx context.Context, o domainOptions, name string) error {
	if !strings.Contains(name, ".") || strings.ContainsAny(name, "/: @") {
		return errs.New(errs.Usage, "%q is no host name such as erp.example.com", name)
	}
	t, domains, err := a.domains(ctx, o)
	if err != nil {
		return err
	}
	if a.global.DryRun {
		_, err := fmt.Fprintf(a.io.Out, "%s would be added to %s on %s\n", name, t.env.App, t.env.Platform)
		return err
	}
	d, err := domains.AddDomain(ctx, t.env.App, name)
	if err != nil {
		return err
	}
	if o.wait > 0 && !d.Ready {
		a.printDomain(d)
		if d, err = a.awaitDomain(ctx, domains, t.env.App, name, o.wait); err != nil {
			return err
		}
	}
	return a.domainResult(t, d)
}

func (a *app) domainCheck(ctx context.Context, o domainOptions, name string) error {
	t, domains, err := a.domains(ctx, o)
	if err != nil {
		return err
	}
	d, err := domains.CheckDomain(ctx, t.env.App, name)
	if err != nil {
		return err
	}
	if o.wait > 0 && !d.Ready {
		if d, err = a.awaitDomain(ctx, domains, t.env.App, name, o.wait); err != nil {
			return err
		}
	}
	if err := a.domainResult(t, d); err != nil || d.Ready {
		return err
	}
	return errs.New(errs.CheckFailed, "%s is not ready: %s", name, d.Certificate).WithHint("set the records above, then: opsctl domains check %s --wait 15m", name)
}

// domainPoll is how often a name that is waited for is looked at: records take minutes.
const domainPoll = 5 * time.Second

func (a *app) awaitDomain(ctx context.Context, domains platform.Domains, app, name string, wait time.Duration) (platform.Domain, error) {
	deadline := time.NewTimer(wait)
	defer deadline.Stop()
	for {
		d, err := domains.CheckDomain(ctx, app, name)
		if err != nil || d.Ready {
			return d, err
		}
		a.report()("%s: %s", name, d.Certificate)
		select {
		case <-ctx.Done():
			return d, ctx.Err()
		case <-deadline.C:
			return d, errs.New(errs.Timeout, "%s is not ready after %s: %s", name, ui.Duration(wait), d.Certificate).
				WithHint("%s", strings.TrimSpace(d.Problem+"\nsee what is missing: opsctl domains check "+name))
		case <-time.After(domainPoll):
		}
	}
}

func (a *app) domainRemove(ctx context.Context, o domainOptions, name string) error {
	t, domains, err := a.domains(ctx, o)
	if err != nil {
		return err
	}
	if a.global.DryRun {
		_, err := fmt.Fprintf(a.io.Out, "%s would be taken away from %s\n", name, t.env.App)
		return err
	}
	if ok, err := a.confirm(ctx, fmt.Sprintf("take %s away from %s?", name, t.env.App)); err != nil || !ok {
		return err
	}
	if err := domains.RemoveDomain(ctx, t.env.App, name); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.io.Out, "%s: %s was taken away\n", t.env.App, name)
	return err
}

func (a *app) domainResult(t target, d platform.Domain) error {
	if a.global.JSON {
		d.Records = nonNil(d.Records)
		return ui.JSON(a.io.Out, map[string]any{"schema": "opsctl.domain/v1", "app": t.env.App, "domain": d})
	}
	a.printDomain(d)
	return nil
}

func (a *app) printDomain(d platform.Domain) {
	if a.global.JSON {
		return
	}
	w := a.io.Out
	if d.Ready {
		fmt.Fprintf(w, "%s %s is served, with a certificate\n", ui.OK, d.Name)
		return
	}
	fmt.Fprintf(w, "%s %s: %s\n", ui.Warn, d.Name, d.Certificate)
	if d.Problem != "" {
		fmt.Fprintf(w, "  %s\n", d.Problem)
	}
	rows := make([][]string, 0, len(d.Records))
	for _, r := range d.Records {
		mark := ui.OK
		if !r.Found {
			mark = ui.Warn
		}
		rows = append(rows, []string{mark.String() + " " + r.Type, r.Name, r.Value})
	}
	if len(rows) > 0 {
		fmt.Fprintln(w, "  set in your DNS:")
		ui.Table(w, 0, []string{"  type", "name", "value"}, rows) // never cut: it is copied
	}
}

func nonNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
