package pki

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Phase is how far the replacement of a CA is.
type Phase string

// A CA is replaced in three moves, with a deployment of all hosts after each,
// so that at no moment a host meets a certificate that it does not trust.
const (
	Settled   Phase = "settled"   // one CA
	Announced Phase = "announced" // hosts are to trust the next CA too; the old one still issues
	Issuing   Phase = "issuing"   // the next CA issues; the old one is still trusted
)

// otherPaths are the certificate and the key of the second CA in a phase.
func otherPaths(dir string, p Phase) (cert, key string) {
	name := map[Phase]string{Announced: "next", Issuing: "old"}[p]
	return filepath.Join(dir, "ca", name+".crt"), filepath.Join(dir, "ca", name+".key")
}

// PhaseOf returns how far the replacement of the CA of dir is.
func PhaseOf(dir string) (Phase, error) {
	for _, p := range []Phase{Announced, Issuing} {
		cert, _ := otherPaths(dir, p)
		if there, err := exists(cert); there || err != nil {
			return p, err
		}
	}
	return Settled, nil
}

// Bundle returns the certificates that hosts are to trust, in PEM: that of the
// CA that issues, and the second one while a CA is being replaced. The error is
// an fs.ErrNotExist if there is no CA.
func Bundle(dir string) ([]byte, error) {
	path, _ := Paths(dir)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for _, p := range []Phase{Announced, Issuing} {
		cert, _ := otherPaths(dir, p)
		other, err := os.ReadFile(cert)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		text = append(append(bytes.TrimRight(text, "\n"), '\n'), other...)
	}
	return text, nil
}

// Announce makes the CA that is to follow the one of dir, for hosts to trust
// besides it. A CA that has expired, which nobody trusts any more, is replaced
// at once: the phase is then Issuing.
func Announce(dir, commonName string, validity time.Duration) (Phase, error) {
	unlock, err := lockCA(dir)
	if err != nil {
		return "", err
	}
	defer unlock()
	phase, err := PhaseOf(dir)
	if err != nil {
		return "", err
	}
	if phase != Settled {
		return phase, fmt.Errorf("the CA is being replaced already (%s)", phase)
	}
	old, err := Open(dir)
	if err != nil {
		return "", err
	}
	cert, key := otherPaths(dir, Announced)
	hasKey, err := exists(key) // of an announcement that was cut
	if err == nil {
		err = create(cert, key, hasKey, commonName, validity)
	}
	if err != nil {
		return "", fmt.Errorf("making the next CA: %w", err)
	}
	if time.Now().Before(old.NotAfter()) {
		return Announced, nil
	}
	return Issuing, succeed(dir)
}

// Succeed has the announced CA issue from now on.
func Succeed(dir string) error {
	unlock, err := lockCA(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := MaySucceed(dir); err != nil {
		return err
	}
	return succeed(dir)
}

// MaySucceed returns an error unless a CA is announced.
func MaySucceed(dir string) error {
	if phase, err := PhaseOf(dir); err != nil || phase != Announced {
		return errors.Join(err, fmt.Errorf("no CA is announced to follow (%s)", phase))
	}
	return nil
}

// succeed can be repeated after an interruption at any point: there is a CA at
// every moment, and the announcement goes last.
func succeed(dir string) error {
	cert, key := Paths(dir)
	oldCert, oldKey := otherPaths(dir, Issuing)
	nextCert, nextKey := otherPaths(dir, Announced)
	for _, keep := range [][2]string{{cert, oldCert}, {key, oldKey}} {
		if err := os.Link(keep[0], keep[1]); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("keep the old CA: %w", err)
		}
	}
	if err := os.Rename(nextKey, key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("put the next CA in place: %w", err)
	}
	if err := os.Rename(nextCert, cert); err != nil {
		return fmt.Errorf("put the next CA in place: %w", err)
	}
	return nil
}

// Finish ends the replacement: the old CA is no longer trusted, and its key is
// destroyed.
func Finish(dir string) error {
	unlock, err := lockCA(dir)
	if err != nil {
		return err
	}
	defer unlock()
	if err := MayFinish(dir); err != nil {
		return err
	}
	cert, key := otherPaths(dir, Issuing)
	if err := os.Remove(key); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.Remove(cert)
}

// MayFinish returns an error unless there is an old CA that no longer issues.
func MayFinish(dir string) error {
	if phase, err := PhaseOf(dir); err != nil || phase != Issuing {
		return errors.Join(err, fmt.Errorf("no old CA is left to drop (%s)", phase))
	}
	return nil
}

// lockCA locks the directory of the CA of dir.
func lockCA(dir string) (func(), error) {
	cert, _ := Paths(dir)
	return lock(filepath.Dir(cert))
}
