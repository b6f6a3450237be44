package sentry

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
)

// workflow is an alert: what triggers it, for which detectors, and who is told.
type workflow struct {
	ID      string        `json:"id"`
	Created time.Time     `json:"created"`
	Updated time.Time     `json:"updated"`
	Body    workflowInput `json:"body"`
}

// workflowInput is the body of create and update. Sentry takes both spellings
// of a field and answers in the second.
type workflowInput struct {
	Name          string          `json:"name"`
	Enabled       *bool           `json:"enabled"`
	Environment   *string         `json:"environment"`
	Config        json.RawMessage `json:"config"`
	Detectors     []json.Number   `json:"detector_ids"`
	DetectorsToo  []json.Number   `json:"detectorIds"`
	Triggers      json.RawMessage `json:"triggers"`
	ActionFilters json.RawMessage `json:"action_filters"`
	FiltersToo    json.RawMessage `json:"actionFilters"`
}

func (s *Server) workflowRoutes() {
	const all, one = "/organizations/{org}/workflows/", "/organizations/{org}/workflows/{workflow}/"
	s.handle("GET "+all, func(r *http.Request) (reply, error) {
		return list(s, r, s.state.Workflows, func(w *workflow) any { return w.doc() })
	})
	s.handle("POST "+all, s.createWorkflow)
	s.handle("GET "+one, s.withWorkflow(func(_ *http.Request, w *workflow) (reply, error) { return ok(w.doc()) }))
	s.handle("PUT "+one, s.withWorkflow(s.updateWorkflow))
	s.handle("DELETE "+one, s.withWorkflow(func(_ *http.Request, w *workflow) (reply, error) {
		s.state.Workflows = slices.DeleteFunc(s.state.Workflows, func(x *workflow) bool { return x == w })
		return reply{code: http.StatusNoContent}, nil
	}))
	s.handle("GET /organizations/{org}/detectors/", s.listDetectors)
}

func (s *Server) withWorkflow(f func(*http.Request, *workflow) (reply, error)) endpoint {
	return func(r *http.Request) (reply, error) {
		for _, w := range s.state.Workflows {
			if w.ID == r.PathValue("workflow") {
				return f(r, w)
			}
		}
		return reply{}, errNotFound
	}
}

func (s *Server) createWorkflow(r *http.Request) (reply, error) {
	w := &workflow{Created: s.opts.Now(), Updated: s.opts.Now()}
	if err := s.fillWorkflow(r, w); err != nil {
		return reply{}, err
	}
	w.ID = s.numberID()
	s.state.Workflows = append(s.state.Workflows, w)
	return reply{code: http.StatusCreated, body: w.doc()}, nil
}

func (s *Server) updateWorkflow(r *http.Request, w *workflow) (reply, error) {
	if err := s.fillWorkflow(r, w); err != nil {
		return reply{}, err
	}
	w.Updated = s.opts.Now()
	return ok(w.doc())
}

func (s *Server) fillWorkflow(r *http.Request, w *workflow) error {
	var in workflowInput
	if err := decode(r, &in); err != nil {
		return err
	}
	if in.Name == "" {
		return bad("name", "This field is required.")
	}
	in.Detectors = append(in.Detectors, in.DetectorsToo...)
	for _, id := range in.Detectors {
		if !slices.ContainsFunc(s.state.Projects, func(p *project) bool { return id.String() == errorDetector(p) || id.String() == streamDetector(p) }) {
			return bad("detectorIds", "Some detectors do not exist.")
		}
	}
	if in.ActionFilters == nil {
		in.ActionFilters = in.FiltersToo
	}
	in.DetectorsToo, in.FiltersToo = nil, nil
	w.Body = in
	return nil
}

func (w *workflow) doc() map[string]any {
	enabled := w.Body.Enabled == nil || *w.Body.Enabled
	ids := []string{}
	for _, id := range w.Body.Detectors {
		ids = append(ids, id.String())
	}
	config, filters := camel(w.Body.Config), camel(w.Body.ActionFilters)
	if config == nil {
		config = map[string]any{}
	}
	if filters == nil {
		filters = []any{}
	}
	return map[string]any{
		"id": w.ID, "name": w.Body.Name, "organizationId": orgID, "createdBy": nil, "owner": nil, "dateCreated": stamp(w.Created), "dateUpdated": stamp(w.Updated),
		"enabled": enabled, "environment": w.Body.Environment, "config": config, "detectorIds": ids, "triggers": camel(w.Body.Triggers), "actionFilters": filters,
		"lastTriggered": nil,
	}
}

// camel spells the fields of a document as the answers do: logic_type is logicType.
func camel(raw json.RawMessage) any {
	var v any
	_ = json.Unmarshal(raw, &v) // it was JSON when it came; nothing is null
	return camelKeys(v)
}

func camelKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			words := strings.Split(k, "_")
			for i, w := range words[1:] {
				if w != "" {
					words[i+1] = strings.ToUpper(w[:1]) + w[1:]
				}
			}
			out[strings.Join(words, "")] = camelKeys(e)
		}
		return out
	case []any:
		for i := range v {
			v[i] = camelKeys(v[i])
		}
	}
	return v
}

// errorDetector and streamDetector are the ids of the two detectors that every project has.
func errorDetector(p *project) string  { return p.ID + "1" }
func streamDetector(p *project) string { return p.ID + "2" }

func (s *Server) listDetectors(r *http.Request) (reply, error) {
	type detector struct {
		p         *project
		id, typ   string
		connected []string
	}
	var all []detector
	for _, p := range s.state.Projects {
		if want := r.URL.Query()["project"]; len(want) > 0 && !slices.Contains(want, p.ID) && !slices.Contains(want, "-1") {
			continue
		}
		for _, d := range []detector{{p: p, id: errorDetector(p), typ: "error"}, {p: p, id: streamDetector(p), typ: "issue_stream"}} {
			if q := r.URL.Query().Get("query"); strings.Contains(q, "type:") && !strings.Contains(q, "type:"+d.typ) {
				continue
			}
			d.connected = []string{}
			for _, w := range s.state.Workflows {
				if slices.Contains(w.Body.Detectors, json.Number(d.id)) {
					d.connected = append(d.connected, w.ID)
				}
			}
			all = append(all, d)
		}
	}
	return list(s, r, all, func(d detector) any {
		return map[string]any{
			"id": d.id, "projectId": d.p.ID, "name": map[string]string{"error": "Error Monitor", "issue_stream": "Issue Stream"}[d.typ], "type": d.typ,
			"description": nil, "workflowIds": d.connected, "owner": nil, "createdBy": nil, "latestGroup": nil, "enabled": true,
			"dateCreated": stamp(d.p.Created), "dateUpdated": stamp(d.p.Created), "dataSources": nil, "conditionGroup": nil, "config": map[string]any{},
		}
	})
}
