// Command stickpress-agent runs on an imaging host: enrol it once, then run
// it. All it does is in package agent; this is the wiring.
//
// Exit status: 0 ended as asked, 1 failed, 2 called in a wrong way, 3 the
// server has revoked this host (a service manager should not start it again),
// 4 a stick that was verified is not as it should be.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, cancel := context.WithCancel(context.Background())
	stop := make(chan struct{})
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-signals
		close(stop) // begun sticks are finished
		<-signals
		cancel() // at once
		// The third kills: a write to a dying stick can block for ever.
		signal.Reset(syscall.SIGTERM, syscall.SIGINT)
	}()
	os.Exit(run(ctx, stop, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}
