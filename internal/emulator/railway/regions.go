package railway

import "slices"

// region is a place where replicas run.
type region struct{ name, location, country string }

func regions() []region {
	return []region{
		{"us-west2", "US West (California)", "US"},
		{"us-east4-eqdc4a", "US East (Virginia)", "US"},
		{"europe-west4-drams3a", "EU West (Amsterdam)", "NL"},
		{"asia-southeast1-eqsg3a", "Southeast Asia (Singapore)", "SG"},
	}
}

// knownRegion reports whether the region exists; "" does, as the default.
func knownRegion(name string) bool {
	return name == "" || slices.ContainsFunc(regions(), func(r region) bool { return r.name == name })
}

func regionObjects() []*object {
	var out []*object
	for _, r := range regions() {
		out = append(out, &object{"Region", map[string]any{
			"id": r.name, "name": r.name, "location": r.location, "country": r.country, "region": r.name, "workspaceId": nil, "deploymentConstraints": nil,
		}})
	}
	return out
}
