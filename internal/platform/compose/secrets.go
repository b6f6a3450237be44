package compose

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// secrets is the content of secrets.env.
type secrets struct {
	salt   string // of the digests
	change int    // number of the last change
	values map[string]secret
}

type secret struct {
	value  string
	change int // that set it
}

const secretsHeader = "# Secrets of an app on this engine, written by opsctl: opsctl env push sets them.\n" +
	"# A value is quoted as in JSON; the number before it is the change that set it.\n"

// parseSecrets reads secrets.env: what String wrote. The empty text has none.
func parseSecrets(text string) (secrets, error) {
	s := secrets{values: map[string]secret{}}
	at := 0
	for n, line := range strings.Split(text, "\n") {
		switch name, value, ok := strings.Cut(line, "="); {
		case strings.HasPrefix(line, "#salt "):
			s.salt = line[len("#salt "):]
		case strings.HasPrefix(line, "#change "):
			s.change, _ = strconv.Atoi(line[len("#change "):])
		case strings.HasPrefix(line, "#at "):
			at, _ = strconv.Atoi(line[len("#at "):])
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			var v string
			if !ok || json.Unmarshal([]byte(value), &v) != nil { // its text would be the secret itself
				return s, errs.New(errs.Failure, "%s of the app's volume, line %d: not what opsctl writes", secretsFile, n+1).
					WithHint("set the secrets again with opsctl env push, after taking the line away")
			}
			s.values[name] = secret{v, at}
		}
	}
	return s, nil
}

// String is the file.
func (s secrets) String() string {
	var b strings.Builder
	b.WriteString(secretsHeader)
	fmt.Fprintf(&b, "#salt %s\n#change %d\n", s.salt, s.change)
	for _, name := range s.names() {
		v := s.values[name]
		fmt.Fprintf(&b, "#at %d\n%s=%s\n", v.change, name, quote(v.value))
	}
	return b.String()
}

// quote writes a value as JSON does, with everything that may stand as it is so.
func quote(value string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(value) // of a string
	return strings.TrimSpace(b.String())
}

func (s secrets) names() []string {
	names := make([]string, 0, len(s.values))
	for name := range s.values {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// digest tells values apart to whoever does not know the salt.
func (s secrets) digest(name string) string {
	mac := hmac.New(sha256.New, []byte(s.salt))
	mac.Write([]byte(name + "\x00" + s.values[name].value))
	return hex.EncodeToString(mac.Sum(nil))[:32]
}

// edit sets (non-nil) and unsets (nil) secrets.
func (s *secrets) edit(changes map[string]*string) {
	if s.salt == "" {
		s.salt = randomHex(16)
	}
	next := s.change + 1
	for name, value := range changes {
		have, had := s.values[name]
		switch {
		case value == nil && had:
			delete(s.values, name)
			s.change = next
		case value != nil && (!had || have.value != *value):
			s.values[name] = secret{*value, next}
			s.change = next
		}
	}
}

// validVariable refuses what no container can be given.
func validVariable(name, value string) error {
	switch {
	case !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`).MatchString(name):
		return errs.New(errs.Usage, "%q is no name of a variable", name).WithHint("use letters, digits and underscores, and no digit first")
	case strings.ContainsRune(value, 0):
		return errs.New(errs.Usage, "the value of %s has a NUL byte, which no environment can hold", name).WithHint("encode it, for instance as base64")
	case !utf8.ValidString(value):
		return errs.New(errs.Usage, "the value of %s is no valid UTF-8, which the engine cannot carry", name).WithHint("encode it, for instance as base64")
	case len(value) > maxValue:
		return errs.New(errs.Usage, "the value of %s has %d bytes; a process can be given %d in one variable", name, len(value), maxValue).
			WithHint("keep it in a file or a store, and give the app its address")
	}
	return nil
}

// maxValue is Linux's limit of 128 KiB a string, less a name.
const maxValue = 128<<10 - 1<<10

// StageSecrets writes the secrets file. Containers get its values when they are made.
func (p *Platform) StageSecrets(ctx context.Context, app string, changes map[string]*string) error {
	for name, value := range changes {
		text := ""
		if value != nil {
			text = *value
		}
		if err := validVariable(name, text); err != nil {
			return err
		}
	}
	if err := p.exists(ctx, app); err != nil {
		return err
	}
	return p.change(ctx, app, secretsFile, func(text string) (string, error) {
		s, err := parseSecrets(text)
		if err != nil {
			return "", err
		}
		s.edit(changes)
		return s.String(), nil
	})
}

// ReadVariables gives the values that the next container would get.
func (p *Platform) ReadVariables(ctx context.Context, app string) (*platform.VariableSet, error) {
	now, err := p.look(ctx, app)
	if err != nil {
		return nil, err
	}
	s, err := parseSecrets(now.dump.Files[secretsFile])
	if err != nil {
		return nil, err
	}
	set := &platform.VariableSet{Source: secretsFile + " in the volume " + volumeName(app)}
	for name, v := range s.values {
		set.Values = append(set.Values, platform.Variable{Name: name, Value: v.value})
	}
	if current := now.current(); current != nil {
		for name, value := range current.Env {
			if _, secret := s.values[name]; !secret {
				set.Values = append(set.Values, platform.Variable{Name: name, Value: value, Plain: true})
			}
		}
	}
	slices.SortFunc(set.Values, func(a, b platform.Variable) int { return strings.Compare(a.Name, b.Name) })
	return set, nil
}
