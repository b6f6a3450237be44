package emulator

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// maxDocument bounds what is read of a GraphQL request.
const maxDocument = 16 << 20

// operations are the names by which a fault can mean a GraphQL request: its
// operation's name, if it has one, and the fields that it asks the root for.
// The request's body can be read again afterwards.
func operations(r *http.Request) []string {
	if r.Method != http.MethodPost || r.Body == nil || (r.URL.Path != "/graphql" && !strings.HasPrefix(r.URL.Path, "/graphql/")) {
		return nil
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxDocument))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), r.Body), r.Body}
	var in struct {
		Query     string `json:"query"`
		Operation string `json:"operationName"`
	}
	if err != nil || json.Unmarshal(body, &in) != nil {
		return nil
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil {
		return nil
	}
	op := doc.Operations.ForName(in.Operation)
	if op == nil && len(doc.Operations) == 1 {
		op = doc.Operations[0]
	}
	if op == nil {
		return nil
	}
	var names []string
	if op.Name != "" {
		names = append(names, op.Name)
	}
	for _, sel := range op.SelectionSet {
		if f, is := sel.(*ast.Field); is && !slices.Contains(names, f.Name) {
			names = append(names, f.Name)
		}
	}
	return names
}
