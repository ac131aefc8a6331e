package connector

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"unicode/utf8"

	"github.com/stickpress/stickpress/api/fault"
)

// CodeTemplateInvalid is the fault of a template that cannot be kept, or could
// not be filled in.
const CodeTemplateInvalid fault.Code = "write_back_template_invalid" // field, why, detail

// The events that are written back.
const (
	EventQueued   = "queued"   // somebody chose the sticks
	EventRunning  = "running"  // the first of them is being written
	EventVerified = "verified" // all of them are good
	EventFailed   = "failed"   // all have ended, and not all are good
	EventDeclined = "declined" // somebody said no, and why
)

// Events lists the events in their order.
var Events = []string{EventQueued, EventRunning, EventVerified, EventFailed, EventDeclined}

// Reply is what is sent to a ticket when something happens to its request:
// text/template, filled in with Data.
//
// Whatever an action prints is escaped for where it stands without being asked
// to: in the URL for a path ("query" for a query), in a body that is JSON for
// the inside of a string ("json" prints a whole value), so that a ticket's text
// cannot say anything else than text. An URL that comes out empty sends nothing.
type Reply struct {
	Method      string `json:"method"` // POST, PUT, PATCH
	URL         string `json:"url"`
	ContentType string `json:"content_type"`
	Body        string `json:"body"`
}

// Data is what templates are filled in with.
type Data struct {
	Event    string      `json:"event"`
	Ticket   string      `json:"ticket"`
	Key      string      `json:"key"` // the ticket's, in its system's API
	Holder   string      `json:"holder"`
	Computer string      `json:"computer"`
	Image    string      `json:"image"`
	Version  string      `json:"version"`
	Host     string      `json:"host"`
	Site     string      `json:"site"`
	Note     string      `json:"note"`
	Reason   string      `json:"reason"` // of declined
	By       string      `json:"by"`     // who chose the sticks, or declined
	Job      string      `json:"job"`    // its ID
	Link     string      `json:"link"`   // to the job, or the request, in the console
	Count    int         `json:"count"`  // of sticks
	Verified int         `json:"verified"`
	Failed   int         `json:"failed"`
	Sticks   []DataStick `json:"sticks"`
}

// DataStick is one stick of Data.
type DataStick struct {
	ID       string `json:"id"`
	Serial   string `json:"serial"`
	Computer string `json:"computer"`
	State    string `json:"state"`
	Reason   string `json:"reason"` // why it failed: a fault's code
}

// Rendered is a template that was filled in.
type Rendered struct {
	Method, URL, ContentType string
	Body                     []byte
}

// Bounds of templates.
const (
	maxTemplate = 16 << 10 // bytes
	maxURL      = 2 << 10
	maxRendered = 64 << 10
)

var templateMethods = []string{"POST", "PUT", "PATCH"}

// helpers are what templates may call beside the built-in functions. The first
// three are put where an action does not end with one.
var helpers = template.FuncMap{
	"text": func(v any) (string, error) { // the inside of a JSON string
		raw, err := encode(fmt.Sprint(v))
		return strings.TrimSuffix(strings.TrimPrefix(raw, `"`), `"`), err
	},
	"url":   segment,
	"plain": func(v any) string { return fmt.Sprint(v) },
	"query": func(v any) string { return url.QueryEscape(fmt.Sprint(v)) },
	"json":  encode,
}

// segment is a value as one segment of a path, or as one value of a query; what
// would lead to another path is none.
func segment(v any) (string, error) {
	text := fmt.Sprint(v)
	if text == "" || text == "." || text == ".." {
		return "", fmt.Errorf("%q is no part of a path", text)
	}
	return strings.ReplaceAll(url.QueryEscape(text), "+", "%20"), nil
}

// encode is a value as JSON that stands in JSON, in HTML and in scripts alike.
func encode(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

// Check refuses a template that could not be filled in, whatever a ticket
// holds: it is filled in with plain and with nasty samples of every event.
// Faults: write_back_template_invalid at the field.
func (t Reply) Check() error {
	var method, kind, address, body error
	if !slices.Contains(templateMethods, t.Method) {
		method = invalid("method", "method", "")
	}
	if t.ContentType == "" || len(t.ContentType) > 100 || strings.ContainsFunc(t.ContentType, func(r rune) bool { return r < ' ' || r > '~' }) {
		kind = invalid("content_type", "content_type", "")
	}
	host, sent := "", false
	for _, event := range Events {
		for _, sample := range []Data{Sample(event), nasty(event)} {
			at, err := t.address(sample)
			if err == nil && at == "" {
				continue
			}
			if body == nil {
				_, body = t.body(sample)
			}
			if err == nil {
				err = sameHost(at, &host)
			}
			sent = true
			address = cmp.Or(address, err)
		}
	}
	if !sent {
		address = invalid("url", "empty", "")
	}
	return fault.All(method, kind, address, body)
}

// sameHost refuses an address at another host than the one before, or a ticket
// could send the connector's password where it likes.
func sameHost(address string, host *string) error {
	u, err := url.Parse(address)
	if err != nil {
		return invalid("url", "url", err.Error())
	}
	at := u.Scheme + "://" + u.Host
	if *host != "" && at != *host {
		return invalid("url", "host", at)
	}
	*host = at
	return nil
}

// Host is the scheme and the host that all of the template's URLs have.
func (t Reply) Host() string {
	for _, event := range Events {
		at, err := t.address(Sample(event))
		if err != nil || at == "" {
			continue
		}
		if u, err := url.Parse(at); err == nil {
			return u.Scheme + "://" + u.Host
		}
	}
	return ""
}

// Render fills a template in. Faults: write_back_template_invalid.
func (t Reply) Render(d Data) (Rendered, error) {
	address, err := t.address(d)
	if err != nil || address == "" {
		return Rendered{}, err
	}
	body, err := t.body(d)
	if err != nil {
		return Rendered{}, err
	}
	return Rendered{Method: t.Method, URL: address, ContentType: t.ContentType, Body: body}, nil
}

// address is where it is sent; empty: nowhere.
func (t Reply) address(d Data) (string, error) {
	address, err := fill("url", t.URL, "url", maxURL, d)
	if err != nil {
		return "", err
	}
	if address = strings.TrimSpace(address); address != "" && webAddress(address) == "" {
		return "", invalid("url", "url", address)
	}
	return address, nil
}

func (t Reply) body(d Data) ([]byte, error) {
	escape := "plain"
	if t.json() {
		escape = "text"
	}
	body, err := fill("body", t.Body, escape, maxRendered, d)
	if err != nil {
		return nil, err
	}
	if t.json() {
		var v any
		if err := json.Unmarshal([]byte(body), &v); err != nil {
			return nil, invalid("body", "json", err.Error())
		}
	}
	return []byte(body), nil
}

func (t Reply) json() bool { return strings.Contains(t.ContentType, "json") }

// fill runs one template whose actions are escaped by a helper.
func fill(field, text, escape string, most int, d Data) (string, error) {
	if len(text) > maxTemplate || !utf8.ValidString(text) {
		return "", invalid(field, "too_long", "")
	}
	t, err := template.New(field).Funcs(helpers).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", invalid(field, "syntax", cause(err))
	}
	if err := guard(t.Tree, t.Root, escape); err != nil {
		return "", invalid(field, "forbidden", err.Error())
	}
	if len(t.Templates()) > 1 {
		return "", invalid(field, "forbidden", "define")
	}
	out := &bounded{most: most}
	if err := t.Execute(out, d.values()); err != nil {
		if errors.Is(err, errTooLong) {
			return "", invalid(field, "too_long", "")
		}
		return "", invalid(field, "execute", cause(err))
	}
	return out.String(), nil
}

// guard puts the helper behind every action that prints, and refuses what could
// run for long: a template has no loops but over the sticks, and no templates.
func guard(tree *parse.Tree, n parse.Node, escape string) error {
	switch x := n.(type) {
	case *parse.ListNode:
		if x == nil {
			return nil
		}
		for _, child := range x.Nodes {
			if err := guard(tree, child, escape); err != nil {
				return err
			}
		}
	case *parse.ActionNode:
		if len(x.Pipe.Decl) == 0 && !escaped(x.Pipe, escape) {
			id := parse.NewIdentifier(escape).SetTree(tree).SetPos(x.Pos)
			x.Pipe.Cmds = append(x.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: x.Pos, Args: []parse.Node{id}})
		}
	case *parse.IfNode:
		return errors.Join(guard(tree, x.List, escape), guard(tree, x.ElseList, escape))
	case *parse.WithNode:
		return errors.Join(guard(tree, x.List, escape), guard(tree, x.ElseList, escape))
	case *parse.RangeNode:
		if x.Pipe.Cmds[0].String() != ".sticks" || len(x.Pipe.Cmds) != 1 {
			return errors.New("range " + x.Pipe.String())
		}
		return errors.Join(guard(tree, x.List, escape), guard(tree, x.ElseList, escape))
	case *parse.TemplateNode:
		return errors.New("template")
	}
	return nil
}

// escaped reports whether an action ends with a helper that escapes as much as
// the one that would be put behind it.
func escaped(p *parse.PipeNode, escape string) bool {
	last := p.Cmds[len(p.Cmds)-1]
	id, ok := last.Args[0].(*parse.IdentifierNode)
	enough := map[string][]string{"url": {"url", "query"}, "text": {"text", "json", "url", "query"}}
	return ok && slices.Contains(enough[escape], id.Ident)
}

// values are the data by the names that templates use.
func (d Data) values() map[string]any {
	raw, err := json.Marshal(d)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	var v map[string]any
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	if err := decoder.Decode(&v); err != nil {
		panic(err)
	}
	v["count"], v["verified"], v["failed"] = d.Count, d.Verified, d.Failed
	if d.Sticks == nil {
		v["sticks"] = []any{}
	}
	return v
}

func invalid(field, why, detail string) error {
	return fault.New(fault.KindInvalid, CodeTemplateInvalid, "field", field, "why", why, "detail", clip(detail, 300)).At(field)
}

// cause is what text/template says, without the prefix that it always has.
func cause(err error) string { return strings.TrimPrefix(err.Error(), "template: ") }

var errTooLong = errors.New("too long")

// bounded is a buffer that takes so many bytes.
type bounded struct {
	bytes.Buffer
	most int
}

// Write implements io.Writer.
func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > b.most {
		return 0, errTooLong
	}
	return b.Buffer.Write(p)
}

// Sample is what pages fill templates in with, to show what will be sent.
func Sample(event string) Data {
	d := Data{
		Event: event, Ticket: "REQ0010042", Key: "4711", Holder: "Ada Lovelace", Computer: "WTG-4711", Image: "win11-ent", Version: "24.2.1",
		Host: "bench-1", Site: "Berlin", Note: "Starts on Monday", By: "grace", Job: "job_01jd6y9k3te0mv8b0g2z5q4w7x",
		Link: "https://stickpress.example.org/jobs/job_01jd6y9k3te0mv8b0g2z5q4w7x", Count: 1,
	}
	stick := DataStick{ID: "stick_01jd6y9k3te0mv8b0g2z5q4w7x", Serial: "4C53000120", Computer: d.Computer, State: event}
	switch event {
	case EventVerified:
		d.Verified = 1
	case EventFailed:
		d.Failed, stick.Reason = 1, "device_gone"
	case EventDeclined:
		d.Reason, d.Count, d.Job = "No stick without a contract", 0, ""
		return d
	}
	d.Sticks = []DataStick{stick}
	return d
}

// nasty is a sample that whoever writes tickets may have made.
func nasty(event string) Data {
	const evil = "a\"b\\c\n\t</script>{{.key}}/../?x=1&y#z@evil.example:80%00\u2028é漢"
	d := Sample(event)
	d.Ticket, d.Key, d.Holder, d.Computer, d.Note, d.Reason = evil, evil, evil, evil, evil, evil
	d.Image, d.Version, d.Host, d.Site, d.By = evil, evil, evil, evil, evil
	for i := range d.Sticks {
		d.Sticks[i].Serial, d.Sticks[i].Computer, d.Sticks[i].Reason = evil, evil, evil
	}
	return d
}
