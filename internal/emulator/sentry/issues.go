package sentry

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (s *Server) eventRoutes() {
	s.handle("GET /projects/{org}/{project}/events/{id}/", s.getEvent)
	s.handle("GET /projects/{org}/{project}/events/", s.listEvents)
	s.handle("GET /organizations/{org}/eventids/{id}/", s.resolveEvent)
	s.handle("GET /organizations/{org}/issues/", s.listIssues)
	s.handle("GET /projects/{org}/{project}/issues/", s.listIssues)
	s.handle("GET /organizations/{org}/issues/{issue}/", s.getIssue)
	s.handle("PUT /organizations/{org}/issues/{issue}/", s.updateIssue)
	s.handle("GET /organizations/{org}/issues/{issue}/events/", s.issueEvents)
	s.handle("GET /organizations/{org}/issues/{issue}/events/{id}/", s.getEvent)
}

func (s *Server) getEvent(r *http.Request) (reply, error) {
	id := r.PathValue("id")
	if id == "latest" || id == "oldest" || id == "recommended" {
		list := s.eventsOf(r.PathValue("issue"))
		if len(list) == 0 {
			return reply{}, errNotFound
		}
		id = list[0].ID
		if r.PathValue("id") == "oldest" {
			id = list[len(list)-1].ID
		}
	}
	e, err := s.processed(id)
	if err != nil {
		return reply{}, err
	}
	if p := s.project(r.PathValue("project")); p != nil && p.ID != e.Project {
		return reply{}, &apiError{http.StatusNotFound, "Event not found", ""}
	}
	doc := s.eventDoc(e)
	doc["release"], doc["userReport"], doc["sdkUpdates"], doc["resolvedWith"] = nil, nil, []any{}, []any{}
	doc["nextEventID"], doc["previousEventID"] = nil, nil
	if e.Release != "" {
		doc["release"] = map[string]any{"version": e.Release}
		if rel := s.release(e.Release); rel != nil {
			doc["release"] = map[string]any{"id": rel.ID, "version": rel.Version, "dateCreated": stamp(rel.Created), "dateReleased": stampOr(rel.Released)}
		}
	}
	return ok(doc)
}

// eventsOf are the processed events of an issue, newest first.
func (s *Server) eventsOf(issue string) (out []*event) {
	for _, e := range slices.Backward(s.state.Events) {
		if e.Issue == issue && s.opts.Now().Sub(e.Received) >= s.opts.Processing {
			out = append(out, e)
		}
	}
	return out
}

// allTags are the event's own and those that Sentry makes of its fields.
func (e *event) allTags() []any {
	out := []any{}
	for _, t := range [][2]string{{"environment", e.Environment}, {"level", e.Level}, {"release", e.Release}} {
		if t[1] != "" {
			out = append(out, map[string]any{"key": t[0], "value": t[1]})
		}
	}
	for _, t := range e.Tags {
		out = append(out, map[string]any{"key": t[0], "value": t[1]})
	}
	return out
}

func (s *Server) eventDoc(e *event) map[string]any {
	return map[string]any{
		"id": e.ID, "eventID": e.ID, "groupID": e.Issue, "projectID": e.Project, "message": e.Message, "title": e.Title, "location": nil, "user": nil,
		"tags": e.allTags(), "platform": e.Platform, "dateReceived": stamp(e.Received), "dateCreated": stamp(e.Received), "contexts": map[string]any{},
		"size": len(e.Body), "entries": []any{}, "dist": nil, "sdk": nil, "context": map[string]any{}, "packages": map[string]any{}, "type": e.Type,
		"metadata": map[string]any{"title": e.Title}, "errors": []any{}, "occurrence": nil, "_meta": map[string]any{}, "culprit": "",
		"fingerprints": []string{s.issue(e.Issue).Key},
	}
}

func (s *Server) resolveEvent(r *http.Request) (reply, error) {
	e, err := s.processed(r.PathValue("id"))
	if err != nil {
		return reply{}, err
	}
	return ok(map[string]any{
		"organizationSlug": s.opts.Org, "projectSlug": s.project(e.Project).Slug, "groupId": e.Issue, "eventId": e.ID, "event": s.eventDoc(e),
	})
}

func (s *Server) listEvents(r *http.Request) (reply, error) {
	p := s.project(r.PathValue("project"))
	var found []*event
	for _, e := range slices.Backward(s.state.Events) {
		if e.Project == p.ID && s.opts.Now().Sub(e.Received) >= s.opts.Processing {
			found = append(found, e)
		}
	}
	return list(s, r, found, func(e *event) any { return s.eventDoc(e) })
}

func (s *Server) issueEvents(r *http.Request) (reply, error) {
	return list(s, r, s.eventsOf(r.PathValue("issue")), func(e *event) any { return s.eventDoc(e) })
}

// issue finds an issue by its number or short id; an unknown one is nil.
func (s *Server) issue(id string) *issue {
	for _, i := range s.state.Issues {
		if i.ID == id || i.Short == id {
			return i
		}
	}
	return nil
}

// listIssues understands of Sentry's search language only is:STATUS, release:,
// environment: and words of the title.
func (s *Server) listIssues(r *http.Request) (reply, error) {
	query, given := r.URL.Query().Get("query"), r.URL.Query().Has("query")
	if !given {
		query = "is:unresolved"
	}
	p := s.project(r.PathValue("project"))
	var found []*issue
	for _, i := range slices.Backward(s.state.Issues) {
		if (p == nil || p.ID == i.Project) && s.matches(i, query) && len(s.eventsOf(i.ID)) > 0 {
			found = append(found, i)
		}
	}
	return list(s, r, found, func(i *issue) any { return s.issueDoc(i) })
}

func (s *Server) matches(i *issue, query string) bool {
	for word := range strings.FieldsSeq(query) {
		name, value, isField := strings.Cut(word, ":")
		value = strings.Trim(value, `"`)
		switch {
		case isField && name == "is":
			if value != i.Status {
				return false
			}
		case isField:
			if !slices.ContainsFunc(s.eventsOf(i.ID), func(e *event) bool { return e.has(name, value) }) {
				return false
			}
		case !strings.Contains(strings.ToLower(i.Title), strings.ToLower(word)):
			return false
		}
	}
	return true
}

func (e *event) has(name, value string) bool {
	return slices.ContainsFunc(e.allTags(), func(t any) bool {
		m := t.(map[string]any)
		return m["key"] == name && m["value"] == value
	})
}

// detail is an issue by itself, with what a list leaves out.
func (s *Server) detail(i *issue) map[string]any {
	doc := s.issueDoc(i)
	doc["activity"], doc["seenBy"], doc["participants"], doc["userReportCount"] = []any{}, []any{}, []any{}, 0
	return doc
}

func (s *Server) getIssue(r *http.Request) (reply, error) {
	i := s.issue(r.PathValue("issue"))
	if i == nil {
		return reply{}, errNotFound
	}
	return ok(s.detail(i))
}

func (s *Server) updateIssue(r *http.Request) (reply, error) {
	var in struct {
		Status *string `json:"status"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	i := s.issue(r.PathValue("issue"))
	if i == nil {
		return reply{}, errNotFound
	}
	if in.Status != nil {
		switch *in.Status {
		case "resolved", "unresolved", "ignored":
			i.Status, i.Substatus = *in.Status, map[string]string{"unresolved": "ongoing", "ignored": "archived_until_escalating"}[*in.Status]
		default:
			return reply{}, bad("status", fmt.Sprintf("%q is not a valid choice.", *in.Status))
		}
	}
	return ok(s.issueDoc(i))
}

func (s *Server) issueDoc(i *issue) map[string]any {
	p := s.project(i.Project)
	var substatus any
	if i.Substatus != "" {
		substatus = i.Substatus
	}
	return map[string]any{
		"id": i.ID, "shareId": nil, "shortId": i.Short, "title": i.Title, "culprit": "", "permalink": s.opts.URL() + "/organizations/" + s.opts.Org + "/issues/" + i.ID + "/",
		"logger": nil, "level": i.Level, "status": i.Status, "statusDetails": map[string]any{}, "substatus": substatus, "isPublic": false, "platform": "other",
		"priority": "medium", "priorityLockedAt": nil, "seerFixabilityScore": nil, "seerAutofixLastTriggered": nil, "seerExplorerAutofixLastTriggered": nil,
		"project": map[string]any{"id": p.ID, "name": p.Name, "slug": p.Slug, "platform": nil}, "type": i.Type, "issueType": "error", "issueCategory": "error",
		"metadata": map[string]any{"title": i.Title}, "numComments": 0, "assignedTo": nil, "isBookmarked": false, "isSubscribed": false,
		"subscriptionDetails": nil, "hasSeen": false, "annotations": []any{}, "isUnhandled": false, "count": strconv.Itoa(i.Count), "userCount": 0,
		"firstSeen": stamp(i.First), "lastSeen": stamp(i.Last),
	}
}
