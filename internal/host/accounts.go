package host

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"

	"pigsty/internal/resource"
)

// accounts are the users and groups in /etc/passwd and /etc/group.
type accounts struct {
	names    *names
	commands *commands
}

var _ resource.Accounts = (*accounts)(nil)

// User implements resource.Accounts.
func (a *accounts) User(name string) (resource.Account, bool, error) {
	n := a.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refresh(); err != nil {
		return resource.Account{}, false, err
	}
	u, ok := n.users[name]
	if !ok {
		return resource.Account{}, false, nil
	}
	out := resource.Account{Name: name, UID: u.uid, Group: strconv.Itoa(u.gid), Home: u.home, Shell: u.shell}
	if g, ok := n.gids[u.gid]; ok {
		out.Group = g
	}
	for g, record := range n.groups {
		if slices.Contains(record.members, name) && g != out.Group {
			out.Groups = append(out.Groups, g)
		}
	}
	slices.Sort(out.Groups)
	return out, true, nil
}

// Group implements resource.Accounts.
func (a *accounts) Group(name string) (int, bool, error) {
	n := a.names
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.refresh(); err != nil {
		return 0, false, err
	}
	g, ok := n.groups[name]
	return g.gid, ok, nil
}

// AddGroup implements resource.Accounts.
func (a *accounts) AddGroup(ctx context.Context, name string, gid int, system bool) error {
	args := []string{"groupadd"}
	if gid != 0 {
		args = append(args, "-g", strconv.Itoa(gid))
	}
	if system {
		args = append(args, "-r")
	}
	return a.exec(ctx, append(args, name)...)
}

// AddUser implements resource.Accounts. The home directory is made with the user.
func (a *accounts) AddUser(ctx context.Context, u resource.Account) error {
	args := []string{"useradd", "-m"}
	if u.UID != 0 {
		args = append(args, "-u", strconv.Itoa(u.UID))
	}
	if u.System {
		args = append(args, "-r")
	}
	if u.Group != "" {
		args = append(args, "-g", u.Group)
	} else if _, taken, err := a.Group(u.Name); err != nil {
		return err
	} else if taken {
		args = append(args, "-g", u.Name)
	} else {
		args = append(args, "-U")
	}
	return a.exec(ctx, append(append(args, about(u)...), u.Name)...)
}

// ModifyUser implements resource.Accounts. The user's files stay where they are.
func (a *accounts) ModifyUser(ctx context.Context, u resource.Account) error {
	args := append([]string{"usermod"}, about(u)...)
	if u.Group != "" {
		args = append(args, "-g", u.Group)
	}
	return a.exec(ctx, append(args, u.Name)...)
}

// RemoveUser implements resource.Accounts. The home directory stays.
func (a *accounts) RemoveUser(ctx context.Context, name string) error {
	if _, ok, err := a.User(name); err != nil || !ok {
		return err
	}
	return a.exec(ctx, "userdel", name)
}

// about are the options that useradd and usermod share.
func about(u resource.Account) []string {
	var args []string
	if len(u.Groups) > 0 {
		args = append(args, "-G", strings.Join(u.Groups, ","))
	}
	if u.Home != "" {
		args = append(args, "-d", u.Home)
	}
	if u.Shell != "" {
		args = append(args, "-s", u.Shell)
	}
	return args
}

func (a *accounts) exec(ctx context.Context, args ...string) error {
	_, err := a.commands.Run(ctx, resource.Command{Args: args})
	if errors.Is(err, exec.ErrNotFound) {
		err = fmt.Errorf("%w: install package passwd (shadow-utils on EL), which minimal images lack", err)
	}
	return err
}
