package module

// Repository is the deployment's own software repository as one of its hosts
// reaches it.
type Repository struct {
	URL   string   // http://10.10.10.10:80/pigsty, or with file: on the host that has it
	After []string // IDs of the steps that make it reachable
}

// Repository returns the repository that h installs from besides those that its
// system is configured with, nil if there is none for its system.
func (s *Site) Repository(h *Host) *Repository {
	for _, m := range s.Modules {
		if m.Repository == nil {
			continue
		}
		if r := m.Repository(s, h); r != nil {
			return r
		}
	}
	return nil
}
