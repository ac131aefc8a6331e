package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/riverqueue/river"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
)

// Events become messages by a reader of the feed, not in the transactions that
// write them: those are the ones in which sticks are reported and jobs are
// queued, and they owe webhooks no time. What the reader has read, the messages
// that came of it and the work to deliver them are one transaction, so that a
// crash loses none and sends none twice from here; of the replicas one reads at
// a time.

const (
	// webhookQueue is the queue of deliveries, which every replica works.
	webhookQueue = "webhooks"
	// deliveriesAtOnce is how many deliveries a replica has under way, of which
	// deliveriesEach may be one webhook's: a receiver that hangs does not hold up
	// the others.
	deliveriesAtOnce = 16
	deliveriesEach   = 4
	// deliveryLease is how long nobody else attempts a delivery that was begun;
	// deliveryLost is when its replica counts as dead. Both are well above
	// outbound.Timeout.
	deliveryLease = time.Minute
	deliveryLost  = 90 * time.Second
	// pauseAfter is how long a receiver may fail before its webhook is paused.
	pauseAfter = 3 * 24 * time.Hour
	// messageAge is how long it is known what was sent.
	messageAge = 14 * 24 * time.Hour
	// maxAnswer is how much of an answer is kept, in bytes.
	maxAnswer = 1 << 10
)

// sendWebhooks turns events into messages until ctx ends.
func (c *Console) sendWebhooks(ctx context.Context) {
	changed := c.store.Watch(ctx, store.TopicJobs, store.TopicSticks)
	wait := pace{feedLeast, feedPoll}.begin(changed)
	defer wait.stop()
	var lost time.Time // at once: this may be the replica that died
	for {
		for more := true; more && ctx.Err() == nil; {
			var err error
			if more, err = c.spreadEvents(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("events are not sent to webhooks yet", "error", err)
			}
		}
		if now := c.now(); now.Sub(lost) > deliveryLost/3 {
			lost = now
			if err := c.takeUpLost(ctx); err != nil && ctx.Err() == nil {
				c.log.Warn("what nobody is at any more is not taken up yet", "error", err)
			}
		}
		if !wait.next(ctx, nil) {
			return
		}
	}
}

// spreadEvents makes messages of the events that come next, unless another
// replica does just now; more is true if there may be others.
func (c *Console) spreadEvents(ctx context.Context) (more bool, err error) {
	// Most consoles have no webhook: they pay one look at a small table.
	if hooks, err := c.store.ActiveWebhooks(ctx); err != nil || len(hooks) == 0 {
		return false, err
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		more = false
		at, ok, err := tx.LockWebhookReader(ctx)
		if err != nil || !ok {
			return err
		}
		hooks, err := tx.ActiveWebhooks(ctx)
		if err != nil {
			return err
		}
		rows, err := tx.Feed(ctx, at, store.FeedFilter{Limit: feedPage})
		if err != nil || len(rows) == 0 {
			return err
		}
		messages, err := messagesOf(hooks, rows)
		if err != nil {
			return err
		}
		ids, err := tx.AddMessages(ctx, messages)
		if err != nil {
			return err
		}
		work := make([]river.JobArgs, 0, len(ids))
		for i, id := range ids {
			work = append(work, delivery{WebhookID: messages[i].WebhookID, MessageID: id})
		}
		if err := tx.EnqueueShared(ctx, c.background, webhookQueue, work); err != nil {
			return err
		}
		more = len(rows) == feedPage
		return tx.MoveWebhookReader(ctx, rows[len(rows)-1].Cursor())
	})
	return more, err
}

// messagesOf are the messages that webhooks get of events.
func messagesOf(hooks []store.Webhook, rows []store.FeedEvent) ([]store.NewMessage, error) {
	var out []store.NewMessage
	for i := range rows {
		row := &rows[i]
		var body []byte
		event, err := feedEvent(row)
		if err != nil {
			return nil, err
		}
		for _, w := range hooks {
			if row.Xact <= w.Since || len(w.Types) > 0 && !slices.Contains(w.Types, event.Type) ||
				len(w.Sites) > 0 && !slices.Contains(w.Sites, row.SiteID) {
				continue
			}
			if body == nil {
				if body, err = json.Marshal(event); err != nil {
					return nil, fmt.Errorf("write event %s: %w", event.ID, err)
				}
			}
			out = append(out, store.NewMessage{WebhookID: w.ID, EventID: event.ID, Type: event.Type, Body: body})
		}
	}
	return out, nil
}

// delivery asks River for one attempt, or for all attempts of the schedule.
type delivery struct {
	WebhookID store.WebhookID `json:"webhook_id"`
	MessageID store.MessageID `json:"message_id"`
	ByHand    bool            `json:"by_hand,omitempty"` // one attempt, which By asked for
	By        string          `json:"by,omitempty"`
}

// Kind implements river.JobArgs.
func (delivery) Kind() string { return "webhook_delivery" }

// deliverer delivers messages.
type deliverer struct {
	river.WorkerDefaults[delivery]
	c *Console

	mu   sync.Mutex
	busy map[store.WebhookID]int
}

// Work implements river.Worker. The schedule is the message's own (webhook.Delay):
// to River every attempt but the last one puts the work off.
func (d *deliverer) Work(ctx context.Context, job *river.Job[delivery]) error {
	if !d.enter(job.Args.WebhookID) {
		return river.JobSnooze(time.Second + rand.N(time.Second))
	}
	defer d.leave(job.Args.WebhookID)
	next, err := d.c.deliver(ctx, job.Args)
	if err == nil && next != nil {
		return river.JobSnooze(max(0, next.Sub(d.c.now())))
	}
	return err
}

func (d *deliverer) enter(id store.WebhookID) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy == nil {
		d.busy = map[store.WebhookID]int{}
	}
	if d.busy[id] >= deliveriesEach {
		return false
	}
	d.busy[id]++
	return true
}

func (d *deliverer) leave(id store.WebhookID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.busy[id]--; d.busy[id] == 0 {
		delete(d.busy, id)
	}
}

// deliver makes one attempt and returns when the next one is due, if any.
func (c *Console) deliver(ctx context.Context, work delivery) (next *time.Time, err error) {
	by := store.System
	if work.ByHand {
		if by.Kind, by.ID, err = store.ParseActor(work.By); err != nil {
			return nil, err
		}
	}
	var m store.Message
	var w store.Webhook
	var secrets []string
	claimed := false
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		next = nil
		if m, claimed, err = tx.ClaimMessage(ctx, work.MessageID, by, work.ByHand, deliveryLease, store.Refusal{Code: string(CodeDeliveryLost)}); err != nil {
			return err
		}
		if !claimed {
			// Somebody is at it: if that comes to nothing, this goes on.
			m, err := tx.Message(ctx, work.MessageID)
			if err == nil && m.State == store.MessagePending && !work.ByHand {
				next = m.ClaimedUntil
			}
			return gone(err)
		}
		if w, err = tx.Webhook(ctx, m.WebhookID); err == nil {
			secrets, err = tx.WebhookSecrets(ctx, m.WebhookID, tx.At())
		}
		return err
	})
	if err != nil || !claimed {
		return next, gone(err)
	}
	if w.State == store.WebhookPaused && !work.ByHand {
		return nil, c.endAttempt(ctx, &m, work, outbound.Answer{}, fault.New(fault.KindConflict, CodeWebhookPaused))
	}
	answer, err := c.sendMessage(ctx, &m, &w, secrets)
	if ctx.Err() != nil { // this replica ends
		err = fault.Wrap(ctx.Err(), fault.KindUnavailable, CodeDeliveryLost)
	}
	var refused *fault.Error
	if err != nil && !errors.As(err, &refused) {
		return nil, err
	}
	// How it went is written down even if this replica ends.
	if err := c.endAttempt(context.WithoutCancel(ctx), &m, work, answer, refused); err != nil {
		return nil, err
	}
	return m.NextAt, nil
}

// gone makes nothing of what is not there any more: its webhook was deleted.
func gone(err error) error {
	if isNotFound(err, "message") || isNotFound(err, "webhook") {
		return nil
	}
	return err
}

// sendMessage sends a message. Any answer but 2xx is the fault delivery_refused.
func (c *Console) sendMessage(ctx context.Context, m *store.Message, w *store.Webhook, secrets []string) (outbound.Answer, error) {
	header, err := webhook.Header(m.ID.String(), c.now(), m.Body, secrets)
	if err != nil {
		return outbound.Answer{}, err
	}
	answer, err := c.outbound.Do(ctx, outbound.Request{URL: w.URL, Header: header, Body: m.Body})
	if err == nil && !answer.OK() {
		err = fault.New(fault.KindUnavailable, CodeDeliveryRefused, "status", answer.Status)
	}
	return answer, err
}

// endAttempt writes down how an attempt went, with what follows from it: the
// next one (m.NextAt), the end of the message, the pause of its webhook.
func (c *Console) endAttempt(ctx context.Context, m *store.Message, work delivery, answer outbound.Answer, refused *fault.Error) error {
	return gone(c.store.InTx(ctx, func(tx *store.Tx) error {
		end := store.AttemptEnd{Status: answer.Status, Answer: beginningOf(answer.Body), State: store.MessageDelivered}
		if refused != nil {
			why := keep(refused)
			end.Fault = &why
			end.State, end.NextAt = nextAttempt(m, work, answer, refused, tx.At())
		}
		w, err := tx.EndAttempt(ctx, m, end)
		if err != nil {
			return err
		}
		if m.NextAt = end.NextAt; work.ByHand {
			m.NextAt = nil // this work is done
		}
		return pauseFailing(ctx, tx, &w, refused, answer.Status)
	}))
}

// nextAttempt says what becomes of a message whose attempt failed.
func nextAttempt(m *store.Message, work delivery, answer outbound.Answer, refused *fault.Error, now time.Time) (store.MessageState, *time.Time) {
	switch {
	case work.ByHand && m.EventID != "":
		return m.State, m.NextAt // as it was: the schedule decides
	case m.EventID == "", refused.Code == CodeWebhookPaused, answer.Status == statusGone:
		return store.MessageFailed, nil
	case refused.Code == CodeDeliveryLost:
		return store.MessagePending, &now
	}
	delay, ok := webhook.Delay(m.Tries, rand.Float64(), answer.Header)
	if !ok {
		return store.MessageFailed, nil
	}
	at := now.Add(delay)
	return store.MessagePending, &at
}

// statusGone is how a receiver says that it wants nothing any more.
const statusGone = 410

// pauseFailing pauses a webhook whose receiver wants nothing any more, or has
// failed for days.
func pauseFailing(ctx context.Context, tx *store.Tx, w *store.Webhook, refused *fault.Error, status int) error {
	if refused == nil || w.State != store.WebhookActive {
		return nil
	}
	cause := store.PausedFailing
	switch {
	case status == statusGone:
		cause = store.PausedGone
	case w.FailingSince == nil || tx.At().Sub(*w.FailingSince) < pauseAfter:
		return nil
	}
	after, err := tx.PauseWebhook(ctx, w.ID, w.Revision, cause)
	if err != nil {
		return err
	}
	return tx.Audit(ctx, auditWebhook(store.System, UsePauseWebhook, w, &after))
}

// beginningOf is the beginning of an answer as text.
func beginningOf(body []byte) string {
	body = body[:min(len(body), maxAnswer)]
	return strings.ToValidUTF8(string(bytes.ReplaceAll(body, []byte{0}, []byte("\uFFFD"))), "\uFFFD")
}
