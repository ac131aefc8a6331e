// Package directorytest starts a real directory for tests: OpenLDAP's slapd,
// with data of its own in a folder that goes with the test, on loopback ports.
package directorytest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stickpress/stickpress/api/directory"
)

// The suffix, and the account of the console.
const (
	Suffix       = "dc=example,dc=org"
	BindDN       = "cn=console," + Suffix
	BindPassword = "console's own"
)

// Server is a running slapd.
type Server struct {
	LDAP, LDAPS string // URLs
	CA          *x509.CertPool
	conf, dir   string
}

// tree is what every directory holds; entries of the tests come below it.
const tree = `dn: ` + Suffix + `
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ` + BindDN + `
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: console
userPassword: ` + BindPassword + `

dn: ou=people,` + Suffix + `
objectClass: organizationalUnit
ou: people

dn: ou=groups,` + Suffix + `
objectClass: organizationalUnit
ou: groups

`

// Person is the LDIF of somebody.
func Person(login, name, password string) string {
	return fmt.Sprintf("dn: uid=%[1]s,ou=people,%[4]s\nobjectClass: inetOrgPerson\nuid: %[1]s\ncn: %[2]s\nsn: %[2]s\nuserPassword: %[3]s\n\n",
		login, name, password, Suffix)
}

// Group is the LDIF of a group of people.
func Group(name string, logins ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "dn: cn=%[1]s,ou=groups,%[2]s\nobjectClass: groupOfNames\ncn: %[1]s\n", name, Suffix)
	for _, l := range logins {
		fmt.Fprintf(&b, "member: uid=%s,ou=people,%s\n", l, Suffix)
	}
	return b.String() + "\n"
}

// Start runs a directory with these entries until the test ends. It knows Active
// Directory's objectGUID, for entries of the object class identified.
func Start(t testing.TB, entries ...string) *Server {
	t.Helper()
	for _, tool := range []string{"/usr/sbin/slapd", "/usr/sbin/slapadd"} {
		if _, err := os.Stat(tool); err != nil {
			t.Fatalf("slapd is missing (apt install slapd): %v", err)
		}
	}
	s := &Server{dir: t.TempDir()}
	s.certificate(t)
	s.conf = s.file(t, "slapd.conf", fmt.Sprintf(`
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 EQUALITY octetStringMatch SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.1 NAME 'identified' SUP top AUXILIARY MAY objectGUID )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
argsfile %[1]s/args
TLSCertificateFile %[1]s/cert.pem
TLSCertificateKeyFile %[1]s/key.pem
disallow bind_anon
require authc
database mdb
suffix "%[2]s"
rootdn "cn=root,%[2]s"
rootpw root
directory %[1]s/data
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="%[3]s" read by self read by * none
`, s.dir, Suffix, BindDN))
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	add := exec.CommandContext(t.Context(), "/usr/sbin/slapadd", "-f", s.conf, "-l", s.file(t, "tree.ldif", tree+strings.Join(entries, "")))
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	plain, secure := port(t), port(t)
	s.LDAP, s.LDAPS = "ldap://"+plain, "ldaps://"+secure
	ctx, stop := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, "/usr/sbin/slapd", "-f", s.conf, "-h", s.LDAP+" "+s.LDAPS, "-d", "0")
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Logf("slapd ended: %v", err)
		}
	})
	for _, address := range []string{plain, secure} {
		wait(t, address, ended, log)
	}
	return s
}

// wait returns when an address answers.
func wait(t testing.TB, address string, ended chan error, log *strings.Builder) {
	t.Helper()
	late := time.After(30 * time.Second)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := new(net.Dialer).DialContext(t.Context(), "tcp", address); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-tick.C:
		case err := <-ended:
			ended <- err
			t.Fatalf("slapd ended: %v\n%s", err, log)
		case <-late:
			t.Fatalf("slapd does not answer on %s", address)
		}
	}
}

// Config is how the console asks this directory, by StartTLS.
func (s *Server) Config() directory.Config {
	return directory.Config{
		URL: s.LDAP, StartTLS: true, CA: s.CA, BindDN: BindDN, BindPassword: BindPassword,
		UserBase: "ou=people," + Suffix, UserFilter: "(uid={login})",
		GroupBase: "ou=groups," + Suffix, GroupFilter: "(member={dn})",
		LoginName: "uid", FullName: "cn", ID: "entryUUID",
	}
}

// Modify changes entries by the directory's own tool.
func (s *Server) Modify(t testing.TB, ldif string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "ldapmodify", "-x", "-H", s.LDAP, "-D", "cn=root,"+Suffix, "-w", "root")
	cmd.Stdin = strings.NewReader(ldif)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ldapmodify (apt install ldap-utils): %v\n%s", err, out)
	}
}

func (s *Server) file(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes the server's own, for 127.0.0.1.
func (s *Server) certificate(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})
	s.file(t, "cert.pem", string(text))
	s.file(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	s.CA = x509.NewCertPool()
	s.CA.AppendCertsFromPEM(text)
}

// port is a free address of loopback.
func port(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
