package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"
	"github.com/spf13/viper"

	"github.com/opsctl/opsctl/internal/errs"
)

// envPrefix starts the variables that override settings: OPSCTL_BACKUP_STORE for backup.store.
const envPrefix = "OPSCTL"

// globalKeys are the settings that are flags of every command.
var globalKeys = []string{"config", "env", "color", "json", "yes", "no-input", "dry-run", "verbose", "quiet"}

// Setting is one scalar setting with its value and where it came from.
type Setting struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Origin string `json:"origin"` // "default", "opsctl.yaml:3", "OPSCTL_BACKUP_STORE", a user file's path
}

// layers are the scalar settings of a project, layered by viper.
type layers struct {
	v       *viper.Viper
	decoded *decoded
	file    string
	lookup  func(string) (string, bool)
	user    *viper.Viper // the user file alone; nil without one
	userAt  string
}

// leaf is a scalar (or list of text) at a fixed place in the model.
type leaf struct {
	key   string
	value reflect.Value
}

// leaves lists the scalars of v. User-keyed maps are left out on purpose:
// viper would lower-case their keys.
func leaves(prefix string, v reflect.Value) []leaf {
	var out []leaf
	for i := range v.NumField() {
		key, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("yaml"), ",")
		if key == "-" || key == "" {
			continue
		}
		if prefix != "" {
			key = prefix + "." + key
		}
		f := v.Field(i)
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				continue
			}
			f = f.Elem()
		}
		switch {
		case f.Kind() == reflect.Struct:
			out = append(out, leaves(key, f)...)
		case f.Kind() == reflect.Map, f.Kind() == reflect.Slice && f.Type().Elem().Kind() != reflect.String:
		default:
			out = append(out, leaf{key, f})
		}
	}
	return out
}

func newLayers(d *decoded, file string, lookup func(string) (string, bool), userFile string) (*layers, error) {
	l := &layers{v: viper.New(), decoded: d, file: file, lookup: lookup, userAt: userFile}
	user, err := readUser(userFile)
	if err != nil {
		return nil, err
	}
	l.user = user
	known := slices.Clone(globalKeys)
	for _, leaf := range leaves("", reflect.ValueOf(d.project).Elem()) {
		known = append(known, leaf.key)
		l.v.SetDefault(leaf.key, text(leaf.value))
		if user != nil && user.IsSet(leaf.key) {
			value := user.GetString(leaf.key)
			if leaf.value.Kind() == reflect.Slice {
				value = strings.Join(user.GetStringSlice(leaf.key), ",")
			}
			l.v.Set(leaf.key, value) // replaced below by what is stronger
		}
		if _, written := d.places[leaf.key]; written {
			l.v.Set(leaf.key, text(leaf.value))
		}
		if value, ok := lookup(envName(leaf.key)); ok && value != "" {
			if err := parse(leaf.value, value); err != nil {
				return nil, errs.New(errs.Usage, "%s: %v", envName(leaf.key), err)
			}
			l.v.Set(leaf.key, value)
		}
	}
	return l, l.checkUser(known)
}

// readUser reads the user file; nil when there is none.
func readUser(path string) (*viper.Viper, error) {
	if path == "" {
		return nil, nil
	}
	v := viper.New()
	v.SetConfigFile(path)
	err := v.ReadInConfig()
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	default:
		return nil, errs.Wrap(err, errs.Usage, "read the user file %s", path)
	}
}

func (l *layers) checkUser(known []string) error {
	if l.user == nil {
		return nil
	}
	for _, key := range l.user.AllKeys() {
		// postgres and redis settings exist only in projects that have them.
		if slices.Contains(known, key) || strings.HasPrefix(key, "postgres.") || strings.HasPrefix(key, "redis.") {
			continue
		}
		e := errs.New(errs.Usage, "%s: unknown key %q", l.userAt, key)
		if near := errs.Closest(key, known); near != "" {
			return e.WithHint("did you mean %q?", near)
		}
		return e.WithHint("the user file holds scalar settings only, such as color or backup.store")
	}
	return nil
}

// apply writes the layered values into the project.
func (l *layers) apply(p *Project) {
	for _, leaf := range leaves("", reflect.ValueOf(p).Elem()) {
		if origin := l.origin(leaf.key); origin == "default" || strings.HasPrefix(origin, FileName) {
			continue
		}
		if err := parse(leaf.value, l.v.GetString(leaf.key)); err != nil {
			l.decoded.problems = append(l.decoded.problems, Problem{File: l.userAt, Line: 1, Col: 1, Key: leaf.key, Message: leaf.key + ": " + err.Error()})
		}
	}
}

// origin says where the value of a key comes from.
func (l *layers) origin(key string) string {
	if value, ok := l.lookup(envName(key)); ok && value != "" {
		return envName(key)
	}
	if n, ok := l.decoded.places[key]; ok {
		return fmt.Sprintf("%s:%d", FileName, n.Line)
	}
	if l.user != nil && l.user.IsSet(key) {
		return l.userAt
	}
	return "default"
}

// Settings lists the scalar settings with their origins. Project must have been called.
func (l *Loader) Settings() []Setting {
	var out []Setting
	for _, leaf := range leaves("", reflect.ValueOf(l.project).Elem()) {
		out = append(out, Setting{Key: leaf.key, Value: text(leaf.value), Origin: l.layers.origin(leaf.key)})
	}
	return out
}

// Global layers the flags of every command: flag > OPSCTL_* > user file > default.
func (l *Loader) Global(flags *pflag.FlagSet) (Global, error) {
	v := viper.New()
	v.SetEnvPrefix(envPrefix)
	v.SetEnvKeyReplacer(strings.NewReplacer("-", "_", ".", "_"))
	v.AutomaticEnv()
	user, err := readUser(l.userFile())
	if err != nil {
		return Global{}, err
	}
	for _, key := range globalKeys {
		if err := v.BindPFlag(key, flags.Lookup(key)); err != nil {
			return Global{}, err
		}
		if user != nil && user.IsSet(key) && !flags.Changed(key) && !l.inEnvironment(key) {
			v.Set(key, user.Get(key))
		}
	}
	for _, key := range []string{"json", "yes", "no-input", "dry-run", "verbose", "quiet"} {
		if _, err := strconv.ParseBool(v.GetString(key)); err != nil {
			return Global{}, errs.New(errs.Usage, "%s: %q is not true or false", envName(key), v.GetString(key))
		}
	}
	g := Global{
		Config: v.GetString("config"), Env: v.GetString("env"), Color: v.GetString("color"),
		JSON: v.GetBool("json"), Yes: v.GetBool("yes"), NoInput: v.GetBool("no-input"),
		DryRun: v.GetBool("dry-run"), Verbose: v.GetBool("verbose"), Quiet: v.GetBool("quiet"),
	}
	if !slices.Contains([]string{"auto", "always", "never"}, g.Color) {
		return Global{}, errs.New(errs.Usage, "--color: %q is not auto, always or never", g.Color)
	}
	return g, nil
}

// inEnvironment tells whether a variable sets the key.
func (l *Loader) inEnvironment(key string) bool {
	value, ok := l.lookup(envName(key))
	return ok && value != ""
}

func envName(key string) string {
	return envPrefix + "_" + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
}

// text is a leaf's value as written in a variable: lists are comma-separated.
func text(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case []string:
		return strings.Join(x, ",")
	case Duration:
		return x.String()
	default:
		return fmt.Sprint(x)
	}
}

// parse sets a leaf from text.
func parse(v reflect.Value, s string) error {
	switch p := v.Addr().Interface().(type) {
	case *string:
		*p = s
	case *int:
		n, err := strconv.Atoi(s)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", s)
		}
		*p = n
	case *Duration:
		d, err := time.ParseDuration(s)
		if err != nil || d < 0 {
			return fmt.Errorf("%q is not a duration such as 30s or 5m", s)
		}
		*p = Duration(d)
	case *[]string:
		*p = strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ' ' })
	default:
		return fmt.Errorf("cannot be set to %q", s)
	}
	return nil
}
