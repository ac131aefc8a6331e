package web

import "github.com/go-chi/chi/v5"

// routes are the pages of signed-in people: the table of contents of this
// package. Each handler's file has the handler's name.
func (s *Web) routes(r chi.Router) {
	r.Get("/", s.page(s.overview))
	r.Get("/live", s.page(s.overviewLive))

	r.Get("/jobs", s.page(tidy(s.jobs)))
	r.Post("/jobs", s.page(s.jobQueue))
	r.Get("/jobs/new", s.page(s.jobNew))
	r.Post("/jobs/confirm", s.page(s.jobConfirm))
	r.Get("/jobs/{id}", s.page(s.job))
	r.Get("/jobs/{id}/live", s.page(s.jobLive))
	r.Post("/jobs/{id}/cancel", s.page(s.jobCancel))

	r.Get("/exclusions", s.page(s.exclusions))
	r.Post("/exclusions", s.page(s.exclusionsSave))

	r.Get("/images", s.page(tidy(s.images)))
	r.Post("/images", s.page(s.imagePublish))
	r.Get("/images/{name}", s.page(s.image))
	r.Post("/images/{name}/channel", s.page(s.imageChannel))
	r.Get("/versions", s.page(tidy(s.versions)))
	r.Get("/versions/{id}", s.page(s.version))
	r.Post("/versions/{id}/withdraw", s.page(s.versionWithdraw))
	r.Post("/versions/{id}/block-map", s.page(s.versionBlockMap))
	r.Get("/inspections/{id}", s.page(s.inspection))
	r.Handle("/uploads", s.uploads)
	r.Handle("/uploads/*", s.uploads)

	r.Get("/templates", s.page(tidy(s.templates)))
	r.Post("/templates", s.page(s.templateSave))
	r.Post("/templates/check", s.page(s.templateCheck))
	r.Get("/templates/new", s.page(s.templateNew))
	r.Get("/templates/{id}", s.page(s.template))
	r.Post("/templates/{id}", s.page(s.templateSave))

	r.Get("/task-sequences", s.page(tidy(s.sequences)))
	r.Post("/task-sequences", s.page(s.sequenceSave))
	r.Get("/task-sequences/new", s.page(s.sequenceNew))
	r.Get("/task-sequences/{id}", s.page(s.sequence))
	r.Post("/task-sequences/{id}", s.page(s.sequenceSave))

	r.Get("/hosts", s.page(tidy(s.hosts)))
	r.Post("/hosts/enrol", s.page(s.hostEnrol))
	r.Get("/hosts/{id}", s.page(s.host))
	r.Post("/hosts/{id}/revoke", s.page(s.hostRevoke))
	r.Post("/hosts/{id}/lost", s.page(s.hostLost))
	r.Post("/hosts/{id}/identify", s.page(s.hostIdentify))
	r.Get("/hosts/{id}/ports", s.page(s.ports))
	r.Post("/hosts/{id}/calibration", s.page(s.calibrationStart))
	r.Post("/hosts/{id}/calibration/{step}", s.page(s.calibrationStep))

	r.Get("/sticks", s.page(tidy(s.sticks)))
	r.Get("/sticks/{id}", s.page(s.stick))
	r.Post("/sticks/{id}/return", s.page(s.stickReturn))
	r.Get("/sticks/{id}/record", s.page(s.stickRecord))
	r.Get("/certificates/{id}", s.page(s.certificate))
	r.Get("/certificates/{id}/file", s.page(s.certificateFile))

	r.Get("/search", s.page(s.search))
	r.Get("/shortcuts", s.page(s.shortcuts))
	r.Get("/ui", s.page(s.ui))
	r.Get("/views", s.page(s.views))
	r.Post("/views", s.page(s.viewSave))
	r.Post("/views/{id}", s.page(s.viewSave))
	r.Post("/views/{id}/delete", s.page(s.viewDelete))

	r.Get("/users", s.page(s.users))
	r.Post("/users", s.page(s.userCreate))
	r.Get("/users/new", s.page(s.userNew))
	r.Get("/users/{id}", s.page(s.user))
	r.Post("/users/{id}", s.page(s.userSave))
	r.Post("/users/{id}/disable", s.page(s.userAct("user.disabled_done", s.userDisable)))
	r.Post("/users/{id}/enable", s.page(s.userAct("user.enabled_done", s.userEnable)))
	r.Post("/users/{id}/unlock", s.page(s.userAct("user.unlocked_done", s.userUnlock)))
	r.Post("/users/{id}/reset-second-factor", s.page(s.userAct("user.reset_done", s.userResetTOTP)))
	r.Post("/users/{id}/password-link", s.page(s.userPasswordLink))
	r.Post("/users/{id}/sessions/end", s.page(s.userAct("session.ended_all", s.userEndSessions)))
	r.Post("/users/{id}/sessions/{session}/end", s.page(s.userAct("session.ended", s.userEndSession)))

	r.Get("/audit", s.page(s.audit))
	r.Get("/audit/export", s.page(s.auditExport))

	r.Get("/account", s.page(s.account))
	r.Post("/account/password", s.page(s.passwordChange))
	r.Get("/account/second-factor", s.page(s.secondFactor))
	r.Post("/account/second-factor", s.page(s.secondFactorConfirm))
	r.Post("/account/second-factor/begin", s.page(s.secondFactorBegin))
	r.Post("/account/second-factor/off", s.page(s.secondFactorOff))
	r.Post("/account/recovery-codes", s.page(s.recoveryCodesRenew))
	r.Post("/account/sessions/end", s.page(s.sessionsEnd))
	r.Post("/account/sessions/{id}/end", s.page(s.sessionEnd))
	r.Post("/account/tokens", s.page(s.tokenCreate))
	r.Post("/account/tokens/{id}/revoke", s.page(s.tokenRevoke))
}
