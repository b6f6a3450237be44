package emulator

import (
	"context"

	"github.com/opsctl/opsctl/internal/emulator/world"
	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/postgres"
)

// startPostgres runs a real scratch cluster for a managed database. Where the
// wanted version and newer ones are missing, the newest that is installed runs
// in its place: the caller sees which from Running.Major.
func startPostgres(ctx context.Context, spec world.DatabaseSpec) (world.Running, error) {
	opts := postgres.ScratchOptions{
		Major: spec.Major, Listen: "127.0.0.1", User: spec.User, Password: spec.Password, Database: spec.Database,
	}
	in, err := postgres.Find(ctx, postgres.FindOptions{Major: spec.Major, Programs: postgres.ServerPrograms, NeededBy: "the emulator's managed PostgreSQL"})
	if err != nil {
		newest, e := postgres.Find(ctx, postgres.FindOptions{Programs: postgres.ServerPrograms, NeededBy: "the emulator's managed PostgreSQL"})
		if e != nil {
			return world.Running{}, err
		}
		in = newest
	}
	opts.Install, opts.Major = in, in.Major
	// The server outlives the call that asked for it: Stop ends it, not ctx.
	c, err := postgres.StartScratch(context.WithoutCancel(ctx), opts)
	if err != nil {
		return world.Running{}, errs.Wrap(err, errs.Failure, "start the managed database %s", spec.Name)
	}
	return world.Running{
		Host: "127.0.0.1", Port: c.Port(), Major: in.Major,
		Stop: func() error { return c.Stop(context.Background()) },
	}, nil
}
