// Package directory checks logins and passwords with an LDAP directory (RFC
// 4511): it looks the login up, binds as what it found with the password, and
// reads the person's groups.
//
// A directory is asked anew each time: nothing of it is kept, and a password
// only passes through. The connection is encrypted, by ldaps or StartTLS, or
// stays on this machine.
package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"github.com/stickpress/stickpress/api/fault"
)

// CodeUnavailable is the fault of a directory that does not answer, or that
// refuses the console's own account.
const CodeUnavailable fault.Code = "directory_unavailable"

// ErrRefused says that there is no such person, or the password is wrong: which
// of them is nobody's business.
var ErrRefused = errors.New("directory: login or password is wrong")

// Config is a directory and where people are in it.
type Config struct {
	URL      string // ldap://HOST[:PORT] or ldaps://HOST[:PORT]
	StartTLS bool   // of ldap://
	CA       *x509.CertPool
	// BindDN is the account that may look people up; empty asks as nobody.
	BindDN       string
	BindPassword string
	UserBase     string
	UserFilter   string // with {login}, which is escaped
	GroupBase    string // empty: groups are only those of memberOf
	GroupFilter  string // with {dn} and {login}
	LoginName    string // the attribute that is the login
	FullName     string // the attribute that is shown
	ID           string // the attribute that stays when a person is renamed
}

// Person is somebody whose password was right.
type Person struct {
	ID     string // of Config.ID, or the DN where there is none
	Login  string
	Name   string
	Groups []string // each as its DN and, of those that were searched, its cn
}

// Directory is an LDAP directory. It is safe for concurrent use.
type Directory struct{ config Config }

// New returns a directory that nobody has asked anything yet.
func New(c Config) *Directory { return &Directory{config: c} }

// patience bounds each step of an answer.
const patience = 10 * time.Second

// memberOf is where directories that keep it list a person's groups.
const memberOf = "memberOf"

// Authenticate returns the person of a login whose password is right; else it
// fails with ErrRefused, or with the fault directory_unavailable. Before the
// password is looked at, found is asked with the ID of who it would be; what it
// fails with ends it.
func (d *Directory) Authenticate(ctx context.Context, login, password string, found func(id string) error) (Person, error) {
	// A bind without a password is anonymous and succeeds (RFC 4513 section 5.1.2).
	if login == "" || password == "" {
		return Person{}, ErrRefused
	}
	conn, err := d.dial(ctx)
	if err != nil {
		return Person{}, unavailable(fmt.Errorf("reach the directory: %w", err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := d.asConsole(conn); err != nil {
		return Person{}, err
	}
	entry, err := d.find(conn, login)
	if errors.Is(err, ErrRefused) {
		// As many round trips as for somebody who is there.
		_ = conn.Bind("cn=nobody,"+d.config.UserBase, password)
		return Person{}, ErrRefused
	}
	if err != nil {
		return Person{}, err
	}
	p := Person{ID: identifier(entry, d.config.ID), Login: login, Name: entry.GetAttributeValue(d.config.FullName)}
	if err := found(p.ID); err != nil {
		return Person{}, err
	}
	if err := conn.Bind(entry.DN, password); err != nil {
		if ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials, ldap.LDAPResultUnwillingToPerform,
			ldap.LDAPResultConstraintViolation, ldap.LDAPResultInappropriateAuthentication, ldap.LDAPResultInsufficientAccessRights) {
			return Person{}, ErrRefused
		}
		return Person{}, unavailable(fmt.Errorf("check a password: %w", err))
	}
	if err := d.asConsole(conn); err != nil { // who it is may not read groups
		return Person{}, err
	}
	if s := entry.GetAttributeValue(d.config.LoginName); s != "" {
		p.Login = s // as the directory spells it
	}
	p.Groups, err = d.groups(conn, entry, login)
	return p, err
}

func (d *Directory) dial(ctx context.Context) (*ldap.Conn, error) {
	u, err := url.Parse(d.config.URL)
	if err != nil {
		return nil, err
	}
	secure := &tls.Config{ServerName: u.Hostname(), RootCAs: d.config.CA, MinVersion: tls.VersionTLS12}
	dialer := &net.Dialer{Timeout: patience}
	if deadline, ok := ctx.Deadline(); ok {
		dialer.Deadline = deadline
	}
	conn, err := ldap.DialURL(d.config.URL, ldap.DialWithDialer(dialer), ldap.DialWithTLSConfig(secure))
	if err != nil {
		return nil, err
	}
	conn.SetTimeout(patience)
	if d.config.StartTLS && u.Scheme == "ldap" {
		if err := conn.StartTLS(secure); err != nil {
			return nil, errors.Join(fmt.Errorf("start TLS: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// asConsole binds as the console's own account.
func (d *Directory) asConsole(conn *ldap.Conn) error {
	var err error
	if d.config.BindDN == "" {
		err = conn.UnauthenticatedBind("")
	} else {
		err = conn.Bind(d.config.BindDN, d.config.BindPassword)
	}
	if err != nil {
		return unavailable(fmt.Errorf("sign in at the directory: %w", err))
	}
	return nil
}

// find looks a login up. Two people of one login are nobody.
func (d *Directory) find(conn *ldap.Conn, login string) (*ldap.Entry, error) {
	filter := strings.ReplaceAll(d.config.UserFilter, "{login}", ldap.EscapeFilter(login))
	attributes := []string{d.config.LoginName, d.config.FullName, d.config.ID, memberOf}
	r, err := conn.Search(ldap.NewSearchRequest(d.config.UserBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		2, int(patience/time.Second), false, filter, attributes, nil))
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultNoSuchObject):
		return nil, ErrRefused
	case err != nil:
		return nil, unavailable(fmt.Errorf("look somebody up: %w", err))
	case len(r.Entries) != 1:
		return nil, ErrRefused
	}
	return r.Entries[0], nil
}

// groups lists the groups of a person: those of memberOf and those that are
// found by the group filter.
func (d *Directory) groups(conn *ldap.Conn, entry *ldap.Entry, login string) ([]string, error) {
	groups := entry.GetAttributeValues(memberOf)
	if d.config.GroupBase == "" {
		return groups, nil
	}
	filter := strings.NewReplacer("{dn}", ldap.EscapeFilter(entry.DN), "{login}", ldap.EscapeFilter(login)).Replace(d.config.GroupFilter)
	r, err := conn.SearchWithPaging(ldap.NewSearchRequest(d.config.GroupBase, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases,
		0, int(patience/time.Second), false, filter, []string{"cn"}, nil), 500)
	if err != nil {
		return nil, unavailable(fmt.Errorf("look for somebody's groups: %w", err))
	}
	for _, g := range r.Entries {
		groups = append(groups, g.DN)
		groups = append(groups, g.GetAttributeValues("cn")...)
	}
	slices.Sort(groups)
	return slices.Compact(groups), nil
}

// identifier is the value of an attribute that stays with the person, in hex
// where it is no text (Active Directory's objectGUID); the DN without one.
func identifier(entry *ldap.Entry, attribute string) string {
	raw := entry.GetRawAttributeValue(attribute)
	switch {
	case len(raw) == 0:
		return entry.DN
	case utf8.Valid(raw):
		return string(raw)
	}
	return hex.EncodeToString(raw)
}

func unavailable(err error) error { return fault.Wrap(err, fault.KindUnavailable, CodeUnavailable) }
