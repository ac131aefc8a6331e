package connector

// DefaultMapping is what a new connector of a system begins with: where its
// usual deliveries have what, as docs/tickets tells to set them up.
func (s System) DefaultMapping() Mapping {
	m := Mapping{FieldChannel: {Otherwise: "stable"}, FieldSticks: {Otherwise: "1"}}
	paths := map[string]string{}
	switch s {
	case ServiceNow: // a body of our own, see docs/tickets/servicenow.md
		paths = map[string]string{
			FieldTicket: "number", FieldTicketKey: "sys_id", FieldTicketURL: "url", FieldHolder: "requested_for",
			FieldComputer: "variables.computer_name", FieldSticks: "variables.sticks", FieldNote: "short_description",
			FieldImage: "variables.image", FieldSite: "location",
		}
		m[FieldCancelled] = Source{Path: "state", Table: states("Closed Incomplete", "Closed Skipped", "Cancelled", "Canceled")}
	case Jira: // webhookEvent, issue: https://developer.atlassian.com/cloud/jira/platform/webhooks/
		paths = map[string]string{
			FieldTicket: "issue.key", FieldTicketKey: "issue.id", FieldHolder: "issue.fields.reporter.displayName",
			FieldNote: "issue.fields.summary",
		}
		m[FieldCancelled] = Source{Path: "issue.fields.status.name", Table: states("Canceled", "Cancelled", "Declined", "Closed")}
	case Zammad: // ticket, article: https://admin-docs.zammad.org/en/latest/manage/webhook/payload.html
		paths = map[string]string{
			FieldTicket: "ticket.number", FieldTicketKey: "ticket.id", FieldHolder: "ticket.customer.email",
			FieldNote: "ticket.title",
		}
		m[FieldCancelled] = Source{Path: "ticket.state", Table: states("closed", "merged", "removed")}
	case GLPI: // event, item: src/Webhook.php, getWebhookBody; item is /Assistance/Ticket/{id} of its API
		paths = map[string]string{FieldTicket: "item.id", FieldHolder: "item.team.#(role==\"requester\").name", FieldNote: "item.name", FieldSite: "item.location.name"}
		m[FieldCancelled] = Source{Path: "item.status.id", Table: states("6")}
	case Freshservice: // a body of our own, see docs/tickets/freshservice.md
		paths = map[string]string{
			FieldTicket: "ticket_id", FieldTicketKey: "ticket_number", FieldTicketURL: "url", FieldHolder: "requested_for",
			FieldComputer: "computer_name", FieldNote: "subject", FieldImage: "image",
		}
		m[FieldCancelled] = Source{Path: "status", Table: states("Closed", "Cancelled")}
	case Generic:
		paths = map[string]string{
			FieldTicket: "ticket", FieldTicketKey: "ticket_key", FieldTicketURL: "ticket_url", FieldCancelled: "cancelled",
			FieldHolder: "holder", FieldComputer: "computer_name", FieldSticks: "sticks", FieldNote: "note",
			FieldImage: "image", FieldChannel: "channel", FieldSequence: "task_sequence", FieldSite: "site", FieldHost: "host",
		}
	}
	for field, path := range paths {
		source := m[field]
		source.Path = path
		m[field] = source
	}
	return m
}

// states is the table of a ticket's states in which it wants no stick any more;
// any other is "no".
func states(cancelled ...string) []Pair {
	var table []Pair
	for _, name := range cancelled {
		table = append(table, Pair{From: name, To: "yes"})
	}
	return append(table, Pair{From: "*", To: "no"})
}

// words is the sentence that the defaults write into a ticket.
const words = `Stickpress: {{if eq .event "queued"}}{{.count}} stick(s) for {{.holder}} are being made by {{.by}}.` +
	`{{else if eq .event "running"}}{{.count}} stick(s) for {{.holder}} are being written on {{.host}}.` +
	`{{else if eq .event "verified"}}{{.verified}} stick(s) for {{.holder}} are ready, with {{.image}} {{.version}}.` +
	`{{else if eq .event "failed"}}{{.failed}} of {{.count}} stick(s) for {{.holder}} failed.` +
	`{{else}}declined by {{.by}}: {{.reason}}{{end}} {{.link}}`

// DefaultReply is what a new connector of a system offers to write back; its
// host is to be replaced by the system's own.
func (s System) DefaultReply() Reply {
	t := Reply{Method: "POST", ContentType: "application/json"}
	switch s {
	case ServiceNow: // Table API, PATCH /now/table/{tableName}/{sys_id}
		t.Method = "PATCH"
		t.URL = "https://INSTANCE.service-now.com/api/now/table/sc_req_item/{{.key}}"
		t.Body = `{"work_notes": "` + words + `"}`
	case Jira: // REST API 2, add comment; version 3 wants a document in place of the text
		t.URL = "https://INSTANCE.atlassian.net/rest/api/2/issue/{{.ticket}}/comment"
		t.Body = `{"body": "` + words + `"}`
	case Zammad: // PUT /api/v1/tickets/{id} takes an article, too
		t.Method = "PUT"
		t.URL = "https://zammad.example.org/api/v1/tickets/{{.key}}"
		t.Body = `{"article": {"subject": "Stickpress", "body": "` + words + `", "content_type": "text/plain", "type": "note", "internal": true}}`
	case GLPI: // API v2, POST /Assistance/Ticket/{id}/Timeline/Followup
		t.URL = "https://glpi.example.org/api.php/v2/Assistance/Ticket/{{.key}}/Timeline/Followup"
		t.Body = `{"content": "` + words + `"}`
	case Freshservice: // API v2, create a note
		t.URL = "https://INSTANCE.freshservice.com/api/v2/tickets/{{.key}}/notes"
		t.Body = `{"body": "` + words + `", "private": true}`
	case Generic:
		t.URL = "https://tickets.example.org/hooks/stickpress"
		t.Body = `{"event": "{{.event}}", "ticket": "{{.ticket}}", "link": "{{.link}}", "sticks": {{json .sticks}}}`
	}
	return t
}
