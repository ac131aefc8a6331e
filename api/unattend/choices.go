package unattend

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the machine may have no list of zones

	"github.com/stickpress/stickpress/api/fault"
)

// Choices is what the starter template may say besides.
type Choices struct {
	Language string // one of Languages: of display, keyboard and formats; empty: Windows asks
	TimeZone string // name of one of TimeZones; empty: Windows' own
	Account  string // a local administrator; empty: Windows asks for an account
	Password string // of that account: letters and digits
	AnyName  bool   // Windows names the computer, whatever the job says
}

// Languages are the locales that the choices offer, as
// Microsoft-Windows-International-Core takes them.
var Languages = []string{
	"en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "it-IT", "nl-NL", "pl-PL", "pt-BR", "sv-SE", "ja-JP", "ko-KR", "zh-CN", "zh-TW",
}

// TimeZone is one of Windows' time zones.
type TimeZone struct {
	Name  string // that Windows has for it (tzutil /l), as an answer file says it
	Place string // IANA's zone of the same clocks: CLDR's windowsZones, territory 001
}

// TimeZones are those that the choices offer.
var TimeZones = []TimeZone{
	{"UTC", "Etc/UTC"},
	{"Pacific Standard Time", "America/Los_Angeles"},
	{"Mountain Standard Time", "America/Denver"},
	{"Central Standard Time", "America/Chicago"},
	{"Eastern Standard Time", "America/New_York"},
	{"E. South America Standard Time", "America/Sao_Paulo"},
	{"GMT Standard Time", "Europe/London"},
	{"W. Europe Standard Time", "Europe/Berlin"},
	{"Romance Standard Time", "Europe/Paris"},
	{"Central European Standard Time", "Europe/Warsaw"},
	{"FLE Standard Time", "Europe/Kiev"},
	{"India Standard Time", "Asia/Calcutta"},
	{"China Standard Time", "Asia/Shanghai"},
	{"Tokyo Standard Time", "Asia/Tokyo"},
	{"AUS Eastern Standard Time", "Australia/Sydney"},
}

// Ahead is how far the zone's clocks are ahead of UTC in the year of a moment, when
// it is not summer there: what Windows shows beside its name.
func (z TimeZone) Ahead(at time.Time) time.Duration {
	place, err := time.LoadLocation(z.Place)
	if err != nil { // of a name that Go does not know; a test holds that there is none
		return 0
	}
	_, january := time.Date(at.Year(), time.January, 1, 0, 0, 0, 0, place).Zone()
	_, july := time.Date(at.Year(), time.July, 1, 0, 0, 0, 0, place).Zone()
	return time.Duration(min(january, july)) * time.Second
}

var (
	// accountForm: what a local account may be called (20 characters, none of
	// "/\[]:;|=,+*?<>@), kept to those that need no escape.
	accountForm  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,18}[A-Za-z0-9]$`)
	passwordForm = regexp.MustCompile(`^[A-Za-z0-9]{12,64}$`)
)

// StarterWith is Starter with choices. An account's password stands in it in
// plain text, since that is what Windows Setup reads: keep it sealed.
// Faults: template_choice_invalid{choice}.
func StarterWith(c Choices) ([]byte, error) {
	var wrong []error
	for _, x := range []struct {
		choice string
		bad    bool
	}{
		{"language", c.Language != "" && !slices.Contains(Languages, c.Language)},
		{"zone", c.TimeZone != "" && !slices.ContainsFunc(TimeZones, func(z TimeZone) bool { return z.Name == c.TimeZone })},
		{"account", c.Account != "" && (!accountForm.MatchString(c.Account) || !passwordForm.MatchString(c.Password))},
	} {
		if x.bad {
			wrong = append(wrong, fault.New(fault.KindInvalid, "template_choice_invalid", "choice", x.choice).At(x.choice))
		}
	}
	if err := fault.All(wrong...); err != nil {
		return nil, err
	}
	out := Starter()
	if c.AnyName {
		out = bytes.Replace(out, []byte("{{computer_name}}"), []byte("*"), 1)
		out = bytes.Replace(out, []byte("stick is built: computer_name is one."), []byte("stick is built; this one has none."), 1)
	}
	if c.Language != "" {
		out = before(out, `<component name="Microsoft-Windows-WinRE-RecoveryAgent"`, "    ", international(c.Language))
	}
	if c.Account != "" {
		out = before(out, `<FirstLogonCommands>`, "      ", account(c.Account, c.Password))
	}
	if c.TimeZone != "" {
		out = before(out, `<FirstLogonCommands>`, "      ", "<TimeZone>"+c.TimeZone+"</TimeZone>\n")
	}
	return out, nil
}

// before puts lines before the line that begins with mark, indented like it.
func before(text []byte, mark, indent, lines string) []byte {
	at := bytes.Index(text, []byte(indent+mark))
	var add strings.Builder
	for line := range strings.Lines(lines) {
		add.WriteString(indent + line)
	}
	return slices.Insert(text, at, []byte(add.String())...)
}

func international(language string) string {
	return `<component name="Microsoft-Windows-International-Core" processorArchitecture="amd64" publicKeyToken="31bf3856ad364e35" language="neutral" versionScope="nonSxS">
  <InputLocale>` + language + `</InputLocale>
  <SystemLocale>` + language + `</SystemLocale>
  <UILanguage>` + language + `</UILanguage>
  <UserLocale>` + language + `</UserLocale>
</component>
`
}

func account(name, password string) string {
	return `<UserAccounts>
  <LocalAccounts>
    <LocalAccount wcm:action="add">
      <Name>` + name + `</Name>
      <Group>Administrators</Group>
      <Password>
        <Value>` + password + `</Value>
        <PlainText>true</PlainText>
      </Password>
    </LocalAccount>
  </LocalAccounts>
</UserAccounts>
`
}
