package unattend

import (
	"slices"
	"strconv"
	"strings"
)

// Warning is something that a template says and a stick will not do, or ought
// not to. The catalogue has its sentence under "lint.<code>".
type Warning struct {
	Code   string            `json:"code"`
	Line   int               `json:"line"` // from 1; 0 if it is about the whole file
	Params map[string]string `json:"params,omitempty"`
}

// The codes of warnings, with their parameters.
const (
	// WarnPassIgnored{pass}: the pass never runs on an applied image.
	WarnPassIgnored = "pass_ignored"
	// WarnPassUnknown{pass}: Windows has no such pass.
	WarnPassUnknown = "pass_unknown"
	// WarnArchitecture{component, architecture}: a component for another
	// processor is passed over by a 64-bit PC.
	WarnArchitecture = "architecture_ignored"
	// WarnExtendMissing: the volume keeps the size of its capacity class.
	WarnExtendMissing = "extend_missing"
	// WarnExtendAndSize: Extend and Size together abort setup.
	WarnExtendAndSize = "extend_and_size"
	// WarnRecoveryKept: without UninstallWindowsRE the recovery environment stays.
	WarnRecoveryKept = "recovery_kept"
	// WarnOfflineJoin: OfflineIdentification works in offlineServicing only.
	WarnOfflineJoin = "offline_join_ignored"
	// WarnPassword{element}: a password is written in the template itself.
	WarnPassword = "password_in_template"
)

// The passes of an answer file and whether an applied image takes them.
// Windows Setup's own passes come before, the audit ones only in audit mode.
var passes = map[string]bool{
	"windowsPE":        false,
	"offlineServicing": false,
	"generalize":       false,
	"specialize":       true,
	"auditSystem":      false,
	"auditUser":        false,
	"oobeSystem":       true,
}

// Lint returns the warnings in the order of their lines.
func (t *Template) Lint() []Warning {
	l := &linter{}
	for _, settings := range t.root.children {
		if settings.name.Local == "settings" {
			l.settings(settings)
		}
	}
	if !l.extends {
		l.warn(WarnExtendMissing, 0)
	}
	if !l.noRecovery {
		l.warn(WarnRecoveryKept, 0)
	}
	slices.SortStableFunc(l.warnings, func(a, b Warning) int { return a.Line - b.Line })
	return l.warnings
}

type linter struct {
	warnings            []Warning
	extends, noRecovery bool
}

func (l *linter) warn(code string, line int, pairs ...string) {
	w := Warning{Code: code, Line: line}
	for i := 0; i < len(pairs); i += 2 {
		if w.Params == nil {
			w.Params = map[string]string{}
		}
		w.Params[pairs[i]] = pairs[i+1]
	}
	l.warnings = append(l.warnings, w)
}

func (l *linter) settings(e *element) {
	pass := e.attribute("pass")
	runs, known := passes[pass]
	switch {
	case !known:
		l.warn(WarnPassUnknown, e.line, "pass", pass)
	case !runs:
		l.warn(WarnPassIgnored, e.line, "pass", pass)
	}
	for _, c := range e.children {
		if c.name.Local != "component" {
			continue
		}
		name, arch := c.attribute("name"), c.attribute("processorArchitecture")
		if arch != "" && !strings.EqualFold(arch, "amd64") && !strings.EqualFold(arch, "wow64") {
			l.warn(WarnArchitecture, c.line, "component", name, "architecture", arch)
			continue
		}
		l.passwords(c)
		if !runs {
			continue
		}
		switch {
		case name == "Microsoft-Windows-Deployment" && pass == "specialize":
			l.extend(c)
		case name == "Microsoft-Windows-WinRE-RecoveryAgent" && pass == "oobeSystem":
			l.noRecovery = l.noRecovery || isTrue(c.child("UninstallWindowsRE"))
		case name == "Microsoft-Windows-UnattendedJoin":
			if e := c.child("OfflineIdentification"); e != nil {
				l.warn(WarnOfflineJoin, e.line)
			}
		}
	}
}

func (l *linter) extend(component *element) {
	e := component.child("ExtendOSPartition")
	if e == nil {
		return
	}
	if isTrue(e.child("Extend")) {
		l.extends = true
		if size := e.child("Size"); size != nil {
			l.warn(WarnExtendAndSize, size.line)
		}
	}
}

// passwords looks for a literal <Value> or text in an element named …Password;
// one that is wholly a placeholder comes from the console's secrets.
func (l *linter) passwords(e *element) {
	if strings.HasSuffix(e.name.Local, "Password") {
		secret := e.text
		if v := e.child("Value"); v != nil {
			secret = v.text
		}
		secret = strings.TrimSpace(secret)
		m := placeholder.FindString(secret)
		if secret != "" && (m != secret || m == "{{{{") {
			l.warn(WarnPassword, e.line, "element", e.name.Local)
		}
		return
	}
	for _, c := range e.children {
		l.passwords(c)
	}
}

func (e *element) attribute(name string) string {
	for _, a := range e.attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}

// child is the first child of that name, or nil.
func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name.Local == name {
			return c
		}
	}
	return nil
}

func isTrue(e *element) bool {
	if e == nil {
		return false
	}
	v, err := strconv.ParseBool(strings.TrimSpace(e.text))
	return err == nil && v
}
