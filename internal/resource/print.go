package resource

// String returns the file's key: its content, which may hold secrets, is not printed.
func (f *File) String() string { return f.Key() }

// GoString returns what String returns, so that %#v shows nothing more.
func (f *File) GoString() string { return f.Key() }
