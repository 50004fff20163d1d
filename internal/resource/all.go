package resource

// All returns one of every resource of this package, for Register.
func All() []Resource {
	return []Resource{
		&Absent{}, &AuthorizedKeys{}, &Cert{}, &Condition{}, &Dir{}, &File{}, &Group{}, &Hostname{}, &Htpasswd{}, &Impossible{}, &KernelModule{},
		&Lines{}, &Link{}, &Membership{}, &PackageIndex{}, &Packages{}, &PackagesAbsent{}, &Prune{}, &SSHKey{}, &Sysctl{},
		&Timezone{}, &Trust{}, &TunedProfile{}, &Unit{}, &UnitAbsent{}, &User{},
	}
}
