package railway

import (
	"slices"
	"time"
)

// state is everything that a snapshot keeps. Lists are in the order of
// creation. All of it is guarded by Server.mu.
type state struct {
	Workspace, User string // ids
	Projects        []*projectDoc
	Environments    []*environmentDoc
	Services        []*serviceDoc
	Instances       []*instance
	Deployments     []*deployment
	ServiceDomains  []*serviceDomain
	CustomDomains   []*customDomain
	Proxies         []*tcpProxy
	Volumes         []*volume
	VolumeInstances []*volumeInstance
	Backups         []*backup
	Workflows       map[string]*workflow
	Patches         []*patch
	Tokens          map[string]*projectToken // by value
	Shared          map[string]map[string]*variable
	Sources         map[string]int64 // uploaded archives: size by sha256
}

func newState() *state {
	return &state{
		Workflows: map[string]*workflow{}, Tokens: map[string]*projectToken{}, Shared: map[string]map[string]*variable{}, Sources: map[string]int64{},
	}
}

type projectDoc struct {
	ID, Name, Description string
	Public, PRDeploys     bool
	BaseEnvironment       string
	CreatedAt, UpdatedAt  time.Time
}

type environmentDoc struct {
	ID, ProjectID, Name, Source string // Source: the environment that it is a fork of
	Ephemeral                   bool
	CreatedAt, UpdatedAt        time.Time
}

type serviceDoc struct {
	ID, ProjectID, Name, Icon, TemplateID string
	CreatedAt, UpdatedAt                  time.Time
}

// instance is a service in an environment.
type instance struct {
	ID, ServiceID, EnvironmentID, ProjectID string
	App                                     string // the world's app
	Settings                                settings
	Variables                               map[string]*variable
	CPUs, MemoryGB                          float64
	Upload                                  string          // sha256 of the newest uploaded source
	PrivatePort                             int             // of a database service
	Ephemeral                               *volumeInstance // the data of a database service without a volume
	Active                                  string          // the deployment that gets the traffic
	CreatedAt, UpdatedAt                    time.Time
}

// variable is one variable as it was set, references and all.
type variable struct {
	Value     string
	Sealed    bool `json:",omitempty"`
	CreatedAt time.Time
}

// settings are what a deployment is made from, beside the variables.
type settings struct {
	Image                   string         `json:"image,omitempty"`
	Repo                    string         `json:"repo,omitempty"`
	Branch                  string         `json:"branch,omitempty"`
	StartCommand            string         `json:"startCommand,omitempty"`
	BuildCommand            string         `json:"buildCommand,omitempty"`
	Builder                 string         `json:"builder,omitempty"`
	DockerfilePath          string         `json:"dockerfilePath,omitempty"`
	RootDirectory           string         `json:"rootDirectory,omitempty"`
	HealthcheckPath         string         `json:"healthcheckPath,omitempty"`
	HealthcheckTimeout      int            `json:"healthcheckTimeout,omitempty"`
	PreDeployCommand        []string       `json:"preDeployCommand,omitempty"`
	NumReplicas             int            `json:"numReplicas,omitempty"`
	Region                  string         `json:"region,omitempty"`
	Regions                 map[string]int `json:"regions,omitempty"` // replicas by region: multiRegionConfig
	RestartPolicyType       string         `json:"restartPolicyType,omitempty"`
	RestartPolicyMaxRetries *int           `json:"restartPolicyMaxRetries,omitempty"`
	OverlapSeconds          int            `json:"overlapSeconds,omitempty"`
	DrainingSeconds         int            `json:"drainingSeconds,omitempty"`
	CronSchedule            string         `json:"cronSchedule,omitempty"`
	SleepApplication        bool           `json:"sleepApplication,omitempty"`
	RailwayConfigFile       string         `json:"railwayConfigFile,omitempty"`
	WatchPatterns           []string       `json:"watchPatterns,omitempty"`
	Credentials             bool           `json:"credentials,omitempty"` // registry credentials were given; they are not kept
}

// deployment is one attempt to bring a version of a service into the world.
type deployment struct {
	ID, ProjectID, EnvironmentID, ServiceID, SnapshotID string
	Status                                              string
	Reason                                              string // deploy, redeploy, rollback, variables, patch
	Settings                                            settings
	Variables                                           map[string]string    // rendered, what the processes get
	Kept                                                map[string]*variable // as they were set, for a rollback
	Image, Digest, Upload                               string
	Message                                             string
	From                                                string // the deployment it repeats
	PatchID                                             string
	Succeeded                                           bool // it was SUCCESS once
	Stopped                                             bool
	Events                                              []*event
	BuildLogs                                           []logLine
	Machines                                            []string  // world machines, the pre-deploy command's first
	Replicas                                            []string  // those of Machines that are the service
	Retired                                             time.Time // when another version took over
	CreatedAt, UpdatedAt, StatusAt                      time.Time
}

type event struct {
	ID, Step             string
	CreatedAt, Completed time.Time
	Payload              *eventPayload
}

type eventPayload struct {
	Error, Reason, Detail string
	Attempt, MaxAttempts  int
	Skipped               bool
	DurationMS            int64
}

type logLine struct {
	At                time.Time
	Message, Severity string
}

type projectToken struct {
	ID, Name, ProjectID, EnvironmentID string
	CreatedAt                          time.Time
}

type workflow struct {
	Status, Error string // Running, Complete, Error
}

// patch is a change to an environment's configuration.
type patch struct {
	ID, EnvironmentID, Status, Message string
	Changes                            map[string]any
	CreatedAt, UpdatedAt, AppliedAt    time.Time
}

// find returns the first element that fits, or nil.
func find[T any](list []*T, fits func(*T) bool) *T {
	if i := slices.IndexFunc(list, fits); i >= 0 {
		return list[i]
	}
	return nil
}

// filter returns the elements that fit.
func filter[T any](list []*T, fits func(*T) bool) []*T {
	var out []*T
	for _, e := range list {
		if fits(e) {
			out = append(out, e)
		}
	}
	return out
}

func (st *state) project(id string) *projectDoc {
	return find(st.Projects, func(p *projectDoc) bool { return p.ID == id })
}

func (st *state) environment(id string) *environmentDoc {
	return find(st.Environments, func(e *environmentDoc) bool { return e.ID == id })
}

func (st *state) service(id string) *serviceDoc {
	return find(st.Services, func(v *serviceDoc) bool { return v.ID == id })
}

func (st *state) deployment(id string) *deployment {
	return find(st.Deployments, func(d *deployment) bool { return d.ID == id })
}

func (st *state) instance(serviceID, environmentID string) *instance {
	return find(st.Instances, func(i *instance) bool { return i.ServiceID == serviceID && i.EnvironmentID == environmentID })
}

func (st *state) environments(projectID string) []*environmentDoc {
	return filter(st.Environments, func(e *environmentDoc) bool { return e.ProjectID == projectID })
}

func (st *state) services(projectID string) []*serviceDoc {
	return filter(st.Services, func(v *serviceDoc) bool { return v.ProjectID == projectID })
}

func (st *state) instances(environmentID string) []*instance {
	return filter(st.Instances, func(i *instance) bool { return i.EnvironmentID == environmentID })
}
