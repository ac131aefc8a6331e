package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// What etcher-sdk is installed from: names, versions and hashes alone.
//
//go:embed etcher
var etcherFiles embed.FS

// etcher is etcher-sdk in a folder of its own.
type etcher struct{ dir string }

// etcherRun is what etcher/write.mjs prints.
type etcherRun struct {
	WrittenMS int64 `json:"written_ms"`
	DoneMS    int64 `json:"done_ms"`
	PeakBytes int64 `json:"peak_bytes"`
}

// installEtcher installs it with npm, which builds what is not built for this
// machine: that needs a C++ compiler, Python and the headers of Node.js.
func installEtcher(ctx context.Context, dir string) (*etcher, error) {
	fmt.Fprintln(os.Stderr, "installing etcher-sdk")
	files, err := fs.Sub(etcherFiles, "etcher")
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, files); err != nil {
		return nil, err
	}
	for _, args := range [][]string{
		{"ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"}, {"rebuild", "--loglevel=error"},
	} {
		cmd := exec.CommandContext(ctx, "npm", args...)
		cmd.Dir, cmd.Stdout, cmd.Stderr = dir, os.Stderr, os.Stderr
		cmd.Env = os.Environ()
		if node, err := exec.LookPath("node"); err == nil {
			if node, err = filepath.EvalSymlinks(node); err == nil { // its headers lie beside it, where there are some
				if prefix := filepath.Dir(filepath.Dir(node)); headers(prefix) {
					cmd.Env = append(cmd.Env, "npm_config_nodedir="+prefix)
				}
			}
		}
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("npm %s for etcher-sdk: %w", args[0], err)
		}
	}
	return &etcher{dir}, nil
}

func headers(prefix string) bool {
	_, err := os.Stat(filepath.Join(prefix, "include", "node", "node.h"))
	return err == nil
}

func (e *etcher) run(ctx context.Context, image string, all loops) (r etcherRun, err error) {
	cmd := exec.CommandContext(ctx, "node", append([]string{"write.mjs", image, fmt.Sprint(int64(rawStick))}, all.nodes()...)...)
	cmd.Dir, cmd.Stderr = e.dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("etcher-sdk: %w", err)
	}
	return r, json.Unmarshal(out, &r)
}

// write is a run of rawRun. The start of Node.js is not counted in its times.
func (e *etcher) write(image string) func(context.Context, loops) (ends, error) {
	return func(ctx context.Context, all loops) (ends, error) {
		r, err := e.run(ctx, image, all)
		return ends{
			written: time.Duration(r.WrittenMS) * time.Millisecond,
			done:    []time.Duration{time.Duration(r.DoneMS) * time.Millisecond},
		}, err
	}
}

// peak is its memory while it writes to n sticks.
func (e *etcher) peak(ctx context.Context, b *bench, n int) (bytes int64, err error) {
	all, err := attach(ctx, b.targets, n, rawStick)
	if err != nil {
		return 0, err
	}
	r, err := e.run(ctx, b.raw, all)
	return r.PeakBytes, errors.Join(err, all.detach(), empty(b.targets))
}
