package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stickpress/stickpress/agent"
	"github.com/stickpress/stickpress/agent/backoff"
	"github.com/stickpress/stickpress/agent/cache"
	"github.com/stickpress/stickpress/agent/capture"
	"github.com/stickpress/stickpress/agent/disk"
	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/agent/record"
	"github.com/stickpress/stickpress/agent/spool"
	"github.com/stickpress/stickpress/agent/stick"
)

// Exit codes.
const (
	exitOK = iota
	exitFailed
	exitUsage
	exitRevoked
	exitChanged // a stick that was verified is not as it should be
)

// version is set by the linker; without it the module's version is used.
var version = ""

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}

// program is one call of the command.
type program struct {
	stop   <-chan struct{}
	env    func(string) string
	stdout io.Writer
	stderr io.Writer
	opts   options
}

// options are the flags that several commands share.
type options struct {
	data      string
	virtual   string
	allowLoop bool
	captures  []string
	service   bool // a Windows service manager has started this process
}

// run is the whole program. A closed stop asks it to end after the sticks
// that were begun; the end of ctx ends it at once.
func run(ctx context.Context, stop <-chan struct{}, args []string, env func(string) string, stdout, stderr io.Writer) int {
	p := &program{stop: stop, env: env, stdout: stdout, stderr: stderr}
	root := &cobra.Command{
		Use:           "stickpress-agent",
		Short:         "Press Windows sticks on this machine for a Stickpress console",
		Long:          "Press Windows sticks on this machine for a Stickpress console.\n\nEvery flag can be given as STICKPRESS_AGENT_<FLAG> in the environment (dashes as\nunderscores), or as STICKPRESS_AGENT_<FLAG>_FILE with the name of a file that holds it.",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return p.fromEnvironment(cmd.Flags())
		},
	}
	root.PersistentFlags().StringVar(&p.opts.data, "data", defaultData(), "data directory")
	root.AddCommand(p.enrollCommand(), p.runCommand(), p.devicesCommand(), p.identifyCommand(), p.verifyCommand(), p.versionCommand())
	root.AddCommand(p.serviceCommands()...)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	return p.exit(root.ExecuteContext(ctx))
}

// usageError is a wrong call.
type usageError struct{ error }

func (p *program) exit(err error) int {
	if err == nil {
		return exitOK
	}
	fmt.Fprintln(p.stderr, "stickpress-agent:", err)
	var usage usageError
	var changed changedError
	switch {
	case errors.As(err, &changed):
		return exitChanged
	case errors.Is(err, agent.ErrRevoked):
		return exitRevoked
	case errors.As(err, &usage), strings.HasPrefix(err.Error(), "unknown command"):
		return exitUsage
	default:
		return exitFailed
	}
}

// fromEnvironment fills in the flags that were not given.
func (p *program) fromEnvironment(flags *pflag.FlagSet) (err error) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || err != nil {
			return
		}
		name := "STICKPRESS_AGENT_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := p.env(name)
		if file := p.env(name + "_FILE"); value == "" && file != "" {
			raw, readErr := os.ReadFile(file)
			if readErr != nil {
				err = fmt.Errorf("%s_FILE: %w", name, readErr)
				return
			}
			value = strings.TrimSpace(string(raw))
		}
		if value == "" {
			return
		}
		if setErr := flags.Set(f.Name, value); setErr != nil {
			err = usageError{fmt.Errorf("%s: %w", name, setErr)}
		}
	})
	return err
}

func (p *program) enrollCommand() *cobra.Command {
	e := &agent.Enrollment{Version: programVersion()}
	cmd := &cobra.Command{
		Use:   "enroll URL --token TOKEN",
		Short: "Make this machine a host of the console at URL",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			e.Data, e.URL = p.opts.data, args[0]
			if e.Token == "" {
				return usageError{errors.New("enroll needs --token (or STICKPRESS_AGENT_TOKEN): make one in the console under Hosts")}
			}
			unlock, err := agent.Lock(e.Data)
			if err != nil {
				return err
			}
			defer unlock()
			s, err := agent.Enroll(cmd.Context(), e)
			if err != nil {
				return err
			}
			fmt.Fprintf(p.stdout, "Enrolled as %s (%s) at %s.\nPinned server key: %x\nNow run: stickpress-agent run --data %s\n", s.Name, s.HostID, s.URL, s.ServerKey, e.Data)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.Token, "token", "", "single-use token from the console")
	f.StringVar(&e.Name, "name", "", "name of this host in the console (default: the machine's name)")
	f.StringVar(&e.CAFingerprint, "ca-fingerprint", "", "SHA-256 of the certificate to trust, for a self-signed server")
	f.BoolVar(&e.Force, "force", false, "enrol again although this host is enrolled")
	return cmd
}

// runFlags are those of run alone.
type runFlags struct {
	limit   size
	format  string
	logFile string
	dryRun  bool
}

func (p *program) runCommand() *cobra.Command {
	f := &runFlags{limit: 100 << 30, format: "text"}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Connect and press sticks until told to stop",
		Long:  "Connect and press sticks until told to stop.\n\nThe first SIGTERM or SIGINT takes no more work and finishes the sticks that were begun;\nthe second ends at once. Exit status 3 means that the console has removed this host.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := p.stderr
			if f.logFile != "" {
				file, err := openLogFile(f.logFile)
				if err != nil {
					return err
				}
				defer file.Close()
				w = file
			}
			log, err := newLog(f.format, w)
			if err != nil {
				return err
			}
			return p.managed(p.opts.service, func() error {
				err := p.serve(cmd.Context(), f, log)
				if err != nil && f.logFile != "" { // nobody may see what is printed
					log.Error("agent ended", "err", err)
				}
				return err
			})
		},
	}
	p.deviceFlags(cmd.Flags())
	cmd.Flags().StringArrayVar(&p.opts.captures, "capture-dir", nil, "folder whose disk images (VHD, VHDX, raw) may be captured; may be repeated")
	p.serviceFlag(cmd.Flags())
	cmd.Flags().Var(&f.limit, "cache-limit", "bytes that images and masters may take on the disk, 0 for no limit")
	cmd.Flags().StringVar(&f.format, "log-format", f.format, "text or json")
	cmd.Flags().StringVar(&f.logFile, "log-file", "", "file for the log, instead of standard error; put aside at 10 MiB")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "take builds up to the first byte and end them; no stick is written")
	return cmd
}

func (p *program) deviceFlags(f *pflag.FlagSet) {
	f.StringVar(&p.opts.virtual, "virtual", "", "folder whose *.img files are offered as virtual sticks")
	f.BoolVar(&p.opts.allowLoop, "allow-loop", false, "offer loop devices")
}

func (p *program) lister() *disk.Lister {
	return &disk.Lister{
		DataDirs: []string{p.opts.data}, AllowLoop: p.opts.allowLoop, VirtualDir: p.opts.virtual,
		FoundID: func(s disk.Source) (string, error) { return stick.FoundID(s) },
	}
}

// records are kept where verify finds them, whether the agent runs or not.
func (p *program) records() *record.Store {
	return record.Open(filepath.Join(p.opts.data, "records"), record.DefaultLimit)
}

func newLog(format string, w io.Writer) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, usageError{fmt.Errorf("log format %q: want text or json", format)}
}

// captureFolders are the folders of --capture-dir, as full paths.
func (p *program) captureFolders() (capture.Folders, error) {
	var folders capture.Folders
	for _, dir := range p.opts.captures {
		full, err := filepath.Abs(dir)
		if err != nil {
			return nil, usageError{fmt.Errorf("--capture-dir: %w", err)}
		}
		if info, err := os.Stat(full); err != nil || !info.IsDir() {
			return nil, usageError{fmt.Errorf("--capture-dir: %s is no folder", full)}
		}
		folders = append(folders, full)
	}
	return folders, nil
}

// serve builds the agent and runs it.
func (p *program) serve(ctx context.Context, f *runFlags, log *slog.Logger) error {
	folders, err := p.captureFolders()
	if err != nil {
		return err
	}
	state, err := agent.LoadState(p.opts.data)
	if err != nil {
		return err
	}
	unlock, err := agent.Lock(p.opts.data)
	if err != nil {
		return err
	}
	defer unlock()
	journal, err := spool.Open(filepath.Join(p.opts.data, agent.SpoolDir), log)
	if err != nil {
		return err
	}
	capabilities := []string{protocol.CapPress, protocol.CapRaw, protocol.CapWipe, protocol.CapVerify, protocol.CapIdentify}
	if capture.Supported {
		capabilities = append(capabilities, protocol.CapCapture)
	}
	var devices agent.Devices = agent.Disks{Lister: p.lister()}
	var engine agent.Engine = agent.Sticks{Rand: rand.Reader}
	if f.dryRun {
		capabilities = []string{protocol.CapPress}
		devices, engine = agent.DryDevices{Devices: devices}, agent.DryRun{Engine: engine, Dir: filepath.Join(p.opts.data, "dry-run")}
		log.Warn("dry run: no stick is written")
	}
	if p.opts.virtual != "" {
		capabilities = append(capabilities, protocol.CapVirtual)
	}
	a, err := agent.New(agent.Config{
		State: state, Version: programVersion(), Capabilities: capabilities,
		Devices: devices, Engine: engine, Files: folders, Spool: journal,
		Cache:   cache.Config{Dir: filepath.Join(p.opts.data, "cache"), Limit: int64(f.limit)},
		Records: p.records(),
		Clock:   backoff.System{}, Rand: agent.Jitter, Log: log,
	})
	if err != nil {
		return errors.Join(err, journal.Close())
	}
	log.Info("agent started", "version", programVersion(), "host", state.HostID, "server", state.URL)
	return errors.Join(a.Run(ctx, p.stop), journal.Close())
}

func (p *program) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version and the protocols it speaks",
		Args:  cobra.NoArgs,
		Run: func(*cobra.Command, []string) {
			fmt.Fprintf(p.stdout, "stickpress-agent %s, protocol %d to %d\n", programVersion(), protocol.MinVersion, protocol.Version)
		},
	}
}
