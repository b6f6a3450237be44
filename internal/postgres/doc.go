// Package postgres finds PostgreSQL's own programs on this machine and runs
// scratch clusters with them: throw-away servers in a private directory, for
// proving backups, for the emulator's managed databases and for tests.
//
// It needs no container and no installed service, only the programs of a
// PostgreSQL package (initdb, postgres, and the client programs for backups).
package postgres
