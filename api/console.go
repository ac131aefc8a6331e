// Package api is what the console can do: one method of Console per use case.
//
// The three doors (web for people, api/rest for programs, api/hub for hosts)
// decode a request, call one method with an Actor and render what comes back.
// So a rule that holds for more than one door is here and nowhere else: who
// may do what (permissions), what is written into the audit log, what makes a
// request wrong. What a method refuses, it refuses with a *fault.Error.
//
// IDs cross this package as prefixed strings ("job_…"). The types it returns
// are plain data, made for showing; the rows behind them belong to store.
package api

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/outbound"
	"github.com/stickpress/stickpress/store"
	"github.com/stickpress/stickpress/store/blob"
)

// Deps is what a Console needs.
type Deps struct {
	Store   *store.Store
	Blobs   blob.Store
	Staging *blob.Staging
	Logger  *slog.Logger
	// Clock and Rand default to time.Now and crypto/rand.
	Clock func() time.Time
	Rand  io.Reader
	// Replica names this program among those that share the database, in logs
	// and in the hosts table; a random name if empty.
	Replica string
	// Config is what the server was told, with secrets masked, for the page that
	// shows it.
	Config []Setting
	// TLS is how this server keeps a certificate that the console makes.
	TLS TLSFiles
	// MaxUpload bounds one upload, in bytes, until an admin sets another limit;
	// default 64 GiB.
	MaxUpload int64
	// TicketLifetime is how long a blob ticket is good for; default one hour.
	TicketLifetime time.Duration
	// OfflineAfter is how long a host may be silent before it counts as
	// offline; default one minute.
	OfflineAfter time.Duration
	// DuePoll is how long this replica may not have heard of a job for later, if
	// what is told between replicas is lost; default 20 seconds.
	DuePoll time.Duration
	// Service and People are where people may sign in besides: an OpenID
	// provider, a directory. Either may be nil.
	Service *SignInService
	People  *PeopleDirectory
	// Outbound is how URLs that somebody typed are asked; what they may reach is
	// a setting.
	Outbound outbound.Options
}

// Console is the hall behind the doors. It is safe for concurrent use.
type Console struct {
	store     *store.Store
	blobs     blob.Store
	staging   *blob.Staging
	log       *slog.Logger
	now       func() time.Time
	rand      io.Reader
	replica   string
	config    []Setting
	tls       TLSFiles
	maxUpload int64
	ticketTTL time.Duration
	offline   time.Duration
	duePoll   time.Duration
	passwords *passwords
	limits    struct{ address, enroll, hook, hookFailed, pairing *limiter }
	tokens    tokenCounts
	progress  progressBoard
	reports   reports
	service   *SignInService
	directory *PeopleDirectory
	rates     rateBoard
	inspected inspectionRates
	counted   statistics
	known     settingCache
	outbound  *outbound.Client
	tickets   ticketTokens

	background *store.Background

	// life ends with Run: watchers must not hold up the end of the program.
	life context.Context
	die  context.CancelFunc

	mu  sync.Mutex
	key ed25519.PrivateKey // the server's, once it was needed
}

// New returns a console. Run must be running for watchers and hosts to hear of
// what happened on other replicas.
func New(d Deps) (*Console, error) {
	if d.Store == nil || d.Blobs == nil || d.Staging == nil || d.Logger == nil {
		return nil, errors.New("a console needs a store, blobs, staging and a logger")
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Rand == nil {
		d.Rand = rand.Reader
	}
	if d.MaxUpload <= 0 {
		d.MaxUpload = 64 << 30
	}
	if d.TicketLifetime <= 0 {
		d.TicketLifetime = time.Hour
	}
	if d.OfflineAfter <= 0 {
		d.OfflineAfter = time.Minute
	}
	if d.DuePoll <= 0 {
		d.DuePoll = 20 * time.Second
	}
	if d.Replica == "" {
		var b [6]byte
		if _, err := io.ReadFull(d.Rand, b[:]); err != nil {
			return nil, fmt.Errorf("make a replica name: %w", err)
		}
		d.Replica = fmt.Sprintf("%x", b)
	}
	c := &Console{
		store: d.Store, blobs: d.Blobs, staging: d.Staging, log: d.Logger.With("part", "api"),
		now: d.Clock, rand: d.Rand, replica: d.Replica, config: d.Config, tls: d.TLS, maxUpload: d.MaxUpload,
		ticketTTL: d.TicketLifetime, offline: d.OfflineAfter, duePoll: d.DuePoll,
	}
	c.service, c.directory = d.Service, d.People
	c.reports.store = c.storeReports
	d.Outbound.Allowed = c.allowedOutbound
	c.outbound = outbound.New(d.Outbound)
	c.life, c.die = context.WithCancel(context.Background())
	var err error
	if c.passwords, err = newPasswords(d.Rand, 2); err != nil {
		return nil, err
	}
	if err := c.openBackground(); err != nil {
		return nil, err
	}
	c.tokens.table = newTable(tokenRate)
	c.limits.address = newLimiter(d.Clock, 60, 5*time.Minute)
	c.limits.enroll = newLimiter(d.Clock, 30, 5*time.Minute)
	c.limits.hook = newLimiter(d.Clock, hooksPerMinute, time.Minute)
	c.limits.pairing = newLimiter(d.Clock, 600, 5*time.Minute) // ten programs that ask every five seconds
	c.limits.hookFailed = newLimiter(d.Clock, hookFailures, hookWindow)
	return c, nil
}

// sweepEvery is how often what has expired is removed.
const sweepEvery = 10 * time.Minute

// uploadAge is how long an unfinished upload may rest until an admin says
// otherwise.
const uploadAge = 48 * time.Hour

// Run hears of what happens on other replicas, works in the background and
// sweeps now and then, until ctx ends. Each replica runs it once, beside its servers. Watchers end with it.
func (c *Console) Run(ctx context.Context) error {
	defer c.die()
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		every := time.NewTicker(sweepEvery)
		defer every.Stop()
		for {
			c.sweep(ctx)
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	})
	wg.Go(func() { c.wakeDue(ctx) })
	wg.Go(func() { c.followRequests(ctx) })
	wg.Go(func() { c.sendWebhooks(ctx) })
	wg.Go(func() {
		if err := c.background.Run(ctx); err != nil && ctx.Err() == nil {
			c.log.Error("background work ended", "error", err)
		}
	})
	return c.store.Run(ctx)
}

// sweep removes what nobody can use any more.
func (c *Console) sweep(ctx context.Context) {
	if _, err := c.store.DropExpired(ctx); err != nil && ctx.Err() == nil {
		c.log.Warn("sweep of expired tokens failed", "error", err)
	}
	if _, err := c.store.DropMessages(ctx, c.now().Add(-messageAge)); err != nil && ctx.Err() == nil {
		c.log.Warn("sweep of old deliveries failed", "error", err)
	}
	age, err := c.uploadKeep(ctx)
	if err != nil {
		c.log.Warn("the time that uploads are kept is not known", "error", err)
		return
	}
	if n, err := c.staging.Expire(ctx, age); err != nil && ctx.Err() == nil {
		c.log.Warn("sweep of abandoned uploads failed", "error", err)
	} else if n > 0 {
		c.log.Info("abandoned uploads removed", "count", n)
	}
}

// change runs a use case that changes something: allowed, attributed, and in
// one transaction with its audit row, which do writes. For an actor that is Refused
// nothing stays of it.
func (c *Console) change(ctx context.Context, a Actor, u UseCase, do func(tx *store.Tx, by store.Actor) error) error {
	if err := allow(a, u); err != nil {
		return err
	}
	by, err := a.by()
	if err != nil {
		return err
	}
	err = c.store.InTx(ctx, func(tx *store.Tx) error {
		if err := cmp.Or(do(tx, by), a.refused); err != nil || a.repeatable == nil {
			return err
		}
		return tx.Done(ctx, a.repeatable)
	})
	return c.fasterBy(ctx, err)
}

// fasterBy adds to a fault that says that somebody else was faster who that was,
// where the audit log knows it.
func (c *Console) fasterBy(ctx context.Context, err error) error {
	x := fault.From(err)
	if err == nil || x.Code != store.CodeStale {
		return err
	}
	last, lookErr := c.store.History(ctx, []store.Object{{Kind: x.Params["kind"], ID: x.Params["id"]}}, []string{}, store.AuditPage{Limit: 1})
	if lookErr != nil || len(last) == 0 || last[0].ActorKind != store.ActorUser && last[0].ActorKind != store.ActorToken {
		return err
	}
	if name, lookErr := c.names().actor(ctx, last[0].ActorKind, last[0].ActorID); lookErr == nil && name != "" {
		x.Params["by"] = name
	}
	return x
}
