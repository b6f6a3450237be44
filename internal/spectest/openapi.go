package spectest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// specHost stands for whatever address the API is really served at.
const specHost = "http://api.invalid"

// OpenAPI is a document that exchanges are held against. Loading one takes a
// while; keep it for all tests of a package (sync.OnceValues) and make a
// Checker of it for each test.
type OpenAPI struct {
	name   string
	base   string
	doc    *openapi3.T
	router routers.Router
	free   []string // "METHOD /path" that newer documents have and this one hasn't
}

// Option changes how a document is read.
type Option func(*OpenAPI)

// Base is the path that the document's paths are below, such as "/v1".
func Base(path string) Option {
	return func(o *OpenAPI) { o.base = strings.TrimSuffix(path, "/") }
}

// Newer lets a request to "METHOD /path/{param}" pass unchecked: an endpoint
// that the API has got since the document was written.
func Newer(endpoints ...string) Option {
	return func(o *OpenAPI) { o.free = append(o.free, endpoints...) }
}

// Edit changes the document before it is used: see AddField.
func Edit(f func(*openapi3.T)) Option {
	return func(o *OpenAPI) { f(o.doc) }
}

// AddField gives the component schema of that name an optional property, which
// the API has got since the document was written.
func AddField(schema, field string, property *openapi3.Schema) Option {
	return Edit(func(doc *openapi3.T) {
		s := doc.Components.Schemas[schema]
		if s == nil || s.Value == nil {
			panic(fmt.Sprintf("spectest: the document has no schema %q", schema)) // a mistake in a test
		}
		s.Value.WithProperty(field, property)
	})
}

// LoadOpenAPI reads a schema file of the reference folder. Its error is
// ErrNoReference where there is none.
func LoadOpenAPI(name string, options ...Option) (*OpenAPI, error) {
	data, err := os.ReadFile(Path(name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNoReference
	}
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	o := &OpenAPI{name: name, doc: doc}
	for _, opt := range options {
		opt(o)
	}
	doc.Servers = openapi3.Servers{{URL: specHost + o.base}}
	loosen(doc)
	if o.router, err = legacy.NewRouter(doc, openapi3.DisableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return o, nil
}

// loosen turns every oneOf into an anyOf: where all properties are optional, as
// with the kinds of a service, a good value fits several alternatives. It drops
// the patterns that Go's regexp has no way to match (lookahead).
func loosen(doc *openapi3.T) {
	for s := range allSchemas(doc) {
		if len(s.OneOf) > 0 && s.Discriminator == nil {
			s.AnyOf = append(s.AnyOf, s.OneOf...)
			s.OneOf = nil
		}
		if _, err := regexp.Compile(s.Pattern); err != nil {
			s.Pattern = ""
		}
	}
}

// exchange is a request with its answer. status is 0 while there is none.
type exchange struct {
	method string
	url    *url.URL
	header http.Header
	body   []byte

	status       int
	answerHeader http.Header
	answer       []byte
}

// check returns the operation's name "METHOD /path/{param}" and all that does
// not fit. request and answer say which side is looked at.
func (o *OpenAPI) check(e exchange, request, answer bool) (op string, problems []string) {
	r, err := http.NewRequestWithContext(context.Background(), e.method, specHost+e.url.EscapedPath(), bytes.NewReader(e.body))
	if err != nil {
		return "", []string{err.Error()}
	}
	r.URL.RawQuery, r.Header = e.url.RawQuery, e.header.Clone()
	route, params, err := o.router.FindRoute(r)
	if err != nil {
		for _, f := range o.free {
			if method, path, _ := strings.Cut(f, " "); method == e.method && matches(o.base+path, e.url.Path) {
				return f, nil
			}
		}
		return "", []string{"is not in " + o.name}
	}
	op = e.method + " " + route.Path
	in := &openapi3filter.RequestValidationInput{
		Request: r, PathParams: params, Route: route, QueryParams: r.URL.Query(),
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		},
	}
	if request {
		problems = append(problems, checkRequest(in, e)...)
	}
	if answer {
		problems = append(problems, checkAnswer(in, e)...)
	}
	return op, problems
}

func checkRequest(in *openapi3filter.RequestValidationInput, e exchange) (problems []string) {
	if err := openapi3filter.ValidateRequest(context.Background(), in); err != nil {
		problems = append(problems, "the request does not fit the schema: "+brief(err))
	}
	for name := range e.url.Query() {
		if !knownQuery(in.Route, name) {
			problems = append(problems, fmt.Sprintf("the request has the query parameter %q, which the schema has not", name))
		}
	}
	if b := in.Route.Operation.RequestBody; b != nil && b.Value != nil {
		for _, f := range unknown(jsonSchema(b.Value.Content), e.body) {
			problems = append(problems, "the request has the field "+f+", which the schema has not")
		}
	} else if len(bytes.TrimSpace(e.body)) > 0 {
		problems = append(problems, "the request has a body, and the schema has none")
	}
	return problems
}

func checkAnswer(in *openapi3filter.RequestValidationInput, e exchange) (problems []string) {
	responses := in.Route.Operation.Responses
	status := e.status
	if responses.Status(status) == nil && responses.Default() == nil {
		switch {
		case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
			return nil // a proxy on the way, not the API
		case status >= 400:
			// No document lists every error that occurs; they share one form.
			status = listedError(responses, status)
		}
	}
	if status == http.StatusSwitchingProtocols {
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: status, Header: e.answerHeader, Options: in.Options}
	out.SetBodyBytes(e.answer)
	if err := openapi3filter.ValidateResponse(context.Background(), out); err != nil {
		problems = append(problems, fmt.Sprintf("the answer %d does not fit the schema: %s", e.status, brief(err)))
	}
	ref := responses.Status(status)
	if ref == nil {
		ref = responses.Default()
	}
	if ref == nil || ref.Value == nil {
		return problems
	}
	if len(ref.Value.Content) == 0 && len(bytes.TrimSpace(e.answer)) > 0 {
		problems = append(problems, fmt.Sprintf("the answer %d has a body, and the schema has none", e.status))
	}
	for _, f := range unknown(jsonSchema(ref.Value.Content), e.answer) {
		problems = append(problems, "the answer has the field "+f+", which the schema has not")
	}
	return problems
}

// listedError is an error status that the operation lists, of the same class if there is one.
func listedError(responses *openapi3.Responses, status int) int {
	for _, s := range []int{400, 404, 401, 500, 503} {
		if s/100 == status/100 && responses.Status(s) != nil {
			return s
		}
	}
	return status
}

func knownQuery(route *routers.Route, name string) bool {
	is := func(p *openapi3.ParameterRef) bool {
		v := p.Value
		// A deepObject is written name[key].
		return v != nil && v.In == "query" && (v.Name == name || strings.HasPrefix(name, v.Name+"["))
	}
	return slices.ContainsFunc(route.PathItem.Parameters, is) || slices.ContainsFunc(route.Operation.Parameters, is)
}

func jsonSchema(c openapi3.Content) *openapi3.SchemaRef {
	if m := c.Get("application/json"); m != nil {
		return m.Schema
	}
	return nil
}

// unknown lists the fields of a JSON text that its schema does not know. The
// documents rarely forbid more fields, so that a misspelt one would pass.
func unknown(schema *openapi3.SchemaRef, text []byte) []string {
	var v any
	if schema == nil || json.Unmarshal(text, &v) != nil {
		return nil
	}
	var out []string
	fields([]*openapi3.SchemaRef{schema}, v, "", &out)
	return out
}

// brief keeps the part of a validation error that says what is wrong, and
// leaves out the dump of schema and value.
func brief(err error) string {
	head, _, _ := strings.Cut(err.Error(), "\nSchema:")
	return head
}

// matches compares a path with a pattern whose {params} stand for one segment.
func matches(pattern, path string) bool {
	a, b := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !strings.HasPrefix(a[i], "{") && a[i] != b[i] {
			return false
		}
	}
	return true
}

// readAll reads a body and puts the text back.
func readAll(body *io.ReadCloser) ([]byte, error) {
	if *body == nil || *body == http.NoBody {
		return nil, nil
	}
	data, err := io.ReadAll(*body)
	_ = (*body).Close()
	*body = io.NopCloser(bytes.NewReader(data))
	return data, err
}
