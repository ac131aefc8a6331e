package view

import (
	"strconv"

	"github.com/stickpress/stickpress/api"
)

// Command is how a program does what the page does: over REST, and by this
// program's own command line where it has a word for that.
type Command struct {
	ID   string // within the page
	Name string
	Curl string
	CLI  string // may be empty
}

// JobCommands are the commands for what a reader may do with a job. The token
// is read from the environment, so that none is in a shell's history.
func JobCommands(f Frame, url string, j api.Job) []Command {
	rest := func(method, path string) string {
		line := `curl -fsS -H "Authorization: Bearer $STICKPRESS_TOKEN"`
		if method != "GET" {
			line += " -X " + method
		}
		return line + " '" + url + "/api/v1/jobs/" + j.ID + path + "'"
	}
	cli := func(verb, more string) string {
		return "stickpress job " + verb + " --server '" + url + "' " + j.ID + more
	}
	all := []Command{
		{ID: "show", Name: f.T("job.command_show"), Curl: rest("GET", ""), CLI: cli("show", "")},
		{ID: "watch", Name: f.T("job.command_watch"), Curl: rest("GET", "/events"), CLI: cli("watch", "")},
		{ID: "log", Name: f.T("job.command_log"), Curl: rest("GET", "/history"), CLI: cli("logs", "")},
	}
	if j.EndedAt == nil && f.Actor.Can(api.UseCancelJob) {
		all = append(all, Command{ID: "cancel", Name: f.T("job.cancel"), Curl: rest("POST", "/cancellations"), CLI: cli("cancel", "")})
	}
	if mayRetry(f, j) {
		all = append(all, Command{ID: "retry", Name: f.T("job.retry"), Curl: rest("POST", "/retries"), CLI: cli("retry", "")})
	}
	for _, b := range j.Builds {
		if mayCancelStick(f, j, b) {
			all = append(all, Command{
				ID:   "cancel-" + strconv.Itoa(b.Position),
				Name: f.T("job.command_cancel_stick", "port", portName(b.PortLabel, b.Identity.Port)),
				Curl: rest("POST", "/builds/"+b.ID+"/cancellations"), CLI: cli("cancel", " --stick "+strconv.Itoa(b.Position)),
			})
		}
	}
	return all
}
