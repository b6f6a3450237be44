package railway

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// arguments are those of one field.
type arguments map[string]any

func (a arguments) str(key string) string {
	v, _ := a[key].(string)
	return v
}

func (a arguments) flag(key string) bool {
	v, _ := a[key].(bool)
	return v
}

func (a arguments) num(key string) int {
	switch n := a[key].(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	}
	return 0
}

func (a arguments) list(key string) []string {
	switch v := a[key].(type) {
	case string: // a single value stands for a list of one
		return []string{v}
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			if s, ok := e.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	return nil
}

// need names the first of the arguments that is missing.
func (a arguments) need(keys ...string) error {
	for _, k := range keys {
		if a[k] == nil {
			return invalid("Argument %q of required type was not provided.", k)
		}
	}
	return nil
}

// input decodes an argument of an input type; a field that the type doesn't
// have is an error, as it is with the platform's schema.
func input[T any](a arguments, key string) (T, error) {
	var in T
	if err := a.need(key); err != nil {
		return in, err
	}
	data, err := json.Marshal(a[key])
	if err != nil {
		return in, invalid("%s: %v", key, err)
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&in); err != nil {
		return in, invalid("Variable %q got invalid value: %s", "$"+key, strings.TrimPrefix(err.Error(), "json: "))
	}
	return in, nil
}

// names is a list of strings, or a single one that stands for a list.
type names []string

// UnmarshalJSON accepts both forms, as GraphQL's input coercion does.
func (n *names) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = names{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(n))
}

// connection is a Relay connection over nodes that have an id: typ is the
// name of the connection's type.
func (s *Server) connection(typ string, nodes func() []*object) resolver {
	return func(args arguments) (any, error) { return s.page(typ, nodes(), args) }
}

// page cuts a connection. The cursor of a node is its id.
func (s *Server) page(typ string, nodes []*object, args arguments) (*object, error) {
	at := func(id string) int {
		return slices.IndexFunc(nodes, func(o *object) bool { return o.fields["id"] == id })
	}
	from, to := 0, len(nodes)
	if after := args.str("after"); after != "" {
		i := at(after)
		if i < 0 {
			return nil, invalid("Invalid cursor: %s", after)
		}
		from = i + 1
	}
	if before := args.str("before"); before != "" {
		if i := at(before); i >= 0 {
			to = max(i, from)
		}
	}
	first := args.num("first")
	if first < 0 || args.num("last") < 0 {
		return nil, invalid("first and last must be positive")
	}
	if s.opts.PageSize > 0 && (first == 0 || first > s.opts.PageSize) {
		first = s.opts.PageSize
	}
	if first > 0 && to-from > first {
		to = from + first
	}
	if last := args.num("last"); last > 0 && to-from > last {
		from = to - last
	}
	var start, end any
	edges := []*object{}
	for _, n := range nodes[from:to] {
		if start == nil {
			start = n.fields["id"]
		}
		end = n.fields["id"]
		edges = append(edges, &object{typ + "Edge", map[string]any{"cursor": n.fields["id"], "node": n}})
	}
	return &object{typ, map[string]any{
		"edges": edges,
		"pageInfo": &object{"PageInfo", map[string]any{
			"hasNextPage": to < len(nodes), "hasPreviousPage": from > 0, "startCursor": start, "endCursor": end,
		}},
	}}, nil
}
