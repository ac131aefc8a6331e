package browser

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/apitest"
	"github.com/stickpress/stickpress/api/fault"
	"github.com/stickpress/stickpress/api/webhook/connector"
	"github.com/stickpress/stickpress/web/webtest"
)

// What has happened in the console whose pages are looked at, beside what
// webtest.Play does.

// handOver has one stick back, whose data is asked for, one lost, a template of
// two versions, a task sequence of two, a view, and tokens: one of somebody
// else's, and one for jobs and images only. The console is set up.
func handOver(t *testing.T, s *webtest.Scene) {
	t.Helper()
	ctx := t.Context()
	_, err := s.ReturnStick(ctx, s.Helpdesk, api.MoveStickInput{ID: s.Failed.Builds[0].StickID})
	if err == nil {
		_, err = s.DeclareStickLost(ctx, s.Helpdesk, api.MoveStickInput{ID: s.Done.Builds[0].StickID, Reason: "left on the train"})
	}
	if err == nil {
		_, err = s.CreateToken(ctx, s.Helpdesk, api.CreateTokenInput{Name: "label printer", Role: api.RoleViewer})
	}
	if err == nil {
		_, err = s.CreateToken(ctx, s.Admin, api.CreateTokenInput{
			Name: "pipeline", Role: api.RoleAdmin, TTL: 90 * 24 * time.Hour, Scopes: []api.TokenScope{api.TokenJobs, api.TokenImages},
		})
	}
	if err == nil {
		_, err = s.SaveView(ctx, s.Admin, api.SaveViewInput{List: "sticks", Name: "Back, not wiped", Query: "life=returned", Shared: true})
	}
	if err == nil {
		_, err = s.SaveTemplate(ctx, s.Admin, api.SaveTemplateInput{
			ID: s.Template.ID, Name: s.Template.Name, Description: "Setup without questions",
			Source: strings.Replace(s.StarterTemplate(), "<ProtectYourPC>3</ProtectYourPC>", "<ProtectYourPC>1</ProtectYourPC>", 1),
		})
	}
	if err == nil {
		spec := s.Sequence.Current.Spec
		spec.Layout = protocol.LayoutGPTUEFI
		_, err = s.SaveTaskSequence(ctx, s.Admin, api.SaveTaskSequenceInput{ID: s.Sequence.ID, Name: s.Sequence.Name, Spec: spec, Template: s.Template.ID})
	}
	if err == nil {
		_, err = s.BeginTOTP(ctx, s.Admin)
	}
	for _, step := range api.FirstRunSteps {
		if err == nil && step != api.FirstRunAccount {
			err = s.MarkFirstRunStep(ctx, s.Admin, step, api.FirstRunSkipped)
		}
	}
	if err == nil {
		err = s.FinishFirstRun(ctx, s.Admin)
	}
	if err == nil {
		_, err = s.SaveSetting(ctx, s.Admin, api.SaveSettingInput{Name: api.SettingSessionIdle, Value: "480"})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// secondFactor makes a person who is asked for a code at each sign-in.
func secondFactor(t *testing.T, s *webtest.Scene) {
	t.Helper()
	u, err := s.CreateUser(t.Context(), s.System, api.CreateUserInput{Login: "mary", Name: "Mary Jackson", Role: api.RoleViewer, Password: apitest.Password})
	if err != nil {
		t.Fatal(err)
	}
	mary := s.Viewer
	mary.UserID, mary.Name = u.ID, u.Login
	secret, err := s.BeginTOTP(t.Context(), mary)
	if err != nil {
		t.Fatal(err)
	}
	code, err := totp.GenerateCode(secret.Text, time.Now())
	if err == nil {
		_, err = s.ConfirmTOTP(t.Context(), mary, apitest.Password, code)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// lose has half of a job's sticks lost, so that much is to be disabled.
func lose(t *testing.T, s *webtest.Scene, j api.Job) {
	t.Helper()
	for _, b := range j.Builds[:len(j.Builds)/2] {
		if _, err := s.DeclareStickLost(t.Context(), s.Helpdesk, api.MoveStickInput{ID: b.StickID, Reason: "the van was broken into"}); err != nil {
			t.Fatal(err)
		}
	}
}

// told has a ticket declined and its system told so, which cannot be reached, and
// a delivery that proved nothing.
func told(t *testing.T, s *webtest.Scene) {
	t.Helper()
	k, err := s.RenewConnectorSecret(t.Context(), s.Admin, s.Connector.ID, "", s.Connector.Revision)
	if err != nil {
		t.Fatal(err)
	}
	config := *k.WriteBack
	config.Template.URL, config.Events = "https://[2001:500:2::c]/tickets/{{.key}}", append(config.Events, connector.EventDeclined)
	_, err = s.SaveWriteBack(t.Context(), s.Admin, api.SaveWriteBackInput{ID: k.ID, Secret: "their password", Config: &config})
	if err != nil {
		t.Fatal(err)
	}
	r := s.Ask(t, k.Secret, `{"number":"RITM0010039","sys_id":"a0","requested_for":"Joan Clarke","variables":{"image":"win11-ent"}}`)
	if _, err := s.DeclineStickRequest(t.Context(), s.Helpdesk, api.MoveRequestInput{ID: r.ID, Reason: "The laptop came first"}); err != nil {
		t.Fatal(err)
	}
	_, err = s.ReceiveHook(t.Context(), api.Anonymous("en", "req_x", "2001:db8:fab::25"), api.HookDelivery{Connector: s.Connector.Name, Body: []byte(`{}`)})
	if fault.From(err).Code != api.CodeHookRefused {
		t.Fatal(err)
	}
}

// inspected has one upload that is being looked into, and one that was refused.
func inspected(t *testing.T, s *webtest.Scene) {
	t.Helper()
	_, err := s.Store.Pool().Exec(t.Context(), `
		INSERT INTO inspections (upload_id, state, file_name, bytes, done_bytes, fault, publication, created_at, created_by_kind, created_by_id, updated_at)
		SELECT v.*, a.at, a.actor_kind, a.actor_id, now() FROM (VALUES
			('under-way', 'inspecting', 'kiosk-2026.03.img.zst', 8123456789, 3123456789, NULL::jsonb, '{"image": "kiosk", "version": "2026.3.0", "channel": "testing"}'::jsonb),
			('refused', 'refused', 'rescue-4.9.img.xz', 712345678, 712345678, '{"code": "image_truncated", "params": {"have_bytes": "712345678"}}', NULL)) v,
			(SELECT at, actor_kind, actor_id FROM audit WHERE action = 'publish_version' LIMIT 1) a`)
	if err != nil {
		t.Fatal(err)
	}
}

// asking is the code of a program that asks for a token, for as long as a test
// takes.
func asking(t *testing.T, s *webtest.Scene) string {
	t.Helper()
	p, err := s.BeginPairing(t.Context(), api.Anonymous("en", "req", "192.0.2.30"), "ada@laptop")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Store.Pool().Exec(t.Context(), `UPDATE pairings SET expires_at = now() + interval '1 hour'`); err != nil {
		t.Fatal(err)
	}
	return p.Code
}

// hooked makes webhooks of which one cannot be delivered to, and gives its ID and
// that of the delivery that failed.
func hooked(t *testing.T, s *webtest.Scene) (hook, sent string) {
	t.Helper()
	if _, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{URL: "https://hooks.example.org/stickpress"}); err != nil {
		t.Fatal(err)
	}
	w, err := s.CreateWebhook(t.Context(), s.Admin, api.SaveWebhookInput{
		URL: "https://[2001:500:2::c]/tickets", Description: "Tickets", Types: []string{"job.succeeded", "job.failed", "stick.lost"},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := s.PingWebhook(t.Context(), s.Admin, w.ID)
	for err == nil && d.State == api.DeliveryPending {
		d, err = s.GetDelivery(t.Context(), s.Admin, w.ID, d.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w.ID, d.ID
}

// calibrate numbers the sockets of the host's hub, is in the middle of it, and
// lets its sticks flash.
func calibrate(t *testing.T, s *webtest.Scene) {
	t.Helper()
	s.Reconnect(t, protocol.CapIdentify)
	var ports []api.HostPort
	for i := range 10 { // the last two are empty
		ports = append(ports, api.HostPort{Hub: "A", Number: i + 1, Socket: fmt.Sprintf("pci-0000:00:14.0-usb-0:2.%d", i+1)})
	}
	_, err := s.SetHostPorts(t.Context(), s.Admin, api.SetHostPortsInput{Host: s.Host.ID, Ports: ports})
	if err == nil {
		_, err = s.StartCalibration(t.Context(), s.Admin, s.Host.ID, "A", 11)
	}
	if err != nil {
		t.Fatal(err)
	}
}
