package main

import (
	"context"
	"fmt"
	"strconv"

	"github.com/opsctl/opsctl/internal/errs"
)

// confirm asks before something is destroyed or overwritten; --yes answers.
func (a *app) confirm(ctx context.Context, question string) (bool, error) {
	if a.global.Yes {
		return true, nil
	}
	if a.global.NoInput {
		return false, errs.New(errs.Usage, "%s --no-input forbids to ask", question).WithHint("say --yes to go ahead")
	}
	ok, err := a.io.Confirm(ctx, question, "--yes")
	if err == nil && !ok {
		fmt.Fprintln(a.io.Err, "nothing was changed")
	}
	return ok, err
}

func itoa(n int) string { return strconv.Itoa(n) }
