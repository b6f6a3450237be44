package spectest

import "github.com/getkin/kin-openapi/openapi3"

// SentryFile is Sentry's document, of August 2026.
const SentryFile = "sentry.openapi.json"

// LoadSentry reads Sentry's document with what it tells wrongly put right.
func LoadSentry() (*OpenAPI, error) { return LoadOpenAPI(SentryFile, Edit(sentryEdits)) }

func sentryEdits(doc *openapi3.T) {
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for code, r := range op.Responses.Map() {
				// It shows no body for errors, nor for 208; they have {"detail": ...} and the release.
				if r.Value != nil && len(r.Value.Content) == 0 && code >= "208" {
					r.Value.Content = openapi3.NewContentWithJSONSchema(&openapi3.Schema{AdditionalProperties: openapi3.AdditionalProperties{Has: new(true)}})
				}
			}
		}
	}
	for s := range allSchemas(doc) {
		props := s.Properties
		if env := props["environments"]; env != nil && props["isUpserting"] != nil {
			// A monitor has a list of environments, and nobody has to own it.
			props["environments"] = openapi3.NewSchemaRef("", &openapi3.Schema{Type: &openapi3.Types{"array"}, Items: env})
			props["owner"].Value.Nullable = true
		}
		if sched := props["schedule"]; sched != nil && props["schedule_type"] != nil {
			for _, alt := range append(sched.Value.AnyOf, sched.Value.OneOf...) {
				if alt.Value.Items != nil {
					alt.Value.Items = openapi3.NewSchemaRef("", openapi3.NewSchema()) // a number and a unit
				}
			}
		}
		if props["shortId"] != nil && props["sentryAppIssues"] != nil {
			s.Required = without(s.Required, "derivedData", "stats", "lifetime", "filtered", "sessionCount", "inbox", "owners", "integrationIssues",
				"sentryAppIssues", "latestEventHasAttachments", "matchingEventId", "matchingEventEnvironment") // only with expand
		}
		if props["discard"] != nil && props["substatus"] != nil {
			s.Required = nil // an update changes what it names
		}
	}
}

func without(list []string, drop ...string) (out []string) {
	for _, s := range list {
		keep := true
		for _, d := range drop {
			keep = keep && s != d
		}
		if keep {
			out = append(out, s)
		}
	}
	return out
}
