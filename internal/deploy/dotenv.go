package deploy

import (
	"maps"
	"slices"
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
	"github.com/opsctl/opsctl/internal/platform"
)

// RenderDotenv writes variables as a dotenv file that the app's own reader and docker
// compose both read as exactly these values. A variable for which no spelling does that is
// left out: its name is in left, with the reason, and in a comment of the file.
func RenderDotenv(app envcheck.Reader, header []string, set *platform.VariableSet) (text []byte, left map[string]string) {
	left = map[string]string{}
	for _, u := range set.Unread {
		left[u.Name] = u.Reason
	}
	want := map[string]string{}
	for _, v := range set.Values {
		switch _, ok := envcheck.PortableFor(app, v.Value); {
		case !environmentName().MatchString(v.Name):
			left[v.Name] = "not every reader takes its name"
		case !ok:
			left[v.Name] = "no spelling of its value is read alike by the app and by docker compose"
		default:
			want[v.Name] = v.Value
		}
	}
	if text = dotenv(app, header, set, want, left); readsAs(app, text, want) {
		return text, left
	}
	// A quote that one value leaves open may meet one of a later line. So the values
	// are taken one by one, and the one that changes how the rest reads stays out.
	all := want
	want = map[string]string{}
	for _, v := range set.Values {
		value, ok := all[v.Name]
		if !ok {
			continue
		}
		want[v.Name] = value
		if !readsAs(app, dotenv(app, header, set, want, left), want) {
			delete(want, v.Name)
			left[v.Name] = "no spelling of its value is read alike beside the other variables"
		}
	}
	return dotenv(app, header, set, want, left), left
}

func dotenv(app envcheck.Reader, header []string, set *platform.VariableSet, want, left map[string]string) []byte {
	var b strings.Builder
	for _, line := range header {
		b.WriteString("# " + line + "\n")
	}
	for _, plain := range []bool{false, true} {
		titled := false
		for _, v := range set.Values {
			value, ok := want[v.Name]
			if !ok || v.Plain != plain {
				continue
			}
			if plain && !titled {
				b.WriteString("\n# Plain variables of the release: opsctl.yaml sets them, a push does not.\n")
				titled = true
			}
			spelling, _ := envcheck.PortableFor(app, value)
			b.WriteString(v.Name + "=" + spelling + "\n")
		}
	}
	if len(left) > 0 {
		b.WriteString("\n# Not in this file:\n")
		for _, name := range slices.Sorted(maps.Keys(left)) {
			b.WriteString("# " + oneLine(name) + ": " + left[name] + "\n")
		}
	}
	return []byte(b.String())
}

// oneLine keeps a name that is none from ending a comment.
func oneLine(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 {
			return '?'
		}
		return r
	}, name)
}

// readsAs tells whether the app's reader and compose's read a file as exactly these variables.
func readsAs(app envcheck.Reader, text []byte, want map[string]string) bool {
	for _, reader := range app.With() {
		file, err := envcheck.Read(reader, "", text, nil)
		if err != nil || !maps.Equal(file.Vars, want) {
			return false
		}
	}
	return true
}
