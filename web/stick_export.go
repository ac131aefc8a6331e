package web

import (
	"encoding/csv"
	"net/http"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/download"
	"github.com/stickpress/stickpress/api/fault"
)

// stickColumns are the columns of exported sticks.
var stickColumns = []string{
	"id", "name", "serial", "state", "life", "holder", "reference", "computer", "image", "version", "verified_at", "checked_at",
	"user_data", "vendor", "model", "vid_pid", "bytes", "host", "port", "page",
}

// stickExport streams the list of sticks as CSV, narrowed like the page. What an
// address has that a filter does not know is refused: a file does not say what was
// left out of it.
func (s *Web) stickExport(w http.ResponseWriter, r *http.Request) error {
	filter, unknown := api.ReadFilter(api.StickFields, r.URL.Query())
	if len(unknown) > 0 {
		return fault.New(fault.KindInvalid, "filter_field_unknown", "name", unknown[0]).At(unknown[0])
	}
	base, err := s.console.PublicURL(r.Context(), s.url)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	file := download.File{
		MediaType: "text/csv; charset=utf-8", Name: fileName("sticks", "csv"), Begin: func() error { return out.Write(stickColumns) },
		End: func() error { out.Flush(); return out.Error() },
	}
	return file.Stream(w, func(line func(func() error) error) error {
		return s.console.ExportSticks(r.Context(), actorOf(r), filter, func(x api.Stick) error {
			return line(func() error { return out.Write(stickRow(base, &x)) })
		})
	}, s.cutOff(r))
}

func stickRow(base string, x *api.Stick) []string {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	return api.Inert(x.ID, api.ShortName(x.ID), x.Serial, x.State, x.Life, x.Holder, x.Reference, x.Computer, x.ImageName, x.Version,
		at(x.VerifiedAt), at(x.CheckedAt), x.Data, x.Vendor, x.Model, x.VIDPID, strconv.FormatInt(x.Bytes, 10), x.HostName, x.Port,
		base+"/sticks/"+x.ID)
}
