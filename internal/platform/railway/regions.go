package railway

import (
	"cmp"
	"maps"
	"slices"
)

// layout is how many replicas a deployment has in each region; empty when it does not tell.
func (m deploymentMeta) layout() map[string]int {
	out := map[string]int{}
	for name, r := range m.Manifest.Deploy.Regions {
		if r != nil {
			out[name] = max(1, r.Replicas)
		}
	}
	if len(out) == 0 && m.Manifest.Deploy.Region != "" {
		out[m.Manifest.Deploy.Region] = 1
	}
	return out
}

// region is where its instances are, or most of them; "" when that is not told.
func (m deploymentMeta) region() string { return largest(m.layout()) }

func largest(layout map[string]int) string {
	names := slices.SortedFunc(maps.Keys(layout), func(a, b string) int { return cmp.Or(layout[b]-layout[a], cmp.Compare(a, b)) })
	if len(names) == 0 {
		return ""
	}
	return names[0]
}

// replicas are the settings for n instances in a region, "" for where the
// service is. Railway lays multiRegionConfig over what there is, so that the
// regions to leave have to be named, with null.
func (v *view) replicas(n int, region string) map[string]any {
	n = max(1, n)
	now, seen := map[string]int{}, map[string]bool{}
	for _, d := range slices.Backward(v.deployments) { // the newest last
		layout := d.meta().layout()
		for name := range layout {
			seen[name] = true
		}
		if len(layout) > 0 {
			now = layout
		}
	}
	if v.instance.Region != "" {
		seen[v.instance.Region] = true
	}
	if region == "" {
		total := 0
		for _, count := range now {
			total += count
		}
		if len(now) > 1 && total == n { // somebody spread it, and it stays so
			config := map[string]any{}
			for name, count := range now {
				config[name] = map[string]any{"numReplicas": count}
			}
			return map[string]any{"multiRegionConfig": config}
		}
		region = cmp.Or(largest(now), v.instance.Region)
	}
	if region == "" { // a new service: Railway chooses
		return map[string]any{"numReplicas": n}
	}
	config := map[string]any{region: map[string]any{"numReplicas": n}}
	for name := range seen {
		if name != region {
			config[name] = nil
		}
	}
	return map[string]any{"multiRegionConfig": config}
}
