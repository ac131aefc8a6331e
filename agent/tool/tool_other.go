//go:build !linux && !windows

package tool

import "os/exec"

func look(name string) (string, error) { return exec.LookPath(name) }

// group is the program alone.
type group struct{}

func start(cmd *exec.Cmd) (*group, error) { return &group{}, cmd.Start() }

func (*group) end() {}
