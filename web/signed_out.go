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
	account act any_state as_before at auth back block_map body boot_signature build by cert channel client_auth client_id commit
	computer_name content_type count data data-reason days default description device document done edition erase_first
	event every everywhere exclude found-reason from header holder host host-name hub image kind language layout list
	locale login lost-reason mark method min_random_iops min_write_rate name names naming next notes number object
	other_version override paper partition passes payload port portable q query reason reference request revision role
	row_computer row_device row_holder row_reference scope seq sequence shared signer site source speed state step stick
	system table template text theme title to token_url trusted type until upload url user username value version when
	zone
`)

// keptBegins are those of the fields of a ticket's mapping.
var keptBegins = []string{"path_", "otherwise_", "table_"}

// lostFields are what they are not given back: secrets, and what makes one.
var lostFields = strings.Fields(`client_secret code current key make password secret token`)

// signedOut answers a form that was sent after its session had ended: what was
// typed is on the page, to be sent again after signing in. Secrets are not, and
// files cannot be.
func (s *Web) signedOut(w http.ResponseWriter, r *http.Request) error {
	var kept []view.KeptField
	for name, values := range r.PostForm {
		if !isKept(name) {
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

func isKept(name string) bool {
	return slices.Contains(keptFields, name) ||
		slices.ContainsFunc(keptBegins, func(begin string) bool { return strings.HasPrefix(name, begin) })
}
