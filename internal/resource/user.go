package resource

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// User is a user of the host. What is empty is left as the host has it or, for
// a new user, chooses it.
type User struct {
	Name   string
	UID    int  // 0: any
	KeepID bool // a user that exists keeps its id, and UID is for a new one only
	Group  string
	Groups []string // supplementary groups to be in, besides those the user is in already
	Home   string
	Shell  string
	System bool
	// KeepHome leaves home and shell of a user that exists as they are.
	KeepHome bool
}

var (
	_ Resource = (*User)(nil)
	_ Requirer = (*User)(nil)
)

// Key returns "user " and the name.
func (u *User) Key() string { return "user " + u.Name }

// Requires returns the user's groups.
func (u *User) Requires() []string {
	var keys []string
	for _, g := range append([]string{u.Group}, u.Groups...) {
		if g != "" {
			keys = append(keys, "group "+g)
		}
	}
	return keys
}

// Diff compares attribute by attribute. An existing user with another id is an
// error: files would belong to nobody after a silent change.
func (u *User) Diff(_ context.Context, h *Host) (Change, error) {
	have, ok, err := h.Accounts.User(u.Name)
	if err != nil {
		return Change{}, err
	}
	if ok && u.UID != 0 && have.UID != u.UID && !u.KeepID {
		return Change{}, fmt.Errorf("user %s exists with uid %d, not %d: set the inventory to %d, or change it by hand "+
			"while nothing of the user runs (usermod -u %d %s, then chown its files)", u.Name, have.UID, u.UID, have.UID, u.UID, u.Name)
	}
	var c Change
	want := u.account(have)
	if !ok && want.UID != 0 {
		c.Differs("uid", "", strconv.Itoa(want.UID))
	}
	c.Differs("group", have.Group, want.Group)
	c.Differs("groups", strings.Join(have.Groups, ","), strings.Join(want.Groups, ","))
	c.Differs("home", have.Home, want.Home)
	c.Differs("shell", have.Shell, want.Shell)
	if !ok {
		c.Action, c.Reason = Create, "does not exist"
	}
	return c, nil
}

// Apply adds or modifies the user. Its files stay where they are.
func (u *User) Apply(ctx context.Context, h *Host) error {
	have, ok, err := h.Accounts.User(u.Name)
	if err != nil {
		return err
	}
	if !ok {
		return h.Accounts.AddUser(ctx, u.account(Account{}))
	}
	return h.Accounts.ModifyUser(ctx, u.account(have))
}

// account is have with what u asks for.
func (u *User) account(have Account) Account {
	a := have
	a.Name, a.System = u.Name, u.System
	if u.UID != 0 && (have.Name == "" || !u.KeepID) {
		a.UID = u.UID
	}
	if u.Group != "" {
		a.Group = u.Group
	}
	keep := u.KeepHome && have.Name != ""
	if u.Home != "" && !keep {
		a.Home = u.Home
	}
	if u.Shell != "" && !keep {
		a.Shell = u.Shell
	}
	own := cmp.Or(a.Group, u.Name) // what a new user's first group is called
	a.Groups = slices.Clone(have.Groups)
	for _, g := range u.Groups {
		if !slices.Contains(a.Groups, g) && g != own {
			a.Groups = append(a.Groups, g)
		}
	}
	slices.Sort(a.Groups)
	return a
}
