package backup

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// pins are the settings that change how a value or a definition is printed or
// read, and that a server, a database or a role may have set: with all of them
// the same at both ends, equal data gives equal text. pg_dump itself pins only
// some (datestyle, intervalstyle, extra_float_digits), and the session that
// asks the catalog is not pg_dump.
var pins = []struct{ name, value string }{
	{"timezone", "UTC"}, {"datestyle", "ISO"}, {"intervalstyle", "postgres"}, {"extra_float_digits", "3"},
	{"bytea_output", "hex"}, {"xmloption", "content"}, {"lc_monetary", "C"},
	{"quote_all_identifiers", "off"}, {"array_nulls", "on"}, {"transform_null_equals", "off"},
}

// pinnedEnv makes libpq's programs pin the settings; options are those of the
// connection URL, which stay unless they set one of the pins.
func pinnedEnv(options string) []string {
	var b strings.Builder
	b.WriteString(options)
	for _, p := range pins {
		fmt.Fprintf(&b, " -c %s=%s", p.name, p.value)
	}
	return []string{"PGTZ=UTC", "PGOPTIONS=" + strings.TrimSpace(b.String())}
}

// endlessTransaction switches off the one timeout that cannot be named to
// every server when connecting: PostgreSQL 17 has it, and an older one refuses it.
func endlessTransaction(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, "SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'")
	return err
}

// pinSession pins the settings, and the search path, in a session that reads the catalog.
func pinSession(ctx context.Context, conn *pgx.Conn) error {
	var b strings.Builder
	b.WriteString("SET search_path = pg_catalog")
	for _, p := range pins {
		fmt.Fprintf(&b, "; SET %s = '%s'", p.name, p.value)
	}
	_, err := conn.Exec(ctx, b.String(), pgx.QueryExecModeSimpleProtocol)
	return err
}
