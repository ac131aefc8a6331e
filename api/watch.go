package api

import (
	"context"
	"time"

	"github.com/stickpress/stickpress/store"
)

// JobUpdate is what a watcher of a job gets: the whole job as it is now and
// the events since the update before.
type JobUpdate struct {
	Job    Job        `json:"job"`
	Events []JobEvent `json:"events"`
}

// How often watchers look: at most, and at least without being woken.
const (
	watchLeast = 300 * time.Millisecond
	watchPoll  = 2 * time.Second // other replicas' progress sends no notification
)

// WatchJob sends the job as it is now with the events after a seq (the whole
// history with 0), and again after every change, at most a few times a second;
// a slow reader gets fewer, newer updates and misses no event. The channel
// closes after the update that shows the job's end, when ctx or Run ends, or
// when the database cannot be read any more. Faults: job_not_found.
func (c *Console) WatchJob(ctx context.Context, a Actor, id string, after int64) (<-chan JobUpdate, error) {
	row, err := c.findJob(ctx, a, id)
	if err != nil {
		return nil, err
	}
	w := c.jobWatch(&row, after)
	out := make(chan JobUpdate)
	go func() {
		defer close(out)
		ctx, stop := c.whileRunning(ctx)
		defer stop() // the store closes its channel then
		w.run(ctx, out)
	}()
	return out, nil
}

// JobRun returns a job as it is now with its whole history, in one piece.
// Faults: job_not_found.
func (c *Console) JobRun(ctx context.Context, a Actor, id string) (JobUpdate, error) {
	row, err := c.findJob(ctx, a, id)
	if err != nil {
		return JobUpdate{}, err
	}
	return c.jobWatch(&row, 0).update(ctx)
}

func (c *Console) jobWatch(row *store.Job, after int64) *jobWatch {
	return &jobWatch{c: c, id: row.ID, host: row.HostID, names: c.names(), sent: after}
}

// jobWatch is one watcher. It keeps the steps, so that the history is read
// once and not at every update.
type jobWatch struct {
	c     *Console
	id    store.JobID
	host  store.HostID
	names *names
	board stepBoard
	read  int64 // seq of the last event in board
	sent  int64 // seq of the last event that the reader has or does not want
}

func (w *jobWatch) run(ctx context.Context, out chan<- JobUpdate) {
	changed := w.c.store.Watch(ctx, store.TopicJob(w.id))
	<-changed // its first value says to begin by reading
	wait := pace{watchLeast, watchPoll}.begin(changed)
	defer wait.stop()
	for {
		moved := w.c.progress.next(w.host)
		u, err := w.update(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.c.log.WarnContext(ctx, "watching a job ended", "job_id", w.id.String(), "error", err)
			}
			return
		}
		select {
		case out <- u:
		case <-ctx.Done():
			return
		}
		if u.Job.Ended() {
			return
		}
		if !wait.next(ctx, moved) {
			return
		}
	}
}

// update reads the job and the events that it has.
func (w *jobWatch) update(ctx context.Context) (JobUpdate, error) {
	row, err := w.c.store.Job(ctx, w.id)
	if err != nil {
		return JobUpdate{}, err
	}
	u := JobUpdate{Events: []JobEvent{}}
	for w.read < row.Seq {
		rows, err := w.c.store.JobEvents(ctx, w.id, w.read, eventPage)
		if err != nil {
			return JobUpdate{}, err
		}
		fresh := rows[:0]
		var places []JobEvent
		for i := range rows {
			if rows[i].Seq > row.Seq {
				break // it belongs to the next update, with a newer job
			}
			place := w.board.apply(&rows[i])
			w.read = rows[i].Seq
			if rows[i].Seq > w.sent {
				fresh, places = append(fresh, rows[i]), append(places, place)
			}
		}
		events, err := eventsOf(ctx, w.names, fresh)
		if err != nil {
			return JobUpdate{}, err
		}
		for i := range events {
			events[i].Line, events[i].In, events[i].Of = places[i].Line, places[i].In, places[i].Of
		}
		u.Events = append(u.Events, events...)
	}
	w.sent = max(w.sent, w.read)
	if u.Job, err = w.c.jobOf(ctx, w.names, &row); err != nil {
		return JobUpdate{}, err
	}
	w.board.fill(&u.Job)
	return u, w.c.addProgress(ctx, []*Job{&u.Job})
}

// whileRunning is ctx that also ends with Run.
func (c *Console) whileRunning(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(c.life, stop)
	return ctx, func() {
		unhook()
		stop()
	}
}

// watching says what a watcher looks at, after changes of topics.
type watching struct {
	pace
	what   string // for the log
	topics []string
}

// watch sends what read finds, as it is now and again after changes. The channel
// closes when ctx or Run ends, or when read fails.
func watch[T any](ctx context.Context, c *Console, w watching, read func(context.Context) (T, error)) <-chan T {
	out := make(chan T)
	go func() {
		defer close(out)
		ctx, stop := c.whileRunning(ctx)
		defer stop()
		changed := c.store.Watch(ctx, w.topics...)
		<-changed // its first value says to begin by reading
		wait := w.begin(changed)
		defer wait.stop()
		for {
			now, err := read(ctx)
			if err != nil {
				if ctx.Err() == nil {
					c.log.WarnContext(ctx, "watching ended", "what", w.what, "error", err)
				}
				return
			}
			select {
			case out <- now:
			case <-ctx.Done():
				return
			}
			if !wait.next(ctx, nil) {
				return
			}
		}
	}()
	return out
}

// overviewLeast is how often an overview is sent at most.
const overviewLeast = time.Second

// WatchOverview sends the overview as it is now and again after changes, at
// most once a second. The channel closes when ctx or Run ends, or when the
// database cannot be read any more.
func (c *Console) WatchOverview(ctx context.Context, a Actor) (<-chan Overview, error) {
	if err := allow(a, UseGetOverview); err != nil {
		return nil, err
	}
	w := watching{
		pace: pace{overviewLeast, watchPoll}, what: "the overview",
		topics: []string{store.TopicJobs, store.TopicHosts, store.TopicSticks, store.TopicRequests},
	}
	return watch(ctx, c, w, func(ctx context.Context) (Overview, error) { return c.GetOverview(ctx, a) }), nil
}
