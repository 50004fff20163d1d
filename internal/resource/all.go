package resource

// All returns one of every resource of this package, for Register.
func All() []Resource {
	return []Resource{
		&Absent{}, &AddressFree{}, &Aside{}, &AuthorizedKeys{}, &Cert{}, &CertReport{}, &Certbot{}, &Condition{}, &Dir{}, &File{}, &Firewall{}, &Group{}, &HandBack{}, &Hostname{}, &Htpasswd{}, &Impossible{}, &KernelArguments{}, &KernelModule{},
		&Lines{}, &Link{}, &Membership{}, &Original{}, &PackageIndex{}, &Packages{}, &PackagesAbsent{}, &Prune{}, &Reserve{}, &RouterFree{}, &SELinux{}, &SELinuxBoolean{}, &SSHCert{}, &SSHKey{}, &SwapOff{}, &Sysctl{},
		&Timezone{}, &Trust{}, &TunedFormer{}, &TunedProfile{}, &Unit{}, &UnitAbsent{}, &UnitReport{}, &User{}, &Venv{},
	}
}
