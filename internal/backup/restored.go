package backup

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/errs"
)

// RestoredSchema is the version of the form of a restore's record.
const RestoredSchema = "opsctl.backup.restored/v1"

const restoresPrefix = "restores/"

// RestoreMode is how a restore treats its target.
type RestoreMode string

// The modes: an empty target is filled by parallel jobs; anything else is
// replaced in one transaction, so that a failure leaves it as it was.
const (
	ModeFill    RestoreMode = "fill"
	ModeReplace RestoreMode = "replace"
)

// Outcome is how a restore ended.
type Outcome string

// The outcomes. A record that says started belongs to a restore that runs or was killed.
const (
	OutcomeStarted     Outcome = "started"
	OutcomeRestored    Outcome = "restored" // and compared: all is as it was
	OutcomeDiffers     Outcome = "differs"  // restored, but not everything is as it was
	OutcomeFailed      Outcome = "failed"
	OutcomeInterrupted Outcome = "interrupted"
	OutcomePlanned     Outcome = "planned"  // a dry run
	OutcomeDeclined    Outcome = "declined" // the answer was no
)

// Restored is a restore's result, and the audit record in the store. It has no secret.
type Restored struct {
	Schema      string       `json:"schema"`
	ID          string       `json:"id"`
	Time        time.Time    `json:"time"` // when it began
	By          string       `json:"by"`   // who ran it
	Opsctl      string       `json:"opsctl"`
	Target      Source       `json:"target"`
	Mode        RestoreMode  `json:"mode"`
	Outcome     Outcome      `json:"outcome"`
	Error       string       `json:"error,omitempty"`
	Roles       []string     `json:"roles"` // made at the target
	Differences []Difference `json:"differences"`
	Notes       []string     `json:"notes"`
	Seconds     float64      `json:"seconds"`
	PostgreSQL  string       `json:"postgresql,omitempty"` // the target's version
	Tables      int          `json:"tables"`               // compared
	Rows        int64        `json:"rows"`                 // restored and compared
}

func (r *restorer) recordKey() string {
	return r.entry.ID + "/" + restoresPrefix + r.result.Time.Format("20060102T150405.000Z") + ".json"
}

// record keeps the result in the store. That it cannot must not stop a restore
// that somebody needs, so it is a note.
func (r *restorer) record(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	data, err := json.MarshalIndent(r.result, "", "  ")
	if err == nil && r.result.Outcome == OutcomeStarted {
		err = r.Store.PutIfAbsent(ctx, r.recordKey(), data)
	} else if err == nil {
		_, err = r.Store.Put(ctx, r.recordKey(), bytes.NewReader(data))
	}
	if err != nil {
		r.note("the record of this restore could not be stored: %v", err)
	}
}

// finish fills in the result, stores it where anything was begun, and says in
// the error what became of the target.
func (r *restorer) finish(ctx context.Context, err error) (*Restored, error) {
	res, v := r.result, r.verdict
	res.Differences, res.Notes, res.Tables, res.Rows = v.Differences, v.Notes, v.Tables, v.Rows
	res.Seconds = r.Now().Sub(r.started).Seconds()
	begun := res.Outcome == OutcomeStarted
	switch {
	case ctx.Err() != nil:
		res.Outcome = OutcomeInterrupted
		err = errs.New(errs.Interrupted, "%s", r.state()).WithHint("%s", r.wayOn())
	case err != nil:
		res.Outcome = OutcomeFailed
		if begun {
			err = errs.Wrap(err, errs.CodeOf(err), "").WithHint("%s", joinLines(r.state(), errs.HintOf(err), r.wayOn()))
		}
	case begun && len(v.Differences) > 0:
		res.Outcome = OutcomeDiffers
	case begun:
		res.Outcome = OutcomeRestored
	}
	if err != nil {
		res.Error = errs.Redact(err.Error())
	}
	if begun {
		r.record(ctx)
		res.Notes = v.Notes
	}
	return res, err
}

func joinLines(parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "\n")
}

// phase is how far a restore came.
type phase int

const (
	untouched phase = iota
	filling
	rolledBack
	undecided // the server did not say whether it committed
	restored
)

// state says what became of the target.
func (r *restorer) state() string {
	if r.target == nil || r.target.before == nil {
		return "the target was not changed"
	}
	where := r.target.where()
	switch r.phase {
	case filling:
		return where + " is partly restored"
	case rolledBack:
		return where + " is as it was: everything ran in one transaction, which was rolled back"
	case undecided:
		return "whether " + where + " was restored is not known: the server could not be asked"
	case restored:
		return where + " holds the backup's content, which was not compared to the end"
	default:
		return where + " was not changed"
	}
}

// wayOn is the next step for the state.
func (r *restorer) wayOn() string {
	if r.phase != filling {
		return ""
	}
	return fmt.Sprintf("make the database anew, or run the same again with --confirm %s, which replaces what is there", r.target.before.Database.Name)
}
