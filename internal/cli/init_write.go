package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"pigsty/internal/conf"
)

// placeholder is the address of the admin node in templates. A machine that has
// it is meant by it.
var placeholder = netip.MustParseAddr("10.10.10.10")

// writeInventory fills in a template and writes it.
func (a *app) writeInventory(ctx context.Context, f *initFlags) error {
	t, err := f.lookup()
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if _, err := os.Lstat(f.output); err == nil && !f.replace {
		return existsError(f.output)
	}
	m, err := conf.ThisMachine(ctx)
	if err != nil {
		return err
	}
	addresses, chosen, err := a.chooseAddresses(ctx, f, t, m)
	if err != nil {
		return err
	}
	values, why := f.values(t, m, addresses)
	if chosen.Name != "" {
		why = append([]decision{chosen}, why...)
	}
	filled, err := t.Fill(values)
	if err != nil {
		return status(exitInvalid, "%v", err)
	}
	kept, err := a.save(f, filled.Text)
	if err != nil {
		return err
	}
	checks, err := a.preflight(ctx, m, filled.Text)
	if err != nil {
		return err
	}
	report := initReport{Type: "init", File: f.output, Kept: kept, Template: t.Name, Hosts: filled.Hosts, Left: filled.Left,
		Passwords: filled.Passwords, Decisions: why}
	if t.Fixed {
		report.Left = nil
	}
	if a.json {
		return a.initJSON(&report, checks)
	}
	a.printInit(&report, checks)
	return nil
}

func existsError(file string) error {
	return fmt.Errorf("%s exists: name another file with -o, or replace it with --force, which keeps it as %s.bak", file, file)
}

// chooseAddresses returns the addresses to fill in, and where the first is from
// unless it was given.
func (a *app) chooseAddresses(ctx context.Context, f *initFlags, t conf.Template, m conf.Machine) ([]netip.Addr, decision, error) {
	given, err := f.given()
	switch {
	case err != nil:
		return nil, decision{}, err
	case len(given) > 0:
		return given, decision{}, nil
	case f.keepAddresses || t.Fixed:
		return nil, decision{"address", t.Hosts[0].String(), "that of the template"}, nil
	case m.Has(placeholder):
		return []netip.Addr{placeholder}, decision{"address", placeholder.String(), "which this machine has"}, nil
	case len(m.Addresses) == 0:
		return nil, decision{}, fmt.Errorf("this machine has no IPv4 address by which others could reach it: name one with -i IP, or keep the template's with -s")
	case len(m.Addresses) == 1:
		only := m.Addresses[0]
		return []netip.Addr{only.IP}, decision{"address", only.IP.String(), "of " + only.Interface}, nil
	case f.unattended || !isTerminal(a.in):
		return nil, decision{}, fmt.Errorf("this machine has several addresses: say which with -i\n%s", strings.TrimSuffix(addressList(m.Addresses), "\n"))
	}
	fmt.Fprintf(a.err, "This machine has several addresses:\n%s", addressList(m.Addresses))
	picked, err := pickAddress(func(question string) (string, error) { return a.answer(ctx, question) }, m.Addresses)
	if err != nil {
		return nil, decision{}, err
	}
	return []netip.Addr{picked.IP}, decision{"address", picked.IP.String(), "of " + picked.Interface}, nil
}

func addressList(list []conf.Address) string {
	var b strings.Builder
	for i, at := range list {
		fmt.Fprintf(&b, "  %d  %-15s  %s", i+1, at.IP, at.Interface)
		if at.Default {
			b.WriteString(", where the default route leads")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// pickAddress asks until the answer is one of list, by its number or itself.
func pickAddress(ask func(question string) (string, error), list []conf.Address) (conf.Address, error) {
	for {
		answer, err := ask(fmt.Sprintf("By which is it to be reached? [1-%d] ", len(list)))
		if err != nil {
			return conf.Address{}, err
		}
		for i, at := range list {
			if answer == at.IP.String() || answer == strconv.Itoa(i+1) {
				return at, nil
			}
		}
	}
}

// save writes the inventory, for its owner only, with the schema that its first
// line names. It returns what a file that was there is called now.
func (a *app) save(f *initFlags, text []byte) (kept string, err error) {
	dir := filepath.Dir(f.output)
	state := (&deployment{dir: dir}).stateDir()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return "", err
	}
	schema, err := a.catalogue().Schema()
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(state, "schema.json"), append(schema, '\n'), 0o644); err != nil {
		return "", err
	}
	tmp, err := os.CreateTemp(dir, filepath.Base(f.output)+".*") // with mode 0600
	if err != nil {
		return "", err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(text)
	if err := errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return "", err
	}
	if f.replace {
		kept, err = keep(f.output)
	} else if err = reserve(f.output); errors.Is(err, fs.ErrExist) {
		err = existsError(f.output) // since it was looked for
	}
	if err != nil {
		return "", err
	}
	return kept, os.Rename(tmp.Name(), f.output)
}

// reserve makes an empty file, and fails where there is one.
func reserve(file string) error {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// keep renames file to file.bak, or the first of file.bak.2 and so on that is
// free: it may hold the only copy of passwords that are in use. Without a file
// it returns "".
func keep(file string) (string, error) {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	for n := 1; ; n++ {
		name := file + ".bak"
		if n > 1 {
			name += "." + strconv.Itoa(n)
		}
		switch err := reserve(name); {
		case errors.Is(err, fs.ErrExist):
			continue
		case err != nil:
			return "", err
		}
		if err := os.Rename(file, name); err != nil {
			return "", err
		}
		return name, os.Chmod(name, 0o600)
	}
}
