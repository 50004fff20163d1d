package host

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"pigsty/internal/resource"
)

const (
	passwdFile = "/etc/passwd"
	groupFile  = "/etc/group"
)

// names translates between user and group names and ids by /etc/passwd and
// /etc/group, read again when they change. Directories such as LDAP are not
// asked: what this product manages belongs to users of the host.
type names struct {
	mu     sync.Mutex
	passwd snapshot
	group  snapshot
	users  map[string]user
	groups map[string]group
	uids   map[int]string
	gids   map[int]string
}

type user struct {
	uid, gid    int
	home, shell string
}

type group struct {
	gid     int
	members []string
}

// snapshot tells whether a file is still the one that was read. Account tools
// replace the file, so its inode changes even within one tick of the clock.
type snapshot struct {
	mtime time.Time
	size  int64
	inode uint64
}

func (n *names) refresh() error {
	p, err := take(passwdFile)
	if err != nil {
		return err
	}
	g, err := take(groupFile)
	if err != nil {
		return err
	}
	if p == n.passwd && g == n.group && n.users != nil {
		return nil
	}
	users, uids := map[string]user{}, map[int]string{}
	err = eachRecord(passwdFile, 7, func(f []string) {
		uid, err1 := strconv.Atoi(f[2])
		gid, err2 := strconv.Atoi(f[3])
		if err1 != nil || err2 != nil {
			return
		}
		users[f[0]] = user{uid, gid, f[5], f[6]}
		if _, taken := uids[uid]; !taken { // the first of several names for an id, as libc has it
			uids[uid] = f[0]
		}
	})
	if err != nil {
		return err
	}
	groups, gids := map[string]group{}, map[int]string{}
	err = eachRecord(groupFile, 4, func(f []string) {
		gid, err := strconv.Atoi(f[2])
		if err != nil {
			return
		}
		g := group{gid: gid}
		if f[3] != "" {
			g.members = strings.Split(f[3], ",")
		}
		groups[f[0]] = g
		if _, taken := gids[gid]; !taken {
			gids[gid] = f[0]
		}
	})
	if err != nil {
		return err
	}
	n.users, n.uids, n.groups, n.gids, n.passwd, n.group = users, uids, groups, gids, p, g
	return nil
}

func eachRecord(file string, count int, do func(fields []string)) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(data) {
		if f := strings.Split(strings.TrimSuffix(string(line), "\n"), ":"); len(f) >= count {
			do(f)
		}
	}
	return nil
}

// ids returns the ids of an owner; an empty name is root's.
func (n *names) ids(o resource.Owner) (uid, gid int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refresh(); err != nil {
		return 0, 0, err
	}
	if o.User != "" {
		u, ok := n.users[o.User]
		if !ok {
			if uid, err = strconv.Atoi(o.User); err != nil {
				return 0, 0, fmt.Errorf("user %s does not exist on this host", o.User)
			}
		} else {
			uid = u.uid
		}
	}
	if o.Group != "" {
		g, ok := n.groups[o.Group]
		if !ok {
			if gid, err = strconv.Atoi(o.Group); err != nil {
				return 0, 0, fmt.Errorf("group %s does not exist on this host", o.Group)
			}
		} else {
			gid = g.gid
		}
	}
	return uid, gid, nil
}

// owner returns the names of ids, or the ids themselves where they have none.
func (n *names) owner(uid, gid int) resource.Owner {
	n.mu.Lock()
	defer n.mu.Unlock()
	_ = n.refresh() // without it numbers are shown, which is the truth too
	o := resource.Owner{User: strconv.Itoa(uid), Group: strconv.Itoa(gid)}
	if name, ok := n.uids[uid]; ok {
		o.User = name
	}
	if name, ok := n.gids[gid]; ok {
		o.Group = name
	}
	return o
}
