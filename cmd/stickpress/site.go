package main

import (
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

func siteCommand(x *remote) *cobra.Command {
	return x.family("site", "Sites: places with hosts", siteListCommand(x))
}

func siteListCommand(x *remote) *cobra.Command {
	return listCommand(x, "list", "Lists sites", api.ShelfFields, (*client.Client).ListSites,
		func(s api.Site) string { return s.ID },
		column[api.Site]{"SITE", func(s api.Site) string { return s.Name }},
		column[api.Site]{"ID", func(s api.Site) string { return s.ID }},
		column[api.Site]{"DEFAULT", func(s api.Site) string { return yes(s.Default) }},
		column[api.Site]{"HOSTS", func(s api.Site) string { return number(s.Hosts) }},
		column[api.Site]{"JOBS", func(s api.Site) string { return number(s.Jobs) }},
		column[api.Site]{"CLOSED", func(s api.Site) string { return x.since(s.RetiredAt) }},
	)
}
