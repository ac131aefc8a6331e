package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
)

func gcCommand(environ []string) *cobra.Command {
	x := &remote{}
	in := api.CollectGarbageInput{Grace: 7 * 24 * time.Hour}
	gc := &cobra.Command{
		Use:   "gc",
		Short: "Lists image files that nothing needs, and with --delete removes them",
		Long: `Lists the image files that no version is made of, published, superseded or withdrawn:
uploads that were never published, and what a crash left. With --delete they are
removed, each with a line in the audit log. Files that came in lately stay, and so
does what is uploaded or published in the same moment. It may run beside a server.`,
		Args: cobra.NoArgs,
		RunE: withServer(environ, func(cmd *cobra.Command, _ []string, s *server) error {
			list, err := s.console.CollectGarbage(cmd.Context(), api.System("command line"), in)
			if err != nil {
				return err
			}
			err = show(x, cmd, list, func(g api.Garbage) string { return g.SHA256 }, []column[api.Garbage]{
				{"SHA-256", func(g api.Garbage) string { return g.SHA256 }},
				{"BYTES", func(g api.Garbage) string { return fmt.Sprint(g.Bytes) }},
				{"CAME IN", func(g api.Garbage) string { return x.at(g.StoredAt) }},
				{"WHY", func(g api.Garbage) string { return g.Reason }},
			})
			if err != nil {
				return err
			}
			var bytes int64
			for _, g := range list {
				bytes += g.Bytes
			}
			text := "%s, %d bytes, that nothing needs: --delete removes what is listed"
			if in.Delete {
				text = "removed %s, %d bytes"
			}
			x.tell(cmd, text, counted(len(list), "file"), bytes)
			return nil
		}),
	}
	f := gc.Flags()
	f.BoolVar(&in.Delete, "delete", false, "remove them")
	f.DurationVar(&in.Grace, "grace", in.Grace, "keep what came in later than so long ago; at least 24h")
	f.BoolVar(&x.json, "json", false, "print JSON")
	addConfigFlags(f)
	return gc
}
