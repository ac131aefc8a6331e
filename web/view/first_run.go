package view

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/unattend"
)

// roomLeast is how much room a console should have for images at least, in
// bytes: a few versions of one Windows and the uploads of the next.
const roomLeast = 50 << 30

// FirstRunImage is the step of the set-up at which an image is uploaded.
const FirstRunImage = "/first-run/" + string(api.FirstRunImage)

// FirstRunPage is one step of the set-up.
type FirstRunPage struct {
	Run      api.FirstRun
	Step     api.FirstRunStep
	Problem  Problem
	URL      string // how the console is reached if nobody has said it
	Secure   bool   // by TLS, its own or a proxy's
	Typed    string // an address that was refused
	TLS      api.TLSFiles
	TLSNames string // for a new certificate
	TLSCert  string // one that was refused
	Pin      string // of the certificate in use, for the enrolment lines
	Settings []api.Setting
	Overview api.Overview
	Hosts    []api.Host
	Versions []api.Version
	Publish  Publish

	Enrolment *api.Enrolment // just made, shown once
	Choices   api.FirstTemplateInput
	Made      *api.FirstTemplate // just made, its password shown once
}

// setting is one of the settings.
func (p FirstRunPage) setting(name string) api.Setting {
	for _, s := range p.Settings {
		if s.Name == name {
			return s
		}
	}
	return api.Setting{}
}

// following is the step after this one.
func (p FirstRunPage) following() string {
	for i, s := range api.FirstRunSteps {
		if s == p.Step && i+1 < len(api.FirstRunSteps) {
			return "/first-run/" + string(api.FirstRunSteps[i+1])
		}
	}
	return "/first-run"
}

// linuxLine makes a Linux machine a host, in one line.
func linuxLine(url, token, pin string) string {
	if pin != "" {
		token += " --ca-fingerprint " + pin
	}
	return "sudo stickpress-agent enroll " + url + " --token " + token + " && sudo systemctl enable --now stickpress-agent"
}

// windowsLine does so in an elevated PowerShell, beside the agent's program.
func windowsLine(url, token, pin string) string {
	if pin != "" {
		token += " -CAFingerprint " + pin
	}
	return "powershell -ExecutionPolicy Bypass -File .\\install-agent.ps1 -Server " + url + " -Token " + token
}

// virtual is a stick of a host that is a file.
type virtual struct {
	host api.Host
	port string
}

// virtualSticks are those that may be pressed now.
func (p FirstRunPage) virtualSticks() []virtual {
	var all []virtual
	for _, h := range p.Hosts {
		for _, d := range h.Devices {
			if h.Online && api.FreeVirtual(d) {
				all = append(all, virtual{h, d.Port})
			}
		}
	}
	return all
}

func languageOptions(f Frame) []Option {
	all := []Option{{Value: "", Label: f.T("first_run.windows_asks")}}
	for _, l := range unattend.Languages {
		all = append(all, Option{Value: l, Label: f.L.LanguageName(l) + " · " + l})
	}
	slices.SortStableFunc(all[1:], func(a, b Option) int { return f.L.Compare(a.Label, b.Label) })
	return all
}

// zoneOptions are the time zones from west to east: how far ahead of UTC, where, and
// what Windows calls it.
func zoneOptions(f Frame) []Option {
	now := time.Now()
	zones := slices.Clone(unattend.TimeZones)
	slices.SortStableFunc(zones, func(a, b unattend.TimeZone) int { return cmp.Compare(a.Ahead(now), b.Ahead(now)) })
	all := []Option{{Value: "", Label: f.T("first_run.zone_default")}}
	for _, z := range zones {
		ahead := time.Time{}.In(time.FixedZone("", int(z.Ahead(now)/time.Second))).Format("UTC-07:00")
		where := f.T("zone." + strings.ToLower(path.Base(z.Place)))
		all = append(all, Option{Value: z.Name, Label: ahead + " " + where + " · " + z.Name})
	}
	return all
}

func namingOptions(f Frame) []Option {
	return []Option{
		{Value: "job", Label: f.T("first_run.naming_job"), Hint: f.T("first_run.naming_job_hint")},
		{Value: "windows", Label: f.T("first_run.naming_windows"), Hint: f.T("first_run.naming_windows_hint")},
	}
}

func naming(c api.FirstTemplateInput) string {
	if c.Fixed {
		return "windows"
	}
	return "job"
}

// addressValue is what the field of the public URL holds.
func (p FirstRunPage) addressValue() string {
	return cmp.Or(p.Typed, p.setting(api.SettingPublicURL).Value, p.URL)
}
