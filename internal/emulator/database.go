package emulator

import (
	"context"

	"github.com/opsctl/opsctl/internal/emulator/pgserver"
	"github.com/opsctl/opsctl/internal/emulator/world"
)

// startPostgres runs a real server for a managed database.
func startPostgres(ctx context.Context, spec world.DatabaseSpec) (world.DatabaseServer, error) {
	return pgserver.Start(ctx, spec)
}
