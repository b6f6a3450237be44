package main

import (
	"context"
	"fmt"
	"time"

	"github.com/opsctl/opsctl/internal/platform"
	"github.com/opsctl/opsctl/internal/ui"
)

// report prints the progress of a long call of a platform, for people.
func (a *app) report() platform.Report {
	return func(format string, args ...any) {
		if !a.global.Quiet && !a.global.JSON {
			ui.Line(a.io.Err, "  "+a.redact.Redact(fmt.Sprintf(format, args...)))
		}
	}
}

// releaseLease gives a platform's lock back, also after an interruption.
func (a *app) releaseLease(ctx context.Context, lease platform.Lease) error {
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return lease.Release(release)
}
