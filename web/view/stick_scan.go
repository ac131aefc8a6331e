package view

import (
	"strconv"
	"time"

	"github.com/stickpress/stickpress/api"
)

// ScanSitting is what was scanned in one sitting, and how the next scan is
// taken.
type ScanSitting struct {
	Act       string     `json:"act"` // api.ScanIssue or api.ScanReturn
	Holder    string     `json:"holder,omitempty"`
	Reference string     `json:"reference,omitempty"`
	Items     []ScanItem `json:"items"` // the newest first
}

// ScanItem is one scan and what came of it.
type ScanItem struct {
	At        time.Time         `json:"at"`
	Act       string            `json:"act"`
	Code      string            `json:"code"`
	Stick     string            `json:"stick,omitempty"` // ID; empty where none was found
	Name      string            `json:"name,omitempty"`
	Holder    string            `json:"holder,omitempty"`
	Life      string            `json:"life,omitempty"`
	DataOpen  bool              `json:"data_open,omitempty"`
	Seq       int64             `json:"seq,omitempty"` // of what was done; 0: nothing
	Fault     string            `json:"fault,omitempty"`
	Params    map[string]string `json:"params,omitempty"`
	Undone    bool              `json:"undone,omitempty"`
	NotUndone string            `json:"not_undone,omitempty"` // the fault why it could not be
}

// longCode is how much of what was scanned a sitting keeps.
const longCode = 100

// CutCode shortens what was scanned to what is shown of it.
func CutCode(code string) string {
	if r := []rune(code); len(r) > longCode {
		return string(r[:longCode]) + "…"
	}
	return code
}

// tone is the look of a scan: "good", "warn" where nothing was to be done or it
// was taken back, "bad".
func (x *ScanItem) tone() string {
	switch {
	case x.Fault != "":
		return "bad"
	case x.Seq == 0 || x.Undone:
		return "warn"
	}
	return "good"
}

// called is what the scan was of: the stick's short name, or the code.
func (x *ScanItem) called() string {
	if x.Name != "" {
		return x.Name
	}
	return x.Code
}

// said is what came of the scan.
func (x *ScanItem) said(f Frame) string {
	switch {
	case x.Undone:
		return f.T("scan.undone")
	case x.Fault == "stick_lost":
		return f.T("scan.is_lost")
	case x.Fault == "stick_retired":
		return f.T("scan.is_retired")
	case x.Fault == "stick_not_wiped":
		return f.T("scan.not_wiped", "holder", x.Params["holder"])
	case x.Fault != "":
		return f.L.Fault(x.Fault, x.Params)
	case x.Act == api.ScanReturn && x.Seq == 0:
		return f.T("scan.was_back")
	case x.Act == api.ScanReturn:
		return f.T("scan.is_back")
	case x.Seq == 0:
		return f.T("scan.had", "holder", x.Holder)
	}
	return f.T("scan.has", "holder", x.Holder)
}

// undoable reports whether the scan did something that stands.
func (x *ScanItem) undoable() bool { return x.Seq > 0 && !x.Undone && x.NotUndone == "" }

// next is where what stands in the scan's way is settled: an address and a word,
// or nothing.
func (x *ScanItem) next(f Frame) (path, word string) {
	page := "/sticks/" + x.Stick
	switch {
	case x.Stick == "" || x.Undone:
		return "", ""
	case x.Fault == "stick_lost":
		return page + "#found", f.T("scan.say_found")
	case x.Fault != "":
		return page, f.T("scan.open")
	case x.DataOpen:
		return page + "#data", f.T("scan.ask_data")
	}
	return page, f.T("scan.open")
}

// count is how many sticks of the sitting were handled.
func (s *ScanSitting) count() int {
	n := 0
	for i := range s.Items {
		if s.Items[i].Seq > 0 && !s.Items[i].Undone {
			n++
		}
	}
	return n
}

func (x *ScanItem) seq() string { return strconv.FormatInt(x.Seq, 10) }
