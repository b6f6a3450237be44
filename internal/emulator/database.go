package emulator

import "github.com/opsctl/opsctl/internal/emulator/pgserver"

// startPostgres runs a real server for each managed database.
var startPostgres = pgserver.Start
