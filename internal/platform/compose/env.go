package compose

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/errs"
)

// variables is how values get into a container without standing in the arguments
// of the engine's command line, where every user of the machine could read them.
//
// `--env NAME` takes the value from the command's own environment, byte for byte,
// newlines too. A variable that means something to that command itself, such as
// PATH, goes by a file instead (`--env-file`, mode 600): its syntax knows no quotes,
// so a value with a newline cannot be in it.
type variables struct {
	args []string
	env  []string
	file string // to be removed
}

// passVariables prepares variables; call discard when the command has ended.
func passVariables(values map[string]string) (*variables, error) {
	v := &variables{}
	var inFile []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		value := values[name]
		if err := validVariable(name, value); err != nil {
			return nil, err
		}
		if !meansSomething(name) {
			v.args = append(v.args, "--env", name)
			v.env = append(v.env, name+"="+value)
			continue
		}
		if strings.ContainsAny(value, "\r\n") || len(value) > maxFileLine {
			return nil, errs.New(errs.Usage, "the value of %s has a newline, or is too long, and the engine's own program reads a variable of that name", name).
				WithHint("call the variable something else")
		}
		inFile = append(inFile, name+"="+value+"\n")
	}
	if len(inFile) == 0 {
		return v, nil
	}
	f, err := os.CreateTemp("", "opsctl-env-") // mode 600
	if err != nil {
		return nil, fmt.Errorf("write variables to a file: %w", err)
	}
	v.file = f.Name()
	_, err = f.WriteString(strings.Join(inFile, ""))
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err != nil {
		v.discard()
		return nil, fmt.Errorf("write variables to a file: %w", err)
	}
	v.args = append(v.args, "--env-file", v.file)
	return v, nil
}

// maxFileLine is less than the line that Docker reads from an env file.
const maxFileLine = 60 << 10

func (v *variables) discard() {
	if v.file != "" {
		_ = os.Remove(v.file)
	}
}

// meansSomething tells whether a variable changes what Docker, Podman, ssh or the
// loader of programs does.
func meansSomething(name string) bool {
	upper := strings.ToUpper(name)
	return slices.Contains(strings.Fields(`PATH HOME USER LOGNAME SHELL TMPDIR TEMP TMP LANG TERM COLUMNS DISPLAY IFS ENV NO_COLOR TZ ZONEINFO
		HTTP_PROXY HTTPS_PROXY NO_PROXY ALL_PROXY HOSTALIASES LOCALDOMAIN RES_OPTIONS NOTIFY_SOCKET SYSTEMROOT USERPROFILE APPDATA
		GODEBUG GOMAXPROCS GOGC GOMEMLIMIT GOTRACEBACK GOCOVERDIR GORACE SSL_CERT_FILE SSL_CERT_DIR SSH_AUTH_SOCK SSH_AGENT_PID SSH_ASKPASS
		CONTAINER_HOST CONTAINER_CONNECTION CONTAINER_SSHKEY CONTAINER_PROXY REGISTRY_AUTH_FILE STORAGE_DRIVER STORAGE_OPTS`), upper) ||
		slices.ContainsFunc([]string{"DOCKER_", "BUILDKIT_", "BUILDX_", "COMPOSE_", "CONTAINERS_", "PODMAN_", "LD_", "DYLD_", "XDG_", "DBUS_", "LC_", "OTEL_", "GLIBC_"},
			func(prefix string) bool { return strings.HasPrefix(upper, prefix) })
}
