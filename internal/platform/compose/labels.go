package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/opsctl/opsctl/internal/platform"
)

// Labels of Compose, by which its commands find containers, networks and volumes.
const (
	composeProject = "com.docker.compose.project"
	composeService = "com.docker.compose.service"
	composeNumber  = "com.docker.compose.container-number"
	composeOneOff  = "com.docker.compose.oneoff"
	composeHash    = "com.docker.compose.config-hash"
	composeNetwork = "com.docker.compose.network"
	composeVolume  = "com.docker.compose.volume"
)

// Labels of opsctl's own.
const (
	labelApp     = "opsctl.app"
	labelRole    = "opsctl.role"
	labelVersion = "opsctl.version" // of the release
	labelRelease = "opsctl.release" // the release as JSON; no secrets
	labelSecrets = "opsctl.secrets" // the change of the secrets that it was made with
	labelHolder  = "opsctl.holder"
	labelSince   = "opsctl.since"
	labelFront   = "opsctl.front" // the front's protocol
	labelPublish = "opsctl.publish"
)

// The roles of containers.
const (
	roleApp     = "app"
	roleTask    = "task"
	roleFront   = "front"
	roleService = "service"
	roleLock    = "lock"
)

// Names of what an app has on the engine. They are Compose's where it has one.
func networkName(app string) string    { return app + "_default" }
func volumeName(app string) string     { return app + "_opsctl" }
func frontName(app string) string      { return app + "-opsctl-front-1" }
func lockName(app string) string       { return app + "-opsctl-lock" }
func imageName(app string) string      { return "localhost/opsctl/" + app } // never a registry's: nothing is pulled or pushed by it
func serviceName(app, s string) string { return app + "-" + s + "-1" }

// labelSet is the labels of a container, sorted by their making.
type labelSet []string

func (l *labelSet) add(name, value string) { *l = append(*l, "--label", name+"="+value) }

// containerLabels are those that every container of an app has. config is what it is
// made of: Compose compares its hash.
func containerLabels(app, service, role string, number int, config any) labelSet {
	var l labelSet
	raw, _ := json.Marshal(config) // strings and maps of them
	sum := sha256.Sum256(raw)
	l.add(composeProject, app)
	l.add(composeService, service)
	l.add(composeNumber, strconv.Itoa(number))
	oneOff := "False"
	if role == roleTask {
		oneOff = "True"
	}
	l.add(composeOneOff, oneOff)
	l.add(composeHash, hex.EncodeToString(sum[:]))
	l.add(labelApp, app)
	l.add(labelRole, role)
	return l
}

// released adds what is read back of a release.
func (l *labelSet) released(r platform.Release, secrets int) {
	r.Command = nil
	raw, _ := json.Marshal(r) // of plain fields
	l.add(labelVersion, r.Version)
	l.add(labelRelease, string(raw))
	l.add(labelSecrets, strconv.Itoa(secrets))
}

// release reads the release of a container back.
func (c container) release() platform.Release {
	var r platform.Release
	if err := json.Unmarshal([]byte(c.Config.Labels[labelRelease]), &r); err != nil {
		r = platform.Release{}
	}
	r.Version = c.Config.Labels[labelVersion]
	return r
}

func (c container) version() string { return c.Config.Labels[labelVersion] }

func (c container) role() string { return c.Config.Labels[labelRole] }

func (c container) service() string { return c.Config.Labels[composeService] }

// secrets is the change of the secrets that a container was made with.
func (c container) secrets() int {
	n, _ := strconv.Atoi(c.Config.Labels[labelSecrets])
	return n
}

func (c container) name() string { return strings.TrimPrefix(c.Name, "/") }
