package pki

import (
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/crypto/ssh"
)

// IssueSSH returns the certificate of a user's SSH key, as a line of a file
// NAME-cert.pub: it lets in who holds the key where this CA is trusted to
// vouch for principal. publicKey is in SSH's wire format, keyID what logs call it.
//
// The certificate has no end: whether it counts is for those to say who trust
// the CA, and they name the principals that they let in.
func (ca *CA) IssueSSH(publicKey []byte, principal, keyID string) ([]byte, error) {
	key, err := ssh.ParsePublicKey(publicKey)
	if err != nil {
		return nil, fmt.Errorf("SSH certificate for %s: public key: %w", keyID, err)
	}
	if _, certified := key.(*ssh.Certificate); certified || principal == "" {
		return nil, fmt.Errorf("SSH certificate for %s: a plain key and a principal are needed", keyID)
	}
	signer, err := ssh.NewSignerFromSigner(ca.key)
	if err != nil {
		return nil, fmt.Errorf("SSH certificate for %s: the CA's key: %w", keyID, err)
	}
	cert := &ssh.Certificate{
		Key:             key,
		Serial:          binary.BigEndian.Uint64(serial().FillBytes(make([]byte, 16))),
		CertType:        ssh.UserCert,
		KeyId:           keyID,
		ValidPrincipals: []string{principal},
		ValidAfter:      uint64(time.Now().Add(-clockSkew).Unix()),
		ValidBefore:     ssh.CertTimeInfinity,
		Permissions: ssh.Permissions{Extensions: map[string]string{
			"permit-pty": "", "permit-port-forwarding": "", "permit-agent-forwarding": "", "permit-user-rc": "", "permit-X11-forwarding": "",
		}},
	}
	if err := cert.SignCert(rand.Reader, signer); err != nil {
		return nil, fmt.Errorf("SSH certificate for %s: %w", keyID, err)
	}
	return ssh.MarshalAuthorizedKey(cert), nil
}
