package host

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"pigsty/internal/resource"
)

const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// temporary is how names of files that are not in place yet begin. Programs that
// load whole directories pass over hidden files.
const temporary = ".pigsty-"

// files is the file system.
type files struct{ names *names }

var _ resource.Files = (*files)(nil)

func take(p string) (snapshot, error) {
	info, err := os.Stat(p)
	if err != nil {
		return snapshot{}, err
	}
	s := snapshot{mtime: info.ModTime(), size: info.Size()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = st.Ino
	}
	return s, nil
}

// Stat implements resource.Files.
func (f *files) Stat(p string) (resource.FileInfo, error) {
	info, err := os.Lstat(p)
	if err != nil {
		return resource.FileInfo{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	out := resource.FileInfo{Mode: info.Mode(), Size: info.Size(), MTime: info.ModTime(), Owner: f.names.owner(int(st.Uid), int(st.Gid))}
	if info.Mode()&fs.ModeSymlink != 0 {
		out.Target, err = os.Readlink(p)
	}
	return out, err
}

// Read implements resource.Files.
func (f *files) Read(p string) ([]byte, error) { return os.ReadFile(p) }

// List implements resource.Files. Our temporary files are not listed.
func (f *files) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporary) {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Write implements resource.Files. What a crash leaves behind is removed by the
// next write of the same file.
func (f *files) Write(p string, data []byte, mode fs.FileMode, owner resource.Owner) error {
	uid, gid, err := f.names.ids(owner)
	if err != nil {
		return &fs.PathError{Op: "write", Path: p, Err: err}
	}
	if info, err := os.Lstat(p); err == nil && info.IsDir() {
		return &fs.PathError{Op: "write", Path: p, Err: syscall.EISDIR}
	}
	dir := filepath.Dir(p)
	tmp := filepath.Join(dir, temporary+filepath.Base(p))
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	out, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(tmp) // of no effect once it is renamed
	_, err = out.Write(data)
	if err == nil {
		err = out.Chown(uid, gid)
	}
	if err == nil {
		err = out.Chmod(mode & bits)
	}
	if err == nil {
		err = out.Sync()
	}
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	err = os.Rename(tmp, p)
	if errors.Is(err, syscall.EBUSY) {
		// A file that is a mount point, such as /etc/hosts in some containers,
		// cannot be replaced, only rewritten.
		return os.WriteFile(p, data, mode.Perm())
	}
	if err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename in dir last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// Mkdir implements resource.Files.
func (f *files) Mkdir(p string, mode fs.FileMode, owner resource.Owner) error {
	if info, err := os.Stat(p); err == nil {
		if info.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
	}
	uid, gid, err := f.names.ids(owner)
	if err != nil {
		return &fs.PathError{Op: "mkdir", Path: p, Err: err}
	}
	if up := filepath.Dir(p); up != p {
		if err := f.Mkdir(up, 0o755, resource.Owner{}); err != nil {
			return err
		}
	}
	// Nobody else's until it is whole; and never subject to the umask.
	if err := os.Mkdir(p, 0o700); err != nil {
		if info, serr := os.Stat(p); serr == nil && info.IsDir() {
			return nil // somebody else made it just now
		}
		return err
	}
	if err := os.Chown(p, uid, gid); err != nil {
		return err
	}
	return os.Chmod(p, mode&bits)
}

// Link implements resource.Files.
func (f *files) Link(p, target string) error {
	if info, err := os.Lstat(p); err == nil && info.Mode()&fs.ModeSymlink == 0 {
		return &fs.PathError{Op: "link", Path: p, Err: fs.ErrExist}
	}
	tmp := filepath.Join(filepath.Dir(p), temporary+filepath.Base(p)+"-"+strconv.Itoa(os.Getpid()))
	_ = os.Remove(tmp)
	if err := os.Symlink(target, tmp); err != nil {
		return err
	}
	if err := os.Rename(tmp, p); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	return syncDir(filepath.Dir(p))
}

// Chmod implements resource.Files.
func (f *files) Chmod(p string, mode fs.FileMode) error { return os.Chmod(p, mode&bits) }

// Chown implements resource.Files.
func (f *files) Chown(p string, owner resource.Owner) error {
	uid, gid, err := f.names.ids(owner)
	if err != nil {
		return &fs.PathError{Op: "chown", Path: p, Err: err}
	}
	return os.Lchown(p, uid, gid)
}

// Remove implements resource.Files.
func (f *files) Remove(p string) error {
	if err := os.Remove(p); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// RemoveAll implements resource.Files. It stays on the file system of p: what
// is mounted below is not ours to empty.
func (f *files) RemoveAll(p string) error {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return f.Remove(p)
	}
	err := filepath.WalkDir(p, func(at string, e fs.DirEntry, err error) error {
		if err != nil || !e.IsDir() || at == p {
			return err
		}
		var in unix.Stat_t
		if err := unix.Lstat(at, &in); err != nil {
			return err
		}
		if in.Dev != st.Dev {
			return &fs.PathError{Op: "remove", Path: at, Err: errors.New("another file system is mounted here: unmount it and apply again")}
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return os.RemoveAll(p)
}
