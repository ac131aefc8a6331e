package api

import (
	"context"
	"crypto/rand"

	"github.com/stickpress/stickpress/agent/protocol"
	"github.com/stickpress/stickpress/api/unattend"
)

// FreeVirtual reports whether a device is a file of the host's that may be
// pressed now.
func FreeVirtual(d Device) bool {
	return d.Kind == protocol.KindVirtual && d.Writable && d.JobID == ""
}

// FirstTemplateInput chooses what the starter template becomes.
type FirstTemplateInput struct {
	Language string // one of unattend.Languages; empty: Windows asks
	TimeZone string // name of one of unattend.TimeZones; empty: Windows' own
	Account  string // a local admin with a new password; empty: Windows asks for one
	Fixed    bool   // every computer gets a name that Windows makes, whatever the job says
}

// FirstTemplate is what was made.
type FirstTemplate struct {
	Template Template
	Account  string
	Password string // of the account, shown only here; admins find it in the template's source
}

// SaveFirstTemplate makes a new version of the starter template of the choices
// and has the default task sequence use it (admin). The source, and with it the
// password, is sealed at rest. Faults: first_run_finished,
// template_choice_invalid (choice), those of SaveTemplate and SaveTaskSequence.
func (c *Console) SaveFirstTemplate(ctx context.Context, a Actor, in FirstTemplateInput) (FirstTemplate, error) {
	for _, use := range []UseCase{UseSaveFirstRun, UseSaveTemplate, UseSaveTaskSequence} {
		if err := allow(a, use); err != nil {
			return FirstTemplate{}, err
		}
	}
	out := FirstTemplate{Account: in.Account}
	choices := unattend.Choices{Language: in.Language, TimeZone: in.TimeZone, Account: in.Account, AnyName: in.Fixed}
	if in.Account != "" {
		out.Password = rand.Text()[:20] // 100 bits (crypto/rand)
		choices.Password = out.Password
	}
	source, err := unattend.StarterWith(choices)
	if err != nil {
		return FirstTemplate{}, err
	}
	sequence, err := c.GetTaskSequence(ctx, a, "")
	if err != nil {
		return FirstTemplate{}, err
	}
	save := SaveTemplateInput{Name: DefaultTemplate, Source: string(source)}
	if id := sequence.Current.TemplateID; id != "" {
		old, err := c.GetTemplate(ctx, a, id)
		if err != nil {
			return FirstTemplate{}, err
		}
		save.ID, save.Name, save.Description, save.Revision = old.ID, old.Name, old.Description, old.Revision
	}
	// The mark comes first: a set-up that is locked changes nothing.
	if err := c.MarkFirstRunStep(ctx, a, FirstRunTemplate, FirstRunDone); err != nil {
		return FirstTemplate{}, err
	}
	if out.Template, err = c.SaveTemplate(ctx, a, save); err != nil {
		return FirstTemplate{}, err
	}
	_, err = c.SaveTaskSequence(ctx, a, SaveTaskSequenceInput{
		ID: sequence.ID, Name: sequence.Name, Description: sequence.Description, Spec: sequence.Current.Spec,
		Template: out.Template.ID, Revision: sequence.Revision,
	})
	return out, err
}
