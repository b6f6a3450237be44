package envcheck

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

var numberPattern = lazyMatch(`^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$`)

// parseFloat reads a decimal number. varlock takes the number with which a
// text begins, so that 12abc is 12; here such a text is none.
func parseFloat(s string) (float64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil && numberPattern(s)
}

func (e *evaluator) coerceNumber(t *Type, v val) (val, problem) {
	if v.kind != valText || v.scalar == NodeBool {
		return v, bad("is not a number", "")
	}
	f := v.num
	if v.scalar == NodeString {
		var ok bool
		if f, ok = parseFloat(strings.TrimFunc(v.text, isJSSpace)); !ok {
			return v, bad("is not a number", "")
		}
	}
	if e.opt(t, "coerceToMinMaxRange").truthy() {
		if least, ok := e.number(t, "min"); ok {
			f = math.Max(least, f)
		}
		if most, ok := e.number(t, "max"); ok {
			f = math.Min(most, f)
		}
	}
	digits, ok := e.number(t, "precision")
	switch {
	case e.opt(t, "isInt").truthy() || ok && digits == 0:
		f = jsRound(f)
	case ok:
		scale := math.Pow(10, digits)
		f = jsRound(f*scale) / scale
	}
	out := numberVal(f)
	return out, problem{}
}

// jsRound rounds halves up, also below zero.
func jsRound(f float64) float64 { return math.Floor(f + 0.5) }

func (e *evaluator) checkNumber(t *Type, f float64) problem {
	if least, ok := e.number(t, "min"); ok && f < least {
		return bad("is less than "+jsNumber(least), "")
	}
	if most, ok := e.number(t, "max"); ok && f > most {
		return bad("is more than "+jsNumber(most), "")
	}
	if by, ok := e.number(t, "isDivisibleBy"); ok && math.Mod(f, by) != 0 {
		return bad("is not divisible by "+jsNumber(by), "")
	}
	return problem{}
}

func coercePort(v val) (val, problem) {
	f, ok := v.num, v.kind == valText && v.scalar != NodeBool
	if ok && v.scalar == NodeString {
		if f, ok = parseFloat(strings.TrimFunc(v.text, isJSSpace)); strings.ContainsAny(v.text, ".e") {
			ok = false
		}
	}
	if !ok || f != math.Trunc(f) {
		return v, bad("is not a port number (0 to 65535)", "")
	}
	return numberVal(f), problem{}
}

func (e *evaluator) checkPort(t *Type, f float64) problem {
	if least, ok := e.number(t, "min"); ok && f < least {
		return bad("is a port below "+jsNumber(least), "")
	}
	if most, ok := e.number(t, "max"); ok && f > most {
		return bad("is a port above "+jsNumber(most), "")
	}
	if f < 0 || f > 65535 {
		return bad("is not a port number (0 to 65535)", "")
	}
	return problem{}
}

func coerceBool(v val) (val, problem) {
	if v.kind == valText {
		if b, ok := parseBool(strings.TrimFunc(v.text, isJSSpace)); ok {
			return boolVal(b), problem{}
		}
	}
	return v, bad("is not true or false", "")
}

func parseBool(v string) (value, ok bool) {
	switch strings.ToLower(v) {
	case "t", "true", "yes", "on", "1":
		return true, true
	case "f", "false", "no", "off", "0":
		return false, true
	}
	return false, false
}

// member is the value of an enum's member.
func member(n *Node) val {
	switch n.Kind {
	case NodeNumber:
		f, _ := parseFloat(n.Text)
		return numberVal(f)
	case NodeBool:
		return boolVal(n.Text == "true")
	}
	return textVal(n.Raw)
}

// coerceEnum gives a text the kind of the member that it spells.
func coerceEnum(t *Type, v val) (val, problem) {
	if v.kind != valText {
		return v, checkEnum(t, v)
	}
	if v.scalar == NodeString && !slices.ContainsFunc(t.Values, func(n *Node) bool { return member(n).same(v) }) {
		for _, n := range t.Values {
			if m := member(n); m.text == v.text && n.Kind != NodeUndefined {
				return m, problem{}
			}
		}
	}
	return v, problem{}
}

func checkEnum(t *Type, v val) problem {
	var names []string
	for _, n := range t.Values {
		if member(n).same(v) && n.Kind != NodeUndefined {
			return problem{}
		}
		names = append(names, n.Text)
	}
	return bad("is not one of "+strings.Join(names, ", "), "")
}

func (e *evaluator) coerceDuration(t *Type, v val) (val, problem) {
	ms, ok := parseDuration(v.text)
	if v.kind != valText || v.scalar == NodeBool || !ok {
		return v, bad("is not a duration", "write 30s, 500ms, 2days or bare milliseconds")
	}
	return numberVal(ms / e.durationOutput(t)), problem{}
}

func (e *evaluator) durationOutput(t *Type) float64 {
	if unit := durationUnit(e.opt(t, "output").text); unit != 0 {
		return unit
	}
	return 1
}

func (e *evaluator) checkDuration(t *Type, f float64) problem {
	unit := e.durationOutput(t)
	if s := e.opt(t, "min").text; s != "" {
		if least, ok := parseDuration(s); ok && f < least/unit {
			return bad("is shorter than "+s, "")
		}
	}
	if s := e.opt(t, "max").text; s != "" {
		if most, ok := parseDuration(s); ok && f > most/unit {
			return bad("is longer than "+s, "")
		}
	}
	return problem{}
}
