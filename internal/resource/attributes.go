package resource

import (
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// permissions are the bits of a mode that a resource manages.
const permissions = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// String returns "user:group".
func (o Owner) String() string {
	o = o.named()
	return o.User + ":" + o.Group
}

func (o Owner) named() Owner {
	if o.User == "" {
		o.User = "root"
	}
	if o.Group == "" {
		o.Group = "root"
	}
	return o
}

// modeText writes a mode as chmod takes it: "0640", "2755".
func modeText(m fs.FileMode) string {
	bits := m.Perm()
	for _, special := range []struct{ mode, bit fs.FileMode }{
		{fs.ModeSetuid, 0o4000}, {fs.ModeSetgid, 0o2000}, {fs.ModeSticky, 0o1000},
	} {
		if m&special.mode != 0 {
			bits |= special.bit
		}
	}
	return fmt.Sprintf("%04o", uint32(bits))
}

// attributes adds to c how mode and owner differ.
func attributes(c *Change, info FileInfo, mode fs.FileMode, owner Owner) {
	c.Differs("mode", modeText(info.Mode), modeText(mode))
	c.Differs("owner", info.Owner.String(), owner.String())
}

// setAttributes gives p the mode and owner wanted. It takes rights away before
// it gives the file to somebody else.
func setAttributes(h *Host, p string, info FileInfo, mode fs.FileMode, owner Owner) error {
	narrow := info.Mode & mode & permissions
	if info.Mode&permissions != narrow {
		if err := h.Files.Chmod(p, narrow); err != nil {
			return err
		}
	}
	if info.Owner.named() != owner.named() {
		if err := h.Files.Chown(p, owner); err != nil {
			return err
		}
	} else if narrow == mode&permissions {
		return nil
	}
	return h.Files.Chmod(p, mode) // chown clears setuid and setgid
}

// above returns the keys of what must exist before a path can: the directories
// over it, any of which may be a link, and its owner.
func above(p string, owner Owner) []string {
	dir := path.Dir(p)
	keys := make([]string, 0, 2*strings.Count(dir, "/")+2)
	asDir, asLink := "dir "+dir, "link "+dir // the keys of the directories over it are their beginnings
	for n := len(dir); n > 0 && dir != "/" && dir != "."; n = strings.LastIndexByte(dir[:n], '/') {
		keys = append(keys, asDir[:len("dir ")+n], asLink[:len("link ")+n])
	}
	owner = owner.named()
	if owner.User != "root" {
		keys = append(keys, "user "+owner.User)
	}
	if owner.Group != "root" {
		keys = append(keys, "group "+owner.Group)
	}
	return keys
}
