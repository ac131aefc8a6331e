package view

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// Print is a fingerprint of what a page shows of the sockets of its hosts:
// another one says that the page is out of date.
func Print(hosts []api.Host) string {
	type shown struct {
		ID      string
		Online  bool
		Devices []api.Device
	}
	var all []shown
	for _, h := range hosts {
		if h.State == "enrolled" {
			all = append(all, shown{h.ID, h.Online, h.Devices})
		}
	}
	raw, err := json.Marshal(all)
	if err != nil {
		panic(err) // strings and numbers always encode
	}
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:8])
}

// stepWhere is the page on which the sticks of a kind of job are chosen: of most
// kinds there is so little to say that it is said on the same page.
func stepWhere(k protocol.JobKind) string {
	if k == protocol.JobPress {
		return "/jobs/where"
	}
	return "/jobs/new"
}

// noSticks is what the page says of a host that sees none.
func noSticks(k protocol.JobKind, h api.Host) string {
	switch {
	case k != protocol.JobCapture:
		return "job_new.no_sticks"
	case len(h.Files) > 0:
		return "capture.no_sticks"
	}
	return "capture.no_sources"
}

// countFree is how many sticks of a host this kind of job could have.
func countFree(p NewJob, h api.Host) int {
	n := 0
	for _, d := range h.Devices {
		if d.Free(p.Kind) {
			n++
		}
	}
	return n
}

// dealtWord is a stick as the table offers it.
func dealtWord(f Frame, d api.Device) string {
	word := portName(d.PortLabel, d.Port) + " · " + deviceName(f, d.Vendor, d.Model) + " · " + locale.Bytes(d.Bytes)
	if len(d.Volumes) > 0 {
		word += " · " + f.T("job_new.loses", "volumes", joined(d.Volumes))
	}
	return word
}

// computerWord is a computer's name, or that Windows chooses one.
func computerWord(f Frame, name string) string {
	if name == "" || name == "*" {
		return f.T("job_new.windows_chooses")
	}
	return name
}

// ticket is the row's own, or that of all.
func (r Row) ticket(p NewJob) string {
	if r.Reference == "" {
		return p.Reference
	}
	return r.Reference
}

func joined(all []string) string { return strings.Join(all, ", ") }
