package view

import (
	"slices"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
)

// Label is what is printed about a stick.
type Label struct {
	Job   api.Job
	Build api.Build
	URL   string // of the stick's page
}

// Paper is what labels are printed on, by its size in millimetres.
type Paper string

// The papers: rolls of label printers, a sheet of 3 × 8 labels of 70 × 37 mm,
// and a sheet for each stick that whoever gets it signs.
const (
	Paper62x29    Paper = "62x29"
	Paper89x36    Paper = "89x36"
	PaperA4Labels Paper = "a4-labels"
	PaperHandover Paper = "a4-handover"
)

// Papers lists them in the order in which they are offered.
var Papers = []Paper{Paper62x29, Paper89x36, PaperA4Labels, PaperHandover}

// paperWords are what the papers are called.
var paperWords = map[Paper]string{
	Paper62x29:    "label.paper_62x29",
	Paper89x36:    "label.paper_89x36",
	PaperA4Labels: "label.paper_a4-labels",
	PaperHandover: "label.paper_a4-handover",
}

// Known reports whether labels can be printed on the paper.
func (p Paper) Known() bool { return slices.Contains(Papers, p) }

// short is what people call the stick: the end of its ID.
func (l Label) short() string { return api.ShortName(l.Build.StickID) }

// computer is the name of the stick's computer, "" where Windows chose one.
func (l Label) computer() string {
	if name := l.Build.Variables[api.VariableComputerName]; name != "*" {
		return name
	}
	return ""
}

// image is what the stick carries, with the year of the signature of its boot
// manager: a PC may refuse one of them.
func (l Label) image() string {
	image := l.Job.ImageName + " " + l.Job.Version
	if l.Job.BootSignature != "" {
		image += " · CA " + l.Job.BootSignature
	}
	return image
}

// title is what stands largest: whose the stick is, or what it is called.
func (l Label) title() string {
	switch {
	case l.Build.Holder != "":
		return l.Build.Holder
	case l.computer() != "":
		return l.computer()
	}
	return l.short()
}

// labelled reports whether a job has sticks that may be handed out.
func labelled(j api.Job) bool {
	return (j.Kind == protocol.JobPress || j.Kind == protocol.JobRaw) && countBuilds(j, "verified") > 0
}
