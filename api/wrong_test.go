package api_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/store"
)

// blames are the fields that an error blames, each with its code.
func blames(err error) (out []string) {
	f := fault.From(err)
	if f == nil {
		return nil
	}
	parts := f.Parts
	if len(parts) == 0 {
		parts = []*fault.Error{f}
	}
	for _, part := range parts {
		out = append(out, part.Field+" "+string(part.Code))
	}
	return out
}

// TestAllThatIsWrong sends each use case that makes or changes something several
// wrong fields: it tells all of them.
func TestAllThatIsWrong(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	ctx, admin := t.Context(), f.Admin
	long, nowhere := strings.Repeat("x", 5000), []string{store.SiteID{1}.String()}
	known := f.Publish(t, "win11-ent", "1.0.0")
	good, gone, twin := apitest.Stick("a"), apitest.Stick("gone"), apitest.Stick("b")
	host, _ := f.Connect(t, "bench", good, twin)
	f.Enroll(t, "other")
	user := must[api.User](t)(f.CreateUser(ctx, admin, api.CreateUserInput{Login: "ada", Role: api.RoleViewer, Password: "correct horse"}))
	ada := must[api.Actor](t)(f.ActorForUser(ctx, api.Anonymous("", "", "192.0.2.1"), user.ID))
	spec := api.TaskSequenceSpec{Layout: protocol.LayoutMBRDual, Edition: 1, BootSignature: protocol.BootSignature2011}
	must[api.TaskSequence](t)(f.SaveTaskSequence(ctx, admin, api.SaveTaskSequenceInput{Name: "taken", Spec: spec}))
	made := must[api.NewConnector](t)(f.SaveConnector(ctx, admin, api.SaveConnectorInput{Name: "tickets", System: connector.Generic}))
	reply := connector.Generic.DefaultReply()

	for name, x := range map[string]struct {
		call func() error
		want []string
	}{
		"a new person": {func() error {
			_, err := f.CreateUser(ctx, admin, api.CreateUserInput{Login: "a b", Name: long, Role: "boss", Sites: nowhere, Locale: "tlh", Password: "short"})
			return err
		}, []string{"login login_invalid", "name name_invalid", "password password_too_short", "locale locale_unknown", "role role_unknown", "sites site_not_found"}},
		"a login that is taken": {func() error {
			_, err := f.CreateUser(ctx, admin, api.CreateUserInput{Login: "ADA", Role: "boss"})
			return err
		}, []string{"login name_taken", "role role_unknown"}},
		"a person": {func() error {
			_, err := f.UpdateUser(ctx, admin, api.UpdateUserInput{ID: user.ID, Role: "boss", Sites: nowhere})
			return err
		}, []string{"name name_invalid", "role role_unknown", "sites site_not_found"}},
		"a token": {func() error {
			_, err := f.CreateToken(ctx, admin, api.CreateTokenInput{Role: "boss", Sites: nowhere, Scopes: []api.TokenScope{"all"}, TTL: -1, Login: "nobody"})
			return err
		}, []string{"name name_invalid", "role role_unknown", "scopes scope_unknown", "ttl_seconds lifetime_invalid", "login user_not_found", "sites site_not_found"}},
		"a token of somebody": {func() error {
			_, err := f.CreateToken(ctx, admin, api.CreateTokenInput{Name: "ci", Role: api.RoleAdmin, Sites: nowhere, Login: "ada"})
			return err
		}, []string{"role forbidden", "sites site_not_found"}},
		"a webhook": {func() error {
			_, err := f.CreateWebhook(ctx, admin, api.SaveWebhookInput{URL: "ftp://x", Description: long, Types: []string{"moon.rise"}, Sites: nowhere})
			return err
		}, []string{"url url_invalid", "description text_too_long", "types event_type_unknown", "sites site_not_found"}},
		"a new connector": {func() error {
			_, err := f.SaveConnector(ctx, admin, api.SaveConnectorInput{
				Name: "tickets", Title: long, System: connector.Generic, Method: connector.MethodHeader, Header: "a b", User: long, Secret: "short",
			})
			return err
		}, []string{"name name_taken", "title text_too_long", "header connector_header_invalid", "user text_too_long", "secret secret_invalid"}},
		"a connector": {func() error {
			_, err := f.SaveConnector(ctx, admin, api.SaveConnectorInput{ID: made.ID, Name: "a b", Title: long, Method: "wink"})
			return err
		}, []string{"method connector_method_refused", "name name_invalid", "title text_too_long"}},
		"a mapping": {func() error {
			_, err := f.SaveConnectorMapping(ctx, admin, made.ID, connector.Mapping{
				connector.FieldHolder: {Path: "a\x01"}, connector.FieldImage: {Otherwise: "nope"}, connector.FieldSite: {Otherwise: "nowhere"}, connector.FieldComputer: {Otherwise: "{x}"},
			}, 0)
			return err
		}, []string{
			"mapping.holder mapping_invalid", "mapping.ticket mapping_invalid", "mapping.image image_not_found", "mapping.site site_not_found",
			"mapping.computer_name computer_name_pattern",
		}},
		"a write-back": {func() error {
			_, err := f.SaveWriteBack(ctx, admin, api.SaveWriteBackInput{ID: made.ID, Config: &api.WriteBackConfig{
				Template: connector.Reply{Method: "GET", URL: "{{", Body: "{{.nothing}}"}, Events: []string{"moon"},
				Auth: api.WriteBackAuth{Kind: api.AuthClient, TokenURL: "x", ClientAuth: "wink"},
			}})
			return err
		}, []string{
			"config.template.method write_back_template_invalid", "config.template.content_type write_back_template_invalid",
			"config.template.url write_back_template_invalid", "config.template.body write_back_template_invalid", "config.events write_back_event_unknown",
			"config.auth.token_url url_invalid", "config.auth.client_id write_back_auth_invalid", "config.auth.client_auth write_back_auth_invalid",
		}},
		"a write-back without secrets": {func() error {
			reply := reply
			reply.ContentType = ""
			_, err := f.SaveWriteBack(ctx, admin, api.SaveWriteBackInput{ID: made.ID, Config: &api.WriteBackConfig{
				Template: reply, Events: connector.Events, Auth: api.WriteBackAuth{Kind: api.AuthPassword, TokenURL: "https://example.org/token", ClientID: "x"},
			}})
			return err
		}, []string{"config.template.content_type write_back_template_invalid", "secret write_back_auth_missing", "client_secret write_back_auth_missing"}},
		"a host": {func() error {
			_, err := f.UpdateHost(ctx, admin, api.UpdateHostInput{ID: host.ID, Name: "other", SiteID: "nowhere"})
			return err
		}, []string{"name name_taken", "site site_not_found"}},
		"a host's ports": {func() error {
			_, err := f.SetHostPorts(ctx, admin, api.SetHostPortsInput{Host: host.ID, Ports: []api.HostPort{{Number: 0, Socket: "1-1"}, {Number: 1}}})
			return err
		}, []string{"items[0].number port_invalid", "items[1].socket value_invalid"}},
		"a version": {func() error {
			_, err := f.PublishVersion(ctx, admin, api.PublishVersionInput{SHA256: known.SHA256, Image: "Win 11", Version: "one", Channel: "Ä"})
			return err
		}, []string{"image name_invalid", "version version_invalid", "channel name_invalid"}},
		"a template": {func() error {
			_, err := f.SaveTemplate(ctx, admin, api.SaveTemplateInput{Name: "starter", Source: "<no"})
			return err
		}, []string{"name name_taken", "source template_malformed"}},
		"a task sequence": {func() error {
			_, err := f.SaveTaskSequence(ctx, admin, api.SaveTaskSequenceInput{
				Name: "taken", Spec: api.TaskSequenceSpec{Layout: "zip", BootSignature: "1999", MinWriteRate: -1, MinRandomIOPS: -1}, Template: "nope",
			})
			return err
		}, []string{
			"name name_taken", "spec.layout layout_unknown", "spec.edition edition_invalid", "spec.boot_signature boot_signature_unknown",
			"spec.min_write_rate minimum_invalid", "spec.min_random_iops minimum_invalid", "template template_not_found",
		}},
		"a view": {func() error {
			_, err := f.SaveView(ctx, admin, api.SaveViewInput{List: "moons"})
			return err
		}, []string{"name name_invalid", "list list_unknown"}},
		"a password": {func() error { return f.ChangePassword(ctx, ada, "wrong", "short") }, []string{"current password_wrong", "password password_too_short"}},
		"a stick's data": {func() error {
			_, err := f.SettleStickData(ctx, admin, api.SettleStickDataInput{Data: api.DataGivenUp})
			return err
		}, []string{"signer signer_missing", "reason data_reason_missing"}},
		"a job": {func() error {
			in := apitest.Order("nope", "bench", good, gone)
			in.Layout, in.Holder, in.Overrides, in.TaskSequence = "zip", long, []string{"all"}, "nope"
			in.Devices[0].ExternalRef = api.ExternalRef{System: "?", ID: long}
			_, err := f.QueueJob(ctx, admin, in)
			return err
		}, []string{
			"overrides override_unknown", "layout layout_unknown", "holder text_too_long", "devices[0].external_ref.system reference_system_invalid",
			"devices[0].external_ref.id text_too_long", "image image_not_found", "devices[1] device_gone",
		}},
		"computers' names": {func() error {
			in := apitest.Order("win11-ent", "nowhere", good)
			in.Variables = map[string]string{"Bad": "x"}
			_, err := f.QueueJob(ctx, admin, in)
			return err
		}, []string{"variables variable_invalid", "host host_not_found"}},
		"sticks": {func() error {
			in := apitest.Order("win11-ent", "bench", good, twin)
			in.Variables = map[string]string{api.VariableComputerName: "{x}"}
			_, err := f.QueueJob(ctx, admin, in)
			return err
		}, []string{"devices[0] computer_name_pattern", "devices[1] computer_name_pattern"}},
		"a capture": {func() error {
			in := captureOrder(good, "one")
			in.Options.Capture.Channel, in.Options.Capture.Notes, in.Options.Capture.Partition, in.Options.Capture.Exclude = "Ä", long, -1, "C:\\no"
			in.Host = "nowhere"
			_, err := f.QueueJob(ctx, admin, in)
			return err
		}, []string{
			"options.capture.version version_invalid", "options.capture.channel name_invalid", "options.capture.notes text_too_long",
			"options.capture.exclude exclusion_invalid", "options.capture.partition partition_invalid", "host host_not_found",
		}},
		"an answer file": {func() error {
			_, err := api.RenderAnswer(f.StarterTemplate(), api.RenderInput{Holder: long, Variables: map[string]string{"moon": "x", api.VariableComputerName: "{x}"}})
			return err
		}, []string{"holder text_too_long", "variables.moon template_variable_unasked", "variables.computer_name computer_name_pattern"}},
		"a filter": {func() error {
			_, err := f.ListJobs(ctx, admin, api.JobFilter{State: "odd", Kind: "odd"}, api.Page{})
			return err
		}, []string{"state filter_choice_unknown", "kind filter_choice_unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			if have := blames(x.call()); !slices.Equal(have, x.want) {
				t.Errorf("it tells\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(x.want, "\n"))
			}
		})
	}
}

// TestFirstAdminWrong is the same for the form that nobody has signed in for.
func TestFirstAdminWrong(t *testing.T) {
	t.Parallel()
	c, _ := apitest.Bare(t)
	_, err := c.Setup(t.Context(), api.Anonymous("", "", "192.0.2.1"), api.SetupInput{Login: "a b", Name: strings.Repeat("x", 101)})
	if have, want := blames(err), []string{"login login_invalid", "name name_invalid", "password password_too_short"}; !slices.Equal(have, want) {
		t.Errorf("it tells %q, want %q", have, want)
	}
}

// TestRefused holds that what a door refuses is checked and not done.
func TestRefused(t *testing.T) {
	t.Parallel()
	f := apitest.New(t)
	door := fault.New(fault.KindInvalid, "count_wrong").At("count")
	refused := f.Admin.Refused(door)
	good := apitest.Stick("a")
	f.Publish(t, "win11-ent", "1.0.0")
	f.Connect(t, "bench", good)
	entries := func() int {
		return len(must[api.List[api.AuditEntry]](t)(f.ListAudit(t.Context(), f.Admin, api.AuditFilter{}, api.Page{Limit: api.MaxPage})).Items)
	}
	before := entries()
	for name, call := range map[string]func(context.Context) error{
		"person": func(ctx context.Context) error {
			_, err := f.CreateUser(ctx, refused, api.CreateUserInput{Login: "eve", Role: api.RoleViewer})
			return err
		},
		"webhook": func(ctx context.Context) error {
			_, err := f.CreateWebhook(ctx, refused, api.SaveWebhookInput{URL: "https://example.org/"})
			return err
		},
		"token": func(ctx context.Context) error {
			_, err := f.CreateToken(ctx, refused, api.CreateTokenInput{Name: "ci", Role: api.RoleViewer})
			return err
		},
		"job": func(ctx context.Context) error {
			in := apitest.Order("win11-ent", "bench", good)
			in.IdempotencyKey = "once"
			_, err := f.QueueJob(ctx, refused, in)
			return err
		},
	} {
		if err := call(t.Context()); !errors.Is(err, door) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := entries(); now != before {
		t.Errorf("%d things were done", now-before)
	}
	if jobs := must[api.List[api.Job]](t)(f.ListJobs(t.Context(), f.Admin, api.JobFilter{}, api.Page{})); len(jobs.Items) != 0 {
		t.Errorf("jobs are %+v", jobs.Items)
	}
}
