package spectest

import (
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/vektah/gqlparser/v2/ast"
)

// Answer checks the answer to an operation, {"data":..., "errors":[...]}: each
// selected field is there and has its declared type, nothing else is there, and
// an error has a message. Where there are errors, data may be null.
func (v *GraphQL) Answer(op *Operation, answer []byte) {
	v.t.Helper()
	if op == nil || op.def == nil {
		return
	}
	var out struct {
		Data   json.RawMessage  `json:"data"`
		Errors []map[string]any `json:"errors"`
	}
	if err := json.Unmarshal(answer, &out); err != nil {
		v.t.Errorf("graphql: %s: the answer is not JSON: %s", describe(op.def), clip(answer))
		return
	}
	for _, e := range out.Errors {
		if msg, _ := e["message"].(string); msg == "" {
			v.t.Errorf("graphql: %s: an error without a message: %v", describe(op.def), e)
		}
		if ext, given := e["extensions"]; given {
			if _, is := ext.(map[string]any); !is {
				v.t.Errorf("graphql: %s: extensions is no object: %v", describe(op.def), e)
			}
		}
	}
	var data map[string]any
	if err := json.Unmarshal(out.Data, &data); len(out.Data) > 0 && err != nil {
		v.t.Errorf("graphql: %s: data is no object: %s", describe(op.def), clip(out.Data))
		return
	}
	if data == nil {
		if len(out.Errors) == 0 {
			v.t.Errorf("graphql: %s: neither data nor errors: %s", describe(op.def), clip(answer))
		}
		return
	}
	c := answerCheck{v: v, op: op}
	c.object(c.root(), []ast.SelectionSet{op.def.SelectionSet}, data, string(op.def.Operation))
}

type answerCheck struct {
	v  *GraphQL
	op *Operation
}

func (c answerCheck) root() *ast.Definition {
	switch c.op.def.Operation {
	case ast.Mutation:
		return c.v.schema.Mutation
	case ast.Subscription:
		return c.v.schema.Subscription
	}
	return c.v.schema.Query
}

func (c answerCheck) bad(path, format string, args ...any) {
	c.v.t.Helper()
	c.v.t.Errorf("graphql: the answer at %s %s", path, fmt.Sprintf(format, args...))
}

// selected is one key of an object's answer.
type selected struct {
	field *ast.Field
	sub   []ast.SelectionSet
	maybe bool // it depends on a type that the answer does not name
}

// object checks an object of a type (an abstract one where the answer does not
// tell) against all selections that were made on it.
func (c answerCheck) object(def *ast.Definition, sels []ast.SelectionSet, data map[string]any, path string) {
	c.v.t.Helper()
	if def.IsAbstractType() {
		if name, _ := data["__typename"].(string); name != "" {
			if known := c.v.schema.Types[name]; known != nil {
				def = known
			} else {
				c.bad(path, "has the unknown type %q", name)
			}
		}
	}
	fields := map[string]*selected{}
	for _, s := range sels {
		c.collect(def, s, false, fields)
	}
	for key, s := range fields {
		val, there := data[key]
		switch {
		case !there && !s.maybe:
			c.bad(path, "has no %s", key)
		case there && s.field.Name == "__typename":
			if name, _ := val.(string); name != def.Name && !def.IsAbstractType() {
				c.bad(path, "says the type %v, want %s", val, def.Name)
			}
		case there:
			c.value(s.field.Definition.Type, s.sub, val, path+"."+key)
		}
	}
	for key := range data {
		if fields[key] == nil {
			c.bad(path, "has %s, which was not asked for", key)
		}
	}
}

// collect finds the fields that a selection means on a type.
func (c answerCheck) collect(def *ast.Definition, sel ast.SelectionSet, maybe bool, out map[string]*selected) {
	for _, s := range sel {
		switch s := s.(type) {
		case *ast.Field:
			if c.excluded(s.Directives) {
				continue
			}
			have := out[s.Alias]
			if have == nil {
				have = &selected{field: s, maybe: maybe}
				out[s.Alias] = have
			}
			have.maybe = have.maybe && maybe
			have.sub = append(have.sub, s.SelectionSet)
		case *ast.InlineFragment:
			if applies, sure := c.applies(s.TypeCondition, def); applies && !c.excluded(s.Directives) {
				c.collect(def, s.SelectionSet, maybe || !sure, out)
			}
		case *ast.FragmentSpread:
			if applies, sure := c.applies(s.Definition.TypeCondition, def); applies && !c.excluded(s.Directives) {
				c.collect(def, s.Definition.SelectionSet, maybe || !sure, out)
			}
		}
	}
}

// excluded evaluates @skip and @include.
func (c answerCheck) excluded(ds ast.DirectiveList) bool {
	for _, d := range ds {
		if arg := d.Arguments.ForName("if"); arg != nil && (d.Name == "skip" || d.Name == "include") {
			vars := map[string]any{}
			for _, v := range c.op.def.VariableDefinitions {
				if val, given := c.op.Variables[v.Variable]; given {
					vars[v.Variable] = val
				} else if v.DefaultValue != nil {
					vars[v.Variable], _ = v.DefaultValue.Value(nil)
				}
			}
			val, _ := arg.Value.Value(vars)
			if on, _ := val.(bool); on == (d.Name == "skip") {
				return true
			}
		}
	}
	return false
}

// applies reports whether a fragment may be meant for the type, and whether it surely is.
func (c answerCheck) applies(condition string, def *ast.Definition) (applies, sure bool) {
	if condition == "" || condition == def.Name {
		return true, true
	}
	cond := c.v.schema.Types[condition]
	if cond == nil {
		return false, true
	}
	if def.IsAbstractType() {
		return true, false
	}
	for _, p := range c.v.schema.GetPossibleTypes(cond) {
		if p.Name == def.Name {
			return true, true
		}
	}
	return false, true
}

func (c answerCheck) value(typ *ast.Type, sels []ast.SelectionSet, val any, path string) {
	c.v.t.Helper()
	if val == nil {
		if typ.NonNull {
			c.bad(path, "is null, but its type is %s", typ)
		}
		return
	}
	if typ.Elem != nil {
		list, is := val.([]any)
		if !is {
			c.bad(path, "is %T, want a list", val)
			return
		}
		for i, e := range list {
			c.value(typ.Elem, sels, e, fmt.Sprintf("%s[%d]", path, i))
		}
		return
	}
	def := c.v.schema.Types[typ.NamedType]
	switch def.Kind {
	case ast.Object, ast.Interface, ast.Union:
		obj, is := val.(map[string]any)
		if !is {
			c.bad(path, "is %T, want an object %s", val, def.Name)
			return
		}
		c.object(def, sels, obj, path)
	case ast.Enum:
		if name, _ := val.(string); def.EnumValues.ForName(name) == nil {
			c.bad(path, "is %v, which %s does not have", val, def.Name)
		}
	case ast.Scalar:
		if !scalarFits(def.Name, val) {
			c.bad(path, "is %v (%T), want a %s", val, val, def.Name)
		}
	}
}

// scalarFits knows the scalars with one form; any other takes any value.
func scalarFits(name string, val any) bool {
	switch name {
	case "Int":
		n, is := val.(float64)
		return is && n == math.Trunc(n) && math.Abs(n) <= math.MaxInt32
	case "Float":
		_, is := val.(float64)
		return is
	case "Boolean":
		_, is := val.(bool)
		return is
	case "String", "ID", "BigInt":
		_, is := val.(string)
		return is
	case "DateTime", "ISO8601DateTime":
		s, _ := val.(string)
		_, err := time.Parse(time.RFC3339, s)
		return err == nil
	case "EnvironmentVariables", "EnvironmentConfig", "DeploymentMeta", "SerializedTemplateConfig":
		_, is := val.(map[string]any)
		return is
	}
	return true
}
