package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

// completePatience bounds what completing a word may ask a console: a shell
// stands still meanwhile.
const completePatience = 2 * time.Second

// source lists words for a place of the command line: each a name, or a name, a
// tab and what it is.
type source func(ctx context.Context, c *client.Client, cmd *cobra.Command, before []string) ([]string, error)

// words completes a place of the command line with what the console knows. What
// cannot be found out in time is not completed.
func (x *remote) words(find source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, before []string, begun string) ([]string, cobra.ShellCompDirective) {
		none := cobra.ShellCompDirectiveNoFileComp
		c, err := x.client()
		if err != nil {
			return nil, none
		}
		parent := cmd.Context()
		if parent == nil {
			parent = context.Background()
		}
		ctx, cancel := context.WithTimeout(parent, x.patience)
		defer cancel()
		found, err := find(ctx, c, cmd, before)
		if err != nil {
			return nil, none
		}
		return slices.DeleteFunc(found, func(w string) bool { return !strings.HasPrefix(w, begun) }), none
	}
}

// places completes each argument with the source of its place.
func (x *remote) places(sources ...source) cobra.CompletionFunc {
	return func(cmd *cobra.Command, before []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(before) >= len(sources) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return x.words(sources[len(before)])(cmd, before, begun)
	}
}

// flagWords completes a flag's value.
func (x *remote) flagWords(cmd *cobra.Command, flag string, find source) {
	_ = cmd.RegisterFlagCompletionFunc(flag, x.words(find)) // fails only for a flag that does not exist
}

// completePage is how many things are offered at most.
var completePage = api.Page{Limit: 100}

// offer makes words of a page: each a name and what it is.
func offer[T any](l api.List[T], err error, word func(T) (name, about string)) ([]string, error) {
	words := make([]string, 0, len(l.Items))
	for _, v := range l.Items {
		name, about := word(v)
		words = append(words, cobra.CompletionWithDesc(clean(name), clean(about)))
	}
	return words, err
}

// findThings are the sources by what api.FieldInfo.Object calls things.
var findThings = map[string]source{"image": findImages, "host": findHosts, "site": findSites}

func findImages(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListImages(ctx, api.ImageFilter{}, completePage)
	return offer(l, err, func(i api.Image) (string, string) { return i.Name, i.Title })
}

// findVersions are those of the image before.
func findVersions(ctx context.Context, c *client.Client, _ *cobra.Command, before []string) ([]string, error) {
	if len(before) == 0 {
		return nil, nil
	}
	l, err := c.ListVersions(ctx, api.VersionFilter{Image: before[0]}, completePage)
	return offer(l, err, func(v api.Version) (string, string) { return v.Version, v.State })
}

// findChannels are those of the image before.
func findChannels(ctx context.Context, c *client.Client, _ *cobra.Command, before []string) ([]string, error) {
	if len(before) == 0 {
		return nil, nil
	}
	all, err := c.ListChannels(ctx, before[0])
	return offer(api.List[api.Channel]{Items: all}, err, func(ch api.Channel) (string, string) { return ch.Name, ch.Version })
}

// ofFlag is a source whose argument before is the value of a flag.
func ofFlag(flag string, find source) source {
	return func(ctx context.Context, c *client.Client, cmd *cobra.Command, _ []string) ([]string, error) {
		value, err := cmd.Flags().GetString(flag)
		if err != nil || value == "" {
			return nil, err
		}
		return find(ctx, c, cmd, []string{value})
	}
}

func findHosts(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListHosts(ctx, api.HostFilter{}, completePage)
	return offer(l, err, func(h api.Host) (string, string) { return h.Name, hostState(h) })
}

// findPorts are the sticks of the host before that a job of a kind may have; the
// host's own disks are no choice.
func findPorts(kind protocol.JobKind) source {
	return func(ctx context.Context, c *client.Client, _ *cobra.Command, before []string) ([]string, error) {
		if len(before) == 0 {
			return nil, nil
		}
		h, err := c.GetHost(ctx, before[0])
		h.Devices = slices.DeleteFunc(h.Devices, func(d api.Device) bool { return d.Refusal(kind) != nil })
		return offer(api.List[api.Device]{Items: h.Devices}, err, func(d api.Device) (string, string) { return d.Port, deviceName(d) })
	}
}

func findTemplates(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListTemplates(ctx, api.ShelfFilter{}, completePage)
	return offer(l, err, func(t api.Template) (string, string) { return t.Name, t.Description })
}

func findSequences(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListTaskSequences(ctx, api.ShelfFilter{}, completePage)
	return offer(l, err, func(t api.TaskSequence) (string, string) { return t.Name, t.Description })
}

func findJobs(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListJobs(ctx, api.JobFilter{}, completePage)
	return offer(l, err, func(j api.Job) (string, string) { return j.ID, j.State + " on " + j.HostName })
}

func findSticks(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListSticks(ctx, api.StickFilter{}, completePage)
	return offer(l, err, func(s api.Stick) (string, string) { return s.ID, s.Life + " " + s.Serial + " " + s.Holder })
}

func findRequests(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListStickRequests(ctx, api.StickRequestFilter{}, completePage)
	return offer(l, err, func(r api.StickRequest) (string, string) { return r.ID, r.State + " " + r.Ticket + " " + r.Holder })
}

func findSites(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListSites(ctx, api.ShelfFilter{}, completePage)
	return offer(l, err, func(s api.Site) (string, string) { return s.Name, s.ID })
}

func findTokens(ctx context.Context, c *client.Client, _ *cobra.Command, _ []string) ([]string, error) {
	l, err := c.ListTokens(ctx, api.TokenFilter{}, completePage)
	return offer(l, err, func(t api.Token) (string, string) { return t.ID, t.Name + " of " + t.Login })
}

// completeContext offers the consoles that are signed in at; it asks none.
func (x *remote) completeContext(_ *cobra.Command, before []string, _ string) ([]string, cobra.ShellCompDirective) {
	file, err := readServers(x.environ)
	if err != nil || len(before) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var all []string
	for _, s := range file.Servers {
		all = append(all, cobra.CompletionWithDesc(s.Name, s.URL))
	}
	return all, cobra.ShellCompDirectiveNoFileComp
}

// completeServer is completeContext for a flag: there may be arguments before.
func (x *remote) completeServer(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
	return x.completeContext(cmd, nil, begun)
}
