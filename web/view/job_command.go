package view

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/stickpress/stickpress/agent/protocol"
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

// commander writes the commands for one job of a console.
type commander struct {
	url string
	job api.Job
}

// rest is a curl line for a path below the API's prefix. The token is read from
// the environment, so that none is in a shell's history.
func (c commander) rest(method, path string, more ...string) string {
	line := `curl -fsS -H "Authorization: Bearer $STICKPRESS_TOKEN"`
	if method != "GET" {
		line += " -X " + method
	}
	for _, word := range more {
		line += " " + word
	}
	return line + " " + quoted(c.url+"/api/v1"+path)
}

func (c commander) of(method, path string, more ...string) string {
	return c.rest(method, "/jobs/"+c.job.ID+path, more...)
}

func (c commander) cli(verb string, words ...string) string {
	return strings.Join(append([]string{"stickpress job", verb, "--server", quoted(c.url), c.job.ID}, words...), " ")
}

// body are the words of curl that send a value as JSON.
func body(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err) // plain data
	}
	return "-H 'Content-Type: application/json' -d " + quoted(string(raw))
}

// quoted is a word of a shell that stands for a text, whatever is in it.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'"'"'`) + "'" }

// JobCommands are the commands for what a reader may do with a job.
func JobCommands(f Frame, url string, j api.Job) []Command {
	c := commander{url, j}
	all := []Command{
		{ID: "show", Name: f.T("job.command_show"), Curl: c.of("GET", ""), CLI: c.cli("show")},
		{ID: "watch", Name: f.T("job.command_watch"), Curl: c.of("GET", "/events"), CLI: c.cli("watch")},
		{ID: "log", Name: f.T("job.command_log"), Curl: c.of("GET", "/history"), CLI: c.cli("logs")},
	}
	if j.EndedAt == nil && f.Actor.Can(api.UseCancelJob) {
		all = append(all, Command{ID: "cancel", Name: f.T("job.cancel"), Curl: c.of("POST", "/cancellations"), CLI: c.cli("cancel")})
	}
	if scheduled(j) && f.Actor.Can(api.UseScheduleJob) {
		at := j.NotBefore.UTC().Format(time.RFC3339)
		all = append(all, Command{
			ID: "schedule", Name: f.T("job.schedule_change"), CLI: c.cli("schedule", quoted(at)),
			Curl: c.of("PUT", "/schedule", "-H "+quoted(`If-Match: "`+strconv.FormatInt(j.Revision, 10)+`"`), body(map[string]string{"not_before": at})),
		})
	}
	if mayRetry(f, j) {
		all = append(all, Command{ID: "retry", Name: f.T("job.retry"), Curl: c.of("POST", "/retries"), CLI: c.cli("retry")})
	}
	for _, b := range j.Builds {
		all = append(all, stickCommands(f, c, b)...)
	}
	if mayAgain(f, j) {
		all = append(all, Command{ID: "again", Name: f.T(wordsOf[j.Kind].again), Curl: c.rest("POST", "/jobs", body(againBody(j))), CLI: againLine(url, j)})
	}
	return all
}

// stickCommands stop one stick of several, or try it again.
func stickCommands(f Frame, c commander, b api.Build) []Command {
	at, port := strconv.Itoa(b.Position), portName(b.PortLabel, b.Identity.Port)
	switch {
	case mayCancelStick(f, c.job, b):
		return []Command{{
			ID: "cancel-" + at, Name: f.T("job.command_cancel_stick", "port", port),
			Curl: c.of("POST", "/builds/"+b.ID+"/cancellations"), CLI: c.cli("cancel", "--stick", at),
		}}
	case mayRetryStick(f, c.job, b):
		return []Command{{
			ID: "retry-" + at, Name: f.T("job.command_retry_stick", "port", port),
			Curl: c.of("POST", "/retries", body(map[string][]string{"builds": {b.ID}})), CLI: c.cli("retry", "--stick", at),
		}}
	}
	return nil
}

// againBody is what POST /jobs takes to queue those of a job's sticks anew that
// are not as they should be.
func againBody(j api.Job) map[string]any {
	type device struct {
		Identity    protocol.Identity `json:"identity"`
		ExternalRef api.ExternalRef   `json:"external_ref,omitzero"`
		Holder      string            `json:"holder,omitempty"`
		Variables   map[string]string `json:"variables,omitempty"`
	}
	var devices []device
	for _, b := range j.Builds {
		if b.State != "verified" {
			devices = append(devices, device{Identity: b.Identity, ExternalRef: b.ExternalRef, Holder: b.Holder, Variables: b.Variables})
		}
	}
	say := map[string]any{"kind": j.Kind, "host": j.HostID, "devices": devices}
	for name, v := range map[string]string{"version": j.VersionID, "task_sequence": j.TaskSequenceID, "layout": j.Layout} {
		if v != "" && (name == "version" || j.Kind == protocol.JobPress) {
			say[name] = v
		}
	}
	if j.Options != (protocol.JobOptions{}) {
		say["options"] = j.Options
	}
	if len(j.Variables) > 0 {
		say["variables"] = j.Variables
	}
	return say
}

// againLine is the same for the command line, which asks the host what is plugged
// in there now.
func againLine(url string, j api.Job) string {
	if j.Kind == protocol.JobCapture {
		return "" // it is no word of the command line
	}
	line := "stickpress job create --server " + quoted(url) + " --kind " + string(j.Kind) + " --host " + quoted(j.HostName)
	add := func(flag, value string) {
		if value != "" {
			line += " --" + flag + " " + quoted(value)
		}
	}
	if j.VersionID != "" {
		add("image", j.ImageName)
		add("version", j.Version)
	}
	if j.Kind == protocol.JobPress {
		add("task-sequence", j.TaskSequenceName)
		add("layout", j.Layout)
	}
	if j.Options.EraseFirst {
		line += " --erase-first"
	}
	if w := j.Options.Wipe; w != nil {
		add("method", string(w.Method))
	}
	add("for", j.Holder)
	add("ticket", j.ExternalRef.ID)
	add("computer-name", j.Variables[api.VariableComputerName])
	for _, b := range j.Builds {
		if b.State != "verified" {
			add("port", b.Identity.Port)
		}
	}
	return line
}
