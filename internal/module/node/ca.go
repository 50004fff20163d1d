package node

import (
	"path"

	"pigsty/internal/module"
	"pigsty/internal/plan"
	"pigsty/internal/resource"
)

// CAFile is where every node has the certificate of the deployment's CA.
const CAFile = "/etc/pki/ca.crt"

// CA adds the certificate of the deployment's CA. Other modules that are asked
// for by themselves add the same steps.
func CA(b *plan.Builder, s *module.Site) {
	if len(s.CA) > 0 {
		b.Early().Add(&resource.Dir{Path: path.Dir(CAFile)}, resource.NewFile(CAFile, s.CA))
	}
}

// authority makes the host trust the deployment's CA.
func authority(b *plan.Builder, s *module.Site) {
	b = b.Tag("node_ca")
	CA(b, s)
	if len(s.CA) > 0 {
		b.Add(&resource.Trust{Name: "ca", CA: s.CA})
	}
}
