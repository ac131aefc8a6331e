package api

import (
	"context"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// progressBoard is where the attempts of the hosts on this replica are now. It
// is newer than the host_progress table, which gets one row a second for the
// other replicas.
type progressBoard struct {
	mu    sync.Mutex
	hosts map[store.HostID]*hostProgress
}

type hostProgress struct {
	session  int64
	attempts []protocol.AttemptProgress
	at       time.Time
	stored   time.Time     // when the table got it last
	changed  chan struct{} // closed when something newer came
}

// progressEvery is how often a host's progress goes into the table at most.
const progressEvery = time.Second

// put keeps a host's progress and reports whether the table is due. An older
// session's is dropped.
func (p *progressBoard) put(host store.HostID, session int64, attempts []protocol.AttemptProgress, now time.Time) (due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.entry(host)
	if session < h.session {
		return false
	}
	close(h.changed)
	h.session, h.attempts, h.at, h.changed = session, attempts, now, make(chan struct{})
	if due = now.Sub(h.stored) >= progressEvery; due {
		h.stored = now
	}
	return due
}

// entry finds or makes a host's entry; the caller holds the lock.
func (p *progressBoard) entry(host store.HostID) *hostProgress {
	h := p.hosts[host]
	if h == nil {
		h = &hostProgress{changed: make(chan struct{})}
		if p.hosts == nil {
			p.hosts = map[store.HostID]*hostProgress{}
		}
		p.hosts[host] = h
	}
	return h
}

// get returns a host's progress if its socket is here.
func (p *progressBoard) get(host store.HostID) (hostProgress, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[host]
	if h == nil || h.session == 0 {
		return hostProgress{}, false
	}
	return *h, true
}

// next returns a channel that closes when there is newer progress of a host.
func (p *progressBoard) next(host store.HostID) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.entry(host).changed
}

// drop forgets the bars of a host whose socket closed.
func (p *progressBoard) drop(host store.HostID, session int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[host]; h != nil && h.session <= session {
		h.session, h.attempts = 0, nil
	}
}

// addProgress fills in where the running builds of jobs are now.
func (c *Console) addProgress(ctx context.Context, jobs []*Job) error {
	var hosts []store.HostID
	for _, j := range jobs {
		if j.Ended() {
			continue
		}
		id, err := store.ParseID[store.HostID](j.HostID)
		if err != nil {
			return err
		}
		hosts = append(hosts, id)
	}
	if len(hosts) == 0 {
		return nil
	}
	rows, err := c.store.Progress(ctx, hosts...)
	if err != nil {
		return err
	}
	newest := map[string]hostProgress{}
	for _, r := range rows {
		c.rates.note(r.Attempts, r.At)
		newest[r.HostID.String()] = hostProgress{attempts: r.Attempts, at: r.At}
	}
	for _, id := range hosts {
		if h, ok := c.progress.get(id); ok && !h.at.Before(newest[id.String()].at) {
			newest[id.String()] = h
		}
	}
	for _, j := range jobs {
		h, ok := newest[j.HostID]
		if !ok || j.Ended() {
			continue
		}
		for i := range j.Builds {
			b := &j.Builds[i]
			if b.Progress = progressOf(b, h); b.Progress != nil {
				c.rates.fill(protocol.AttemptRef{BuildID: b.ID, Attempt: b.Attempt}, b.Progress)
			}
		}
	}
	return nil
}

// progressOf finds a running build's bar; one of an older attempt is none.
func progressOf(b *Build, h hostProgress) *Progress {
	if b.State != string(store.BuildRunning) {
		return nil
	}
	for _, p := range h.attempts {
		if p.BuildID == b.ID && p.Attempt == b.Attempt {
			return &Progress{Step: p.Step, Done: p.Done, Total: p.Total, Rate: p.Rate, At: h.at}
		}
	}
	return nil
}
