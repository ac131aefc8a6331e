package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"github.com/stickpress/stickpress/api"
)

// stopTime is how long the agent may take to finish the sticks it began.
const stopTime = 60 * time.Second

// agentProcess is the trial's agent: the real program, beside this one.
type agentProcess struct {
	host string // its name on the console
	log  string // file with what it says
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // set before done is closed
}

// startAgent enrols an agent on the first run and starts it.
func (t *trial) startAgent(ctx context.Context, environ []string) (*agentProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(filepath.Dir(self), "stickpress-agent")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("the agent's program must lie beside this one: %w", err)
	}
	data := filepath.Join(t.data, "agent")
	a := &agentProcess{log: filepath.Join(t.data, "agent.log"), done: make(chan struct{})}
	if a.host, err = t.enrol(ctx, environ, program, data); err != nil {
		return nil, err
	}

	out, err := os.OpenFile(a.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the agent's log: %w", err)
	}
	defer out.Close()
	// It is stopped by stop, not by ctx: SIGTERM lets it finish its sticks.
	a.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, "run", "--data", data, "--virtual", filepath.Join(t.data, "sticks"))
	a.cmd.Env, a.cmd.Stdout, a.cmd.Stderr = environ, out, out
	// An interrupt on the terminal reaches this program only, which then stops
	// the agent in order; the agent does not outlive a killed trial.
	a.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := a.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the agent: %w", err)
	}
	go func() {
		a.err = a.cmd.Wait()
		close(a.done)
	}()
	t.say("agent running (log: %s)", a.log)
	return a, nil
}

// enrol makes this machine a host of the trial's console and returns its name.
// An agent that is enrolled at this address already stays as it is.
func (t *trial) enrol(ctx context.Context, environ []string, program, data string) (string, error) {
	var known struct{ URL, Name string }
	raw, err := os.ReadFile(filepath.Join(data, "agent.json"))
	if err == nil {
		err = json.Unmarshal(raw, &known)
	}
	switch {
	case err == nil && known.URL == t.server.url:
		return known.Name, nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("read who the agent is: %w", err)
	}
	name := "this-machine"
	if known.Name != "" { // it was here under another address
		name += fmt.Sprintf("-%d", t.server.listener.Addr().(*net.TCPAddr).Port)
	}
	token, err := t.client.CreateEnrolment(ctx, api.CreateEnrolmentInput{TTL: 10 * time.Minute})
	if err != nil {
		return "", err
	}
	enroll := exec.CommandContext(ctx, program, "enroll", t.server.url, "--token", token.Token, "--name", name, "--data", data, "--force")
	enroll.Env = environ
	if out, err := enroll.CombinedOutput(); err != nil {
		return "", fmt.Errorf("enrol the agent: %w: %s", err, bytes.TrimSpace(out))
	}
	t.say("enrolled this machine as host %q", name)
	return name, nil
}

// stop asks the agent to end and waits for it.
func (a *agentProcess) stop() error {
	select {
	case <-a.done:
		return nil
	default:
	}
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop the agent: %w", err)
	}
	select {
	case <-a.done:
		return nil
	case <-time.After(stopTime):
		return errors.Join(fmt.Errorf("the agent did not stop within %s and was killed", stopTime), a.cmd.Process.Kill())
	}
}
