package wire

import (
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/webhook/connector"
)

// CreateConnector is the body of POST /connectors.
type CreateConnector struct {
	Name   string           `json:"name" minLength:"1" maxLength:"63" doc:"In the address of its hook: lower-case letters, digits, hyphens."`
	Title  string           `json:"title,omitempty" doc:"What people call it; the name if empty."`
	System connector.System `json:"system" enum:"servicenow,jira,zammad,glpi,freshservice,generic"`
	Method connector.Method `json:"method,omitempty" enum:"basic,header,hub_sha256,hub_sha1,glpi" doc:"How deliveries prove where they come from; the system's usual way if left out."`
	Header string           `json:"header,omitempty" doc:"Of the method 'header': its name; X-Stickpress-Secret if empty."`
	User   string           `json:"user,omitempty" doc:"Of the method 'basic': the user; any if empty."`
	Secret string           `json:"secret,omitempty" doc:"For systems that make their own; a new one if empty."`
}

// SaveConnector is the body of PUT /connectors/{connector}.
type SaveConnector struct {
	Name   string           `json:"name" minLength:"1" maxLength:"63"`
	Title  string           `json:"title,omitempty"`
	Method connector.Method `json:"method" enum:"basic,header,hub_sha256,hub_sha1,glpi"`
	Header string           `json:"header,omitempty"`
	User   string           `json:"user,omitempty"`
}

// ConnectorSecret is the body of POST /connectors/{connector}/secrets.
type ConnectorSecret struct {
	Secret string `json:"secret,omitempty" doc:"For systems that make their own; a new one if empty."`
}

// ConnectorMapping is the body of PUT /connectors/{connector}/mapping.
type ConnectorMapping struct {
	Mapping connector.Mapping `json:"mapping" doc:"For each field where its value comes from: a path in the syntax of gjson, what is usual where it finds nothing, and a table of replacements."`
}

// TestMapping is the body of POST /connectors/{connector}/mapping-tests.
type TestMapping struct {
	Mapping  connector.Mapping `json:"mapping,omitempty" doc:"The connector's own if left out."`
	Document string            `json:"document" doc:"What a delivery would have: JSON or a form."`
}

// ConnectorWriteBack is the body of PUT /connectors/{connector}/write-back.
type ConnectorWriteBack struct {
	Config       *api.WriteBackConfig `json:"config,omitempty" doc:"Left out: nothing is written back."`
	Secret       string               `json:"secret,omitempty" doc:"Of config.auth; the one that there is if empty, for the same receiver."`
	ClientSecret string               `json:"client_secret,omitempty" doc:"Of OAuth; the same holds."`
}

// Why is the body of what wants a reason.
type Why struct {
	Reason string `json:"reason,omitempty" maxLength:"500"`
}
