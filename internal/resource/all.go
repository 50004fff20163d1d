package resource

// All returns one of every resource of this package, for Register.
func All() []Resource {
	return []Resource{
		&Absent{}, &AddressFree{}, &AuthorizedKeys{}, &Cert{}, &CertReport{}, &Condition{}, &Dir{}, &File{}, &Firewall{}, &Group{}, &Hostname{}, &Htpasswd{}, &Impossible{}, &KernelArguments{}, &KernelModule{},
		&Lines{}, &Link{}, &Membership{}, &Original{}, &PackageIndex{}, &Packages{}, &PackagesAbsent{}, &Prune{}, &SELinux{}, &SSHKey{}, &SwapOff{}, &Sysctl{},
		&Timezone{}, &Trust{}, &TunedProfile{}, &Unit{}, &UnitAbsent{}, &User{}, &Venv{},
	}
}
