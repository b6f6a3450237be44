// Package backup makes logical backups of PostgreSQL databases and proves
// them: a backup counts when it has been restored and its content compared
// with what the source held in the dump's own snapshot.
//
// Create streams pg_dump's output through the archive tap, zstd and age into a
// store, in constant memory and without a temporary file, and writes the
// manifest last: what has no manifest is no backup. Verify reads every stored
// byte, restores into a scratch cluster and compares everything that the
// manifest says. List and Info need the store alone.
package backup
