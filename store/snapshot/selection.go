package snapshot

import "strings"

// The numbers of the transactions that wrote rows (xid8) mean nothing in another
// cluster, and whoever pages by them would wait for ever for those above its own. In
// a snapshot they are small, below those of any cluster's first transactions, and
// keep what is known by them:
//
//	1               what webhooks had read, or was before they came
//	2, 3, …         what no webhook had read yet; one more for each time at which a
//	                webhook began to listen meanwhile
//
// so that the restored console makes of the same events the messages that the other
// one would have made, and of no others. A webhook's own number is the greatest that
// it does not get.
const restoredXact = `'1'::xid8`

// begun counts the times from the reader's place on at which webhooks began to
// listen, and which meet a condition.
func begun(condition string) string {
	return `(SELECT count(DISTINCT w.since) FROM webhooks w, webhook_reader r WHERE w.since >= r.xact AND ` + condition + `)`
}

// unread is restoredXact of an event, of the feed's stream.
func unread(table, stream string) string {
	return `CASE WHEN (` + table + `.xact, ` + stream + `::smallint, ` + table + `.id) <= (SELECT xact, stream, event FROM webhook_reader)
		THEN ` + restoredXact + ` ELSE (2 + ` + begun(`w.since < `+table+`.xact`) + `)::text::xid8 END`
}

// inPlaceOf says what is taken in place of some columns' values. The reader is
// behind all that was read.
var inPlaceOf = map[string]map[string]string{
	"job_events":   {"xact": unread("job_events", "0")},
	"stick_events": {"xact": unread("stick_events", "1")},
	"webhooks": {"since": `CASE WHEN since < (SELECT xact FROM webhook_reader) THEN ` + restoredXact +
		` ELSE (1 + ` + begun(`w.since <= webhooks.since`) + `)::text::xid8 END`},
	"webhook_reader": {"xact": restoredXact, "stream": `1::smallint`, "event": `9223372036854775807`},
}

// selection is what COPY takes of a table. A schema of before there were webhooks
// has no reader, and nothing to tell apart.
func selection(table string, list []column, reader bool) string {
	out := make([]string, len(list))
	for i, c := range list {
		switch instead := inPlaceOf[table][c.Name]; {
		case instead != "" && reader:
			out[i] = instead
		case c.Type == "xid8":
			out[i] = restoredXact
		default:
			out[i] = quoted([]string{c.Name})
		}
	}
	sql := "SELECT " + strings.Join(out, ", ") + " FROM " + quoted([]string{table})
	if only := onlyRows[table]; only != "" {
		sql += " WHERE " + only
	}
	return sql
}
