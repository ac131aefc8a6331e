package view

import (
	"slices"

	"github.com/stickpress/stickpress/api"
)

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

// carried is what the stick carries, with the year of the signature of its boot
// manager.
func carried(l *api.Label) string {
	image := l.ImageName + " " + l.Version
	if l.BootSignature != "" {
		image += " · CA\u00a0" + l.BootSignature
	}
	return image
}
