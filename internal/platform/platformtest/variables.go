package platformtest

import (
	"maps"
	"testing"

	"github.com/opsctl/opsctl/internal/errs"
	"github.com/opsctl/opsctl/internal/platform"
)

// awkward are values that lose something on the way where a platform, or its
// adapter, splits at the wrong place.
var awkward = map[string]string{
	"V_PLAIN": "one", "V_SPACE": "  two words\t", "V_LINES": "-----BEGIN X-----\nabc\n\n-----END X-----\n", "V_CRLF": "a\r\nb",
	"V_QUOTES": `he said "it's" ` + "`so`", "V_DOLLAR": "pa$word ${HOME} $(id)", "V_EQUALS": "a=b=c", "V_HASH": "a # b",
	"V_SLASH": `C:\dir\n`, "V_JSON": `{"a":["b",1]}`, "V_WIDE": "Zoë 漢字 🙂", "V_LINE_LIKE": "x\nV_PLAIN=stolen\nPATH=/stolen",
}

func testVariables(t *testing.T, s Setup) {
	reader, ok := s.Platform.(platform.Variables)
	if !ok {
		t.Skipf("%s gives no values back", s.Platform.Name())
	}
	_, err := reader.ReadVariables(t.Context(), "nobody-has-this")
	code(t, "variables of an unknown app", err, errs.NotFound)
	s.create(t)
	changes := map[string]*string{}
	for name, value := range awkward {
		changes[name] = &value
	}
	must(t, s.Platform.StageSecrets(t.Context(), app, changes))
	if set, err := reader.ReadVariables(t.Context(), app); err == nil { // a platform that keeps values can
		same(t, set, awkward, nil)
	} else {
		code(t, "variables of an app that never ran", err, errs.Failure)
	}
	s.rollOut(t, s.release(t, 0, nil))
	set, err := reader.ReadVariables(t.Context(), app)
	must(t, err)
	same(t, set, awkward, map[string]string{"COLOR": "blue"})
	if len(set.Unread) > 0 || set.Source == "" {
		t.Errorf("from %q, unread %v", set.Source, set.Unread)
	}

	// What was staged since is given, or said not to be known: the old value is not what was asked for.
	now := "three"
	must(t, s.Platform.StageSecrets(t.Context(), app, map[string]*string{"V_PLAIN": &now, "V_NEW": &now, "V_JSON": nil}))
	set, err = reader.ReadVariables(t.Context(), app)
	must(t, err)
	known := map[string]string{}
	for _, v := range set.Values {
		known[v.Name] = v.Value
	}
	for _, u := range set.Unread {
		if _, both := known[u.Name]; both || u.Reason == "" {
			t.Errorf("%s is read and unread, or has no reason (%q)", u.Name, u.Reason)
		}
		known[u.Name] = now
	}
	if _, removed := known["V_JSON"]; removed || known["V_PLAIN"] != now || known["V_NEW"] != now {
		t.Errorf("after staging: %+v, unread %+v", set.Values, set.Unread)
	}
}

// same wants exactly these values, in order, and no others.
func same(t *testing.T, set *platform.VariableSet, secrets, plain map[string]string) {
	t.Helper()
	want := maps.Clone(secrets)
	maps.Copy(want, plain)
	last := ""
	for _, v := range set.Values {
		value, asked := want[v.Name]
		_, isPlain := plain[v.Name]
		if !asked || v.Value != value || v.Plain != isPlain || v.Name <= last {
			t.Errorf("%s = %q (plain %v), after %q; want %q (plain %v)", v.Name, v.Value, v.Plain, last, value, isPlain)
		}
		delete(want, v.Name)
		last = v.Name
	}
	if len(want) > 0 {
		t.Errorf("not read: %q", want)
	}
}
