package resourcetest

import (
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"pigsty/internal/resource"
)

const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// Disk is a file system in memory.
type Disk struct {
	mu     sync.Mutex
	nodes  map[string]*node
	now    time.Time
	writes int
}

type node struct {
	info resource.FileInfo
	data []byte
}

var _ resource.Files = (*Disk)(nil)

// NewDisk returns a disk with the directories that every host has.
func NewDisk() *Disk {
	d := &Disk{nodes: map[string]*node{}, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for _, dir := range []string{"/", "/etc", "/root", "/run", "/tmp", "/usr/bin", "/usr/share", "/var/lib", "/home", "/proc/sys", "/sys/module"} {
		_ = d.Mkdir(dir, 0o755, resource.Owner{})
	}
	d.writes = 0
	return d
}

// Writes returns how many calls changed something.
func (d *Disk) Writes() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.writes
}

// Put writes a file with its missing directories, as somebody else would.
func (d *Disk) Put(p, content string) {
	_ = d.Mkdir(path.Dir(p), 0o755, resource.Owner{})
	_ = d.Write(p, []byte(content), 0o644, resource.Owner{})
}

// Text returns a file's content, "" if there is none.
func (d *Disk) Text(p string) string {
	data, _ := d.Read(p)
	return string(data)
}

// Now returns the disk's clock, which goes one second further with each write.
func (d *Disk) Now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *Disk) tick() time.Time {
	d.writes++
	d.now = d.now.Add(time.Second)
	return d.now
}

// resolve follows links in all but, unless last, the final element.
func (d *Disk) resolve(p string, last bool) string {
	p = path.Clean(p)
	for range 40 {
		parts := strings.Split(strings.Trim(p, "/"), "/")
		next, at := "", "/"
		for i, part := range parts {
			at = path.Join(at, part)
			n := d.nodes[at]
			if n == nil || n.info.Mode&fs.ModeSymlink == 0 || i == len(parts)-1 && !last {
				continue
			}
			to := n.info.Target
			if !path.IsAbs(to) {
				to = path.Join(path.Dir(at), to)
			}
			next = path.Join(append([]string{to}, parts[i+1:]...)...)
			break
		}
		if next == "" {
			return p
		}
		p = next
	}
	return p
}

func (d *Disk) find(op, p string, follow bool) (string, *node, error) {
	at := d.resolve(p, follow)
	if n := d.nodes[at]; n != nil {
		return at, n, nil
	}
	return at, nil, &fs.PathError{Op: op, Path: p, Err: fs.ErrNotExist}
}

// parent returns an error unless the directory of the resolved path at is there.
func (d *Disk) parent(op, at string) error {
	n := d.nodes[path.Dir(at)]
	if n == nil {
		return &fs.PathError{Op: op, Path: at, Err: fs.ErrNotExist}
	}
	if !n.info.Mode.IsDir() {
		return &fs.PathError{Op: op, Path: at, Err: syscall.ENOTDIR}
	}
	return nil
}

func full(o resource.Owner) resource.Owner {
	if o.User == "" {
		o.User = "root"
	}
	if o.Group == "" {
		o.Group = "root"
	}
	return o
}

// Stat implements resource.Files.
func (d *Disk) Stat(p string) (resource.FileInfo, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, n, err := d.find("stat", p, false)
	if err != nil {
		return resource.FileInfo{}, err
	}
	return n.info, nil
}

// Read implements resource.Files.
func (d *Disk) Read(p string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, n, err := d.find("read", p, true)
	if err != nil {
		return nil, err
	}
	if n.info.Mode.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: p, Err: syscall.EISDIR}
	}
	return slices.Clone(n.data), nil
}

// List implements resource.Files.
func (d *Disk) List(dir string) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, n, err := d.find("list", dir, true)
	if err != nil {
		return nil, err
	}
	if !n.info.Mode.IsDir() {
		return nil, &fs.PathError{Op: "list", Path: dir, Err: syscall.ENOTDIR}
	}
	var out []string
	for p := range d.nodes {
		if p != "/" && path.Dir(p) == at {
			out = append(out, path.Base(p))
		}
	}
	slices.Sort(out)
	return out, nil
}

// Write implements resource.Files.
func (d *Disk) Write(p string, data []byte, mode fs.FileMode, owner resource.Owner) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.resolve(p, false)
	if err := d.parent("write", at); err != nil {
		return err
	}
	if n := d.nodes[at]; n != nil && n.info.Mode.IsDir() {
		return &fs.PathError{Op: "write", Path: p, Err: syscall.EISDIR}
	}
	d.nodes[at] = &node{data: slices.Clone(data), info: resource.FileInfo{
		Mode: mode & bits, Owner: full(owner), Size: int64(len(data)), MTime: d.tick()}}
	d.nodes[path.Dir(at)].info.MTime = d.now
	return nil
}

// Mkdir implements resource.Files.
func (d *Disk) Mkdir(p string, mode fs.FileMode, owner resource.Owner) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.resolve(p, true)
	if n := d.nodes[at]; n != nil {
		if n.info.Mode.IsDir() {
			return nil
		}
		return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
	}
	for dir := path.Dir(at); ; dir = path.Dir(dir) {
		if n := d.nodes[dir]; n != nil && !n.info.Mode.IsDir() {
			return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
		} else if n == nil {
			d.nodes[dir] = &node{info: resource.FileInfo{Mode: fs.ModeDir | 0o755, Owner: full(resource.Owner{}), MTime: d.now}}
		}
		if dir == "/" {
			break
		}
	}
	d.nodes[at] = &node{info: resource.FileInfo{Mode: fs.ModeDir | mode&bits, Owner: full(owner), MTime: d.tick()}}
	return nil
}

// Link implements resource.Files.
func (d *Disk) Link(p, target string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := d.resolve(p, false)
	if err := d.parent("link", at); err != nil {
		return err
	}
	if n := d.nodes[at]; n != nil && n.info.Mode&fs.ModeSymlink == 0 {
		return &fs.PathError{Op: "link", Path: p, Err: fs.ErrExist}
	}
	d.nodes[at] = &node{info: resource.FileInfo{Mode: fs.ModeSymlink | fs.ModePerm, Owner: full(resource.Owner{}), Target: target, MTime: d.tick()}}
	return nil
}

// Chmod implements resource.Files.
func (d *Disk) Chmod(p string, mode fs.FileMode) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, n, err := d.find("chmod", p, true)
	if err == nil {
		n.info.Mode = n.info.Mode.Type() | mode&bits
		d.writes++
	}
	return err
}

// Chown implements resource.Files. As on Linux it clears setuid and setgid of files.
func (d *Disk) Chown(p string, owner resource.Owner) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	_, n, err := d.find("chown", p, false)
	if err == nil {
		n.info.Owner = full(owner)
		if n.info.Mode.IsRegular() {
			n.info.Mode &^= fs.ModeSetuid | fs.ModeSetgid
		}
		d.writes++
	}
	return err
}

// Remove implements resource.Files.
func (d *Disk) Remove(p string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, n, err := d.find("remove", p, false)
	if err != nil {
		return nil
	}
	if n.info.Mode.IsDir() {
		for other := range d.nodes {
			if strings.HasPrefix(other, at+"/") {
				return &fs.PathError{Op: "remove", Path: p, Err: syscall.ENOTEMPTY}
			}
		}
	}
	delete(d.nodes, at)
	if up := d.nodes[path.Dir(at)]; up != nil {
		up.info.MTime = d.tick()
	}
	return nil
}

// RemoveAll implements resource.Files.
func (d *Disk) RemoveAll(p string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, _, err := d.find("remove", p, false)
	if err != nil {
		return nil
	}
	for other := range d.nodes {
		if other == at || strings.HasPrefix(other, at+"/") {
			delete(d.nodes, other)
		}
	}
	if up := d.nodes[path.Dir(at)]; up != nil {
		up.info.MTime = d.tick()
	}
	return nil
}
