package config

import (
	"encoding/json"

	"github.com/invopop/jsonschema"
)

// Schema is the JSON Schema (draft 2020-12) of opsctl.yaml, generated from the model.
func Schema() ([]byte, error) {
	r := &jsonschema.Reflector{
		FieldNameTag:               "yaml",
		RequiredFromJSONSchemaTags: true,
		DoNotReference:             true,
		Anonymous:                  true,
	}
	s := r.Reflect(&Project{})
	s.Title = FileName
	s.Description = "The project file of opsctl."
	s.Required = []string{"version"}
	out, err := json.MarshalIndent(s, "", "  ")
	return append(out, '\n'), err
}
