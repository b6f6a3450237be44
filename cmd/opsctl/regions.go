package main

import (
	"slices"

	"github.com/opsctl/opsctl/internal/platform"
)

// areas are the parts of the world that the platforms' regions are in, as far as more
// than one platform is there; each lists regions of all platforms.
func areas() [][]string {
	return [][]string{
		{"fra", "frankfurt", "ams", "europe-west4-drams3a", "lhr", "cdg", "arn"},
		{"iad", "virginia", "us-east4-eqdc4a", "ewr"},
		{"ord", "ohio", "yyz"},
		{"sjc", "oregon", "us-west2", "lax", "dfw"},
		{"sin", "singapore", "asia-southeast1-eqsg3a", "nrt", "syd", "bom"},
	}
}

// regionNear is a platform's region in the same part of the world as another platform's;
// its first one where there is none, "" on a platform without regions.
func regionNear(region string, facts platform.Facts) string {
	if len(facts.Regions) == 0 {
		return ""
	}
	if slices.Contains(facts.Regions, region) {
		return region
	}
	for _, area := range areas() {
		if !slices.Contains(area, region) {
			continue
		}
		for _, near := range area {
			if slices.Contains(facts.Regions, near) {
				return near
			}
		}
	}
	return facts.Regions[0]
}
