package usage

import (
	"go/ast"
	"reflect"
	"strconv"
	"strings"
)

// tags reads the tags of a struct: env:"X,required" and envconfig:"X".
func (g *golangFile) tags(s *ast.StructType) {
	for _, field := range s.Fields.List {
		if field.Tag == nil {
			continue
		}
		text, err := strconv.Unquote(field.Tag.Value)
		if err != nil {
			continue
		}
		tag := reflect.StructTag(text)
		for _, key := range []string{"env", "envconfig"} {
			value, ok := tag.Lookup(key)
			names, options, _ := strings.Cut(value, ",")
			if !ok || !isUpper(names) {
				continue
			}
			u := Use{Name: names, Form: "tag " + key}
			for _, d := range []string{"envDefault", "default", "env-default"} {
				if _, has := tag.Lookup(d); has {
					u.Optional = true
				}
			}
			u.Optional = u.Optional || strings.Contains(options, "default=")
			u.Asserted = !u.Optional && (strings.Contains(options, "required") || strings.Contains(options, "notEmpty") || tag.Get("required") == "true")
			at := g.offset(field.Tag)
			if n := strings.Index(field.Tag.Value, key+`:"`+names); n >= 0 {
				at += n + len(key) + 2
			}
			g.use(u, at)
		}
	}
}
