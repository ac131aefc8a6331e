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
	ID           string // the attribute that stays when a person is renamed; "dn": their DN, which does not
}

// Person is somebody whose password was right.
type Person struct {
	ID     string // of Config.ID
	Login  string // as the directory spells it
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
	if login == "" {
		return Person{}, ErrRefused
	}
	return d.person(ctx, d.byLogin(login), password, found)
}

// Again is Authenticate for somebody who is known, by their ID: a login may be
// another one's by now.
func (d *Directory) Again(ctx context.Context, id, password string) (Person, error) {
	return d.person(ctx, d.byID(id), password, func(string) error { return nil })
}

// Pretend takes as long as a wrong password of a login does, for a login that is
// none of the directory's. It shows the directory no password, and fails with
// nothing but directory_unavailable.
func (d *Directory) Pretend(ctx context.Context, login string) error {
	conn, err := d.open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if _, err := d.find(conn, d.byLogin(login)); err != nil && !errors.Is(err, ErrRefused) {
		return err
	}
	d.bindNobody(conn)
	return nil
}

func (d *Directory) person(ctx context.Context, who *ldap.SearchRequest, password string, found func(id string) error) (Person, error) {
	// A bind without a password is anonymous and succeeds (RFC 4513 section 5.1.2).
	if password == "" {
		return Person{}, ErrRefused
	}
	conn, err := d.open(ctx)
	if err != nil {
		return Person{}, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	entry, err := d.find(conn, who)
	if errors.Is(err, ErrRefused) {
		d.bindNobody(conn)
	}
	if err != nil {
		return Person{}, err
	}
	p := Person{Login: entry.GetAttributeValue(d.config.LoginName), Name: entry.GetAttributeValue(d.config.FullName)}
	if p.ID, err = identifier(entry, d.config.ID); err != nil {
		return Person{}, unavailable(err)
	}
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
	if p.Login == "" { // what was typed may be anybody's login here, or a name of a group's
		return Person{}, fmt.Errorf("%w: %s has no %s", ErrRefused, entry.DN, d.config.LoginName)
	}
	if err := d.asConsole(conn); err != nil { // who it is may not read groups
		return Person{}, err
	}
	p.Groups, err = d.groups(conn, entry, p.Login)
	return p, err
}

// bindNobody is the round trip of a password, for nobody.
func (d *Directory) bindNobody(conn *ldap.Conn) {
	_ = conn.Bind("cn=nobody,"+d.config.UserBase, "nobody's")
}

// open is a connection as the console's own account.
func (d *Directory) open(ctx context.Context) (*ldap.Conn, error) {
	conn, err := d.dial(ctx)
	if err != nil {
		return nil, unavailable(fmt.Errorf("reach the directory: %w", err))
	}
	if err := d.asConsole(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
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

// byLogin asks for who has a login.
func (d *Directory) byLogin(login string) *ldap.SearchRequest {
	return d.search(d.config.UserBase, ldap.ScopeWholeSubtree, strings.ReplaceAll(d.config.UserFilter, "{login}", ldap.EscapeFilter(login)))
}

// byID asks for who has an ID.
func (d *Directory) byID(id string) *ldap.SearchRequest {
	if isDN(d.config.ID) {
		return d.search(id, ldap.ScopeBaseObject, "(objectClass=*)")
	}
	value := []byte(id)
	if isBinary(d.config.ID) {
		value, _ = hex.DecodeString(id) // of what is none, nobody is found
	}
	var escaped strings.Builder
	for _, b := range value {
		fmt.Fprintf(&escaped, `\%02x`, b)
	}
	return d.search(d.config.UserBase, ldap.ScopeWholeSubtree, "("+d.config.ID+"="+escaped.String()+")")
}

func (d *Directory) search(base string, scope int, filter string) *ldap.SearchRequest {
	attributes := []string{d.config.LoginName, d.config.FullName, memberOf}
	if !isDN(d.config.ID) {
		attributes = append(attributes, d.config.ID)
	}
	return ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 2, int(patience/time.Second), false, filter, attributes, nil)
}

// find looks somebody up. Two people of one login are nobody.
func (d *Directory) find(conn *ldap.Conn, who *ldap.SearchRequest) (*ldap.Entry, error) {
	r, err := conn.Search(who)
	switch {
	case ldap.IsErrorAnyOf(err, ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultNoSuchObject, ldap.LDAPResultInvalidDNSyntax):
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

// identifier is the value of an attribute that stays with the person: its text,
// or in hex where it is known to be none. Without one it fails: the DN would do
// until somebody is renamed or another one gets it, so that has to be chosen.
func identifier(entry *ldap.Entry, attribute string) (string, error) {
	if isDN(attribute) {
		return entry.DN, nil
	}
	raw := entry.GetEqualFoldRawAttributeValue(attribute)
	switch {
	case len(raw) == 0:
		return "", fmt.Errorf("%s has no %s that the console may read", entry.DN, attribute)
	case isBinary(attribute):
		return hex.EncodeToString(raw), nil
	case !utf8.Valid(raw):
		return "", fmt.Errorf("%s of %s is no text", attribute, entry.DN)
	}
	return string(raw), nil
}

// isDN reports whether people are to be known by their DN.
func isDN(attribute string) bool { return strings.EqualFold(attribute, "dn") }

// isBinary knows the attributes that identify people by bytes: Active
// Directory's ([MS-ADA3] sections 2.44 and 2.45) and eDirectory's.
func isBinary(attribute string) bool {
	return slices.ContainsFunc([]string{"objectGUID", "objectSid", "GUID"}, func(a string) bool { return strings.EqualFold(a, attribute) })
}

func unavailable(err error) error { return fault.Wrap(err, fault.KindUnavailable, CodeUnavailable) }
