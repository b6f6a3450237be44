package emulator

import (
	"net/http"
	"strings"
)

// reason is what a fault's status is called in an answer.
func reason(f *Fault) string { return "injected fault: " + strings.ToLower(http.StatusText(f.Status)) }

// refuseFly is how Fly's APIs and its registry refuse a request: a text and,
// below /v1 but not for Managed Postgres, a status word; GraphQL errors in a list.
func refuseFly(path string, f *Fault, _ string) any {
	message := reason(f)
	switch {
	case isRegistry(path):
		return registryErrors(registryCode(f.Status), message)
	case path == "/graphql":
		return map[string]any{"errors": []any{map[string]any{"message": message, "extensions": map[string]any{"code": strings.ToUpper(strings.ReplaceAll(http.StatusText(f.Status), " ", "_"))}}}}
	case f.Status == http.StatusUnauthorized:
		message = "unauthorized"
	case f.Status == http.StatusConflict && strings.HasSuffix(path, "/lease"):
		message = "failed_precondition: machine lease currently held by somebody@example.com (" + message + ")"
	}
	body := map[string]any{"error": message}
	if strings.HasPrefix(path, "/v1/") && !strings.HasPrefix(path, "/v1/postgres") {
		body["status"] = "unknown"
	}
	return body
}

// refuseSentry is how Sentry refuses a request.
func refuseSentry(_ string, f *Fault, _ string) any { return map[string]any{"detail": reason(f)} }

// refuseRender is how Render refuses a request: an id and a text.
func refuseRender(_ string, f *Fault, id string) any {
	return map[string]any{"id": id, "message": reason(f)}
}

// refuseRailway is how Railway refuses a request: as GraphQL does, and as a text elsewhere.
func refuseRailway(path string, f *Fault, id string) any {
	if path != "/graphql/v2" {
		return map[string]any{"message": reason(f)}
	}
	return map[string]any{"errors": []any{map[string]any{"message": reason(f), "traceId": id}}, "data": nil}
}

// registryCode is the error code of the registry protocol (OCI distribution,
// "Error codes") that goes with a status.
func registryCode(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHORIZED"
	case http.StatusForbidden:
		return "DENIED"
	case http.StatusNotFound:
		return "NAME_UNKNOWN"
	case http.StatusTooManyRequests:
		return "TOOMANYREQUESTS"
	}
	return "UNKNOWN"
}
