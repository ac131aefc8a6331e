package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/kardianos/service"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/windows/svc"

	"github.com/stickpress/stickpress/agent"
)

// serviceName is what the service manager calls the agent.
const serviceName = "stickpress-agent"

// defaultData is the data directory unless another one is named.
func defaultData() string {
	return filepath.Join(os.Getenv("ProgramData"), "Stickpress", "agent")
}

// serviceCommands install the agent as a service and control it.
func (p *program) serviceCommands() []*cobra.Command {
	root := &cobra.Command{
		Use:   "service",
		Short: "Install this agent as a Windows service, and control it",
		Long:  "Install this agent as a Windows service, and control it.\n\nThe service runs as LocalSystem, starts with Windows, and is started again when it\nfails. Stopping it finishes the sticks that were begun.",
	}
	install := &cobra.Command{
		Use:   "install",
		Short: "Install the service; flags of run are kept for it",
		Args:  cobra.NoArgs,
	}
	run := p.runCommand()
	install.Flags().AddFlagSet(run.Flags())
	install.RunE = func(cmd *cobra.Command, _ []string) error {
		if _, err := agent.LoadState(p.opts.data); err != nil {
			return err
		}
		args, err := p.runArguments(cmd.Flags())
		if err != nil {
			return err
		}
		s, err := p.service(args)
		if err != nil {
			return err
		}
		if err := s.Install(); err != nil {
			return fmt.Errorf("install the service: %w", err)
		}
		fmt.Fprintf(p.stdout, "Installed the service %s.\nNow run: stickpress-agent service start\n", serviceName)
		return nil
	}
	root.AddCommand(install)
	for _, c := range []struct {
		use, short string
		do         func(service.Service) error
	}{
		{"uninstall", "Remove the service; the data directory stays", service.Service.Uninstall},
		{"start", "Start the service", service.Service.Start},
		{"stop", "Stop the service when the sticks that were begun are finished", service.Service.Stop},
		{"status", "Say whether the service runs", p.printStatus},
	} {
		root.AddCommand(&cobra.Command{
			Use: c.use, Short: c.short, Args: cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				s, err := p.service(nil)
				if err != nil {
					return err
				}
				if err := c.do(s); err != nil {
					return fmt.Errorf("%s the service: %w", c.use, err)
				}
				return nil
			},
		})
	}
	return []*cobra.Command{root}
}

// runArguments are what the service manager calls the agent with, from another
// folder: run, the data directory, a log file in it, and the flags that were
// given.
func (p *program) runArguments(flags *pflag.FlagSet) (args []string, err error) {
	data, err := filepath.Abs(p.opts.data)
	args = []string{"run", "--service", "--data=" + data}
	log := "--log-file=" + filepath.Join(data, "agent.log")
	flags.Visit(func(f *pflag.Flag) {
		if list, ok := f.Value.(pflag.SliceValue); ok {
			for _, v := range list.GetSlice() {
				args = append(args, "--"+f.Name+"="+v)
			}
			return
		}
		value := f.Value.String()
		if f.Name == "virtual" || f.Name == "log-file" {
			var bad error
			if value, bad = filepath.Abs(value); bad != nil {
				err = bad
			}
		}
		given := "--" + f.Name + "=" + value
		switch f.Name {
		case "data", "service":
		case "log-file":
			log = given
		default:
			args = append(args, given)
		}
	})
	return append(args, log), err
}

func (p *program) service(args []string) (service.Service, error) {
	return service.New(nil, &service.Config{
		Name: serviceName, DisplayName: "Stickpress agent",
		Description: "Presses Windows sticks for a Stickpress console.",
		Arguments:   args,
		Option: service.KeyValue{
			service.OnFailure:              service.OnFailureRestart,
			service.OnFailureDelayDuration: "5s", service.OnFailureResetPeriod: 86400,
		},
	})
}

// serviceFlag is how the service manager calls run.
func (p *program) serviceFlag(f *pflag.FlagSet) {
	f.BoolVar(&p.opts.service, "service", false, "run under the service manager")
	_ = f.MarkHidden("service") // it fails for a flag that is not there
}

func (p *program) printStatus(s service.Service) error {
	status, err := s.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		fmt.Fprintln(p.stdout, "not installed")
		return nil
	case err != nil:
		return err
	case status == service.StatusRunning:
		fmt.Fprintln(p.stdout, "running")
	default:
		fmt.Fprintln(p.stdout, "stopped")
	}
	return nil
}

// managed runs work; as a service under the service manager, which has
// started this process: then it ends when the service is stopped.
func (p *program) managed(service bool, work func() error) error {
	if !service {
		return work()
	}
	m := &managedWork{work: work, stop: make(chan struct{})}
	p.stop = m.stop
	if err := svc.Run(serviceName, m); err != nil {
		return fmt.Errorf("run as a service: %w", err)
	}
	return m.err
}

// managedWork is work as the service manager sees it.
type managedWork struct {
	work func() error
	stop chan struct{}
	err  error // set when Execute returns
}

// While sticks are finished the manager hears every stopTick that the service
// is still stopping, and may wait for the next word twice as long.
const stopTick = 10 * time.Second

// Execute implements svc.Handler. It returns when work has ended; a stop is
// passed on and waited for.
func (m *managedWork) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	done := make(chan error, 1)
	go func() { done <- m.work() }()
	const accepts = svc.AcceptStop | svc.AcceptShutdown
	now := svc.Status{State: svc.Running, Accepts: accepts}
	status <- now
	tick := time.NewTicker(stopTick)
	defer tick.Stop()
	for {
		select {
		case m.err = <-done:
			// A service that says that it has stopped is not started again,
			// which is right if it was told to or is revoked, and not if it
			// failed: then the process just ends.
			if m.err != nil && now.State == svc.Running && !errors.Is(m.err, agent.ErrRevoked) {
				os.Exit(exitFailed)
			}
			return false, 0
		case r := <-requests:
			switch {
			case r.Cmd == svc.Interrogate:
				status <- now
			case (r.Cmd == svc.Stop || r.Cmd == svc.Shutdown) && now.State == svc.Running:
				now = svc.Status{State: svc.StopPending, WaitHint: uint32(2 * stopTick.Milliseconds())}
				status <- now
				close(m.stop)
			}
		case <-tick.C:
			if now.State == svc.StopPending {
				now.CheckPoint++
				status <- now
			}
		}
	}
}
