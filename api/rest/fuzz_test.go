package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/rest"
	"github.com/stickpress/stickpress/api/rest/resttest"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// hang is how long an answer may take that does nothing great: a bound for what
// would never end, far beyond what a busy machine takes.
const hang = 30 * time.Second

// target is a server with one of most things, and its operations in order.
func target(t testing.TB) (s *resttest.Server, operations, known []string) {
	t.Helper()
	s = resttest.Start(t)
	if _, err := s.SaveSetting(t.Context(), s.Admin, api.SaveSettingInput{Name: api.SettingTokenRate, Value: "1000000"}); err != nil {
		t.Fatal(err)
	}
	v := s.Publish(t, "win11-ent", "1.0.0")
	stick := apitest.Stick("a.img")
	host, _ := s.Connect(t, "bench", stick)
	job, err := s.QueueJob(t.Context(), s.Helpdesk, apitest.Order("win11-ent", "bench", stick))
	if err != nil {
		t.Fatal(err)
	}
	for op := range s.Contract.Operations() {
		operations = append(operations, op)
	}
	slices.Sort(operations)
	return s, operations, []string{
		"win11-ent", v.ID, v.ImageID, "1.0.0", "stable", host.ID, "bench", job.ID, job.Builds[0].ID, job.Builds[0].StickID, s.Viewer.UserID,
	}
}

// shoot sends a shot: whatever it is, the answer is no failure of the server, and
// a refusal is a problem with a code.
func shoot(t testing.TB, s *resttest.Server, x resttest.Shot) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var body io.Reader
	if x.Body != nil {
		body = bytes.NewReader(x.Body)
	}
	req, err := http.NewRequestWithContext(ctx, x.Method, s.URL+rest.Prefix+x.Path, body)
	if err != nil {
		return // nobody can send it
	}
	for name, value := range x.Header {
		req.Header.Set(name, value)
	}
	req.Header.Set("Authorization", "Bearer "+s.Token(admin))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Errorf("%s %.200s: %v\n%.500q", x.Method, x.Path, err, x.Body)
		return
	}
	defer resp.Body.Close()
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
		return // it goes on for as long as somebody reads
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode >= http.StatusInternalServerError {
		t.Errorf("%s %.200s %v\n%.500q\nis answered with %d: %.500s (%v)", x.Method, x.Path, x.Header, x.Body, resp.StatusCode, raw, err)
		return
	}
	var p wire.Problem
	if resp.StatusCode >= http.StatusBadRequest && x.Method != http.MethodHead &&
		(resp.Header.Get("Content-Type") != wire.ProblemType || json.Unmarshal(raw, &p) != nil || p.Code == "" || p.Detail == "") {
		t.Errorf("%s %.200s is refused with %d and no problem: %.500s", x.Method, x.Path, resp.StatusCode, raw)
	}
}

// Whatever the document allows nobody to send, no operation fails at it.
func TestOddRequests(t *testing.T) {
	t.Parallel()
	s, operations, known := target(t)
	for _, op := range operations {
		shooter := s.Contract.Shooter(rand.New(rand.NewPCG(20, uint64(len(op)))), known...)
		for range 20 {
			shoot(t, s, shooter.At(op, nil))
		}
	}
}

// FuzzOperation is TestOddRequests without an end. With -fuzzminimizetime 10x it
// gets on: what a server runs through is never twice the same, so that go's
// minimizing of an input finds nothing, for a minute at a time, in which it says
// that nothing is executed.
func FuzzOperation(f *testing.F) {
	s, operations, known := target(f)
	for i := range operations {
		f.Add(uint16(i), uint64(i), []byte(nil))
	}
	f.Add(uint16(0), uint64(1), []byte(`{"items":[]}`))
	f.Fuzz(func(t *testing.T, i uint16, seed uint64, raw []byte) {
		if len(raw) == 0 {
			raw = nil
		}
		op := operations[int(i)%len(operations)]
		shot := s.Contract.Shooter(rand.New(rand.NewPCG(seed, 0)), known...).At(op, raw)
		if raw != nil && shot.Header["Content-Type"] == "" {
			shot.Header["Content-Type"] = "application/json"
		}
		shoot(t, s, shot)
	})
}
