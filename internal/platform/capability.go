package platform

// Capability is an ability that only some platforms have.
type Capability struct {
	Name        string
	Has         func(Platform) bool
	Alternative string // the nearest thing where it is missing
}

// Capabilities is the table of optional abilities, found by type assertion; it
// works on adapters that are not connected.
func Capabilities() []Capability {
	return []Capability{
		{"release command as a task", has[Tasks], "the platform runs it as a part of the roll-out"},
		{"push images", has[Registry], "push it to a registry that the platform can pull from, and use --image"},
		{"build from source", has[Builder], "opsctl builds with the engine that is here, or use --image"},
		{"managed PostgreSQL", has[Databases], "set DATABASE_URL in the environment's env file"},
		{"managed Redis", has[Caches], "set REDIS_URL in the environment's env file"},
		{"native backups", has[NativeBackups], "opsctl backup create"},
		{"read variables", has[Variables], "keep the env file"},
		{"logs", has[Logs], "the platform's dashboard"},
		{"scale", has[Scaler], "instances in opsctl.yaml, then: opsctl deploy"},
		{"custom domains", has[Domains], "point a proxy of your own at the app"},
	}
}

func has[T any](p Platform) bool {
	_, ok := p.(T)
	return ok
}
