package resource

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
)

// SSHCert is the certificate of a user's own key (SSHKey), signed by the
// deployment's CA, where ssh finds it beside the key. Hosts that trust the CA let
// the user in without knowing the key, so that no host needs to hear of another.
type SSHCert struct {
	User      string
	Principal string // what it vouches for
	CA        []byte // its certificate, PEM; the first one if there are several
}

var (
	_ Resource = (*SSHCert)(nil)
	_ Requirer = (*SSHCert)(nil)
	_ Signed   = (*SSHCert)(nil)
)

// SignedByControl marks SSHCert as a resource whose certificate the CA signs.
func (s *SSHCert) SignedByControl() {}

// Key returns "ssh certificate " and the user.
func (s *SSHCert) Key() string { return "ssh certificate " + s.User }

// Requires returns the key.
func (s *SSHCert) Requires() []string { return []string{"ssh key " + s.User} }

// SSHCertFile is the name of a certificate in a user's directory .ssh.
const SSHCertFile = "id_ed25519-cert.pub"

// Diff looks whether the certificate belongs to the key and to the CA.
func (s *SSHCert) Diff(_ context.Context, h *Host) (Change, error) {
	account, ok, err := h.Accounts.User(s.User)
	if err != nil {
		return Change{}, err
	}
	if !ok {
		return Change{Action: Create, Reason: "does not exist"}, nil
	}
	key, err := s.publicKey(h, account)
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Action: Create, Reason: "does not exist"}, nil
	}
	if err != nil {
		return Change{}, err
	}
	data, err := h.Files.Read(path.Join(account.Home, ".ssh", SSHCertFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Change{Action: Create, Reason: "does not exist"}, nil
	}
	if err != nil {
		return Change{}, err
	}
	why, err := s.unfit(data, key)
	if err != nil || why == "" {
		return Change{}, err
	}
	return Change{Action: Update, Reason: why}, nil
}

// Apply has the CA sign the public half of the key.
func (s *SSHCert) Apply(ctx context.Context, h *Host) error {
	account, ok, err := h.Accounts.User(s.User)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %s does not exist", s.User)
	}
	key, err := s.publicKey(h, account)
	if err != nil {
		return err
	}
	line, err := h.Control.Sign(ctx, s.Key(), key.Marshal())
	if err != nil {
		return fmt.Errorf("have the CA sign the SSH key of %s: %w", s.User, err)
	}
	why, err := s.unfit(line, key)
	if err == nil && why != "" {
		err = errors.New(why)
	}
	if err != nil {
		return fmt.Errorf("have the CA sign the SSH key of %s: what it returned is not what was asked for: %w", s.User, err)
	}
	return h.Files.Write(path.Join(account.Home, ".ssh", SSHCertFile), line, 0o644, Owner{account.Name, account.Group})
}

func (s *SSHCert) publicKey(h *Host, a Account) (ssh.PublicKey, error) {
	file := sshKeyFile(a) + ".pub"
	data, err := h.Files.Read(file)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s is not a public key: %w", file, err)
	}
	return key, nil
}

// unfit returns why the certificate in line must be replaced, "" if it need not.
func (s *SSHCert) unfit(line []byte, key ssh.PublicKey) (string, error) {
	issuers, err := sshAuthorities(s.CA)
	if err != nil {
		return "", err
	}
	parsed, _, _, _, err := ssh.ParseAuthorizedKey(line)
	cert, ok := parsed.(*ssh.Certificate)
	if err != nil || !ok {
		return "it is not an SSH certificate", nil
	}
	checker := ssh.CertChecker{IsUserAuthority: func(k ssh.PublicKey) bool { return bytes.Equal(k.Marshal(), issuers[0].Marshal()) }}
	switch {
	case !bytes.Equal(cert.Key.Marshal(), key.Marshal()):
		return "it does not belong to the key", nil
	case !checker.IsUserAuthority(cert.SignatureKey):
		return "issued by another CA", nil
	case !slices.Equal(cert.ValidPrincipals, []string{s.Principal}):
		return "it vouches for " + strings.Join(cert.ValidPrincipals, ", "), nil
	}
	if err := checker.CheckCert(s.Principal, cert); err != nil {
		return "it does not count: " + err.Error(), nil
	}
	return "", nil
}

// SSHAuthorities returns lines of authorized_keys that let in whom one of the
// CAs in ca, certificates in PEM, vouches for under a name of principals.
func SSHAuthorities(ca []byte, principals []string) ([]string, error) {
	keys, err := sshAuthorities(ca)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, key := range keys {
		out = append(out, fmt.Sprintf("cert-authority,principals=%q %s", strings.Join(principals, ","), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))))
	}
	return out, nil
}

// sshAuthorities returns the keys of the certificates in ca as SSH has them.
func sshAuthorities(ca []byte) ([]ssh.PublicKey, error) {
	var out []ssh.PublicKey
	for _, der := range certificates(ca) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("the CA's certificate: %w", err)
		}
		key, err := ssh.NewPublicKey(cert.PublicKey)
		if err != nil {
			return nil, fmt.Errorf("the CA's key as one of SSH's: %w", err)
		}
		out = append(out, key)
	}
	if len(out) == 0 {
		return nil, errors.New("the CA's certificate is not in PEM")
	}
	return out, nil
}
