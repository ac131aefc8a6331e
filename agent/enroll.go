package agent

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/stickpress/stickpress/agent/protocol"
)

// Enrollment is what a person gives to make this machine a host.
type Enrollment struct {
	Data          string // data directory
	URL           string
	Token         string // single-use, from the console
	Name          string // empty means the machine's name
	CAFingerprint string // see State
	Version       string
	Force         bool // give up an earlier enrolment
	Dial          Dial // nil dials TCP
}

// ErrEnrolled is returned by Enroll where agent.json exists already.
var ErrEnrolled = errors.New("this host is enrolled already")

// Enroll makes a key, exchanges the token for a place in the server's
// inventory, pins the server's key and saves all of it. Until the server has
// agreed nothing changes on this host. It returns ErrEnrolled unless Force is
// set; then the spool of the earlier enrolment is moved aside, because its
// events belong to another host.
func Enroll(ctx context.Context, e *Enrollment) (*State, error) {
	old, err := LoadState(e.Data)
	switch {
	case errors.Is(err, ErrNotEnrolled):
	case e.Force:
	case err != nil:
		return nil, err
	default:
		return nil, fmt.Errorf("%w at %s as %s: --force enrols it anew", ErrEnrolled, old.URL, old.HostID)
	}
	s := &State{Name: e.Name, CAFingerprint: e.CAFingerprint}
	if s.URL, err = serverURL(e.URL); err != nil {
		return nil, err
	}
	if s.Name == "" {
		if s.Name, err = os.Hostname(); err != nil {
			return nil, fmt.Errorf("name of this machine: %w", err)
		}
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	s.Key = private.Seed()
	answer, err := e.post(ctx, s, &protocol.EnrollRequest{
		Token: e.Token, Name: s.Name, PublicKey: public, Version: e.Version, OS: runtime.GOOS, Arch: runtime.GOARCH,
	})
	if err != nil {
		return nil, err
	}
	if answer.HostID == "" || len(answer.ServerKey) != ed25519.PublicKeySize {
		return nil, errors.New("the server's answer holds no host ID and key: is it a Stickpress server?")
	}
	s.HostID, s.ServerKey = answer.HostID, answer.ServerKey
	if old != nil && old.HostID != s.HostID {
		if err := setAside(filepath.Join(e.Data, SpoolDir), old.HostID); err != nil {
			return nil, err
		}
	}
	return s, s.Save(e.Data)
}

// SpoolDir is the name of the spool in the data directory.
const SpoolDir = "spool"

func setAside(dir, hostID string) error {
	aside := dir + "-" + filepath.Base(hostID)
	if err := os.Rename(dir, aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("move the earlier spool aside: %w", err)
	}
	return nil
}

// serverURL checks a server's address and takes off what is not needed.
func serverURL(s string) (string, error) {
	u, err := url.Parse(strings.TrimRight(s, "/"))
	if err != nil {
		return "", fmt.Errorf("server address: %w", err)
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return "", fmt.Errorf("server address %q: want http(s)://host[:port][/path]", s)
	}
	return u.String(), nil
}

func (e *Enrollment) post(ctx context.Context, s *State, r *protocol.EnrollRequest) (*protocol.EnrollResponse, error) {
	trust, err := s.TLS()
	if err != nil {
		return nil, err
	}
	client, closeClient := newClient(trust, e.Dial)
	defer closeClient()
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode enrolment: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+protocol.PathEnroll, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("enrol: %w", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("enrol: read answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, refusal(resp.Status, raw)
	}
	answer := new(protocol.EnrollResponse)
	if err := json.Unmarshal(raw, answer); err != nil {
		return nil, fmt.Errorf("enrol: decode answer: %w", err)
	}
	return answer, nil
}

// reasons are the refusals of an enrolment that a person can do something
// about, by their codes.
var reasons = map[string]string{
	"token_invalid":     "the token is wrong, was used already or has run out: make a new one in the console under Hosts",
	"too_many_attempts": "too many tries: wait a minute",
}

// refusal says why the server did not enrol this host.
func refusal(status string, raw []byte) error {
	var r protocol.Reject
	if json.Unmarshal(raw, &r) != nil || r.Fault == nil {
		return fmt.Errorf("enrol: the server answered %s: is it a Stickpress server?", status)
	}
	if why, ok := reasons[r.Fault.Code]; ok {
		return fmt.Errorf("enrol: %s (%w)", why, r.Fault)
	}
	return fmt.Errorf("enrol: the server answered %s: %w", status, r.Fault)
}
