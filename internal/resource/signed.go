package resource

// Signed is a resource that has the control side sign something while it is
// applied, see Control.Sign.
type Signed interface {
	Resource
	// SignedByControl only marks the resource.
	SignedByControl()
}

// SignedByControl marks Cert as a resource whose certificate the CA signs.
func (t *Cert) SignedByControl() {}

var _ Signed = (*Cert)(nil)
