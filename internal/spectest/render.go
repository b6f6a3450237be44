package spectest

import (
	"slices"

	"github.com/getkin/kin-openapi/openapi3"
)

// RenderFile is Render's document, of September 2025.
const RenderFile = "render.openapi.json"

// LoadRender reads Render's document together with what its own command-line
// client of August 2026 knows beyond it.
func LoadRender() (*OpenAPI, error) {
	str, boolean := openapi3.NewStringSchema, openapi3.NewBoolSchema
	pool := func() *openapi3.Schema { return str().WithEnum("none", "pgbouncer") }
	return LoadOpenAPI(RenderFile, Base("/v1"),
		AddField("postgresPOSTInput", "connectionPool", pool()),
		AddField("postgresPOSTInput", "enableDiskAutoscaling", boolean()),
		AddField("postgresPOSTInput", "parameterOverrides", openapi3.NewObjectSchema().WithAdditionalProperties(str())),
		AddField("postgresPATCHInput", "connectionPool", pool()),
		AddField("postgresPATCHInput", "enableDiskAutoscaling", boolean()),
		AddField("postgresPATCHInput", "parameterOverrides", openapi3.NewObjectSchema().WithAdditionalProperties(str())),
		AddField("postgres", "connectionPool", pool()),
		AddField("postgres", "diskAutoscalingEnabled", boolean()),
		AddField("postgresDetail", "connectionPool", pool()),
		AddField("postgresDetail", "diskAutoscalingEnabled", boolean()),
		AddField("postgresConnectionInfo", "internalConnectionPoolString", str()),
		AddField("postgresConnectionInfo", "externalConnectionPoolString", str()),
		AddField("keyValuePOSTInput", "persistenceMode", str().WithEnum("off", "snapshot", "journal_snapshot")),
		AddField("keyValuePATCHInput", "persistenceMode", str().WithEnum("off", "snapshot", "journal_snapshot")),
		AddField("keyValueOptions", "persistenceMode", str().WithEnum("off", "snapshot", "journal_snapshot")),
		AddField("servicePOST", "autoDeployTrigger", str().WithEnum("commit", "checksPass", "off")),
		AddField("servicePATCH", "autoDeployTrigger", str().WithEnum("commit", "checksPass", "off")),
		AddField("service", "autoDeployTrigger", str().WithEnum("commit", "checksPass", "off")),
		Edit(renderEdits),
		Newer("POST /key-value/{id}/suspend", "POST /key-value/{id}/resume", "GET /workflows"),
	)
}

// renderEdits are changes to schemas that have no name of their own.
func renderEdits(doc *openapi3.T) {
	deploy := doc.Paths.Value("/services/{serviceId}/deploys").Post.RequestBody.Value
	body := deploy.Content.Get("application/json").Schema.Value
	body.WithProperty("deployMode", openapi3.NewStringSchema().WithEnum("build_and_deploy", "deploy_only"))
	body.WithProperty("artifactId", openapi3.NewStringSchema())
	// It requires a property that it does not describe and the other form has not.
	if d := doc.Components.Schemas["postgresDetail"]; d != nil {
		d.Value.Required = slices.DeleteFunc(d.Value.Required, func(name string) bool { return name == "project" })
	}
	// PostgreSQL 18 came after the document.
	if v := doc.Components.Schemas["postgresVersion"]; v != nil {
		v.Value.Enum = append(v.Value.Enum, "18")
	}
}
