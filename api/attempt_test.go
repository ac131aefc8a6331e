package api

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/store"
)

// What a host did while nobody heard it took its time: the clock of the host
// says how long, and the event that came soonest how that clock differs.
func TestStepsOfAHostThatWasCutOff(t *testing.T) {
	t.Parallel()
	server := time.Date(2026, 3, 2, 9, 30, 0, 0, time.UTC)
	host := server.Add(-time.Hour) // its clock is an hour behind
	board, id := new(stepBoard), store.BuildID{1}
	say := func(typ store.EventType, step protocol.Step, heard, done time.Duration) {
		at := host.Add(done)
		payload, err := json.Marshal(store.BuildReport{Step: step})
		if err != nil {
			t.Fatal(err)
		}
		board.apply(&store.JobEvent{Event: store.Event{
			BuildID: id, Attempt: 1, Type: typ, PayloadVersion: 1, Payload: payload, HostSeq: 1, At: server.Add(heard), HostAt: &at,
		}})
	}
	say(store.EventBuildAccepted, "", time.Second, 0)
	say(store.EventBuildStepBegun, protocol.StepPreflight, 2*time.Second, 2*time.Second)
	// The network is gone for ten minutes.
	say(store.EventBuildStepDone, protocol.StepPreflight, 10*time.Minute, 6*time.Second)
	say(store.EventBuildStepBegun, protocol.StepWrite, 10*time.Minute, 6*time.Second)
	say(store.EventBuildFailed, "", 10*time.Minute, 96*time.Second)
	heard, told := server.Add(time.Second), server.Add(10*time.Minute)
	job := Job{Kind: protocol.JobPress, Builds: []Build{{ID: id.String(), Attempt: 1, StartedAt: &heard, EndedAt: &told}}}
	board.fill(&job)
	if b := &job.Builds[0]; !b.StartedAt.Equal(server) || !b.EndedAt.Equal(server.Add(96*time.Second)) {
		t.Errorf("the build: %v to %v", b.StartedAt, b.EndedAt)
	}
	for _, s := range job.Builds[0].Steps {
		switch s.Step { //nolint:exhaustive // the others did not begin
		case protocol.StepPreflight:
			if !s.BegunAt.Equal(server.Add(2*time.Second)) || !s.DoneAt.Equal(server.Add(6*time.Second)) || s.LeftAt != nil {
				t.Errorf("the check: %v to %v", s.BegunAt, s.DoneAt)
			}
		case protocol.StepWrite:
			if !s.BegunAt.Equal(server.Add(6*time.Second)) || s.DoneAt != nil || !s.LeftAt.Equal(server.Add(96*time.Second)) {
				t.Errorf("the write: %v to %v", s.BegunAt, s.LeftAt)
			}
		}
	}
}
