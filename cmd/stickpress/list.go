package main

import (
	"context"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/client"
)

// flagOfField are the flags for fields that have another name on the command
// line.
var flagOfField = map[string]string{"q": "search", "reference": "ticket"}

// listCommand is a command that lists things of the console, with a flag for
// each field that narrows the list.
func listCommand[F, T any](
	x *remote, use, short string, fields []api.Field[F],
	page func(*client.Client, context.Context, F, api.Page) (api.List[T], error),
	id func(T) string, columns ...column[T],
) *cobra.Command {
	limit := 50
	given := map[string]*string{}
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error {
			query := url.Values{}
			for field, value := range given {
				query.Set(field, *value)
			}
			f, _ := api.ReadFilter(fields, query)
			return printList(x, cmd, limit, func(ctx context.Context, p api.Page) (api.List[T], error) { return page(c, ctx, f, p) }, id, columns)
		}),
	}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most so many; 0 for all")
	for _, f := range fields {
		flag := strings.ReplaceAll(f.Name, "_", "-")
		if other, ok := flagOfField[f.Name]; ok {
			flag = other
		}
		given[f.Name] = cmd.Flags().String(flag, "", flagDoc(f.FieldInfo))
		switch {
		case len(f.Values) > 0:
			_ = cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(f.Values, cobra.ShellCompDirectiveNoFileComp)) // fails only for a flag that does not exist
		case findThings[f.Object] != nil:
			x.flagWords(cmd, flag, findThings[f.Object])
		}
	}
	return cmd
}

// flagDoc is what a field narrows a list to, as help says it.
func flagDoc(f api.FieldInfo) string {
	doc := strings.TrimSuffix(f.Doc, ".")
	if r, n := utf8.DecodeRuneInString(doc); !strings.HasPrefix(doc, "ID") {
		doc = string(unicode.ToLower(r)) + doc[n:]
	}
	if len(f.Values) > 0 {
		doc += ": " + strings.Join(f.Values, ", ")
	}
	return doc
}

// printList prints a list of the console like show, at most limit of it, and
// says when there is more; a limit of 0 means all of it.
func printList[T any](
	x *remote, cmd *cobra.Command, limit int, page func(context.Context, api.Page) (api.List[T], error), id func(T) string, columns []column[T],
) error {
	if limit < 0 {
		return wrong(cmd, "--limit %d: want 0 (all) or more", limit)
	}
	ask := page
	if limit > 0 {
		ask = func(ctx context.Context, p api.Page) (api.List[T], error) {
			p.Limit = min(limit+1, api.MaxPage)
			return page(ctx, p)
		}
	}
	l := newListing(x, cmd.OutOrStdout(), id, columns)
	for v, err := range client.All(cmd.Context(), ask) {
		if err != nil {
			return err
		}
		if limit > 0 && l.n == limit {
			x.tell(cmd, "There are more: --limit 0 lists them all.")
			break
		}
		if err := l.add(v); err != nil {
			return err
		}
	}
	return l.end()
}
