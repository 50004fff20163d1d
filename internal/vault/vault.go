// Package vault opens what Ansible Vault has encrypted, given its passwords.
//
// The format is the one that Ansible documents as "Ansible Vault payload format
// 1.1 - 1.2": a header line, then hexadecimal digits, of which the bytes are
// three lines of hexadecimal digits again: salt, HMAC and ciphertext.
package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// magic begins the header of every envelope.
const magic = "$ANSIBLE_VAULT;"

// Sizes of the format, in bytes, and the rounds that a key takes.
const (
	keySize = 32
	rounds  = 10000
)

// Is reports whether text is an envelope, as far as its beginning tells.
func Is[T string | []byte](text T) bool {
	return strings.HasPrefix(string(text[:min(len(text), len(magic))]), magic)
}

// errPassword is that a password does not fit an envelope.
var errPassword = errors.New("the password does not fit")

// envelope is an encrypted text, taken apart.
type envelope struct {
	id                string // of the password, "" when the header names none
	salt, mac, cipher []byte
}

// parse takes the text of an envelope apart. Errors say what is wrong with it.
func parse(text string) (envelope, error) {
	header, body, _ := strings.Cut(strings.TrimSpace(text), "\n")
	var e envelope
	fields := strings.Split(strings.TrimSpace(header), ";")
	switch {
	case !Is(header) || len(fields) < 3:
		return e, fmt.Errorf("its first line is not like %s1.1;AES256", magic)
	case fields[1] == "1.2" && len(fields) == 4:
		e.id = fields[3]
	case fields[1] != "1.1" || len(fields) != 3:
		return e, fmt.Errorf("its format %q is not known; 1.1 and 1.2 are", strings.Join(fields[1:2], ";"))
	}
	if fields[2] != "AES256" {
		return e, fmt.Errorf("its cipher %q is not known; AES256 is", fields[2])
	}
	inner, err := hex.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return e, errors.New("what follows its first line is not hexadecimal")
	}
	parts := bytes.Split(inner, []byte("\n"))
	if len(parts) != 3 {
		return e, errors.New("it is cut short, or lines of it are missing")
	}
	for i, into := range []*[]byte{&e.salt, &e.mac, &e.cipher} {
		if *into, err = hex.DecodeString(string(parts[i])); err != nil {
			return e, errors.New("it is damaged: its parts are not hexadecimal")
		}
	}
	if len(e.mac) != sha256.Size || len(e.cipher) == 0 || len(e.cipher)%aes.BlockSize != 0 {
		return e, errors.New("it is damaged: its parts do not have their lengths")
	}
	return e, nil
}

// open returns the text inside, or errPassword.
func (e envelope) open(password string) (string, error) {
	keys, err := pbkdf2.Key(sha256.New, password, e.salt, rounds, 2*keySize+aes.BlockSize)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, keys[keySize:2*keySize])
	mac.Write(e.cipher)
	if !hmac.Equal(mac.Sum(nil), e.mac) {
		return "", errPassword
	}
	block, err := aes.NewCipher(keys[:keySize])
	if err != nil {
		return "", err
	}
	plain := make([]byte, len(e.cipher))
	cipher.NewCTR(block, keys[2*keySize:]).XORKeyStream(plain, e.cipher)
	padding := int(plain[len(plain)-1])
	if padding == 0 || padding > aes.BlockSize {
		return "", errors.New("it is damaged: its padding is wrong")
	}
	return string(plain[:len(plain)-padding]), nil
}
