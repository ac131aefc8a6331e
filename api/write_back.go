package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
)

// writeBack notes what is to be told to a request's ticket, in the transaction
// in which it happens. Connectors that write nothing back, or not that, tell
// nothing.
func (c *Console) writeBack(ctx context.Context, tx *store.Tx, q *store.StickRequest, event string) error {
	k, err := tx.Connector(ctx, q.ConnectorID)
	if err != nil {
		return err
	}
	config, err := writeBackOf(&k)
	if err != nil || config == nil || !slices.Contains(config.Events, event) {
		return err
	}
	data, err := c.writeBackData(ctx, tx.Reader, q, event)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(data)
	if err != nil {
		return err
	}
	w, err := tx.CreateWriteBack(ctx, q, event, raw)
	if err != nil {
		return err
	}
	return tx.EnqueueShared(ctx, c.background, writeBackQueue, []river.JobArgs{writeBackArgs{ID: w.ID.String()}})
}

// writeBackData is what a template may say of a request now.
func (c *Console) writeBackData(ctx context.Context, r store.Reader, q *store.StickRequest, event string) (connector.Data, error) {
	d := connector.Data{
		Event: event, Ticket: q.Ticket, Key: q.TicketKey, Holder: q.Holder, Computer: q.ComputerName, Image: q.Image, Note: q.Note, Reason: q.Reason,
		Sticks: []connector.DataStick{},
	}
	n := &names{r: r}
	var err error
	if d.Site, err = n.site(ctx, q.SiteID); err != nil {
		return d, err
	}
	if d.By, err = n.actor(ctx, q.DecidedByKind, q.DecidedByID); err != nil {
		return d, err
	}
	base, err := c.PublicURL(ctx, "")
	if err != nil {
		return d, err
	}
	path := "/requests/" + q.ID.String()
	if event != connector.EventDeclined && !q.JobID.IsZero() {
		path = "/jobs/" + q.JobID.String()
		if err := addSticks(ctx, n, q, &d); err != nil {
			return d, err
		}
	}
	if base != "" {
		d.Link = base + path
	}
	return d, nil
}

// addSticks says what became of the sticks that are made for a request.
func addSticks(ctx context.Context, n *names, q *store.StickRequest, d *connector.Data) error {
	job, err := n.r.Job(ctx, q.JobID)
	if err != nil {
		return err
	}
	d.Job = job.ID.String()
	if d.Host, err = n.host(ctx, job.HostID); err != nil {
		return err
	}
	v, err := n.version(ctx, job.ImageVersionID)
	if err != nil {
		return err
	}
	if d.Image, err = n.image(ctx, v.ImageID); err != nil {
		return err
	}
	d.Version = v.Version
	builds, err := n.r.RequestBuilds(ctx, q)
	if err != nil {
		return err
	}
	d.Count = len(builds)
	for _, b := range builds {
		s := connector.DataStick{ID: b.StickID.String(), Serial: b.Device.Serial, Computer: b.Variables[VariableComputerName], State: string(b.State)}
		switch b.State { //nolint:exhaustive // the others have not ended
		case store.BuildVerified:
			d.Verified++
		case store.BuildFailed, store.BuildCancelled:
			d.Failed++
			s.Reason = faultCode(b.Fault)
		}
		d.Sticks = append(d.Sticks, s)
	}
	return nil
}

func faultCode(f *protocol.Fault) string {
	if f == nil {
		return ""
	}
	return f.Code
}

// writeBackArgs are what River keeps of a write-back.
type writeBackArgs struct {
	ID string `json:"id"`
}

// Kind implements river.JobArgs.
func (writeBackArgs) Kind() string { return "write_back" }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (writeBackArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{MaxAttempts: writeBackAttempts}
}

// Any replica tells tickets, some at once. What is at it for so long was left by
// one that died.
const (
	writeBackQueue   = "write_backs"
	writeBacksAtOnce = 8
	writeBackLost    = 2 * writeBackPatience
	// writeBackPatience bounds an attempt: a request, and where its token was refused
	// another token and the request again, each within outbound.Timeout.
	writeBackPatience = time.Minute
)

// A write-back is tried this often, in about a day: see writeBackPause.
const writeBackAttempts = 15

// writeBackPause is the pause after an attempt: half a minute, twice as long
// each time, four hours at most, and up to a tenth more, so that what failed
// together does not come back together.
func writeBackPause(attempt int, random func() float64) time.Duration {
	pause := 4 * time.Hour
	if attempt < 10 {
		pause = min(pause, 30*time.Second<<(attempt-1))
	}
	return pause + time.Duration(random()*float64(pause)/10)
}

// writeBackWorker tells tickets.
type writeBackWorker struct {
	river.WorkerDefaults[writeBackArgs]
	c *Console
}

// Timeout implements river.Worker.
func (*writeBackWorker) Timeout(*river.Job[writeBackArgs]) time.Duration { return writeBackPatience }

// NextRetry implements river.Worker.
func (w *writeBackWorker) NextRetry(job *river.Job[writeBackArgs]) time.Time {
	return w.c.now().Add(writeBackPause(job.Attempt, rand.Float64))
}

// Work implements river.Worker.
func (w *writeBackWorker) Work(ctx context.Context, job *river.Job[writeBackArgs]) error {
	key, err := store.ParseID[store.WriteBackID](job.Args.ID)
	if err != nil {
		return river.JobCancel(err)
	}
	row, err := w.c.store.WriteBack(ctx, key)
	if isNotFound(err, "write_back") {
		return nil
	}
	if err != nil || row.State != store.WriteBackWaiting {
		return err
	}
	attempt, sent, err := w.c.tellTicket(ctx, &row)
	if ctx.Err() != nil {
		return ctx.Err() // the server stops: nothing is known of the ticket
	}
	state, last := store.WriteBackSent, job.Attempt >= job.MaxAttempts
	switch {
	case err == nil && !sent:
		return w.c.store.InTx(ctx, func(tx *store.Tx) error { return tx.SetWriteBackState(ctx, row.ID, store.WriteBackSkipped) })
	case err != nil && (last || hopeless(err, attempt.Status)):
		state = store.WriteBackFailed
	case err != nil:
		state = store.WriteBackWaiting
	}
	if err != nil {
		f := keep(fault.From(err))
		attempt.Fault = &f
	}
	attempt.WriteBackID = row.ID
	if kept := w.c.store.InTx(ctx, func(tx *store.Tx) error { return tx.AddWriteBackAttempt(ctx, attempt, state) }); kept != nil {
		return errors.Join(err, kept)
	}
	if state == store.WriteBackFailed {
		return river.JobCancel(err)
	}
	return err
}

// hopeless reports whether the same would be refused again, whenever.
func hopeless(err error, status int) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return fault.From(err).Code == connector.CodeTemplateInvalid
}

// CodeAnswerRefused is the fault of an answer that says no.
const CodeAnswerRefused fault.Code = "answer_refused" // status, host

// keptAnswer is how much of an answer is kept, in bytes.
const keptAnswer = 1000

// tellTicket sends one write-back. sent is false where there is nothing to send.
func (c *Console) tellTicket(ctx context.Context, row *store.WriteBack) (attempt store.WriteBackAttempt, sent bool, err error) {
	k, err := c.store.Connector(ctx, row.ConnectorID)
	if err != nil {
		return attempt, false, err
	}
	config, err := writeBackOf(&k)
	if err != nil || config == nil {
		return attempt, false, err
	}
	var data connector.Data
	if err := json.Unmarshal(row.Data, &data); err != nil {
		return attempt, false, fmt.Errorf("decode what is written back: %w", err)
	}
	r, err := config.Template.Render(data)
	if err != nil || r.URL == "" {
		return attempt, err != nil, err
	}
	to, err := url.Parse(r.URL)
	if err != nil || to.Scheme+"://"+to.Host != config.Template.Host() {
		return attempt, true, fault.New(fault.KindInvalid, connector.CodeTemplateInvalid, "field", "url", "why", "host", "detail", "")
	}
	answer, mask, err := c.askTicketSystem(ctx, k.ID, &config.Auth, r)
	attempt.Status, attempt.TookMS = answer.Status, answer.Took.Milliseconds()
	attempt.Answer = mask.out(string(answer.Body))
	attempt.Answer = attempt.Answer[:min(len(attempt.Answer), keptAnswer)]
	if err == nil && !answer.OK() {
		err = fault.New(fault.KindUnavailable, CodeAnswerRefused, "status", answer.Status, "host", to.Host)
	}
	return attempt, true, err
}

// askTicketSystem sends what a template came out as. A token that was kept and is
// not taken any more is replaced by a new one, once.
func (c *Console) askTicketSystem(ctx context.Context, id store.ConnectorID, a *WriteBackAuth, r connector.Rendered) (outbound.Answer, secretTexts, error) {
	for first := true; ; first = false {
		p, err := c.authorize(ctx, id, a)
		if err != nil {
			return outbound.Answer{}, nil, err
		}
		p.header.Set("Content-Type", r.ContentType)
		p.header.Set("Accept", "application/json")
		answer, err := c.outbound.Do(ctx, outbound.Request{Method: r.Method, URL: r.URL, Header: p.header, Body: r.Body})
		if answer.Status == http.StatusUnauthorized {
			c.tickets.drop(id, p.token)
			if first && p.kept {
				continue
			}
		}
		return answer, p.mask, err
	}
}

// secretTexts are what is masked wherever a ticket system says it back.
type secretTexts []string

func (s secretTexts) out(text string) string {
	for _, secret := range s {
		text = (&connector.Credentials{Secret: secret}).MaskBody(text)
	}
	return text
}

// proof is what a write-back proves itself by.
type proof struct {
	header http.Header
	mask   secretTexts // what of it is secret
	token  string      // that OAuth gave
	kept   bool        // for an earlier write-back
}

// authorize makes the proof for a connector's ticket system.
func (c *Console) authorize(ctx context.Context, id store.ConnectorID, a *WriteBackAuth) (proof, error) {
	p, secrets := proof{header: http.Header{}}, authSecrets{}
	if a.Kind == AuthNone {
		return p, nil
	}
	text, err := c.store.ConnectorAuth(ctx, id)
	if err == nil && text == "" {
		err = fault.New(fault.KindInvalid, CodeAuthMissing)
	}
	if err == nil {
		err = json.Unmarshal([]byte(text), &secrets)
	}
	if err != nil {
		return p, err
	}
	p.mask = secretTexts{secrets.Secret, secrets.ClientSecret}
	switch a.Kind {
	case AuthBasic:
		encoded := base64.StdEncoding.EncodeToString([]byte(a.User + ":" + secrets.Secret))
		p.header.Set("Authorization", "Basic "+encoded)
		p.mask = append(p.mask, encoded)
	case AuthBearer:
		p.header.Set("Authorization", "Bearer "+secrets.Secret)
	case AuthHeader:
		p.header.Set(a.Header, secrets.Secret)
	case AuthPassword, AuthClient:
		if p.token, p.kept, err = c.ticketToken(ctx, tokenRequest{id, *a, secrets}); err != nil {
			return p, err
		}
		p.header.Set("Authorization", "Bearer "+p.token)
		p.mask = append(p.mask, p.token)
	case AuthNone:
	}
	return p, nil
}
