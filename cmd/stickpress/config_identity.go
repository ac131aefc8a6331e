package main

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/stickpress/stickpress/api"
	"github.com/stickpress/stickpress/api/directory"
	"github.com/stickpress/stickpress/api/oidc"
	"github.com/stickpress/stickpress/web"
)

// OIDCConfig is an OpenID provider that people may sign in at; it is used when
// it has an issuer.
type OIDCConfig struct {
	Issuer       string // https URL; http of this machine only
	Name         string // on the sign-in page
	ClientID     string
	ClientSecret string
	Scopes       string // separated by spaces
	LoginClaim   string
	GroupsClaim  string
	Roles        string // see api.ParseGrants
}

// LDAPConfig is a directory whose passwords let people in; it is used when it
// has a URL.
type LDAPConfig struct {
	URL          string // ldap:// or ldaps://
	StartTLS     string // "yes" or "no"
	CA           string // PEM file; empty: those of the system
	BindDN       string
	BindPassword string
	UserBase     string
	UserFilter   string
	GroupBase    string
	GroupFilter  string
	LoginName    string
	FullName     string
	ID           string
	Roles        string // see api.ParseGrants
}

var identitySettings = []setting{
	{"oidc-issuer", "STICKPRESS_OIDC_ISSUER", "", "URL of an OpenID provider that people may sign in at; needs public-url", false, func(c *Config) *string { return &c.OIDC.Issuer }},
	{"oidc-name", "STICKPRESS_OIDC_NAME", "single sign-on", "what the provider is called on the sign-in page", false, func(c *Config) *string { return &c.OIDC.Name }},
	{"oidc-client-id", "STICKPRESS_OIDC_CLIENT_ID", "", "what the console is called at the provider", false, func(c *Config) *string { return &c.OIDC.ClientID }},
	{"oidc-client-secret", "STICKPRESS_OIDC_CLIENT_SECRET", "", "the console's secret at the provider", true, func(c *Config) *string { return &c.OIDC.ClientSecret }},
	{"oidc-scopes", "STICKPRESS_OIDC_SCOPES", "openid profile email groups", "scopes to ask the provider for", false, func(c *Config) *string { return &c.OIDC.Scopes }},
	{"oidc-login-claim", "STICKPRESS_OIDC_LOGIN_CLAIM", "preferred_username", "claim that is a person's login", false, func(c *Config) *string { return &c.OIDC.LoginClaim }},
	{"oidc-groups-claim", "STICKPRESS_OIDC_GROUPS_CLAIM", "groups", "claim that lists a person's groups, by name or path (realm_access.roles)", false, func(c *Config) *string { return &c.OIDC.GroupsClaim }},
	{"oidc-roles", "STICKPRESS_OIDC_ROLES", "", "who is what: GROUP=ROLE[@SITE,SITE]; GROUP=ROLE; '*' is everybody", false, func(c *Config) *string { return &c.OIDC.Roles }},
	{"ldap-url", "STICKPRESS_LDAP_URL", "", "ldaps://HOST or ldap://HOST of a directory whose passwords let people in", false, func(c *Config) *string { return &c.LDAP.URL }},
	{"ldap-starttls", "STICKPRESS_LDAP_STARTTLS", "yes", "encrypt ldap:// with StartTLS: yes, or no for a directory on this machine", false, func(c *Config) *string { return &c.LDAP.StartTLS }},
	{"ldap-ca", "STICKPRESS_LDAP_CA", "", "PEM file of the authorities that the directory's certificate is checked by; empty: the system's", false, func(c *Config) *string { return &c.LDAP.CA }},
	{"ldap-bind-dn", "STICKPRESS_LDAP_BIND_DN", "", "account that looks people up; empty asks anonymously", false, func(c *Config) *string { return &c.LDAP.BindDN }},
	{"ldap-bind-password", "STICKPRESS_LDAP_BIND_PASSWORD", "", "its password", true, func(c *Config) *string { return &c.LDAP.BindPassword }},
	{"ldap-user-base", "STICKPRESS_LDAP_USER_BASE", "", "where people are: ou=people,dc=example,dc=org", false, func(c *Config) *string { return &c.LDAP.UserBase }},
	{"ldap-user-filter", "STICKPRESS_LDAP_USER_FILTER", "(uid={login})", "finds a person by {login}; of Active Directory (sAMAccountName={login})", false, func(c *Config) *string { return &c.LDAP.UserFilter }},
	{"ldap-group-base", "STICKPRESS_LDAP_GROUP_BASE", "", "where groups are; empty takes those of memberOf alone", false, func(c *Config) *string { return &c.LDAP.GroupBase }},
	{"ldap-group-filter", "STICKPRESS_LDAP_GROUP_FILTER", "(|(member={dn})(uniqueMember={dn})(memberUid={login}))", "finds the groups of a person by {dn} and {login}", false, func(c *Config) *string { return &c.LDAP.GroupFilter }},
	{"ldap-login-name", "STICKPRESS_LDAP_LOGIN_NAME", "uid", "attribute that is a person's login", false, func(c *Config) *string { return &c.LDAP.LoginName }},
	{"ldap-full-name", "STICKPRESS_LDAP_FULL_NAME", "cn", "attribute that is a person's name", false, func(c *Config) *string { return &c.LDAP.FullName }},
	{"ldap-id", "STICKPRESS_LDAP_ID", "entryUUID", "attribute that stays when a person is renamed; of Active Directory objectGUID; dn: their name in the tree, where there is none that stays", false, func(c *Config) *string { return &c.LDAP.ID }},
	{"ldap-roles", "STICKPRESS_LDAP_ROLES", "", "as oidc-roles; a group by its DN or its cn", false, func(c *Config) *string { return &c.LDAP.Roles }},
}

// validateIdentity refuses ways in that cannot work, and passwords that would
// travel in the clear.
func (c Config) validateIdentity() []error {
	var errs []error
	if c.OIDC.Issuer != "" {
		u, err := url.Parse(c.OIDC.Issuer)
		if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
			errs = append(errs, fmt.Errorf("oidc-issuer %q: want https://HOST…, exactly as the provider writes it", c.OIDC.Issuer))
		}
		if c.OIDC.ClientID == "" {
			errs = append(errs, errors.New("oidc-issuer needs oidc-client-id"))
		}
		if c.PublicURL == "" {
			errs = append(errs, fmt.Errorf("oidc-issuer needs public-url: the provider sends people back to PUBLIC-URL%s", web.ServicePath))
		}
		errs = append(errs, validateRoles("oidc-roles", c.OIDC.Roles))
	}
	if c.LDAP.URL == "" {
		return errs
	}
	u, err := url.Parse(c.LDAP.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "ldap" && u.Scheme != "ldaps":
		errs = append(errs, fmt.Errorf("ldap-url %q: want ldaps://HOST or ldap://HOST", c.LDAP.URL))
	case c.LDAP.StartTLS != "yes" && c.LDAP.StartTLS != "no":
		errs = append(errs, fmt.Errorf("ldap-starttls %q: want yes or no", c.LDAP.StartTLS))
	case u.Scheme == "ldap" && c.LDAP.StartTLS == "no" && !loopback(u.Hostname()):
		errs = append(errs, errors.New("ldap-starttls no: passwords would travel in the clear to a directory on another machine"))
	}
	if c.LDAP.UserBase == "" {
		errs = append(errs, errors.New("ldap-url needs ldap-user-base"))
	}
	if !strings.Contains(c.LDAP.UserFilter, "{login}") {
		errs = append(errs, errors.New("ldap-user-filter finds nobody in particular: it needs {login}"))
	}
	if (c.LDAP.BindDN == "") != (c.LDAP.BindPassword == "") {
		errs = append(errs, errors.New("ldap-bind-dn and ldap-bind-password go together: set both or none"))
	}
	return append(errs, validateRoles("ldap-roles", c.LDAP.Roles))
}

func validateRoles(key, text string) error {
	grants, err := api.ParseGrants(text)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", key, err)
	case len(grants) == 0:
		return fmt.Errorf("%s is empty: nobody could sign in", key)
	}
	return nil
}

// service is the OpenID provider of the configuration, nil without one.
func (c Config) service() *api.SignInService {
	if c.OIDC.Issuer == "" {
		return nil
	}
	grants, _ := api.ParseGrants(c.OIDC.Roles) // Validate saw to it
	return &api.SignInService{
		Name: c.OIDC.Name, Grants: grants,
		Provider: oidc.New(oidc.Config{
			Issuer: c.OIDC.Issuer, ClientID: c.OIDC.ClientID, ClientSecret: c.OIDC.ClientSecret,
			RedirectURL: strings.TrimSuffix(c.PublicURL, "/") + web.ServicePath, Scopes: strings.Fields(c.OIDC.Scopes),
			LoginClaim: c.OIDC.LoginClaim, GroupsClaim: c.OIDC.GroupsClaim,
		}),
	}
}

// people is the directory of the configuration, nil without one.
func (c Config) people() (*api.PeopleDirectory, error) {
	var none *api.PeopleDirectory
	if c.LDAP.URL == "" {
		return none, nil
	}
	grants, _ := api.ParseGrants(c.LDAP.Roles) // Validate saw to it
	var authorities *x509.CertPool
	if c.LDAP.CA != "" {
		pem, err := os.ReadFile(c.LDAP.CA)
		if err != nil {
			return nil, fmt.Errorf("read ldap-ca: %w", err)
		}
		authorities = x509.NewCertPool()
		if !authorities.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ldap-ca %s has no certificate", c.LDAP.CA)
		}
	}
	return &api.PeopleDirectory{Grants: grants, Directory: directory.New(directory.Config{
		URL: c.LDAP.URL, StartTLS: c.LDAP.StartTLS == "yes", CA: authorities, BindDN: c.LDAP.BindDN, BindPassword: c.LDAP.BindPassword,
		UserBase: c.LDAP.UserBase, UserFilter: c.LDAP.UserFilter, GroupBase: c.LDAP.GroupBase, GroupFilter: c.LDAP.GroupFilter,
		LoginName: c.LDAP.LoginName, FullName: c.LDAP.FullName, ID: c.LDAP.ID,
	})}, nil
}
