package main

import (
	"regexp"
	"strings"
	"sync"

	"github.com/opsctl/opsctl/internal/config"
)

// nextCommand is a command of opsctl, in a text, that works on an environment.
var nextCommand = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`opsctl (deploy|plan|status|logs|history|rollback|scale|whoami|lock \w+|domains \w+|env (?:diff|push|pull)|backup native \w+)\b`)
})

// forEnv makes the commands that a text advises ones for the environment that this
// command works on: without --env they would act on production.
func (a *app) forEnv(text string) string {
	env := a.global.Env
	if env == "" || env == config.DefaultEnv || !strings.Contains(text, "opsctl ") {
		return text
	}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if !strings.Contains(line, "--env") && !strings.Contains(line, " -e ") {
			lines[i] = nextCommand().ReplaceAllString(line, "opsctl $1 --env "+env)
		}
	}
	return strings.Join(lines, "\n")
}
