package spectest

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// allSchemas yields every schema of a document once, nested ones too.
func allSchemas(doc *openapi3.T) iter.Seq[*openapi3.Schema] {
	return func(yield func(*openapi3.Schema) bool) {
		w := &walker{seen: map[*openapi3.Schema]bool{}, yield: yield}
		if doc.Components != nil {
			for _, s := range doc.Components.Schemas {
				w.schema(s)
			}
			for _, p := range doc.Components.Parameters {
				w.parameter(p)
			}
			for _, r := range doc.Components.Responses {
				w.response(r)
			}
		}
		for _, item := range doc.Paths.Map() {
			for _, p := range item.Parameters {
				w.parameter(p)
			}
			for _, op := range item.Operations() {
				for _, p := range op.Parameters {
					w.parameter(p)
				}
				if op.RequestBody != nil && op.RequestBody.Value != nil {
					w.content(op.RequestBody.Value.Content)
				}
				for _, r := range op.Responses.Map() {
					w.response(r)
				}
			}
		}
	}
}

type walker struct {
	seen  map[*openapi3.Schema]bool
	yield func(*openapi3.Schema) bool
	done  bool
}

func (w *walker) parameter(p *openapi3.ParameterRef) {
	if p.Value != nil {
		w.schema(p.Value.Schema)
		w.content(p.Value.Content)
	}
}

func (w *walker) response(r *openapi3.ResponseRef) {
	if r.Value != nil {
		w.content(r.Value.Content)
	}
}

func (w *walker) content(c openapi3.Content) {
	for _, m := range c {
		w.schema(m.Schema)
	}
}

func (w *walker) schema(ref *openapi3.SchemaRef) {
	if ref == nil || ref.Value == nil || w.done || w.seen[ref.Value] {
		return
	}
	s := ref.Value
	w.seen[s] = true
	for _, list := range []openapi3.SchemaRefs{s.AllOf, s.AnyOf, s.OneOf} {
		for _, sub := range list {
			w.schema(sub)
		}
	}
	for _, p := range s.Properties {
		w.schema(p)
	}
	w.schema(s.Items)
	w.schema(s.AdditionalProperties.Schema)
	if !w.done && !w.yield(s) {
		w.done = true
	}
}

// fields walks a value beside the schemas that may describe it, and lists the
// fields that none of them knows, by their path.
func fields(schemas []*openapi3.SchemaRef, v any, path string, out *[]string) {
	schemas = alternatives(schemas)
	switch v := v.(type) {
	case map[string]any:
		object(schemas, v, path, out)
	case []any:
		var items []*openapi3.SchemaRef
		for _, s := range schemas {
			if s.Value.Items != nil {
				items = append(items, s.Value.Items)
			}
		}
		if len(items) == 0 {
			return
		}
		for i, e := range v {
			fields(items, e, fmt.Sprintf("%s[%d]", path, i), out)
		}
	}
}

func object(schemas []*openapi3.SchemaRef, v map[string]any, path string, out *[]string) {
	known := map[string][]*openapi3.SchemaRef{}
	var rest []*openapi3.SchemaRef
	for _, s := range schemas {
		for name, p := range s.Value.Properties {
			known[name] = append(known[name], p)
		}
		for _, name := range s.Value.Required { // some are required and described nowhere
			known[name] = append(known[name], s.Value.Properties[name])
		}
		switch extra := s.Value.AdditionalProperties; {
		case extra.Schema != nil:
			rest = append(rest, extra.Schema)
		case extra.Has != nil && *extra.Has:
			return // anything goes
		}
	}
	if len(known) == 0 && len(rest) == 0 {
		return // an object of which the document says nothing more
	}
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		at := path + "." + name
		switch {
		case len(known[name]) > 0:
			fields(known[name], v[name], at, out)
		case len(rest) > 0:
			fields(rest, v[name], at, out)
		default:
			*out = append(*out, strings.TrimPrefix(at, "."))
		}
	}
}

// alternatives are the schemas with all that they are composed of.
func alternatives(schemas []*openapi3.SchemaRef) []*openapi3.SchemaRef {
	var out []*openapi3.SchemaRef
	var add func(*openapi3.SchemaRef)
	add = func(ref *openapi3.SchemaRef) {
		if ref == nil || ref.Value == nil || slices.Contains(out, ref) {
			return
		}
		out = append(out, ref)
		for _, list := range []openapi3.SchemaRefs{ref.Value.AllOf, ref.Value.AnyOf, ref.Value.OneOf} {
			for _, sub := range list {
				add(sub)
			}
		}
	}
	for _, s := range schemas {
		add(s)
	}
	return out
}
