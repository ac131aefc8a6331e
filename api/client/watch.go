package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/stickpress/stickpress/api"
)

// silence is how long a stream may say nothing before the connection counts as
// dead. The server says something every 20 s.
const silence = time.Minute

var (
	// errStopped ends a stream after the job's end, or when its reader has had
	// enough.
	errStopped = errors.New("no more is wanted")
	// ErrSilent says that a stream was given up: the server said nothing for a
	// minute.
	ErrSilent = errors.New("the server says nothing any more")
)

// WatchJob gives a job as it is now with the events after a seq (0 for all),
// and again whenever it changes. A broken stream is opened again from the last
// event seen, so that no event is missed or given twice. It ends after the
// update that shows the job's end, or with one error.
func (c *Client) WatchJob(ctx context.Context, id string, after int64) iter.Seq2[api.JobUpdate, error] {
	return func(yield func(api.JobUpdate, error) bool) {
		for try := 1; ; try++ {
			err := c.stream(ctx, at("jobs", id, "events"), nil, seqText(after), func(data []byte) error {
				var u api.JobUpdate
				if err := json.Unmarshal(data, &u); err != nil {
					return fmt.Errorf("decode an update: %w", err)
				}
				try = 0
				if n := len(u.Events); n > 0 {
					after = u.Events[n-1].Seq
				}
				if !yield(u, nil) || (u.Job.Ended() && after >= u.Job.LastSeq) {
					return errStopped
				}
				return nil
			})
			if errors.Is(err, errStopped) {
				return
			}
			if err = c.openAgain(ctx, err, try); err == nil {
				continue
			}
			yield(api.JobUpdate{}, fmt.Errorf("watch job %s: %w", id, err))
			return
		}
	}
}

// openAgain waits before a broken stream is opened again; an error is why it is
// not.
func (c *Client) openAgain(ctx context.Context, why error, try int) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case passing(why) && try < c.o.Tries:
		return c.o.Backoff(ctx, max(try, 1))
	}
	return why
}

// seqText is a Last-Event-ID; of the beginning there is none.
func seqText(after int64) string {
	if after == 0 {
		return ""
	}
	return strconv.FormatInt(after, 10)
}

// WatchEvents gives what happens to jobs, builds and sticks, from now on, or
// after an event. A broken stream is opened again from the last event seen, so
// that none is missed or given twice; before the first one was seen it goes on
// from then on. It ends with one error.
func (c *Client) WatchEvents(ctx context.Context, f api.EventFilter, after string) iter.Seq2[api.Event, error] {
	return func(yield func(api.Event, error) bool) {
		for try := 1; ; try++ {
			err := c.stream(ctx, at("events"), eventQuery(f), after, func(data []byte) error {
				var e api.Event
				if err := json.Unmarshal(data, &e); err != nil {
					return fmt.Errorf("decode an event: %w", err)
				}
				try, after = 0, e.ID
				if !yield(e, nil) {
					return errStopped
				}
				return nil
			})
			if errors.Is(err, errStopped) {
				return
			}
			if err = c.openAgain(ctx, err, try); err == nil {
				continue
			}
			yield(api.Event{}, fmt.Errorf("watch events: %w", err))
			return
		}
	}
}

// stream reads one stream, after the event with the ID last if there is one,
// until it breaks or show fails. It always returns an error; the end of a stream
// is io.ErrUnexpectedEOF.
func (c *Client) stream(ctx context.Context, path string, query url.Values, last string, show func(data []byte) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(silence, func() { cancel(ErrSilent) })
	defer dead.Stop()
	defer func() {
		if errors.Is(context.Cause(ctx), ErrSilent) {
			err = ErrSilent // not the cancelled context that it looks like
		}
	}()
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	req.URL.RawQuery = query.Encode()
	req.Header.Set("Accept", "text/event-stream")
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := c.o.HTTP.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return problemOf(resp)
	}
	return events(resp.Body, func() { dead.Reset(silence) }, show)
}

// events reads Server-Sent Events and gives the data of each. heard is called
// for every line, also for those that only keep the connection awake.
func events(r io.Reader, heard func(), show func(data []byte) error) error {
	lines := bufio.NewReader(r)
	var data []byte
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			// What is not ended by an empty line is not an event.
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return err
		}
		heard()
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			if data != nil {
				if err := show(data); err != nil {
					return err
				}
			}
			data = nil
			continue
		}
		if value, ok := bytes.CutPrefix(line, []byte("data:")); ok {
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, bytes.TrimPrefix(value, []byte(" "))...)
		}
	}
}
