package view

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/web/locale"
)

// WebhookForm is what was typed of a webhook.
type WebhookForm struct {
	URL, Description string
	Every            bool // all types of events
	Types            []string
	Everywhere       bool
	Sites            []string
}

// FormOf is the form of a webhook as it is.
func FormOf(w api.Webhook) WebhookForm {
	return WebhookForm{
		URL: w.URL, Description: w.Description, Every: len(w.Types) == 0, Types: w.Types, Everywhere: len(w.Sites) == 0, Sites: w.Sites,
	}
}

// WebhookPage is one webhook.
type WebhookPage struct {
	Webhook    api.Webhook
	Secret     string // made just now
	Form       WebhookForm
	Sites      []api.Site
	State      string // of the deliveries that are shown
	Deliveries api.List[api.Delivery]
	History    []api.HistoryEntry
	Problem    Problem // of the form
	Danger     Problem // of deleting it
	Refused    error   // either
}

// HostOf is the host of a URL, by which people know a webhook.
func HostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return u.Host
}

// webhookName is what a webhook is called: its description, or its host.
func webhookName(w api.Webhook) string {
	if w.Description != "" {
		return w.Description
	}
	return HostOf(w.URL)
}

// webhookTypes says in a word what a webhook is sent.
func webhookTypes(f Frame, w api.Webhook) string {
	switch len(w.Types) {
	case 0:
		return f.T("webhook.every_type")
	case 1, 2:
		return strings.Join(w.Types, ", ")
	}
	return f.L.N("webhook.types", len(w.Types))
}

// DeliveryPath is the address of a delivery's page.
func DeliveryPath(d api.Delivery) string { return "/webhooks/" + d.WebhookID + "/deliveries/" + d.ID }

// kindGroups are the types of events by what they are about.
func kindGroups() map[string][]api.EventKind {
	groups := map[string][]api.EventKind{}
	for _, k := range api.EventKinds {
		of, _, _ := strings.Cut(k.Type, ".")
		groups[of] = append(groups[of], k)
	}
	return groups
}

// deliveryTabs narrow the deliveries of a webhook.
func deliveryTabs(f Frame, p WebhookPage) []Tab {
	base := "/webhooks/" + p.Webhook.ID
	tabs := []Tab{{Link: Link{f.T("webhook.all_deliveries"), base + "#deliveries"}, Here: p.State == "", Count: -1}}
	for _, state := range []string{api.DeliveryFailed, api.DeliveryPending, api.DeliveryDelivered} {
		tabs = append(tabs, Tab{Link: Link{f.T("state." + state), base + "?state=" + state + "#deliveries"}, Here: p.State == state, Count: -1})
	}
	return tabs
}

// deliveriesPath is the address of a webhook's page with the deliveries that it
// shows.
func deliveriesPath(f Frame, p WebhookPage) string {
	if p.State == "" && f.Query.Get("after") == "" {
		return "/webhooks/" + p.Webhook.ID
	}
	return f.With("", "")
}

// answered is the status of an attempt, or a dash.
func answered(status int) string {
	if status == 0 {
		return "—"
	}
	return strconv.Itoa(status)
}

// took is how long an attempt took.
func took(ms *int64) string {
	if ms == nil {
		return "…"
	}
	return strconv.FormatInt(*ms, 10) + " ms"
}

// whyFailed is the sentence of a delivery's fault.
func whyFailed(l locale.Locale, f *api.DeliveryFault) string {
	if f == nil {
		return ""
	}
	return l.Fault(f.Code, f.Params)
}

// indented is JSON as people read it; what is none stays.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return text
	}
	return b.String()
}

// receiverExample is a receiver in a few lines, for who has none yet.
const receiverExample = `wh, _ := standardwebhooks.NewWebhook("whsec_…")
http.HandleFunc("POST /stickpress", func(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err := wh.Verify(body, r.Header); err != nil {
		http.Error(w, "bad signature", http.StatusUnauthorized)
		return
	}
	// body is an event: it is from the console, and as it was sent
})`
