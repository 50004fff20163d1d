package repo

import (
	"fmt"
	"strings"

	"pigsty/internal/resource"
)

// System is what the packages of a repository are for.
type System struct {
	OS       string // ID of os-release: debian, rocky …
	Version  string // 13, 9.6
	Codename string // trixie, el9
	Family   string // deb or rpm
	Arch     string // x86_64 or aarch64
}

// SystemOf returns the system of a host.
func SystemOf(f resource.Facts) System {
	return System{OS: f.OS, Version: f.Version, Codename: f.Codename, Family: f.Family, Arch: f.Arch}
}

// String names the system. Packages for EL are the same for all minor versions.
func (s System) String() string {
	version := s.Version
	if s.Family == "rpm" {
		version, _, _ = strings.Cut(version, ".")
	}
	return strings.Join(strings.Fields(s.OS+" "+version+" "+s.Arch), " ")
}

// system returns what the repository of b on h is for.
func (b *Build) system(h *resource.Host) System {
	if b.For == (System{}) {
		return SystemOf(h.Facts)
	}
	return b.For
}

// format returns the kind of repository that b on h is.
func (b *Build) format(h *resource.Host) (format, error) {
	s := b.system(h)
	switch s.Family {
	case "deb":
		return debian{arch: debArch(s.Arch), codename: s.Codename, host: h.Facts.Codename}, nil
	case "rpm":
		return redhat{version: s.Version, arch: s.Arch}, nil
	}
	return nil, fmt.Errorf("a repository for %s cannot be built", s.OS)
}

// debArch is Debian's name of an architecture.
func debArch(arch string) string {
	return strings.NewReplacer("x86_64", "amd64", "aarch64", "arm64").Replace(arch)
}
