package usage

import (
	"go/ast"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// goViper is what a file has to do with viper, whose keys are variables after
// AutomaticEnv.
type goViper struct {
	automatic bool
	prefix    string
	keys      []Use    // whose names are keys
	defaults  []string // keys that SetDefault gives a value
}

// viper reads a call on viper, or on an instance of it.
func (g *golangFile) viper(pkg, name string, c *ast.CallExpr) {
	v := &g.facts.viper
	imported := false
	for _, p := range g.pkgs {
		imported = imported || p == "github.com/spf13/viper"
	}
	if !imported || pkg != "" && pkg != "github.com/spf13/viper" {
		return
	}
	text := ""
	if len(c.Args) > 0 {
		text = goText(c.Args[0])
	}
	switch {
	case name == "AutomaticEnv", name == "SetConfigType" && (text == "env" || text == "dotenv"), name == "SetConfigFile" && strings.HasSuffix(text, ".env"):
		v.automatic = true
	case text == "":
	case name == "SetEnvPrefix":
		v.prefix = strings.ToUpper(text) + "_"
	case name == "SetDefault":
		v.defaults = append(v.defaults, strings.ToUpper(text))
	case name == "IsSet", name == "Get", strings.HasPrefix(name, "Get") && len(c.Args) == 1, name == "BindEnv" && len(c.Args) == 1:
		g.viperKey(text, Use{Form: "viper", Optional: name == "IsSet" || name == "BindEnv"}, g.offset(c.Args[0])+1)
	}
}

// viperKey notes a use of a key at an offset.
func (g *golangFile) viperKey(key string, u Use, at int) {
	if g.count++; g.count > maxUses {
		return
	}
	u.Name, u.File, u.Test, u.Lang = key, g.name, g.test, "go"
	u.Line, u.Col = g.position(at)
	g.facts.viper.keys = append(g.facts.viper.keys, u)
}

// mapped reads mapstructure:"X" of a field, by which viper fills it.
func (g *golangFile) mapped(tag reflect.StructTag, lit *ast.BasicLit) {
	if name, _, _ := strings.Cut(tag.Get("mapstructure"), ","); isUpper(name) {
		at := g.offset(lit)
		if n := strings.Index(lit.Value, strconv.Quote(name)); n >= 0 {
			at += n + 1
		}
		g.viperKey(name, Use{Form: "tag mapstructure"}, at)
	}
}

// resolveViper adds the uses by keys of viper. A key in small letters is more often one of a
// file of configuration: it counts as a use of a variable that is looked out for, only.
func (c *collected) resolveViper(known map[string]bool) {
	automatic, prefix := false, ""
	var defaults []string
	for _, f := range c.golang {
		automatic = automatic || f.viper.automatic
		prefix = max(prefix, f.viper.prefix)
		defaults = append(defaults, f.viper.defaults...)
	}
	if !automatic {
		return
	}
	for _, f := range c.golang {
		for _, u := range f.viper.keys {
			key := u.Name
			u.Name = prefix + strings.ToUpper(strings.NewReplacer(".", "_", "-", "_").Replace(key))
			u.Optional = u.Optional || slices.Contains(defaults, strings.ToUpper(key))
			if !isUpper(key) {
				u.NotReads, u.Optional = true, false
			}
			if isName(u.Name) && (isUpper(key) || known[u.Name]) {
				c.uses = append(c.uses, u)
			}
		}
	}
}
