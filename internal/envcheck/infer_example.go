package envcheck

import (
	"bytes"
	"strings"
)

// ParseExample reads a .env.example as a schema. The names are the contract and
// the values placeholders, never defaults: what counts as a line is dotenv's to
// say, so that one which env-spec refuses makes nothing unusable.
//
// A key is required when its line is active and has a value. An empty line or a
// commented-out one ("# KEY=value") is optional, unless no line of the file has
// a value: then the file is a list of names, all of which are required. Comments
// that say "required" or "optional" outright are believed, and decorators decide. In
// an example that RenderExample made, "required in production" is what it was.
func ParseExample(name string, src []byte) (*Schema, []Finding) {
	if msg, pos := checkText(name, src); msg != "" {
		s, _ := ParseSchema(name, nil)
		return s, []Finding{{File: name, Line: pos.Line, Col: pos.Col, Rule: "schema-encoding", Level: Error, Message: msg, Fix: "save it as plain UTF-8 text"}}
	}
	read := readDraft(name, src)
	s, findings := ParseSchema(name, []byte(strings.Join(read.bones, "\n")))
	if s.DefaultSensitive == "true" && !headerSays(s, "defaultSensitive") {
		s.DefaultSensitive, s.PublicPrefix = "prefix", mostlyPublic(s.Keys())
	}
	ds := drafts(read.blocks)
	names := onlyNames(ds)
	if IsRenderedExample(bytes.TrimPrefix(src, []byte("\ufeff"))) {
		for _, d := range ds {
			d.told, d.toldRequired = d.said()
		}
		takeSummaries(read.blocks)
		if s.CurrentEnv == "" {
			s.CurrentEnv = environmentAmong(ds)
		}
	}
	for _, d := range ds {
		it := s.Item(d.key)
		if it == nil {
			continue
		}
		if it.Required == nil && !it.Optional && !headerSays(s, "defaultRequired") && !mentions(d.marks, "optional", "required") {
			it.Required = d.summary.condition()
			if it.Required == nil {
				it.Optional = !d.wanted(names)
				it.Required = boolNode(!it.Optional)
			}
		}
		// A secret that is the example's own was never put in.
		if it.Example == nil && d.value == d.plain && d.value != "" && secretName(d.key) {
			it.Example = &Node{Kind: NodeString, Text: d.value, Quote: '\'', Pos: d.pos}
		}
	}
	return s, findings
}

func headerSays(s *Schema, name string) bool {
	for _, d := range s.Header {
		if d.Name == name {
			return true
		}
	}
	return false
}

// FromExample tells whether the schema is a .env.example taken for one.
func (s *Schema) FromExample() bool { return IsExampleName(s.Name) }
