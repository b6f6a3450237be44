package audit

import (
	"strings"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// reader is who reads or sets a variable besides the program's code; "" for nobody that
// is known.
func reader(name string, dependsOn func(string) bool) string {
	for _, k := range envcheck.KnownVariables() {
		if k.Matches(name) && (k.Package == "" || dependsOn(k.Package)) {
			return k.Who
		}
	}
	return ""
}

// setBySystem tells whether a variable is there without anybody's doing.
func setBySystem(name, form string) bool {
	if strings.HasSuffix(form, "import.meta.env") {
		switch name {
		case "MODE", "DEV", "PROD", "SSR", "BASE_URL", "SITE", "ASSETS_PREFIX":
			return true
		}
	}
	for _, k := range envcheck.KnownVariables() {
		if k.Sets && k.Matches(name) {
			return true
		}
	}
	return false
}
