package resource

import (
	"context"
	"fmt"
	"slices"
)

// Membership is a user, whom others manage, in one more group.
type Membership struct {
	User, Group string
}

var (
	_ Resource = (*Membership)(nil)
	_ Requirer = (*Membership)(nil)
)

// Key returns "membership ", the user and the group.
func (m *Membership) Key() string { return "membership " + m.User + " " + m.Group }

// Requires returns the user and the group.
func (m *Membership) Requires() []string { return []string{"user " + m.User, "group " + m.Group} }

// Diff is unknown while the user does not exist.
func (m *Membership) Diff(_ context.Context, h *Host) (Change, error) {
	have, ok, err := h.Accounts.User(m.User)
	if err != nil {
		return Change{}, err
	}
	if !ok {
		if _, coming := h.Pending("user " + m.User); coming {
			return Change{Unknown: "after user " + m.User + " is there"}, nil
		}
		return Change{}, fmt.Errorf("user %s, who is to be in group %s, does not exist", m.User, m.Group)
	}
	var c Change
	if have.Group != m.Group && !slices.Contains(have.Groups, m.Group) {
		c.Differs("member", yes(false), yes(true))
	}
	return c, nil
}

// Apply adds the user to the group.
func (m *Membership) Apply(ctx context.Context, h *Host) error {
	have, ok, err := h.Accounts.User(m.User)
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("user %s, who is to be in group %s, does not exist", m.User, m.Group)
	}
	if have.Group == m.Group || slices.Contains(have.Groups, m.Group) {
		return nil
	}
	have.Groups = append(slices.Clone(have.Groups), m.Group)
	return h.Accounts.ModifyUser(ctx, have)
}
