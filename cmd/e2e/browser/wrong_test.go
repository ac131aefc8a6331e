package browser

import (
	"encoding/json"
	"testing"

	"github.com/chromedp/cdproto/emulation"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/webtest"
)

// send fills the form with an action by the names of its fields and sends it,
// whatever the browser itself says of it.
const send = `((action, values) => {
	const form = document.querySelector("main form[action='" + action + "']");
	for (let e = form.parentElement; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
	for (const [name, value] of Object.entries(values)) {
		for (const e of form.querySelectorAll("[name='" + name + "']")) {
			if (e.type === "radio" || e.type === "checkbox") e.checked = e.value === value;
			else e.value = value;
		}
	}
	form.noValidate = true;
	form.querySelector("button.btn-primary, button.btn:last-of-type").click();
})`

// TestWrongForms sends forms with several wrong fields, without scripts of the
// page: the focus is at the first, and each says what is wrong. It takes pictures.
func TestWrongForms(t *testing.T) {
	t.Parallel()
	s := webtest.Play(t, webtest.Start(t))
	dir := album(t)
	k, err := s.GetConnector(t.Context(), s.Admin, "servicenow")
	if err != nil {
		t.Fatal(err)
	}
	person, err := s.FindUser(t.Context(), s.Admin, "viewer")
	if err != nil {
		t.Fatal(err)
	}
	hook, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/x"})
	if err != nil {
		t.Fatal(err)
	}
	long := "The quick brown fox jumps over the lazy dog. "
	for len(long) < 400 {
		long += long
	}
	forms := []struct {
		page
		action string
		values map[string]string
		first  string // what says what is wrong with the field that has the focus
		wrong  int
	}{
		{page{"wrong-user-new", "/users/new"}, "/users", map[string]string{"login": "a b", "name": long, "everywhere": "no"}, "login-error", 3},
		{page{"wrong-user", "/users/" + person.ID}, "/users/" + person.ID, map[string]string{"name": " ", "everywhere": "no"}, "name-error", 2},
		{page{"wrong-webhook-new", "/webhooks/new"}, "/webhooks", map[string]string{"url": "ftp://x", "description": long, "every": "no", "everywhere": "no"}, "url-error", 4},
		{page{"wrong-webhook", "/webhooks/" + hook.ID}, "/webhooks/" + hook.ID, map[string]string{"url": "", "description": long, "every": "no"}, "url-error", 3},
		{page{"wrong-connector-new", "/connectors/new"}, "/connectors", map[string]string{"system": "generic", "name": "a b", "title": long, "method": "header", "header": "a b", "secret": "short"}, "name-error", 4},
		{page{"wrong-connector", "/connectors/" + k.ID}, "/connectors/" + k.ID, map[string]string{"name": "", "title": long}, "title-error", 2},
		{page{"wrong-mapping", "/connectors/" + k.ID + "/mapping"}, "/connectors/" + k.ID + "/mapping", map[string]string{"path_ticket": "", "otherwise_image": "nope", "otherwise_computer_name": "{x}"}, "map-ticket-error", 3},
		{page{"wrong-write-back", "/connectors/" + k.ID + "/write-back"}, "/connectors/" + k.ID + "/write-back", map[string]string{"event": "", "content_type": "", "url": "{{", "body": "{{"}, "events-error", 4},
		{page{"wrong-token", "/account"}, "/account/tokens", map[string]string{"name": " ", "days": "soon"}, "token-name-error", 2},
		{page{"wrong-task-sequence", "/task-sequences/new"}, "/task-sequences", map[string]string{"name": " ", "edition": "0", "min_write_rate": "-5"}, "name-error", 3},
		{page{"wrong-template", "/templates/new"}, "/templates", map[string]string{"name": " ", "source": "<no"}, "name-error", 2},
	}
	for _, language := range []string{"en", "zh-CN"} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			b := open(t, s.URL, language)
			b.visit(s.Link(t, "admin"))
			b.press("main form .btn-primary")
			b.at("/")
			for _, x := range forms {
				if len(somePages(t, []page{x.page})) == 0 {
					continue
				}
				call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
				b.visit(x.path)
				values, err := json.Marshal(x.values)
				if err != nil {
					t.Fatal(err)
				}
				eval[any](b, send+"('"+x.action+"', "+string(values)+")")
				b.until("it is refused", `document.querySelectorAll(".error[id$='-error']").length > 0`)
				if n := eval[int](b, `document.querySelectorAll(".error[id$='-error']").length`); n != x.wrong {
					t.Errorf("%s: %d fields are wrong, want %d", x.name, n, x.wrong)
				}
				b.until("the first has the focus: "+x.first, `document.activeElement.getAttribute("aria-describedby")?.split(" ").includes("`+x.first+`")`)
				b.expect("422")
				call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
				b.shoot(dir, x.name+"-"+language)
			}
		})
	}
}
