package backup

import (
	"encoding/json"
	"fmt"
	"time"
)

// VerdictSchema is the version of the verdict's form.
const VerdictSchema = "opsctl.backup.verdict/v1"

const verifyPrefix = "verify/"

// Verdict is the result of a verify. It is stored beside the backup.
type Verdict struct {
	Schema      string       `json:"schema"`
	ID          string       `json:"id"`
	Time        time.Time    `json:"time"`
	Proven      bool         `json:"proven"`
	Differences []Difference `json:"differences"`
	Notes       []string     `json:"notes"` // what could only be proven in part, and why
	Stages      []StageTime  `json:"stages"`
	Seconds     float64      `json:"seconds"`
	Opsctl      string       `json:"opsctl"`
	PostgreSQL  string       `json:"postgresql,omitempty"` // that it was restored with
	Tables      int          `json:"tables"`               // compared
	Rows        int64        `json:"rows"`                 // restored and compared
	PlainBytes  int64        `json:"plain_bytes"`          // read and checked
	StoredBytes int64        `json:"stored_bytes"`
}

// StageTime is how one stage went.
type StageTime struct {
	Stage   string  `json:"stage"`
	State   State   `json:"state"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text,omitempty"`
}

// Difference is one thing that is not as the manifest says.
type Difference struct {
	Kind string `json:"kind"` // object, table, sequence, schema, ...
	Name string `json:"name"`
	Was  string `json:"was,omitempty"` // at the source, as the manifest says
	Is   string `json:"is,omitempty"`  // found
	Text string `json:"text"`          // for people
}

func (d Difference) String() string {
	s := d.Kind + " " + d.Name + ": " + d.Text
	if d.Was != "" || d.Is != "" {
		s += fmt.Sprintf(" (was %s, is %s)", orNone(d.Was), orNone(d.Is))
	}
	return s
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

func parseVerdict(data []byte, id string) (*Verdict, error) {
	v := &Verdict{}
	if err := json.Unmarshal(data, v); err != nil {
		return nil, fmt.Errorf("verdict: %w", err)
	}
	if v.Schema != VerdictSchema || v.ID != id {
		return nil, fmt.Errorf("verdict: form %q of backup %q", v.Schema, v.ID)
	}
	return v, nil
}
