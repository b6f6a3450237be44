package spectest

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
)

// LoadGraphQL reads a GraphQL schema: the schema language (.graphql), or the
// answer to an introspection query (.json), with or without "data" around it.
func LoadGraphQL(path string) (*ast.Schema, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sdl := string(data)
	if strings.HasSuffix(path, ".json") {
		if sdl, err = schemaLanguage(data); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return gqlparser.LoadSchema(&ast.Source{Name: path, Input: sdl})
}

// The introspection types, https://spec.graphql.org/October2021/#sec-Schema-Introspection.
type (
	introspected struct {
		QueryType, MutationType, SubscriptionType *struct{ Name string }
		Types                                     []typeInfo
	}
	typeInfo struct {
		Kind, Name    string
		IsOneOf       bool
		Fields        []fieldInfo
		InputFields   []inputInfo
		Interfaces    []typeRef
		EnumValues    []struct{ Name string }
		PossibleTypes []typeRef
	}
	fieldInfo struct {
		Name string
		Args []inputInfo
		Type typeRef
	}
	inputInfo struct {
		Name         string
		Type         typeRef
		DefaultValue *string
	}
	typeRef struct {
		Kind, Name string
		OfType     *typeRef
	}
)

func (r typeRef) String() string {
	switch {
	case r.Kind == "NON_NULL" && r.OfType != nil:
		return r.OfType.String() + "!"
	case r.Kind == "LIST" && r.OfType != nil:
		return "[" + r.OfType.String() + "]"
	}
	return r.Name
}

// schemaLanguage writes an introspection document as SDL, without descriptions.
func schemaLanguage(data []byte) (string, error) {
	var doc struct {
		Data *struct {
			Schema *introspected `json:"__schema"`
		}
		Schema *introspected `json:"__schema"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return "", err
	}
	s := doc.Schema
	if s == nil && doc.Data != nil {
		s = doc.Data.Schema
	}
	if s == nil || s.QueryType == nil {
		return "", fmt.Errorf("no __schema in it")
	}
	var b strings.Builder
	b.WriteString("schema {\n  query: " + s.QueryType.Name + "\n")
	if s.MutationType != nil {
		b.WriteString("  mutation: " + s.MutationType.Name + "\n")
	}
	if s.SubscriptionType != nil {
		b.WriteString("  subscription: " + s.SubscriptionType.Name + "\n")
	}
	b.WriteString("}\n")
	for _, t := range s.Types {
		if !strings.HasPrefix(t.Name, "__") {
			t.write(&b)
		}
	}
	return b.String(), nil
}

func (t typeInfo) write(b *strings.Builder) {
	switch t.Kind {
	case "SCALAR":
		switch t.Name {
		case "Int", "Float", "String", "Boolean", "ID": // the parser's own
		default:
			fmt.Fprintf(b, "scalar %s\n", t.Name)
		}
	case "ENUM":
		fmt.Fprintf(b, "enum %s {", t.Name)
		for _, v := range t.EnumValues {
			b.WriteString(" " + v.Name)
		}
		b.WriteString(" }\n")
	case "UNION":
		fmt.Fprintf(b, "union %s = %s\n", t.Name, join(t.PossibleTypes, " | "))
	case "INPUT_OBJECT":
		fmt.Fprintf(b, "input %s%s {\n", t.Name, map[bool]string{true: " @oneOf"}[t.IsOneOf])
		for _, f := range t.InputFields {
			fmt.Fprintf(b, "  %s\n", f)
		}
		b.WriteString("}\n")
	case "OBJECT", "INTERFACE":
		word := map[string]string{"OBJECT": "type", "INTERFACE": "interface"}[t.Kind]
		fmt.Fprintf(b, "%s %s", word, t.Name)
		if len(t.Interfaces) > 0 {
			b.WriteString(" implements " + join(t.Interfaces, " & "))
		}
		b.WriteString(" {\n")
		for _, f := range t.Fields {
			b.WriteString("  " + f.Name)
			if len(f.Args) > 0 {
				args := make([]string, len(f.Args))
				for i, a := range f.Args {
					args[i] = a.String()
				}
				b.WriteString("(" + strings.Join(args, ", ") + ")")
			}
			fmt.Fprintf(b, ": %s\n", f.Type)
		}
		b.WriteString("}\n")
	}
}

func (in inputInfo) String() string {
	s := in.Name + ": " + in.Type.String()
	if in.DefaultValue != nil {
		s += " = " + *in.DefaultValue
	}
	return s
}

func join(refs []typeRef, sep string) string {
	names := make([]string, len(refs))
	for i, r := range refs {
		names[i] = r.Name
	}
	return strings.Join(names, sep)
}
