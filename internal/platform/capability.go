package platform

// Capability is an ability that only some platforms have.
type Capability struct {
	Name string
	Has  func(Platform) bool
}

// Capabilities is the table of optional abilities, found by type assertion.
func Capabilities() []Capability {
	return []Capability{
		{"logs", func(p Platform) bool { _, ok := p.(Logs); return ok }},
		{"managed PostgreSQL", func(p Platform) bool { _, ok := p.(Databases); return ok }},
		{"read variables", func(p Platform) bool { _, ok := p.(Variables); return ok }},
		{"push images", func(p Platform) bool { _, ok := p.(Registry); return ok }},
	}
}
