package fly

import (
	"net/http"
	"strings"
)

const defaultRegion = "fra"

// region is one row of the platform's list (a choice of the real ones).
type region struct {
	code, name, geo string
	lat, lon        float64
	mpg, paid       bool
}

var regions = []region{
	{"ams", "Amsterdam, Netherlands", "europe", 52.37, 4.90, true, false},
	{"cdg", "Paris, France", "europe", 48.86, 2.35, false, false},
	{"fra", "Frankfurt, Germany", "europe", 50.11, 8.68, true, true},
	{"gru", "Sao Paulo, Brazil", "south_america", -23.55, -46.63, true, false},
	{"iad", "Ashburn, Virginia (US)", "north_america", 39.02, -77.54, true, false},
	{"lax", "Los Angeles, California (US)", "north_america", 34.05, -118.24, true, false},
	{"lhr", "London, United Kingdom", "europe", 51.51, -0.13, true, false},
	{"nrt", "Tokyo, Japan", "asia_pacific", 35.68, 139.69, true, false},
	{"ord", "Chicago, Illinois (US)", "north_america", 41.88, -87.63, true, false},
	{"sin", "Singapore, Singapore", "asia_pacific", 1.35, 103.82, true, false},
	{"syd", "Sydney, Australia", "oceania", -33.87, 151.21, true, false},
}

func knownRegion(code string) bool {
	for _, r := range regions {
		if r.code == code {
			return true
		}
	}
	return false
}

func (s *Server) platformRoutes() {
	s.handle("GET /v1/platform/regions", s.listRegions)
	s.handle("POST /v1/platform/placements", s.placements)
	s.handle("GET /v1/tokens/current", s.currentToken)
}

func (s *Server) listRegions(*http.Request) (reply, error) {
	docs := make([]any, 0, len(regions))
	for _, r := range regions {
		docs = append(docs, map[string]any{
			"code": r.code, "name": r.name, "geo_region": r.geo, "latitude": r.lat, "longitude": r.lon,
			"gateway_available": true, "mpg_available": r.mpg, "requires_paid_plan": r.paid, "deprecated": false,
		})
	}
	return ok(map[string]any{"nearest": defaultRegion, "regions": docs})
}

// placements answers that there is room everywhere.
func (s *Server) placements(r *http.Request) (reply, error) {
	var in struct {
		Org    string `json:"org_slug"`
		Region string `json:"region"`
		Count  int    `json:"count"`
	}
	if err := decode(r, &in); err != nil {
		return reply{}, err
	}
	if !contains(s.opts.Orgs, in.Org) {
		return reply{}, notFound("organization " + in.Org)
	}
	if in.Count == 0 {
		in.Count = 50
	}
	want := strings.Split(in.Region, ",")
	docs := []any{}
	for _, reg := range regions {
		if in.Region == "" || contains(want, reg.code) || contains(want, "any") {
			docs = append(docs, map[string]any{"region": reg.code, "count": in.Count, "concurrency": in.Count})
		}
	}
	return ok(map[string]any{"regions": docs})
}

func (s *Server) currentToken(*http.Request) (reply, error) {
	docs := make([]any, 0, len(s.opts.Orgs))
	for _, org := range s.opts.Orgs {
		docs = append(docs, map[string]any{"token_id": "emulator", "org_slug": org, "organization": orgName(org), "apps": []string{}, "user": s.opts.Email})
	}
	return ok(map[string]any{"tokens": docs})
}
