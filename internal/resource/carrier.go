package resource

// Carrier is a resource whose content stays on the control side until the agent
// asks for it by its hash, so that a plan sends nothing that a host has.
type Carrier interface {
	// Blob returns the SHA-256 of the content in hex, and the content.
	Blob() (hash string, content []byte)
}

var _ Carrier = (*File)(nil)

// Blob returns what the file is to hold.
func (f *File) Blob() (string, []byte) { return f.Hash, f.content }
