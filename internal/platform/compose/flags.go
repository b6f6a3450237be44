package compose

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/opsctl/opsctl/internal/errs"
)

// readService turns a service of a compose file into what `docker create` takes.
// Ports are left to the caller.
func readService(project *types.Project, s types.ServiceConfig) (*service, error) {
	out := &service{name: s.Name, image: s.Image, command: s.Command, env: map[string]string{}, ports: s.Ports}
	for name, value := range s.Environment {
		if value != nil {
			out.env[name] = *value
		}
	}
	if len(s.Entrypoint) > 0 { // the flag takes a program; its arguments go before the command
		out.flags = append(out.flags, "--entrypoint", s.Entrypoint[0])
		out.command = slices.Concat(s.Entrypoint[1:], s.Command)
	}
	out.flags = append(out.flags, processFlags(s)...)
	out.flags = append(out.flags, limitFlags(s)...)
	check, checked := healthFlags(s.HealthCheck)
	out.flags, out.checked = append(out.flags, check...), checked
	if err := out.mounts(project, s); err != nil {
		return nil, err
	}
	return out, out.contents(project, s)
}

// flagList collects flags of values that are set.
type flagList []string

func (l *flagList) text(flag, value string) {
	if value != "" {
		*l = append(*l, flag, value)
	}
}

func (l *flagList) each(flag string, values ...string) {
	for _, v := range values {
		*l = append(*l, flag, v)
	}
}

func (l *flagList) is(flag string, on bool) {
	if on {
		*l = append(*l, flag)
	}
}

func (l *flagList) bytes(flag string, n types.UnitBytes) {
	if n > 0 {
		*l = append(*l, flag, strconv.FormatInt(int64(n), 10))
	}
}

func processFlags(s types.ServiceConfig) []string {
	var l flagList
	l.is("--init", s.Init != nil && *s.Init)
	l.is("--read-only", s.ReadOnly)
	l.is("--privileged", s.Privileged)
	l.is("--tty", s.Tty)
	l.text("--user", s.User)
	l.text("--workdir", s.WorkingDir)
	l.text("--hostname", s.Hostname)
	l.text("--ipc", s.Ipc)
	l.text("--pid", s.Pid)
	l.text("--runtime", s.Runtime)
	l.text("--stop-signal", s.StopSignal)
	if s.StopGracePeriod != nil {
		l.text("--stop-timeout", strconv.Itoa(int(time.Duration(*s.StopGracePeriod).Seconds())))
	}
	l.each("--cap-add", s.CapAdd...)
	l.each("--cap-drop", s.CapDrop...)
	l.each("--security-opt", s.SecurityOpt...)
	l.each("--group-add", s.GroupAdd...)
	l.each("--dns", s.DNS...)
	l.each("--dns-search", s.DNSSearch...)
	l.each("--dns-option", s.DNSOpts...)
	l.each("--tmpfs", s.Tmpfs...)
	l.each("--add-host", slices.Sorted(slices.Values(s.ExtraHosts.AsList(":")))...)
	for _, d := range s.Devices {
		l.text("--device", strings.TrimSuffix(d.Source+":"+d.Target+":"+d.Permissions, ":"))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Sysctls)) {
		l.text("--sysctl", name+"="+s.Sysctls[name])
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		l.text("--label", name+"="+s.Labels[name])
	}
	if s.Logging != nil {
		l.text("--log-driver", s.Logging.Driver)
		for _, name := range slices.Sorted(maps.Keys(s.Logging.Options)) {
			l.text("--log-opt", name+"="+s.Logging.Options[name])
		}
	}
	return l
}

func limitFlags(s types.ServiceConfig) []string {
	var l flagList
	memory, cpus, pids := s.MemLimit, float64(s.CPUS), s.PidsLimit
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		limits := s.Deploy.Resources.Limits
		memory, cpus, pids = cmp.Or(limits.MemoryBytes, memory), cmp.Or(float64(limits.NanoCPUs), cpus), cmp.Or(limits.Pids, pids)
	}
	l.bytes("--memory", memory)
	l.bytes("--memory-reservation", s.MemReservation)
	l.bytes("--memory-swap", s.MemSwapLimit)
	l.bytes("--shm-size", s.ShmSize)
	if cpus > 0 {
		l.text("--cpus", strconv.FormatFloat(cpus, 'f', -1, 32))
	}
	if pids != 0 {
		l.text("--pids-limit", strconv.FormatInt(pids, 10))
	}
	for _, name := range slices.Sorted(maps.Keys(s.Ulimits)) {
		if u := s.Ulimits[name]; u.Single != 0 {
			l.text("--ulimit", fmt.Sprintf("%s=%d", name, u.Single))
		} else {
			l.text("--ulimit", fmt.Sprintf("%s=%d:%d", name, u.Soft, u.Hard))
		}
	}
	return l
}

// withoutHealth are the flags of a container that is no server: without those of a
// health check, which the engine refuses beside --no-healthcheck.
func withoutHealth(flags []string) []string {
	var out []string
	for i := 0; i < len(flags); i++ {
		switch {
		case strings.HasPrefix(flags[i], "--health-"):
			i++ // with its value
		case flags[i] != "--no-healthcheck":
			out = append(out, flags[i])
		}
	}
	return out
}

// healthFlags are those of a health check, and whether there is one.
func healthFlags(h *types.HealthCheckConfig) ([]string, bool) {
	if h == nil {
		return nil, false
	}
	if h.Disable || len(h.Test) > 0 && h.Test[0] == "NONE" {
		return []string{"--no-healthcheck"}, false
	}
	var l flagList
	if len(h.Test) > 1 {
		command := h.Test[1]
		if h.Test[0] == "CMD" { // the flag is a shell's line
			quoted := make([]string, len(h.Test)-1)
			for i, word := range h.Test[1:] {
				quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
			}
			command = strings.Join(quoted, " ")
		}
		l.text("--health-cmd", command)
	}
	duration := func(flag string, d *types.Duration) {
		if d != nil {
			l.text(flag, time.Duration(*d).String())
		}
	}
	duration("--health-interval", h.Interval)
	duration("--health-timeout", h.Timeout)
	duration("--health-start-period", h.StartPeriod)
	if h.Retries != nil {
		l.text("--health-retries", strconv.FormatUint(*h.Retries, 10))
	}
	return l, len(h.Test) > 1
}

// mounts are volumes and folders. Named volumes are those of the project, which stay.
func (out *service) mounts(project *types.Project, s types.ServiceConfig) error {
	for _, v := range s.Volumes {
		mount := "type=" + v.Type + ",target=" + v.Target
		switch v.Type {
		case types.VolumeTypeVolume:
			if v.Source != "" {
				named, ok := project.Volumes[v.Source]
				if !ok {
					return errs.New(errs.Usage, "the service %s uses the volume %q, which the compose file does not define", s.Name, v.Source)
				}
				mount += ",source=" + named.Name
				out.volumes = append(out.volumes, readVolume(project.Name, v.Source, named))
			}
		case types.VolumeTypeBind:
			mount += ",source=" + v.Source
		case types.VolumeTypeTmpfs:
			if v.Tmpfs != nil && v.Tmpfs.Size > 0 {
				mount += ",tmpfs-size=" + strconv.FormatInt(int64(v.Tmpfs.Size), 10)
			}
		default:
			return errs.New(errs.Usage, "the service %s mounts a %s, which opsctl does not", s.Name, v.Type)
		}
		if v.ReadOnly {
			mount += ",readonly"
		}
		out.flags = append(out.flags, "--mount", mount)
	}
	return nil
}

func readVolume(project, key string, v types.VolumeConfig) volume {
	var l flagList
	l.text("--driver", v.Driver)
	for _, name := range slices.Sorted(maps.Keys(v.DriverOpts)) {
		l.text("--opt", name+"="+v.DriverOpts[name])
	}
	l.text("--label", composeProject+"="+project)
	l.text("--label", composeVolume+"="+key)
	l.text("--label", labelApp+"="+project)
	return volume{name: v.Name, flags: l, other: bool(v.External)}
}

// contents are the configs and secrets of a service, as files that are put into its
// containers.
func (out *service) contents(project *types.Project, s types.ServiceConfig) error {
	for _, c := range s.Configs {
		target := cmp.Or(c.Target, "/"+c.Source)
		if err := out.content(project, types.FileReferenceConfig(c), target, types.FileObjectConfig(project.Configs[c.Source])); err != nil {
			return err
		}
	}
	for _, c := range s.Secrets {
		target := cmp.Or(c.Target, c.Source)
		if !strings.HasPrefix(target, "/") {
			target = "/run/secrets/" + target
		}
		if err := out.content(project, types.FileReferenceConfig(c), target, types.FileObjectConfig(project.Secrets[c.Source])); err != nil {
			return err
		}
	}
	return nil
}

func (out *service) content(project *types.Project, ref types.FileReferenceConfig, target string, object types.FileObjectConfig) error {
	f := file{path: target, mode: 0o444}
	switch {
	case object.Content != "":
		f.content = []byte(object.Content)
	case object.Environment != "":
		f.content = []byte(project.Environment[object.Environment])
	case object.File != "":
		raw, err := os.ReadFile(object.File)
		if err != nil {
			return errs.Wrap(err, errs.Usage, "read %q of the compose file", ref.Source)
		}
		f.content = raw
	default:
		return errs.New(errs.Usage, "%q of the compose file has no content that is here", ref.Source)
	}
	if ref.Mode != nil {
		f.mode = int64(*ref.Mode)
	}
	f.uid, _ = strconv.Atoi(ref.UID)
	f.gid, _ = strconv.Atoi(ref.GID)
	out.files = append(out.files, f)
	return nil
}
