package backup

import (
	"strings"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
)

// A source that swelled (rows deleted, nothing vacuumed) needs no more room
// than its rows; one whose rows do not fit is refused before the disk is full.
func TestTheSpaceIsThatOfTheRows(t *testing.T) {
	f := newFixture(t)
	url := database(t, "")
	exec(t, url, "CREATE TABLE t AS SELECT 1 AS x")
	m := f.create(t, url)
	m.Database.Bytes = 1 << 60
	f.rewrite(t, m)
	proven(t, f.verify(t, m.ID))

	m.Tables[0].Bytes = 1 << 60
	v := newVerifier(f.verifyOptions(m.ID), &Entry{ID: m.ID}, "verify")
	err := v.checkSpace(t.TempDir(), m.restoredBytes())
	if errs.CodeOf(err) != errs.Failure || errs.HintOf(err) == "" || !strings.Contains(err.Error(), "verify needs about ") {
		t.Errorf("got %v", err)
	}
}
