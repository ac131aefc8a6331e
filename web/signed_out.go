package web

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stickpress/stickpress/web/view"
)

// keptFields are what forms may be given back: names are written here one by one,
// so that a new form's secret is not in a page until somebody says so. (A
// template's source is given back, whatever is in it: it is the most to lose.)
var keptFields = strings.Fields(`
	account act any_state as_before at back block_map boot_signature build by cert channel commit computer_name count data
	days default description device done edition erase_first every everywhere exclude from holder host host-name hub image kind
	language layout list locale login lost-reason mark method min_random_iops min_write_rate name names naming next notes
	number object other_version override paper partition passes port portable q query reason reference revision role
	row_computer row_device row_holder row_reference seq sequence shared signer site source speed state step stick table
	template text theme to trusted type until upload url username value version when zone
`)

// lostFields are what they are not given back: secrets, and what makes one.
var lostFields = strings.Fields(`code current key make password token`)

// signedOut answers a form that was sent after its session had ended: what was
// typed is on the page, to be sent again after signing in. Secrets are not, and
// files cannot be.
func (s *Web) signedOut(w http.ResponseWriter, r *http.Request) error {
	var kept []view.KeptField
	for name, values := range r.PostForm {
		if !slices.Contains(keptFields, name) {
			continue
		}
		for _, v := range values {
			kept = append(kept, view.KeptField{Name: name, Value: v})
		}
	}
	slices.SortStableFunc(kept, func(a, b view.KeptField) int { return strings.Compare(a.Name, b.Name) })
	file := carriesImage(r) || r.MultipartForm != nil && len(r.MultipartForm.File) > 0
	s.render(w, r, http.StatusUnauthorized, view.SignedOut(s.frame(r, ""), r.URL.Path, kept, file))
	return nil
}
