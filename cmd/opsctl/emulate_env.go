package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/emulator"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/ui"
)

// emulatorPort is where an emulator is unless told otherwise: the port of
// Fly's API inside its private network.
const emulatorPort = 4280

func newEmulateEnvCmd(a *app) *cobra.Command {
	port := emulatorPort
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the variables that point clients at a running emulator",
		Long: `Print the variables that point opsctl, flyctl, Render's and Railway's own clients and
Sentry's at an emulator that runs on this machine, as lines for a shell. Their
tokens are made up and open nothing else.

With --json it prints where each platform answers, and the variables.

Exit status: 1 no emulator answers at the port.`,
		Example: `  eval "$(opsctl emulate env)"
  opsctl emulate env --port 5000 --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := askEmulator(cmd.Context(), port)
			if err != nil {
				return err
			}
			if a.global.JSON {
				return ui.JSON(a.io.Out, info)
			}
			_, err = fmt.Fprint(a.io.Out, exports(info.Env))
			return err
		},
	}
	cmd.Flags().IntVar(&port, "port", port, "any `port` of the emulator")
	return cmd
}

// askEmulator asks an emulator on this machine where it answers.
func askEmulator(ctx context.Context, port int) (emulator.Info, error) {
	var info emulator.Info
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	if port < 1 || port > 65535 {
		return info, errs.New(errs.Usage, "--port %d: want 1 to 65535", port)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/_emulator/info", nil)
	if err != nil {
		return info, err
	}
	client := &http.Client{Transport: &http.Transport{}} // without a proxy: it is on this machine
	resp, err := client.Do(req)
	if err != nil {
		return info, errs.Wrap(err, errs.Failure, "no emulator answers at %s", addr).WithHint("start one with: opsctl emulate --port %d", port)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil {
		err = json.Unmarshal(body, &info)
	}
	if err != nil || resp.StatusCode != http.StatusOK || info.Schema != emulator.InfoSchema {
		return info, errs.New(errs.Failure, "what answers at %s is no emulator of this version", addr).WithHint("say where it is with --port")
	}
	return info, nil
}

// exports are the variables as lines for a shell, by name.
func exports(env map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", name, strings.ReplaceAll(env[name], "'", `'\''`))
	}
	return b.String()
}
