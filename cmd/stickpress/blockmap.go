package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

func blockMapCommand(x *remote) *cobra.Command {
	var in api.SetBlockMapInput
	var file string
	cmd := &cobra.Command{
		Use:   "block-map VERSION_ID",
		Short: "Gives a disk image a block map, and says whether it is trusted",
		Long: `Gives a disk image a block map, and says whether it is trusted.

A block map (bmaptool create) lists what of an image must be written. It is
compared with the image. Jobs use it only when an admin vouches for it with
--trust: what a map leaves out may hold anything on a stick.`,
		Args: cobra.ExactArgs(1),
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, args []string) error {
			in.Version = args[0]
			if file != "" {
				var err error
				if in.Body, err = os.ReadFile(file); err != nil {
					return fmt.Errorf("read the block map: %w", err)
				}
			}
			seen, err := c.GetVersion(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			in.Revision = seen.Revision
			v, err := c.SetBlockMap(cmd.Context(), in)
			if err != nil {
				return err
			}
			if x.json {
				return printJSON(cmd, v)
			}
			trusted := "not trusted: jobs write everything"
			if v.BlockMap.Trusted {
				trusted = "trusted"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s  %s of %s in %d ranges, %s\n",
				v.ImageName, v.Version, locale.Bytes(v.BlockMap.MappedBytes), locale.Bytes(v.Disk.Bytes), v.BlockMap.Ranges, trusted)
			return nil
		}),
	}
	cmd.Flags().StringVar(&file, "file", "", "the map; left out, the one that is there is kept")
	cmd.Flags().BoolVar(&in.Trusted, "trust", false, "jobs write only what the map lists")
	return cmd
}
