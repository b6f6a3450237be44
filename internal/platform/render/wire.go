package render

import (
	"strings"
	"time"
)

// The parts of the API's objects that are used.

type owner struct {
	ID, Name, Email, Type string
}

// isOwnerID tells an id of a workspace from a name.
func isOwnerID(s string) bool {
	return strings.HasPrefix(s, "tea-") || strings.HasPrefix(s, "usr-") || strings.HasPrefix(s, "own-")
}

type service struct {
	ID                 string    `json:"id"`
	Name               string    `json:"name"`
	OwnerID            string    `json:"ownerId"`
	EnvironmentID      string    `json:"environmentId"`
	Type               string    `json:"type"`
	ImagePath          string    `json:"imagePath"`
	Repo               string    `json:"repo"`
	Branch             string    `json:"branch"`
	Suspended          string    `json:"suspended"`
	AutoDeploy         string    `json:"autoDeploy"`
	CreatedAt          time.Time `json:"createdAt"`
	RegistryCredential *struct {
		ID string `json:"id"`
	} `json:"registryCredential"`
	Details struct {
		HealthCheckPath string `json:"healthCheckPath"`
		NumInstances    int    `json:"numInstances"`
		Plan            string `json:"plan"`
		Region          string `json:"region"`
		Runtime         string `json:"runtime"`
		URL             string `json:"url"`
		Autoscaling     *struct {
			Enabled bool `json:"enabled"`
		} `json:"autoscaling"`
	} `json:"serviceDetails"`
}

func (s *service) suspended() bool { return s.Suspended == "suspended" }

// scalesItself tells whether Render decides on the number of instances.
func (s *service) scalesItself() bool {
	return s.Details.Autoscaling != nil && s.Details.Autoscaling.Enabled
}

type envVar struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type deploy struct {
	ID     string `json:"id"`
	Commit *struct {
		ID      string `json:"id"`
		Message string `json:"message"`
	} `json:"commit"`
	Image *struct {
		Ref string `json:"ref"`
		SHA string `json:"sha"`
	} `json:"image"`
	Status     string    `json:"status"`
	Trigger    string    `json:"trigger"`
	CreatedAt  time.Time `json:"createdAt"`
	FinishedAt time.Time `json:"finishedAt"`
}

// The statuses of a deploy.
const (
	created      = "created"
	queued       = "queued"
	building     = "build_in_progress"
	preDeploying = "pre_deploy_in_progress"
	updating     = "update_in_progress"
	live         = "live"
	deactivated  = "deactivated" // was live, and another one is now
	canceled     = "canceled"
	buildFailed  = "build_failed"
	preFailed    = "pre_deploy_failed"
	updateFailed = "update_failed"
)

// underWay tells whether a deploy is not over. A status of which this program
// does not know is taken to be one on the way.
func (d *deploy) underWay() bool {
	switch d.Status {
	case live, deactivated, canceled, buildFailed, preFailed, updateFailed:
		return false
	}
	return true
}

// content is what a deploy runs, in the form of platform.Release.Image.
func (d *deploy) content() string {
	switch {
	case d.Image != nil && d.Image.Ref != "":
		if d.Image.SHA == "" || strings.Contains(d.Image.Ref, "@") {
			return d.Image.Ref
		}
		sha := d.Image.SHA
		if !strings.Contains(sha, ":") {
			sha = "sha256:" + sha
		}
		return d.Image.Ref + "@" + sha
	case d.Commit != nil && d.Commit.ID != "":
		return "git:" + d.Commit.ID
	}
	return ""
}

type postgres struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Status    string    `json:"status"`
	Region    string    `json:"region"`
	Plan      string    `json:"plan"`
	CreatedAt time.Time `json:"createdAt"`
}

type keyValue struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Status string `json:"status"`
}
