package render

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/opsctl/opsctl/internal/emulator/world"
)

// state is all that the API remembers. It goes to a file as it is, so its
// fields are exported; what belongs to the running process is not.
type state struct {
	Projects     []*project
	Environments []*environment
	Services     []*service
	Groups       []*envGroup
	Postgres     []*postgres
	KeyValues    []*keyValue
	// Heads are the newest commits by "REPO#BRANCH".
	Heads map[string]*commit
}

// Snapshot is the state as JSON, for Restore. It holds secrets: a file of it
// must be private.
func (s *Server) Snapshot() (json.RawMessage, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return json.Marshal(s.st)
}

// Restore takes the state that Snapshot gave and starts what it says should
// run. Machines and servers that the world still has, or has restored itself,
// are taken over by their id; the others are made anew. A deploy that was under
// way has ended with its process: it is canceled, and queued ones go on.
func (s *Server) Restore(data json.RawMessage) error {
	var st state
	if err := json.Unmarshal(data, &st); err != nil {
		return err
	}
	if st.Heads == nil {
		st.Heads = map[string]*commit{}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
	for _, v := range s.st.Services {
		s.adopt(v)
	}
	for _, p := range s.st.Postgres {
		s.adoptPostgres(p)
	}
	for _, k := range s.st.KeyValues {
		s.adoptKeyValue(k)
	}
	return nil
}

// adopt connects a restored service with the world.
func (s *Server) adopt(v *service) {
	v.app = s.w.App(v.Slug)
	if v.app == nil {
		v.app, _ = s.w.NewApp(v.Slug, s.hosts(v)...)
	}
	for _, d := range v.Domains {
		if d.Verified && s.w.AppByHost(d.Name) == nil {
			v.app.AddHost(d.Name)
		}
	}
	byID := map[string]*world.Machine{}
	for _, m := range v.app.Machines() {
		if m.Snapshot().State != world.Destroyed {
			byID[m.ID] = m
		}
	}
	for _, in := range v.Instances {
		if in.m = byID[in.ID]; in.m == nil {
			in.m = v.app.NewMachine(v.Details.Region, s.spec(v, v.Running, in.ID), in.ID, false, false)
		}
	}
	v.exits = map[string]int{}
	for _, in := range v.Instances {
		v.exits[in.ID] = -ends(in.m.Snapshot())
		delete(byID, in.ID)
	}
	for _, m := range byID { // of a deploy, a job or a version that has ended
		_ = m.Destroy(true)
	}
	for _, d := range v.Deploys {
		if !d.done() && d.Status != statusQueued {
			s.finish(v, d, statusCanceled, nil)
		}
	}
	for _, j := range v.Jobs {
		if j.Status == "pending" || j.Status == "running" {
			j.end(s.w.Now(), "canceled")
		}
	}
	s.next(v)
}

// service is a web service, private service, worker, cron job or static site.
type service struct {
	ID, Name, Slug, Type string
	OwnerID              string
	EnvironmentID        string
	CreatedAt, UpdatedAt time.Time
	AutoDeploy           string // yes or no
	AutoDeployTrigger    string // commit, checksPass, off
	Repo, Branch         string
	RootDir              string
	BuildFilter          json.RawMessage `json:",omitempty"`
	ImagePath            string          // fully qualified; empty for a repository
	CredentialID         string
	Suspended            bool
	Details              details
	Env                  []envVar // by key
	Files                []secretFile
	Deploys              []*deploy // oldest first
	Jobs                 []*job
	Events               []*event
	Domains              []*domain
	Lines                []line // what the platform itself logged

	// Running is what the instances run; nil before the first live deploy and
	// while suspended.
	Running   *run
	Instances []*instance

	app    *world.App
	busy   bool // a goroutine carries out a deploy or a restart
	cancel context.CancelFunc
	again  bool // a restart was asked for
	exits  map[string]int
}

// instance is one running copy of a service.
type instance struct {
	ID        string
	CreatedAt time.Time

	m *world.Machine
}

// run is what a deploy runs: its artifact and its settings at that moment.
type run struct {
	DeployID    string
	Image       *imageRef
	Commit      *commit
	Env         map[string]string // the service's own
	GroupEnv    map[string]string // of the linked groups
	Command     string            // replaces the image's
	Native      bool              // commands go through a shell
	PreDeploy   string
	HealthPath  string
	Instances   int
	MaxShutdown int // seconds
}

// imageRef is an image that a deploy resolved.
type imageRef struct {
	Ref string
	Sha string // sha256:...
}

// pinned is the reference with its digest, whatever became of its tag.
func (i *imageRef) pinned() string {
	if strings.Contains(i.Ref, "@") {
		return i.Ref
	}
	return i.Ref + "@" + i.Sha
}

// commit is a commit of a repository.
type commit struct {
	ID        string
	Message   string
	CreatedAt time.Time
}

type envVar struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type secretFile struct {
	Name    string `json:"name"`
	Content string `json:"content"`
}

// find returns the service of that id, or nil.
func (st *state) service(id string) *service {
	for _, v := range st.Services {
		if v.ID == id {
			return v
		}
	}
	return nil
}
