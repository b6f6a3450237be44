package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// recordFile holds what init last wrote. It belongs into git: it is what a later run
// tells the user's changes from its own by.
const recordFile = ".opsctl/init.json"

const recordSchema = "opsctl.init.record/v1"

// record is what init last wrote, by path as seen from the app's folder.
type record struct {
	files map[string][]byte
}

// recordJSON is the file's form: lines, so that git can merge it and a person read it.
type recordJSON struct {
	Schema string              `json:"schema"`
	Note   string              `json:"note"`
	Files  map[string][]string `json:"files"`
}

const recordNote = "What opsctl init last wrote. Commit it: the next init merges by it. Do not edit."

// readRecord reads the record in the app's folder; one that is not there is empty.
func readRecord(app fs.FS) (*record, error) {
	r := &record{files: map[string][]byte{}}
	src, err := optional(app, recordFile)
	if src == nil || err != nil {
		return r, err
	}
	var j recordJSON
	err = json.Unmarshal(src, &j)
	if err == nil && j.Schema != recordSchema {
		err = fmt.Errorf("its schema is %q, and this opsctl knows %s", j.Schema, recordSchema)
	}
	if err != nil {
		return nil, errs.Wrap(err, errs.Usage, "%s", recordFile).
			WithHint("restore it from git; or remove it: init then takes every file that it finds for yours")
	}
	for name, lines := range j.Files {
		r.files[name] = []byte(strings.Join(lines, "\n"))
	}
	return r, nil
}

func (r *record) has(name string) bool { _, ok := r.files[name]; return ok }

// encode is the file's content, the same for the same record.
func (r *record) encode() ([]byte, error) {
	j := recordJSON{Schema: recordSchema, Note: recordNote, Files: map[string][]string{}}
	for name, data := range r.files {
		j.Files[name] = strings.Split(string(data), "\n")
	}
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(j); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (r *record) clone() *record { return &record{files: maps.Clone(r.files)} }

// names are the recorded paths in order.
func (r *record) names() []string { return slices.Sorted(maps.Keys(r.files)) }
