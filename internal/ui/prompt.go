package ui

import (
	"bufio"
	"context"
	"fmt"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// Confirm asks a yes-or-no question on stderr; the default is no. Without a
// terminal it returns a usage error that names the flag which answers.
func (s *Streams) Confirm(ctx context.Context, question, flag string) (bool, error) {
	if !s.CanPrompt() {
		return false, errs.New(errs.Usage, "%s needs an answer, and there is no terminal to ask on", strings.TrimSuffix(question, "?")).
			WithHint("say %s to go ahead", flag)
	}
	fmt.Fprintf(s.Err, "%s %s ", question, Faint("[y/N]"))
	type answer struct {
		line string
		err  error
	}
	// The read cannot be interrupted, so it is left behind when ctx ends; the process is about to end too.
	got := make(chan answer, 1)
	go func() {
		line, err := bufio.NewReader(s.In).ReadString('\n')
		got <- answer{line, err}
	}()
	select {
	case <-ctx.Done():
		fmt.Fprintln(s.Err)
		return false, ctx.Err()
	case a := <-got:
		if a.err != nil && a.line == "" {
			return false, nil
		}
		switch strings.ToLower(strings.TrimSpace(a.line)) {
		case "y", "yes":
			return true, nil
		}
		return false, nil
	}
}
