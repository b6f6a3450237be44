package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/opsctl/opsctl/internal/errs"
)

// newHelpCmd is cobra's help command, except that a word it does not know is an error.
func newHelpCmd(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND|TOPIC]",
		Short:   "Help about a command or a topic",
		GroupID: "tool",
		Example: "  opsctl help exit-codes",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				var names []string
				for _, c := range root.Commands() {
					names = append(names, c.Name())
				}
				e := errs.New(errs.Usage, "no command or topic %q", strings.Join(args, " "))
				if near := errs.Closest(args[0], names); near != "" {
					return e.WithHint("did you mean: opsctl help %s", near)
				}
				return e.WithHint("run: opsctl --help")
			}
			cmd.InitDefaultHelpFlag()
			return cmd.Help()
		},
	}
}

// helpTopics are the pages of `opsctl help TOPIC` that belong to no command.
func helpTopics() []*cobra.Command {
	topic := func(name, short, long string) *cobra.Command {
		return &cobra.Command{Use: name, Short: short, Long: long}
	}
	return []*cobra.Command{
		topic("exit-codes", "What each exit status means", exitCodesTopic),
		topic("environment", "The environment variables that opsctl reads", environmentTopic),
		topic("formatting", "Output for people, scripts and CI", formattingTopic),
	}
}

const exitCodesTopic = `opsctl's exit status is stable; scripts may rely on it.

    0  ok
    1  failure: anything not below
    2  usage error or invalid configuration
    3  a check failed: environment invalid, unhealthy, backup not proven, drift
    4  credentials are missing or were refused
    5  the named thing does not exist
    6  locked, or changed by somebody else
    7  gave up waiting
    8  the deploy failed and the previous version was restored
    9  only a part was done
  130  interrupted (Ctrl-C, SIGTERM or a hang-up)

With --json the error is one JSON object on stderr:

  {"error":{"code":"not_found","message":"…","hint":"…","exit":5}}`

const environmentTopic = `A setting is taken from the first of: flag, OPSCTL_* variable, opsctl.yaml,
user file ($XDG_CONFIG_HOME/opsctl/config.yaml), default.
` + "`opsctl config show --origin`" + ` says which.

  OPSCTL_CONFIG, OPSCTL_ENV, OPSCTL_COLOR, ...   the global flags
  OPSCTL_BACKUP_STORE           where backups are kept, such as file:/var/backups/app
  OPSCTL_BACKUP_RECIPIENTS      age public keys that backups are encrypted to
  OPSCTL_BACKUP_IDENTITY_FILE   file with the age secret key that opens them
  OPSCTL_PG_BINDIR              directory of PostgreSQL's programs
  DATABASE_URL, DIRECT_DATABASE_URL   the database that backups read
  FLY_API_TOKEN, FLY_ACCESS_TOKEN     Fly.io
  FLY_API_BASE_URL, FLY_FLAPS_BASE_URL, FLY_UIEX_BASE_URL, FLY_REGISTRY_HOST
                                other addresses of Fly.io's services (the emulator's)
  RAILWAY_TOKEN, RAILWAY_API_TOKEN    Railway: a project token, or an account's or workspace's
  RENDER_API_KEY, RENDER_WORKSPACE    Render: an API key, and the workspace when it has several
  RENDER_REGISTRY_CREDENTIAL          which of several credentials of a private registry Render takes
  RAILWAY_BACKBOARD_URL, RENDER_HOST  other addresses of those (the emulator's; RENDER_HOST ends in /v1/)
  DOCKER_BIN, DOCKER_HOST             the engine that builds images, and that compose deploys to
  NO_COLOR, CLICOLOR_FORCE, TERM=dumb, CI   colour and animation

Secrets are read from the environment, a file or standard input, never from a flag.`

const formattingTopic = `stdout carries data, stderr everything else.

  --json     data as JSON with a versioned "schema" field; deploy, rollback and
             backup create, verify and restore print one JSON event a line and end
             with one of type "result"; logs prints one object a line
  --quiet    only failures and warnings on stderr
  --verbose  each request and each decision on stderr
  --color    auto (default), always, never

Without a terminal, with NO_COLOR, TERM=dumb or CI set there is no colour, no
animation and no escape code.`
