package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func eventsCommand(x *remote) *cobra.Command {
	var f api.EventFilter
	var follow bool
	var after string
	var limit int
	cmd := &cobra.Command{
		Use:     "events",
		Short:   "Prints what happened to jobs, builds and sticks, the oldest first",
		GroupID: groupClient,
		Long: `Prints what happened to jobs, builds and sticks, the oldest first, one line for each
event; with --json one object a line. With --follow it goes on with what happens
from now on, until Ctrl-C; after a broken connection it goes on where it was.

--after is the ID of an event: whoever goes on after the last one that was seen
misses none and sees none twice.`,
		Args: cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			if limit < 0 {
				return wrong(cmd, "--limit %d: want 0 (all) or more", limit)
			}
			if follow {
				for e, err := range c.WatchEvents(cmd.Context(), f, after) {
					if err != nil {
						return err
					}
					if err := x.printEvent(cmd, e); err != nil {
						return err
					}
				}
				return nil
			}
			for n := 0; ; {
				page, err := c.ListEvents(cmd.Context(), f, after, api.MaxPage)
				if err != nil || len(page) == 0 {
					return err
				}
				for _, e := range page {
					if n++; limit > 0 && n > limit {
						x.tell(cmd, "There are more: --after %s goes on, --limit 0 prints them all.", after)
						return nil
					}
					if err := x.printEvent(cmd, e); err != nil {
						return err
					}
					after = e.ID
				}
			}
		}),
	}
	x.addFlags(cmd)
	fl := cmd.Flags()
	fl.BoolVarP(&follow, "follow", "f", false, "go on with what happens from now on, or after --after")
	fl.StringVar(&after, "after", "", "ID of the event to go on after (default: of all that happened, the first; with --follow, from now on)")
	fl.StringSliceVar(&f.Types, "types", nil, "only events of these types, such as build.verified,build.failed")
	fl.StringVar(&f.Site, "site", "", "only events of this site")
	fl.IntVar(&limit, "limit", 200, "at most so many; 0 for all; with --follow there is no end")
	cmd.MarkFlagsMutuallyExclusive("follow", "limit")
	return cmd
}

// printEvent prints an event: as a line, as its ID, or as a JSON object.
func (x *remote) printEvent(cmd *cobra.Command, e api.Event) error {
	out := cmd.OutOrStdout()
	switch {
	case x.json:
		return json.NewEncoder(out).Encode(e)
	case x.quiet:
		_, err := fmt.Fprintln(out, e.ID)
		return err
	}
	words := []string{x.at(e.Timestamp), fmt.Sprintf("%-22s", e.Type)}
	for _, w := range []string{e.Data.JobID, e.Data.BuildID, e.Data.StickID, e.Data.ExternalRef.ID, e.Data.Holder, string(e.Data.Step), e.Data.Reason} {
		if w != "" {
			words = append(words, w)
		}
	}
	if f := e.Data.Fault; f != nil {
		words = append(words, locale.English.Fault(f.Code, f.Params))
	}
	_, err := fmt.Fprintln(out, clean(strings.Join(words, "  ")))
	return err
}
