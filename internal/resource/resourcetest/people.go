package resourcetest

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"pigsty/internal/resource"
)

// People are users and groups in memory.
type People struct {
	mu     sync.Mutex
	users  map[string]resource.Account
	groups map[string]int
	next   int
}

var _ resource.Accounts = (*People)(nil)

// User implements resource.Accounts.
func (p *People) User(name string) (resource.Account, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.users[name]
	a.Groups = slices.Clone(a.Groups)
	return a, ok, nil
}

// Group implements resource.Accounts.
func (p *People) Group(name string) (int, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	gid, ok := p.groups[name]
	return gid, ok, nil
}

func (p *People) id(want int) int {
	if want != 0 {
		return want
	}
	p.next++
	return 999 + p.next
}

// AddGroup implements resource.Accounts.
func (p *People) AddGroup(_ context.Context, name string, gid int, _ bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.groups[name]; ok {
		return fmt.Errorf("group %s exists already", name)
	}
	p.groups[name] = p.id(gid)
	return nil
}

// AddUser implements resource.Accounts. Like useradd it makes a group of the
// user's name when none is asked for.
func (p *People) AddUser(_ context.Context, a resource.Account) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.users[a.Name]; ok {
		return fmt.Errorf("user %s exists already", a.Name)
	}
	a.UID = p.id(a.UID)
	if a.Group == "" {
		a.Group = a.Name
		p.groups[a.Name] = a.UID
	}
	if a.Home == "" {
		a.Home = "/home/" + a.Name
	}
	if a.Shell == "" {
		a.Shell = "/bin/sh"
	}
	return p.put(a)
}

// ModifyUser implements resource.Accounts.
func (p *People) ModifyUser(_ context.Context, a resource.Account) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.users[a.Name]; !ok {
		return fmt.Errorf("user %s does not exist", a.Name)
	}
	return p.put(a)
}

func (p *People) put(a resource.Account) error {
	for _, g := range append([]string{a.Group}, a.Groups...) {
		if _, ok := p.groups[g]; !ok {
			return fmt.Errorf("group %s does not exist", g)
		}
	}
	a.Groups = slices.Clone(a.Groups)
	slices.Sort(a.Groups)
	a.System = false // nothing on a host says so afterwards
	p.users[a.Name] = a
	return nil
}

// RemoveUser implements resource.Accounts.
func (p *People) RemoveUser(_ context.Context, name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.users, name)
	return nil
}
