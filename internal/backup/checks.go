package backup

import (
	"context"
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/opsctl/opsctl/internal/errs"
)

// Check is a query on the restored database and what its first value must be.
type Check struct {
	Name   string
	SQL    string
	Expect string // "> 0", "= 5", "5", "!= x"; compared as numbers where both are
}

// operators, the longer ones first.
var operators = []string{">=", "<=", "!=", "<>", "==", ">", "<", "="}

// Valid tells whether the check can be run. The error is a usage error.
func (c Check) Valid() error {
	if c.Name == "" || strings.TrimSpace(c.SQL) == "" || strings.TrimSpace(c.Expect) == "" {
		return errs.New(errs.Usage, "backup check %q needs a name, sql and expect", c.Name)
	}
	return nil
}

// met tells whether value is what the check expects.
func (c Check) met(value string) bool {
	want, op := strings.TrimSpace(c.Expect), "="
	for _, o := range operators {
		if rest, ok := strings.CutPrefix(want, o); ok {
			op, want = o, strings.TrimSpace(rest)
			break
		}
	}
	order := strings.Compare(value, want)
	a, okA := new(big.Rat).SetString(value)
	b, okB := new(big.Rat).SetString(want)
	if okA && okB {
		order = a.Cmp(b)
	}
	switch op {
	case ">=":
		return order >= 0
	case "<=":
		return order <= 0
	case "!=", "<>":
		return order != 0
	case ">":
		return order > 0
	case "<":
		return order < 0
	default:
		return order == 0
	}
}

// runChecks runs the user's checks on the restored database.
func (v *verifier) runChecks(ctx context.Context) (string, error) {
	if len(v.Checks) == 0 {
		return "none configured", nil
	}
	conn, err := v.at.connect(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	for _, c := range v.Checks {
		value, err := c.run(ctx, conn)
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		switch {
		case isLocal(conn, err):
			return "", fmt.Errorf("check %s: %w", c.Name, err)
		case err != nil:
			v.differ("check", c.Name, c.Expect, "an error", "%s", sqlError(err))
		case !c.met(value):
			v.differ("check", c.Name, c.Expect, shownValue(value), "not met")
		}
	}
	return fmt.Sprintf("%s met", count(len(v.Checks), "check")), nil
}

var plainValue = regexp.MustCompile(`^(?:[-+]?\d+(?:\.\d+)?|t|f|true|false)$`)

// shownValue is a check's value if it is a number or a truth value: anything
// else may be a person's data, and verdicts are stored and printed.
func shownValue(value string) string {
	const most = 40 // bytes
	if len(value) <= most && plainValue.MatchString(value) {
		return value
	}
	return "another value"
}

// run returns the first value as text.
func (c Check) run(ctx context.Context, conn *pgx.Conn) (string, error) {
	rows, err := conn.Query(ctx, c.SQL, pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return "", err
		}
		return "", fmt.Errorf("no row")
	}
	values := rows.RawValues()
	if len(values) == 0 {
		return "", fmt.Errorf("no column")
	}
	value := string(values[0])
	for rows.Next() { // to the end: an error may come late
	}
	return value, rows.Err()
}
