package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestJournalFoldsRunsNewestFirst(t *testing.T) {
	j := OpenJournal(t.TempDir())
	if runs, err := j.Runs(); err != nil || len(runs) != 0 {
		t.Fatalf("a missing journal: %v, %v", runs, err)
	}
	at := time.Date(2026, 11, 24, 3, 0, 0, 0, time.UTC)
	for i, r := range []Record{
		{Run: "a", Kind: "begin", Command: "deploy", By: "me@here", Image: "r/shop:1"},
		{Run: "a", Kind: "step", Step: "lock", Status: Done},
		{Run: "a", Kind: "end", Outcome: Deployed, Release: "1"},
		{Run: "b", Kind: "begin", Command: "deploy", From: "1"},
		{Run: "b", Kind: "step", Step: "roll out", Status: Started, Release: "2"},
	} {
		r.Time = at.Add(time.Duration(i) * time.Second)
		if err := j.Append(r); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := j.Runs()
	if err != nil || len(runs) != 2 {
		t.Fatalf("%+v, %v", runs, err)
	}
	if b := runs[0]; b.ID != "b" || b.Outcome != CutOff || b.LastStep != "roll out" || b.Release != "2" || b.From != "1" {
		t.Errorf("a run without an end: %+v", b)
	}
	if a := runs[1]; a.Outcome != Deployed || a.Release != "1" || a.By != "me@here" || a.Ended.Sub(a.Started) != 2*time.Second {
		t.Errorf("a finished run: %+v", a)
	}
}

func TestJournalOutlivesATornLine(t *testing.T) {
	dir := t.TempDir()
	j := OpenJournal(dir)
	if err := j.Append(Record{Run: "a", Kind: "begin"}); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, "journal.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"run":"a","kind":"st`); err != nil { // killed here
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Append(Record{Run: "b", Kind: "begin"}); err != nil {
		t.Fatal(err)
	}
	runs, err := j.Runs()
	if err != nil || len(runs) != 2 || runs[0].ID != "b" {
		t.Errorf("%+v, %v", runs, err)
	}
}

func TestJournalIsTrimmed(t *testing.T) {
	j := OpenJournal(t.TempDir())
	long := strings.Repeat("x", 1<<16)
	for range 3 * maxJournal / len(long) {
		if err := j.Append(Record{Run: "r", Kind: "step", Detail: long}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(j.path)
	if err != nil || info.Size() > maxJournal+int64(2*len(long)) {
		t.Errorf("size %d, %v", info.Size(), err)
	}
	if runs, err := j.Runs(); err != nil || len(runs) != 1 {
		t.Errorf("%d runs, %v", len(runs), err)
	}
}

func TestLocalLockIsExclusiveAndSaysWhoHoldsIt(t *testing.T) {
	dir := t.TempDir()
	first, err := lockLocal(dir, "first@here")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockLocal(dir, "second@here"); err == nil || !strings.Contains(err.Error(), "first@here") {
		t.Errorf("second lock: %v", err)
	}
	first.release()
	again, err := lockLocal(dir, "third@here")
	if err != nil {
		t.Fatal(err)
	}
	again.release()
}
