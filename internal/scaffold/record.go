package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/opsctl/opsctl/internal/errs"
)

// recordFile holds what init last wrote. It belongs into git: it is what a later run
// tells the user's changes from its own by.
const recordFile = ".opsctl/init.json"

const recordSchema = "opsctl.init.record/v1"

// record is what init last wrote, by path as seen from the app's folder.
type record struct {
	files   map[string][]byte
	removed map[string]bool   // what the user has taken away, as a run has seen
	left    map[string]string // what init could not do, by file, and the user has dealt with
	branch  string
}

// recordJSON is the file's form: lines, so that git can merge it and a person read it.
type recordJSON struct {
	Schema string              `json:"schema"`
	Note   string              `json:"note"`
	Files  map[string][]string `json:"files"`
	// Removed are files that init wrote, and that the user does not want.
	Removed []string `json:"removed,omitempty"`
	// Left are edits that init cannot make, and that --keep has left to the user.
	Left   map[string]string `json:"left,omitempty"`
	Branch string            `json:"branch,omitempty"`
}

const recordNote = "What opsctl init last wrote. Commit it: the next init merges by it. Do not edit."

// readRecord reads the record in the app's folder; one that is not there is empty.
func readRecord(app fs.FS) (*record, error) {
	r := &record{files: map[string][]byte{}, removed: map[string]bool{}, left: map[string]string{}}
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
	maps.Copy(r.left, j.Left)
	r.branch = j.Branch
	for _, name := range j.Removed {
		r.removed[name] = true
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
	j.Left, j.Branch = r.left, r.branch
	j.Removed = slices.Sorted(maps.Keys(r.removed))
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(j); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func (r *record) clone() *record {
	return &record{files: maps.Clone(r.files), removed: maps.Clone(r.removed), left: maps.Clone(r.left), branch: r.branch}
}

// names are the recorded paths in order.
func (r *record) names() []string { return slices.Sorted(maps.Keys(r.files)) }

// record reads what init last wrote.
func (s *Stack) record() (*record, error) {
	root, err := os.OpenRoot(s.Repo)
	if err != nil {
		return nil, errs.Wrap(err, errs.NotFound, "open the repository")
	}
	defer root.Close()
	app, err := fs.Sub(root.FS(), s.Dir)
	if err != nil {
		return nil, err
	}
	return readRecord(app)
}

// WrittenConfig is what init last wrote to opsctl.yaml; nil when it has written none.
// The file itself may say something else by now.
func (s *Stack) WrittenConfig() (*Config, error) {
	r, err := s.record()
	if err != nil || !r.has(configFile) {
		return nil, err
	}
	var y struct {
		App          string
		Environments yaml.Node
		Web          struct {
			Port   int
			Health string
		}
		Release struct{ Command []string }
	}
	if yaml.Unmarshal(r.files[configFile], &y) != nil {
		return &Config{}, nil //nolint:nilerr // a template of the user's own, which says it in another way
	}
	c := &Config{App: y.App, Port: y.Web.Port, HealthPath: y.Web.Health, Release: y.Release.Command}
	for i := 0; i+1 < len(y.Environments.Content); i += 2 { // in the order of the file
		var e struct {
			Platform, Region string
			Instances        int
		}
		if y.Environments.Content[i+1].Decode(&e) != nil {
			continue
		}
		c.Environments = append(c.Environments, Environment{y.Environments.Content[i].Value, e.Platform, e.Region, e.Instances})
	}
	return c, nil
}
