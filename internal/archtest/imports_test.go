package archtest

import "slices"

// layers are the packages from the top down. A package imports packages of
// lower layers, and packages of its own directory tree. Tests may import
// anything: they stand above.
var layers = [][]string{
	{"cmd/opsctl"},
	{"internal/deploy", "internal/backup", "internal/emulator"},
	{"internal/platform", "internal/scaffold", "internal/smoke", "internal/sentry", "internal/notify", "internal/postgres"},
	{"internal/envcheck", "internal/health", "internal/httpx", "internal/execx", "internal/ui", "internal/config"},
	{"internal/errs", "internal/atomicfile", "internal/spectest", "templates"},
}

// layerOf returns the layer of a package, 0 being the top, and the entry of
// the table that it belongs to.
func layerOf(pkg string) (int, string, bool) {
	for i, l := range layers {
		for _, dir := range l {
			if within(pkg, dir) {
				return i, dir, true
			}
		}
	}
	return 0, "", false
}

func importsGoDown(files []file, report reporter) {
	for _, f := range production(files) {
		from, tree, ok := layerOf(f.pkg)
		if !ok {
			report("%s: package %s has no layer; add it to the table in imports_test.go", f.name, f.pkg)
			continue
		}
		for _, imp := range f.imports {
			if !own(imp) || within(imp, tree) {
				continue
			}
			if to, _, ok := layerOf(imp); ok && to <= from {
				report("%s imports %s, which is not below it", f.name, imp)
			}
		}
	}
}

func leavesAreLeaves(files []file, report reporter) {
	leaves := []string{"internal/errs", "internal/atomicfile", "internal/httpx", "internal/execx", "templates"}
	for _, f := range production(files) {
		if !slices.ContainsFunc(leaves, func(l string) bool { return within(f.pkg, l) }) {
			continue
		}
		for _, imp := range f.imports {
			// The layers decide which of the module's own packages are allowed.
			if !isStd(imp) && !own(imp) && imp != "golang.org/x/sys/windows" {
				report("%s imports %s: a leaf needs only the standard library", f.name, imp)
			}
		}
	}
}

// onlyIn lists what only some packages may import.
var onlyIn = []struct {
	what string
	in   []string
	why  string
}{
	{"github.com/spf13/cobra", []string{"cmd/opsctl"}, "domain packages take options and return values"},
	{"github.com/spf13/pflag", []string{"cmd/opsctl", "internal/config"}, "flags are the command line's"},
	{"github.com/spf13/viper", []string{"internal/config"}, "viper lower-cases keys: one place knows how to handle it"},
	{"charm.land/lipgloss/v2", []string{"internal/ui"}, "one place decides whether colours pass"},
	{"internal/ui", []string{"cmd/opsctl"}, "domain packages report progress through functions of their own"},
	{"internal/config", []string{"cmd/opsctl"}, "domain packages take what they need as options"},
	{"internal/archtest", nil, "it holds only tests"},
	{"github.com/superfly/fly-go", []string{"internal/platform/fly"}, "the emulator is written from the API's reference"},
	{"github.com/stretchr/testify", nil, "tables and the standard library do"},
	{"internal/spectest", nil, "the schemas are for tests, and on no user's machine"},
	{"testing", []string{"internal/platform/platformtest", "internal/backup/store/storetest", "internal/spectest"}, "only test suites that others run"},
}

func importsInTheirPlace(files []file, report reporter) {
	for _, f := range production(files) {
		for _, imp := range f.imports {
			for _, rule := range onlyIn {
				if !within(imp, rule.what) || within(f.pkg, rule.what) {
					continue
				}
				if !slices.ContainsFunc(rule.in, func(dir string) bool { return within(f.pkg, dir) }) {
					report("%s imports %s, which is for %v: %s", f.name, imp, rule.in, rule.why)
				}
			}
		}
	}
}

func strangersStayStrangers(files []file, report reporter) {
	adapters := []string{"internal/platform/fly", "internal/platform/railway", "internal/platform/render", "internal/platform/compose"}
	emulated := []string{"internal/emulator/fly", "internal/emulator/railway", "internal/emulator/render", "internal/emulator/sentry"}
	for _, f := range production(files) {
		for _, imp := range f.imports {
			switch {
			case isOther(f.pkg, imp, adapters):
				report("%s imports %s: an adapter knows no other", f.name, imp)
			case isOther(f.pkg, imp, emulated):
				report("%s imports %s: an emulated API knows no other", f.name, imp)
			case within(f.pkg, "internal/emulator") && within(imp, "internal/platform"),
				within(f.pkg, "internal/platform") && within(imp, "internal/emulator"):
				report("%s imports %s: one's mistake must not become the other's truth", f.name, imp)
			case within(f.pkg, "internal/deploy") && slices.ContainsFunc(adapters, func(a string) bool { return within(imp, a) }),
				f.pkg == "internal/platform" && within(imp, "internal/platform"):
				report("%s imports %s: it knows the interface, not the adapters", f.name, imp)
			}
		}
	}
}

// isOther says whether pkg and imp are in two different of the trees.
func isOther(pkg, imp string, trees []string) bool {
	a := slices.IndexFunc(trees, func(d string) bool { return within(pkg, d) })
	b := slices.IndexFunc(trees, func(d string) bool { return within(imp, d) })
	return a >= 0 && b >= 0 && a != b
}
