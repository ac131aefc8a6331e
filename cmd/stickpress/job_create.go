package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/batch"
	"github.com/stickpress/stickpress/api/client"
	"github.com/stickpress/stickpress/web/locale"
)

// newJob is what the flags of 'stickpress job create' say.
type newJob struct {
	in       api.QueueJobInput
	kind     string
	ports    []string
	sticks   []string
	table    string // file with a row for each stick
	computer string
	ticket   string
	system   string // that tickets are in
	vars     []string
	when     string
	method   string // of a wipe
	yes      bool
	wait     bool
}

func jobCreateCommand(x *remote) *cobra.Command {
	var n newJob
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Queues sticks to be made on a host",
		Long: `Queues sticks to be made on a host. What is on the sticks is erased: they are
shown as the host sees them now, and asked about unless --yes is given. Each is
sent with all that the host says of it; one that is another by the time of
writing is never written.

Without --kind the image decides: a stick is pressed of a WIM or ESD, and a disk
image is written as it is. --kind verify compares sticks with what was recorded
of them and writes nothing, --kind wipe erases them and reads them back.

--csv is a table with a row for each stick, in the order of --port and --stick:
user, computer name and ticket, with headings in any order or without in this
one, as a spreadsheet saves it.

` + whenHelp,
		Example: `  stickpress job create --host bench-1 --image win11-ent --port 1-1.4 --for 'Ada Lovelace' --ticket INC0012345
  stickpress job create --host bench-1 --image win11-ent --channel testing --port 1-1.1 --port 1-1.2 --csv people.csv --yes --wait`,
		Args: cobra.NoArgs,
		RunE: x.do(func(cmd *cobra.Command, c *client.Client, _ []string) error { return n.queue(x, cmd, c) }),
	}
	f := cmd.Flags()
	f.StringVar(&n.in.Host, "host", "", "the imaging host")
	f.StringArrayVar(&n.ports, "port", nil, "port of a stick, or the number on its socket; may be repeated")
	f.StringArrayVar(&n.sticks, "stick", nil, "ID or serial number of a stick; may be repeated")
	f.StringVar(&n.table, "csv", "", "table with a row for each stick, - for standard input")
	f.StringVar(&n.kind, "kind", "", "press, raw, verify or wipe (default: as the image wants)")
	f.StringVar(&n.in.Image, "image", "", "the image")
	f.StringVar(&n.in.Version, "version", "", "a version of the image (default: what the channel points to)")
	f.StringVar(&n.in.Channel, "channel", "", "a channel of the image (default: "+api.DefaultChannel+")")
	f.StringVar(&n.in.TaskSequence, "task-sequence", "", "the task sequence (default: the console's)")
	f.StringVar(&n.in.Layout, "layout", "", protocol.LayoutMBRDual+" or "+protocol.LayoutGPTUEFI+" (default: the task sequence's)")
	f.IntVar(&n.in.Edition, "edition", 0, "number of the edition in the image (default: the task sequence's)")
	f.StringVar(&n.in.Holder, "for", "", "who gets the sticks")
	f.StringVar(&n.ticket, "ticket", "", "the ticket that asked for it; no two jobs are under way for one")
	f.StringVar(&n.system, "ticket-system", "", "the system that tickets are in, such as servicenow (default: "+api.TicketSystem+")")
	f.StringArrayVar(&n.in.StickRequests, "request", nil, "ID of a ticket's request that the sticks are for; may be repeated")
	f.StringVar(&n.computer, "computer-name", "", "name of the computer, or a pattern with {n}, {n:02}, {ticket} and {user}")
	f.StringArrayVar(&n.vars, "var", nil, "variable of the answer file, NAME=VALUE; may be repeated")
	f.StringVar(&n.when, "schedule", "", "when to begin (default: at once)")
	f.BoolVar(&n.in.Options.EraseFirst, "erase-first", false, "leave nothing of what a stick held, also where nothing is written")
	f.StringVar(&n.method, "method", "", "of a wipe: auto, overwrite or discard (default: auto)")
	f.StringArrayVar(&n.in.Overrides, "override", nil, "code of a refusal that is to pass (admin); may be repeated")
	f.BoolVarP(&n.yes, "yes", "y", false, "do not ask: erase the sticks")
	f.BoolVar(&n.wait, "wait", false, waitHelp)
	_ = cmd.MarkFlagRequired("host") // fails only for a flag that does not exist
	cmd.MarkFlagsOneRequired("port", "stick")
	cmd.MarkFlagsMutuallyExclusive("schedule", "wait")
	_ = cmd.MarkFlagFilename("csv", "csv", "tsv", "txt")
	x.flagWords(cmd, "host", findHosts)
	x.flagWords(cmd, "port", ofFlag("host", findPorts(protocol.JobRaw)))
	x.flagWords(cmd, "stick", findSticks)
	x.flagWords(cmd, "request", findRequests)
	x.flagWords(cmd, "image", findImages)
	x.flagWords(cmd, "version", ofFlag("image", findVersions))
	x.flagWords(cmd, "channel", ofFlag("image", findChannels))
	x.flagWords(cmd, "task-sequence", findSequences)
	return cmd
}

// queue asks about the sticks and queues the job.
func (n *newJob) queue(x *remote, cmd *cobra.Command, c *client.Client) error {
	if err := n.read(cmd); err != nil {
		return err
	}
	rows, err := n.rows(cmd)
	if err != nil {
		return err
	}
	if err := n.resolve(cmd, c); err != nil {
		return err
	}
	h, err := c.GetHost(cmd.Context(), n.in.Host)
	if err != nil {
		return err
	}
	chosen, err := n.choose(h)
	if err != nil {
		return err
	}
	if len(rows) > 0 && len(rows) != len(chosen) {
		return wrong(cmd, "the table has %s for %s: each row is one stick", counted(len(rows), "row"), counted(len(chosen), "stick"))
	}
	if !n.yes {
		if err := n.confirm(cmd, h, chosen); err != nil {
			return err
		}
	}
	for i, d := range chosen {
		q := api.QueueDevice{Identity: d.Identity}
		if len(rows) > 0 {
			q.Holder, q.ExternalRef = rows[i].Holder, n.refer(rows[i].Reference)
			if rows[i].Computer != "" {
				q.Variables = map[string]string{api.VariableComputerName: rows[i].Computer}
			}
		}
		n.in.Devices = append(n.in.Devices, q)
	}
	n.in.IdempotencyKey = uuid.NewString()
	j, err := c.QueueJob(cmd.Context(), n.in)
	if err != nil {
		return err
	}
	return x.afterQueue(cmd, c, j, n.wait)
}

// read makes the job's own words of the flags.
func (n *newJob) read(cmd *cobra.Command) error {
	n.in.Kind, n.in.ExternalRef = protocol.JobKind(n.kind), n.refer(n.ticket)
	if n.kind != "" && (!n.in.Kind.Known() || n.in.Kind == protocol.JobCapture) {
		return wrong(cmd, "--kind %s: want press, raw, verify or wipe", n.kind)
	}
	if n.method != "" {
		if n.in.Kind != protocol.JobWipe {
			return wrong(cmd, "--method is of --kind wipe")
		}
		n.in.Options.Wipe = &protocol.WipeOptions{Method: protocol.WipeMethod(n.method)}
	}
	vars, err := parseVars(cmd, n.vars)
	if err != nil {
		return err
	}
	n.in.Variables = vars
	if n.computer != "" {
		if n.in.Variables == nil {
			n.in.Variables = map[string]string{}
		}
		n.in.Variables[api.VariableComputerName] = n.computer
	}
	if n.when != "" {
		at, err := parseWhen(n.when, time.Now())
		if err != nil {
			return &usageError{cmd, err}
		}
		n.in.NotBefore = &at
	}
	return nil
}

// refer is a ticket as the flags name its system.
func (n *newJob) refer(ticket string) api.ExternalRef {
	ref := api.Ticket(ticket)
	if ticket != "" && n.system != "" {
		ref.System = n.system
	}
	return ref
}

// rows reads the table, and checks it cell by cell.
func (n *newJob) rows(cmd *cobra.Command) ([]batch.Row, error) {
	if n.table == "" {
		return nil, nil
	}
	raw, err := readFile(cmd, n.table)
	if err != nil {
		return nil, err
	}
	t, err := batch.Parse(raw)
	if err != nil {
		return nil, err
	}
	for _, heading := range t.Ignored {
		fmt.Fprintf(cmd.ErrOrStderr(), "The column %q means nothing here.\n", clean(heading))
	}
	_, problems := api.CheckBatch(t.Rows, n.computer, n.ticket)
	if len(problems) == 0 {
		return t.Rows, nil
	}
	var text strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&text, "\n  line %d: %s", t.Rows[p.Row].Line, locale.English.Fault(string(p.Err.Code), p.Err.Params))
	}
	return nil, fmt.Errorf("nothing was queued: the table %s is not right:%s", n.table, text.String())
}

// resolve finds out which kind of job the image wants.
func (n *newJob) resolve(cmd *cobra.Command, c *client.Client) error {
	if n.in.Kind == protocol.JobVerify || n.in.Kind == protocol.JobWipe {
		return nil
	}
	if n.in.Image == "" && n.in.Version == "" {
		return wrong(cmd, "--image is missing")
	}
	if n.in.Kind != "" {
		return nil
	}
	channel := n.in.Channel
	if n.in.Version != "" {
		channel = ""
	}
	v, err := c.FindVersion(cmd.Context(), n.in.Image, n.in.Version, channel)
	if err != nil {
		return err
	}
	n.in.Kind = protocol.JobPress
	if v.Disk != nil {
		n.in.Kind = protocol.JobRaw
	}
	return nil
}

// readFile reads a file, or standard input if its name is "-".
func readFile(cmd *cobra.Command, name string) ([]byte, error) {
	if name == "-" {
		return readAll(cmd.InOrStdin())
	}
	return os.ReadFile(name)
}
