package report

import (
	"encoding/json"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/opsctl/opsctl/internal/envcheck"
)

// The part of SARIF 2.1.0 that a report needs, with the names of the standard.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool              sarifTool               `json:"tool"`
		Invocations       []sarifInvocation       `json:"invocations"`
		URIBases          map[string]sarifURIBase `json:"originalUriBaseIds"`
		AutomationDetails sarifID                 `json:"automationDetails"`
		ColumnKind        string                  `json:"columnKind"`
		Results           []sarifResult           `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string      `json:"id"`
		Short   sarifText   `json:"shortDescription"`
		Full    sarifText   `json:"fullDescription"`
		HelpURI string      `json:"helpUri"`
		Help    sarifText   `json:"help"`
		Config  sarifConfig `json:"defaultConfiguration"`
		Props   sarifProps  `json:"properties"`
	}
	sarifConfig struct {
		Level string `json:"level"`
	}
	sarifProps struct {
		Tags []string `json:"tags"`
	}
	sarifText struct {
		Text     string `json:"text"`
		Markdown string `json:"markdown,omitempty"`
	}
	sarifID struct {
		ID string `json:"id"`
	}
	sarifURIBase struct {
		Description sarifText `json:"description"`
	}
	sarifInvocation struct {
		OK            bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string            `json:"ruleId"`
		RuleIndex    int               `json:"ruleIndex"`
		Level        string            `json:"level"`
		Message      sarifText         `json:"message"`
		Locations    []sarifLocation   `json:"locations"`
		Fingerprints map[string]string `json:"partialFingerprints"`
	}
	sarifLocation struct {
		Physical *sarifPhysical `json:"physicalLocation,omitempty"`
		Logical  []sarifLogical `json:"logicalLocations,omitempty"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI    string `json:"uri"`
		BaseID string `json:"uriBaseId,omitempty"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifLogical struct {
		Name          string `json:"name,omitempty"`
		QualifiedName string `json:"fullyQualifiedName"`
		Kind          string `json:"kind"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// srcRoot is the base of relative URIs; GitHub knows it as the root of the repository.
const srcRoot = "%SRCROOT%"

// runID tells the runs of one repository apart: GitHub takes a new report for the
// successor of the last one with the same id, and closes what is no longer in it.
func runID(r *envcheck.Report, info Info) string {
	parts := slices.DeleteFunc([]string{"opsctl " + info.Command, info.path(r.SchemaFile), r.Env}, func(part string) bool { return part == "" })
	return strings.Join(parts, "/") + "/"
}

func writeSARIF(w io.Writer, r *envcheck.Report, info Info) error {
	run := sarifRun{
		Tool:        sarifTool{sarifDriver{Name: "opsctl", Version: info.Version, InformationURI: homeURL, Rules: []sarifRule{}}},
		Invocations: []sarifInvocation{{OK: true}},
		URIBases:    map[string]sarifURIBase{srcRoot: {sarifText{Text: "The root of the repository."}}},
		// The reports of two environments stand side by side; a new one of the same replaces the old.
		AutomationDetails: sarifID{runID(r, info)},
		ColumnKind:        "unicodeCodePoints",
		Results:           []sarifResult{},
	}
	if r.Omitted > 0 {
		run.Invocations[0].Notifications = []sarifNotification{{"note", sarifText{Text: strconv.Itoa(r.Omitted) + " more findings of the same rules are counted and not listed."}}}
	}
	index := map[string]int{}
	prints := fingerprints{}
	for _, f := range r.Findings {
		i, ok := index[f.Rule]
		if !ok {
			i = len(run.Tool.Driver.Rules)
			index[f.Rule] = i
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, describe(f))
		}
		run.Results = append(run.Results, sarifResult{
			RuleID: f.Rule, RuleIndex: i, Level: sarifLevel(f.Level), Message: sarifText{Text: plain(text(f))},
			Locations: []sarifLocation{location(f, r.SchemaFile, info)}, Fingerprints: prints.of(f, info),
		})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{sarifSchema, "2.1.0", []sarifRun{run}})
}

func sarifLevel(l envcheck.Level) string {
	if l == envcheck.Info {
		return "note"
	}
	return string(l)
}

// describe is the descriptor of a finding's rule.
func describe(f envcheck.Finding) sarifRule {
	doc, ok := envcheck.FindRule(f.Rule)
	if !ok { // a command may have a rule of its own
		doc = envcheck.RuleDoc{ID: f.Rule, Level: f.Level, What: f.Rule, Why: f.Rule, Fix: "See opsctl env rules."}
	}
	return sarifRule{
		ID: doc.ID, Short: sarifText{Text: plain(doc.What)}, Full: sarifText{Text: plain(doc.Why)}, HelpURI: PageURL(doc.ID),
		Help:   sarifText{Text: plain(doc.Why + "\n\n" + doc.Fix), Markdown: Section(doc, 0)},
		Config: sarifConfig{sarifLevel(doc.Level)}, Props: sarifProps{[]string{"environment", doc.Family}},
	}
}

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\{(\d+)\}`) })

// plain keeps {0} in a text from being taken for a placeholder of SARIF. Other braces
// need no escape, and many viewers would show it.
func plain(s string) string {
	return placeholder().ReplaceAllString(strings.ToValidUTF8(s, "\uFFFD"), "{{$1}}")
}

// location is where a finding stands. One about the process has no file: it names the
// variable, and the schema as a whole, since GitHub takes no result without a file.
func location(f envcheck.Finding, schema string, info Info) sarifLocation {
	var l sarifLocation
	switch {
	case f.File != envcheck.ProcessName:
		l.Physical = &sarifPhysical{Artifact: artifact(info.path(f.File))}
		if f.Line > 0 {
			l.Physical.Region = &sarifRegion{f.Line, f.Col}
		}
	case schema != "":
		l.Physical = &sarifPhysical{Artifact: artifact(info.path(schema))}
	}
	switch {
	case f.File == envcheck.ProcessName:
		l.Logical = []sarifLogical{{f.Key, strings.TrimSuffix("process environment/"+f.Key, "/"), "variable"}}
	case f.Key != "":
		l.Logical = []sarifLogical{{f.Key, f.Key, "variable"}}
	}
	return l
}
