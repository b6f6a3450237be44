package render

import "github.com/opsctl/opsctl/internal/platform"

// strategy is the only one: Render brings up new instances, waits for their
// health, moves the traffic and stops the old ones.
const strategy = "rolling"

// releaseStatus is a deploy's status in the words of package platform. Both live
// and deactivated have served; canceled counts as failed, since it never did.
func releaseStatus(s string) platform.ReleaseStatus {
	switch s {
	case live, deactivated:
		return platform.Complete
	case buildFailed, preFailed, updateFailed, canceled:
		return platform.Failed
	}
	return platform.Running
}

// reason says why a deploy ended; "" when it ended well or has not.
func reason(s string) string {
	switch s {
	case buildFailed:
		return "the build failed, or the image could not be pulled"
	case preFailed:
		return "the release command failed"
	case updateFailed:
		return "the new version did not start, or did not become healthy"
	case canceled:
		return "it was cancelled"
	}
	return ""
}

// phase says what a deploy under way is doing.
func phase(s string) string {
	switch s {
	case created, queued:
		return "waits for its turn"
	case building:
		return "builds, or pulls the image"
	case preDeploying:
		return "runs the release command"
	case updating:
		return "starts the new version"
	}
	return s
}
