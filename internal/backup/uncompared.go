package backup

import (
	"strings"
)

// noteUncompared says what the comparison leaves out: what the server makes
// anew from the rows, and what is not in the database.
func (v *verifier) noteUncompared() {
	var list []string
	views := 0
	for _, t := range v.m.Tables {
		if t.Kind == "matview" {
			views++
		}
	}
	if views > 0 {
		list = append(list, "the content of "+count(views, "materialised view")+" (made anew from the rows)")
	}
	foreign, generated := 0, 0
	for _, e := range v.archive.Entries {
		switch {
		case e.Desc == "FOREIGN TABLE":
			foreign++
		case e.Desc == "TABLE" && strings.Contains(e.Definition, " GENERATED ALWAYS AS ("):
			generated++
		}
	}
	if generated > 0 {
		list = append(list, "generated columns of "+count(generated, "table")+" (computed anew)")
	}
	if foreign > 0 {
		list = append(list, "the rows behind "+count(foreign, "foreign table")+" (they are elsewhere)")
	}
	list = append(list, "attributes and passwords of roles (they belong to the server)")
	v.note("not compared: %s", strings.Join(list, "; "))
}
