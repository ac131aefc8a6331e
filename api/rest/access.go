package rest

import (
	"maps"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/rest/wire"
)

// usesOf are the use cases of the operations that have another name than theirs,
// or more than one. What they ask of a request is theirs to say (api.AccessTo); the
// document repeats it.
var usesOf = map[string][]api.UseCase{
	"upload_options": {}, // what the server can do, for whoever has a token

	"begin_upload":    {api.UseUpload},
	"continue_upload": {api.UseUpload},
	"upload_offset":   {api.UseUpload},
	"end_upload":      {api.UseUpload},
	"get_upload":      {api.UseUpload},

	"list_versions":      {api.UseGetImage},
	"get_version":        {api.UseGetImage},
	"find_version":       {api.UseGetImage},
	"list_channels":      {api.UseGetImage},
	"get_channel":        {api.UseGetImage},
	"resolve_channel":    {api.UseGetImage},
	"image_history":      {api.UseGetImage},
	"version_history":    {api.UseGetImage},
	"get_exclusions":     {api.UseCapture},
	"create_template":    {api.UseSaveTemplate},
	"restore_template":   {api.UseRetireTemplate},
	"template_history":   {api.UseGetTemplate},
	"render_template":    {api.UseTemplateSource},
	"compare_template":   {api.UseTemplateSource},
	"get_identity":       {api.UseGetCertificate},
	"stick_certificates": {api.UseGetCertificate},

	"list_template_versions":      {api.UseGetTemplate},
	"list_task_sequence_versions": {api.UseGetTaskSequence},
	"get_default_task_sequence":   {api.UseGetTaskSequence},
	"create_task_sequence":        {api.UseSaveTaskSequence},
	"restore_task_sequence":       {api.UseRetireSequence},
	"task_sequence_history":       {api.UseGetTaskSequence},

	"get_host_ports":    {api.UseGetHost},
	"set_host_ports":    {api.UseCalibrateHost},
	"start_calibration": {api.UseCalibrateHost},
	"step_calibration":  {api.UseCalibrateHost},
	"host_history":      {api.UseGetHost},
	"get_site":          {api.UseListSites},
	"create_site":       {api.UseSaveSite},
	"restore_site":      {api.UseRetireSite},
	"site_history":      {api.UseListSites},

	"check_batch":      {api.UseQueueJob},
	"queue_batch":      {api.UseQueueJob},
	"watch_job":        {api.UseGetJob},
	"job_labels":       {api.UseGetJob},
	"job_history":      {api.UseGetJob},
	"build_history":    {api.UseGetBuild},
	"build_log":        {api.UseGetBuild},
	"watch_events":     {api.UseListEvents},
	"list_stick_tasks": {api.UseListSticks},
	"stick_history":    {api.UseGetStick},
	"stick_record":     {api.UseGetStick},
	"stick_labels":     {api.UseGetStick},
	"scan_stick":       {api.UseGetStick, api.UseIssueStick, api.UseReturnStick},

	"get_view":            {api.UseListViews},
	"create_view":         {api.UseSaveView},
	"delete_view":         {api.UseSaveView},
	"enable_user":         {api.UseDisableUser},
	"create_sign_in_link": {api.UseListUsers, api.UseCreateSignInLink},
	// Of oneself a token does neither.
	"list_sessions":    {api.UseListSessions, api.UseUpdateUser},
	"end_session":      {api.UseEndSession, api.UseUpdateUser},
	"end_sessions":     {api.UseEndSession, api.UseUpdateUser},
	"user_history":     {api.UseListUsers},
	"get_token":        {api.UseListTokens},
	"get_me":           {api.UseGetUser},
	"token_history":    {api.UseListTokens},
	"get_setting":      {api.UseListSettings},
	"reset_setting":    {api.UseSaveSetting},
	"setting_history":  {api.UseListSettings},
	"finish_first_run": {api.UseSaveFirstRun},

	"create_webhook":  {api.UseSaveWebhook},
	"save_webhook":    {api.UseGetWebhook, api.UseSaveWebhook},
	"resume_webhook":  {api.UsePauseWebhook},
	"list_deliveries": {api.UseGetWebhook},
	"get_delivery":    {api.UseGetWebhook},
	"webhook_history": {api.UseGetWebhook},

	"get_connector":             {api.UseListConnectors},
	"create_connector":          {api.UseSaveConnector},
	"renew_connector_secret":    {api.UseSaveConnector},
	"restore_connector":         {api.UseRetireConnector},
	"save_connector_mapping":    {api.UseSaveConnector},
	"test_connector_mapping":    {api.UseListConnectors, api.UseSaveConnector},
	"save_connector_write_back": {api.UseSaveConnector},
	"list_connector_payloads":   {api.UseListConnectors},
	"list_write_backs":          {api.UseListConnectors},
	"connector_history":         {api.UseListConnectors},
	"get_stick_request":         {api.UseListStickRequests},
	"stick_request_history":     {api.UseListStickRequests},

	"list_stick_request_write_backs": {api.UseListStickRequests},
}

// besides are the use cases that some requests of an operation ask for as well, as
// its description says: what is another person's, a job that is a capture.
var besides = map[string][]api.UseCase{
	"queue_job":     {api.UseCapture, api.UseOverride},
	"queue_batch":   {api.UseOverride},
	"retry_builds":  {api.UseCapture, api.UseOverride},
	"get_user":      {api.UseListUsers},
	"get_token":     {api.UseListUsers},
	"token_history": {api.UseListUsers},
	"create_token":  {api.UseCreateUser},
	"revoke_token":  {api.UseListUsers},
	"create_view":   {api.UseShareView},
	"save_view":     {api.UseShareView},
	"delete_view":   {api.UseShareView},
}

// describeAccess writes down whom an operation is for, by the tables of package
// api: an extension for programs, the scopes of its tokens, and words for people.
func (s *REST) describeAccess(op *huma.Operation) {
	uses, ok := usesOf[op.OperationID]
	if own := api.UseCase(op.OperationID); !ok {
		if !slices.Contains(api.UseCases(), own) {
			s.unnamed = append(s.unnamed, op.OperationID)
			return
		}
		uses = []api.UseCase{own}
	}
	access := wire.Access{Needs: needsOf(uses)}
	if also := besides[op.OperationID]; len(also) > 0 {
		needs := needsOf(also)
		access.Besides = &needs
	}
	op.Extensions = maps.Clone(op.Extensions)
	if op.Extensions == nil {
		op.Extensions = map[string]any{}
	}
	op.Extensions[wire.AccessExtension] = access
	// OpenAPI 3.1 has scopes for every kind of scheme.
	if !tokenless(op) {
		op.Security = []map[string][]string{{securityScheme: access.Scopes}, {"basic": access.Scopes}, {"key": access.Scopes}}
	}
	if access.Role != string(api.RoleNone) && access.Role != string(api.RoleViewer) { // viewers are whoever has a token
		op.Summary += " (" + access.Role + ")"
	}
	if len(access.Scopes) > 0 {
		op.Description = strings.TrimSpace(op.Description + "\n\nToken scope: `" + strings.Join(access.Scopes, "`, `") + "`.")
	}
}

func needsOf(uses []api.UseCase) wire.Needs {
	a := api.AccessTo(uses...)
	n := wire.Needs{Role: string(a.Role), Sites: a.Sites.String(), Scopes: make([]string, 0, len(a.Tokens)), UseCases: uses}
	for _, t := range a.Tokens {
		n.Scopes = append(n.Scopes, string(t))
	}
	return n
}
