package view

import (
	"slices"

	"github.com/stickpress/stickpress/api"
)

// imageChoice is a channel of an image, as helpdesk staff chooses it, or the
// newest version of an image without channels.
type imageChoice struct {
	value, title, description, image, channel string
	version                                   api.Version
}

// imageChoices are the channels of all images, and the versions that can be
// chosen beside them; none if there is no version but those.
func (p NewJob) imageChoices() (choices []imageChoice, others []api.Version) {
	seen, chosen := map[string]bool{}, map[string]bool{} // images and versions; the channels' come first, then the newest
	for _, v := range p.Versions {
		i := slices.IndexFunc(p.Images, func(i api.Image) bool { return i.ID == v.ImageID })
		image := api.Image{Name: v.ImageName, Title: v.ImageName}
		if i >= 0 {
			image = p.Images[i]
		}
		c := imageChoice{value: v.ID, title: image.Title, description: image.Description, image: image.Name, version: v}
		if len(v.Channels) == 0 && !seen[v.ImageID] {
			choices, chosen[v.ID] = append(choices, c), true
		}
		for _, c.channel = range v.Channels {
			c.value = v.ID + "@" + c.channel
			choices, chosen[v.ID] = append(choices, c), true
		}
		seen[v.ImageID] = true
	}
	if len(chosen) == len(p.Versions) && !p.otherVersion(choices) {
		return choices, nil
	}
	return choices, p.Versions
}

// channelWords say in plain words what the channels that every image begins with
// are for; empty for one that admins named.
func channelWords(f Frame, channel string) string {
	switch channel {
	case api.DefaultChannel:
		return f.T("job_new.channel_stable")
	case "testing":
		return f.T("job_new.channel_testing")
	}
	return ""
}

// PreferChannel chooses a version by a channel that points to it, if there is
// one: on a form that was only begun, that is what is meant. Without a version
// it takes the first, which is what should be handed out.
func (p *NewJob) PreferChannel() {
	if p.Version == "" && len(p.Versions) > 0 {
		p.Version = p.Versions[0].ID
	}
	if v, ok := p.version(); ok && p.Channel == "" && len(v.Channels) > 0 {
		p.Channel = v.Channels[0]
	}
}

// otherVersion reports whether a version was chosen that is none of the choices.
func (p NewJob) otherVersion(choices []imageChoice) bool {
	return p.Version != "" && !slices.ContainsFunc(choices, func(c imageChoice) bool { return c.value == p.versionValue() })
}

// sequenceWord is a task sequence in plain words.
func sequenceWord(f Frame, q api.TaskSequence) string {
	if q.Description == "" {
		return q.Name + " · " + f.T("sequence.layout_"+q.Current.Spec.Layout)
	}
	return q.Name + ": " + q.Description
}

// previewed is how many names are shown before it is known how many sticks
// there will be.
const previewed = 3

// previewNames are the names of the first sticks, or what is wrong with them.
func previewNames(f Frame, pattern, reference, holder string) (names []string, problem string) {
	for n := 1; n <= previewed; n++ {
		name, err := api.ComputerName(pattern, n, reference, holder)
		if err != nil {
			return nil, NewProblem(f.L, err).Sentence
		}
		if n > 1 && name == names[0] {
			return names, "" // it is no pattern
		}
		names = append(names, name)
	}
	return append(names, "…"), ""
}
