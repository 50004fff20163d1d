// Package host is the Linux host that the agent runs on, seen through the
// interfaces of package resource: files, systemd, packages, accounts, commands.
//
// It needs root and, to add users, what a minimal image may lack: useradd and
// its kin.
package host

import (
	"fmt"

	"pigsty/internal/resource"
)

// Open looks at the host and returns it with its manifest. control receives the
// progress of package transactions.
func Open(control resource.Control) (*resource.Host, error) {
	facts, err := Gather()
	if err != nil {
		return nil, fmt.Errorf("find out what this host is: %w", err)
	}
	names := &names{}
	files := &files{names: names}
	manifest, err := resource.LoadManifest(files)
	if err != nil {
		return nil, err
	}
	facts.Units = manifest.Units()
	commands := &commands{names: names}
	h := &resource.Host{
		Files: files, Units: &units{commands: commands}, Accounts: &accounts{names: names, commands: commands},
		Commands: commands, Network: network{}, Control: control, Manifest: manifest, Facts: facts, Session: session(),
	}
	switch facts.Family {
	case "rpm":
		h.Packages = &offered{PackageManager: &rpm{commands: commands, control: control}, index: dnfIndex, file: offersFile}
	default:
		h.Packages = &offered{PackageManager: &deb{commands: commands, control: control}, index: aptIndex, file: offersFile}
	}
	return h, nil
}
