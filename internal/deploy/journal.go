package deploy

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opsctl/opsctl/internal/atomicfile"
	"github.com/opsctl/opsctl/internal/errs"
)

// Record is one line of the journal. It never holds a secret's value.
type Record struct {
	Time    time.Time `json:"time"`
	Run     string    `json:"run"`
	Kind    string    `json:"kind"` // begin, step, end
	Command string    `json:"command,omitempty"`
	By      string    `json:"by,omitempty"`
	App     string    `json:"app,omitempty"`
	Image   string    `json:"image,omitempty"`
	Release string    `json:"release,omitempty"`  // the platform's name of the new release
	From    string    `json:"previous,omitempty"` // the release that ran before
	Step    string    `json:"step,omitempty"`
	Status  Status    `json:"status,omitempty"`
	Outcome Outcome   `json:"outcome,omitempty"`
	Detail  string    `json:"detail,omitempty"`
	Took    string    `json:"took,omitempty"`
}

// Outcome is how a run ended.
type Outcome string

// The outcomes.
const (
	Deployed    Outcome = "deployed"
	Unchanged   Outcome = "unchanged"
	RolledBack  Outcome = "rolled back"
	Removed     Outcome = "removed" // a first deploy failed; nothing runs
	FailedRun   Outcome = "failed"
	Interrupted Outcome = "interrupted"
	CutOff      Outcome = "cut off"  // the journal has no end: the process was killed
	GoingOn     Outcome = "going on" // the journal has no end yet: the process holds the lock
)

// Journal is the local record of an app's deploys: one JSON object a line,
// appended and synced, so that a killed run leaves what it did. Lines that
// cannot be read (a torn last one) are skipped.
type Journal struct{ path string }

// maxJournal is the size after which the oldest half of a journal is dropped.
const maxJournal = 4 << 20

// OpenJournal makes the journal of an app in dir, which may not exist yet.
func OpenJournal(dir string) *Journal { return &Journal{path: filepath.Join(dir, "journal.jsonl")} }

// Append adds a record.
func (j *Journal) Append(r Record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(j.path), 0o700); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	if err := j.trim(); err != nil {
		return err
	}
	f, err := os.OpenFile(j.path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	defer f.Close()
	if torn(f) {
		line = append([]byte{'\n'}, line...) // a killed run left half a line
	}
	if _, err := f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write the journal: %w", err)
	}
	return f.Sync()
}

// torn tells whether the file ends in the middle of a line.
func torn(f *os.File) bool {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return err == nil && last[0] != '\n'
}

func (j *Journal) trim() error {
	info, err := os.Stat(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || info.Size() < maxJournal {
		return err
	}
	src, err := os.ReadFile(j.path)
	if err != nil {
		return err
	}
	half := src[len(src)/2:]
	if i := bytes.IndexByte(half, '\n'); i >= 0 {
		half = half[i+1:]
	}
	return writeFile(j.path, half)
}

// Records reads the whole journal, oldest first.
func (j *Journal) Records() ([]Record, error) {
	src, err := os.ReadFile(j.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	var out []Record
	scanner := bufio.NewScanner(bytes.NewReader(src))
	scanner.Buffer(nil, maxJournal)
	for scanner.Scan() {
		var r Record
		if json.Unmarshal(scanner.Bytes(), &r) == nil && r.Run != "" {
			out = append(out, r)
		}
	}
	return out, scanner.Err()
}

// Run is a run as the journal tells it.
type Run struct {
	ID       string    `json:"id"`
	Command  string    `json:"command"`
	By       string    `json:"by"`
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended,omitzero"`
	Image    string    `json:"image,omitempty"`
	Release  string    `json:"release,omitempty"`
	From     string    `json:"previous,omitempty"`
	LastStep string    `json:"last_step,omitempty"`
	Outcome  Outcome   `json:"outcome"`
	Detail   string    `json:"detail,omitempty"`
}

// Runs are the runs of an app on this machine, newest first. The newest is
// told to be going on when its process still holds the lock.
func Runs(dir string) ([]Run, error) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	// The lock first: a run that ends meanwhile has its end in the journal.
	lock, err := tryLock(dir)
	held := errs.CodeOf(err) == errs.Conflict
	if err != nil && !held {
		return nil, err
	}
	if lock != nil {
		defer lock.release()
	}
	runs, err := OpenJournal(dir).Runs()
	if held && len(runs) > 0 && runs[0].Outcome == CutOff {
		runs[0].Outcome = GoingOn
	}
	return runs, err
}

// Runs folds the journal into runs, newest first.
func (j *Journal) Runs() ([]Run, error) {
	records, err := j.Records()
	if err != nil {
		return nil, err
	}
	var order []*Run
	byID := map[string]*Run{}
	for _, r := range records {
		run := byID[r.Run]
		if run == nil {
			run = &Run{ID: r.Run, Outcome: CutOff, Started: r.Time}
			byID[r.Run] = run
			order = append(order, run)
		}
		run.fold(r)
	}
	out := make([]Run, 0, len(order))
	for _, o := range slices.Backward(order) {
		out = append(out, *o)
	}
	return out, nil
}

func (run *Run) fold(r Record) {
	if r.Release != "" {
		run.Release = r.Release
	}
	if r.From != "" {
		run.From = r.From
	}
	if r.Image != "" {
		run.Image = r.Image
	}
	switch r.Kind {
	case "begin":
		run.Command, run.By, run.Started = r.Command, r.By, r.Time
	case "step":
		run.LastStep = r.Step
	case "end":
		run.Ended, run.Outcome, run.Detail = r.Time, r.Outcome, r.Detail
	}
}

// writeFile replaces a file in one step, readable by its owner only.
func writeFile(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.Write(path, data, 0o600)
}
