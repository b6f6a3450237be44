package health

import (
	"bytes"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/opsctl/opsctl/internal/errs"
)

// Dialect is a format of health bodies.
type Dialect string

// The dialects that are understood.
const (
	HealthJSON   Dialect = "health+json"  // draft-inadarei-api-health-check-06
	Spring       Dialect = "spring"       // Spring Boot Actuator
	MicroProfile Dialect = "microprofile" // Eclipse MicroProfile Health 4
)

// Body is a health body, whatever its dialect, in the words of health+json.
type Body struct {
	Dialect    Dialect
	Status     State  // normalised
	Raw        string // the status as the app wrote it
	Version    string
	ReleaseID  string
	Output     string // what the app says about a failure
	Components []Component
}

// Component is one part of the app, such as its database.
type Component struct {
	Name   string
	Status State  // "" when the body gives none
	Output string // error text, or the observed value with its unit
}

// maxComponents and maxText bound what is kept of a body that is not ours.
const (
	maxComponents = 100
	maxText       = 300
	maxNesting    = 4
)

// words maps the statuses of all dialects, and the ones that apps commonly
// invent, to health+json's three.
var words = map[string]State{
	"pass": Pass, "ok": Pass, "up": Pass, "healthy": Pass,
	"warn": Warn, "warning": Warn, "degraded": Warn, "unknown": Warn,
	"fail": Fail, "error": Fail, "down": Fail, "unhealthy": Fail, "out_of_service": Fail, "critical": Fail,
}

// ParseBody reads a health body of any dialect. It returns nil when the data
// is no JSON object with a status that is known, unless the content type
// claims health+json: then an unknown status counts as Fail.
func ParseBody(data []byte, contentType string) *Body {
	doc, err := decodeJSON(data)
	if err != nil {
		return undecodable(data, contentType)
	}
	return parseDoc(doc, contentType)
}

// claimsHealth tells whether the content type promises health+json.
func claimsHealth(contentType string) bool {
	media, _, err := mime.ParseMediaType(contentType)
	return err == nil && media == "application/health+json"
}

// undecodable is what a body that is no JSON means: nothing, unless the app
// promised health+json and answered something.
func undecodable(data []byte, contentType string) *Body {
	if claimsHealth(contentType) && len(bytes.TrimSpace(data)) > 0 {
		return broken("it is not valid JSON")
	}
	return nil
}

// broken is the body of an app that promises health+json and answers something else.
func broken(why string) *Body { return &Body{Dialect: HealthJSON, Status: Fail, Output: why} }

func parseDoc(doc any, contentType string) *Body {
	claims := claimsHealth(contentType)
	obj, ok := doc.(map[string]any)
	switch {
	case !ok && claims:
		return broken("it is no JSON object")
	case !ok:
		return nil
	}
	raw, isText := obj["status"].(string)
	state, known := words[strings.ToLower(raw)]
	switch {
	case !known && !claims:
		return nil
	case !known:
		state = Fail
	}
	b := &Body{Status: state, Raw: clean(raw), Version: text(obj["version"]), ReleaseID: text(obj["releaseId"]), Output: text(obj["output"])}
	if !known {
		b.Output = "it has no status"
		if isText {
			b.Output = "unknown status " + strconv.Quote(b.Raw)
		}
	}
	b.Dialect = dialectOf(obj, raw, claims)
	switch b.Dialect {
	case MicroProfile:
		b.microProfile(obj["checks"])
	case Spring:
		b.spring("", obj, 0)
	case HealthJSON:
		b.healthJSON(obj["checks"])
	}
	return b
}

func dialectOf(obj map[string]any, raw string, claims bool) Dialect {
	if claims {
		return HealthJSON
	}
	if _, ok := obj["checks"].([]any); ok {
		return MicroProfile
	}
	if _, ok := obj["checks"].(map[string]any); ok {
		return HealthJSON
	}
	for _, key := range []string{"components", "details", "groups"} {
		if _, ok := obj[key]; ok {
			return Spring
		}
	}
	if slices.Contains([]string{"UP", "DOWN", "OUT_OF_SERVICE", "UNKNOWN"}, raw) {
		return Spring
	}
	return HealthJSON
}

// healthJSON reads {"component:measurement": [{status, output, observedValue, observedUnit, componentId}]}.
func (b *Body) healthJSON(checks any) {
	obj, ok := checks.(map[string]any)
	if !ok {
		return
	}
	for _, key := range sortedKeys(obj) {
		list, ok := obj[key].([]any)
		if !ok {
			list = []any{obj[key]} // a common mistake: the object without its array
		}
		for i, item := range list {
			c, ok := item.(map[string]any)
			if !ok {
				continue
			}
			name := key
			if len(list) > 1 {
				id := text(c["componentId"])
				if id == "" {
					id = strconv.Itoa(i)
				}
				name += "[" + id + "]"
			}
			b.component(name, c["status"], firstText(text(c["output"]), observed(c)))
		}
	}
}

func observed(c map[string]any) string {
	v, ok := c["observedValue"]
	if !ok || v == nil {
		return ""
	}
	return strings.TrimSpace(text(v) + " " + text(c["observedUnit"]))
}

// spring reads {"components": {name: {status, details, components}}}; versions
// before 2.2 say details in place of components.
func (b *Body) spring(prefix string, obj map[string]any, depth int) {
	parts, ok := obj["components"].(map[string]any)
	if !ok && depth == 0 {
		parts, ok = obj["details"].(map[string]any)
	}
	if !ok || depth >= maxNesting {
		return
	}
	for _, key := range sortedKeys(parts) {
		c, ok := parts[key].(map[string]any)
		if !ok {
			continue
		}
		details, _ := c["details"].(map[string]any)
		b.component(prefix+key, c["status"], text(details["error"]))
		b.spring(prefix+key+"/", c, depth+1)
	}
}

// microProfile reads {"checks": [{name, status, data}]}.
func (b *Body) microProfile(checks any) {
	list, _ := checks.([]any)
	for _, item := range list {
		c, ok := item.(map[string]any)
		if !ok {
			continue
		}
		data, _ := c["data"].(map[string]any)
		b.component(text(c["name"]), c["status"], firstText(text(data["error"]), text(data["rootCause"])))
	}
}

func (b *Body) component(name string, status any, output string) {
	if len(b.Components) >= maxComponents {
		return
	}
	c := Component{Name: clean(name), Output: output}
	if raw, ok := status.(string); ok {
		if c.Status, ok = words[strings.ToLower(raw)]; !ok {
			c.Status = Warn
			c.Output = firstText(output, "unknown status "+strconv.Quote(clean(raw)))
		}
	}
	b.Components = append(b.Components, c)
}

// failing names the components that are not well, for a reason text.
func (b *Body) failing() string {
	var out []string
	for _, c := range b.Components {
		if c.Status != Fail {
			continue
		}
		t := c.Name
		if c.Output != "" {
			t += " (" + c.Output + ")"
		}
		out = append(out, t)
	}
	return strings.Join(out, ", ")
}

func sortedKeys(m map[string]any) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// text is a scalar of a body, made safe to show; "" for everything else.
func text(v any) string {
	switch v.(type) {
	case nil, map[string]any, []any:
		return ""
	}
	return clean(textOf(v))
}

// clean makes foreign text safe for a terminal and a log: printable, one line,
// short, and without secrets (health bodies like to quote connection URLs).
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	s = errs.Redact(s) // before it is cut: half a secret has no shape
	if r := []rune(s); len(r) > maxText {
		s = string(r[:maxText]) + "..."
	}
	return strings.TrimSpace(s)
}
