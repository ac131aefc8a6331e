package agent

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/stick"
)

// ready is a stick that may be written now.
type ready struct {
	at     *attempt
	device Device
	target stick.Target
	why    error // of a round that did not end it
}

// press writes the master to all sticks of the group in one pass and ends
// them. If the master turns out to be damaged it is made again, once; the
// engine has removed it.
func (g *group) press(ctx context.Context, m master, im *image) {
	defer func() { m.release(g.job.r) }()
	sticks := g.ready()
	if len(sticks) == 0 {
		return
	}
	again := g.job.round(m.Master, sticks, stick.ErrMasterDamaged)
	if len(again) == 0 {
		return
	}
	g.job.r.log.Warn("a master was damaged and is made again", "sticks", len(again))
	next, err := g.prepare(ctx, m.entry.Path, im)
	if err != nil {
		for _, s := range again {
			g.job.fail([]*attempt{s.at}, err)
		}
		return
	}
	_ = m.Close() // the damaged one
	m.Master = next
	g.job.round(m.Master, again, nil)
}

// ready checks every stick again and makes what differs on it.
func (g *group) ready() (sticks []ready) {
	for _, at := range g.attempts {
		d := at.press()
		if d == nil {
			continue
		}
		err := context.Cause(at.ctx)
		if err == nil {
			err = d.Check()
		}
		var own stick.Personal
		if err == nil {
			own, err = g.job.r.engine.Personal(g.job.assign.Recipe, at.build)
			own.Tag = g.tag(at)
		}
		if err != nil {
			at.fail(err)
			continue
		}
		sticks = append(sticks, ready{at: at, device: d, target: stick.Target{
			Device: d, Personal: own, EraseFirst: g.job.assign.Options.EraseFirst, Context: at.ctx, Report: at,
			Demands: at.demands(&g.job.assign.Recipe),
		}})
	}
	return sticks
}

// tag is what the stick will say about itself.
func (g *group) tag(at *attempt) stick.Tag {
	a := g.job.assign
	return stick.Tag{
		Image: a.Image.Name, ImageVersion: a.Image.Version, ImageSHA256: a.Image.SHA256, Edition: a.Recipe.Edition,
		TaskSequence: a.Recipe.TaskSequence, TaskSequenceVersion: a.Recipe.TaskSequenceVersion, Reference: at.build.Reference,
		Job: a.JobID, Build: at.BuildID, Attempt: at.Attempt, Master: g.spec.Digest(),
		PressedAt: at.r.clock.Now().UTC().Truncate(time.Second),
	}
}

// round presses once. It ends every stick as soon as that is done with, so
// that nobody waits for a slow neighbour, or for one that hangs; but not those
// that ended with the error mendable, if there is one: those it returns.
func (j *job) round(content stick.Content, sticks []ready, mendable error) (again []ready) {
	targets := make([]stick.Target, len(sticks))
	var ends sync.WaitGroup
	var mu sync.Mutex
	for i, s := range sticks {
		targets[i] = s.target
		id := &s.at.build.Identity
		taker := &turnTaker{Device: s.target.Device, hubs: j.r.hubs, port: id.Port, ctx: s.at.ctx}
		targets[i].Device, targets[i].Now = taker, taker.now
		left := j.r.hubs.use(id.Port)
		targets[i].Ended = func(o stick.Outcome) {
			switch {
			case o.Err == nil:
				left()
				ends.Go(func() {
					s.at.keep(o.Record) // before the server hears of it, and asks
					s.eject(o.Result)
				})
			case mendable != nil && s.at.ctx.Err() == nil && errors.Is(o.Err, mendable):
				left()
				s.why = o.Err
				mu.Lock()
				again = append(again, s)
				mu.Unlock()
			default:
				ends.Go(func() {
					err := j.r.hubs.explain(j.r.hard, id, o.Err, j.r.weakHub)
					left()
					s.at.fail(err) // also if it was cancelled since
				})
			}
		}
	}
	j.r.engine.Press(j.r.hard, content, targets)
	ends.Wait()
	return again
}

// eject makes a verified stick safe to pull out. It is verified even if that
// does not work.
func (s *ready) eject(res protocol.Result) {
	s.at.StepBegun(protocol.StepEject)
	if err := s.device.Eject(); err != nil {
		s.at.r.log.Warn("could not eject a stick", "build", s.at.BuildID, "err", err)
		s.at.Log(protocol.LogLine{Level: "warn", Code: "eject_failed", Text: err.Error()})
	} else {
		s.at.StepDone(protocol.StepEject)
	}
	s.at.verified(res)
}

// weakHub tells the attempts that are left below a hub that they take turns now.
func (r *runner) weakHub(hub string, lost []string, most int) {
	r.log.Warn("several sticks vanished at once: a hub is weak", "hub", hub, "at_a_time", most)
	for _, at := range alive(r.sorted()) {
		port := at.build.Identity.Port
		if slices.Contains(hubsOf(port), hub) && !slices.Contains(lost, port) {
			at.Log(protocol.LogLine{Level: "warn", Code: "hub_reduced", Params: map[string]string{"hub": hub, "count": strconv.Itoa(most)}})
		}
	}
}
