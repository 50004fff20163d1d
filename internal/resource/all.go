package resource

// All returns one of every resource of this package, for Register.
func All() []Resource {
	return []Resource{
		&Absent{}, &AuthorizedKeys{}, &Cert{}, &Condition{}, &Dir{}, &File{}, &Group{}, &Hostname{}, &KernelModule{},
		&Lines{}, &Link{}, &PackageIndex{}, &Packages{}, &PackagesAbsent{}, &Prune{}, &SSHKey{}, &Sysctl{},
		&Timezone{}, &Trust{}, &TunedProfile{}, &Unit{}, &UnitAbsent{}, &User{},
	}
}
