// Package param turns declarations into everything that is known about a
// parameter. A parameter is declared once, as a field of a module's Params
// struct; its tags give default, validation, JSON Schema, reference page and
// the text that explains it at the terminal.
//
// # Tags
//
// On a field of a Params struct or of a structured object:
//
//	param     its name in the inventory; fields without it are not read
//	default   the text of a string, else YAML in flow style; "@name" takes it
//	          from the module's defaults file
//	doc       what it means, one or more sentences
//	idle      why this version does nothing with it: a sentence without capital
//	          and period. Validation says so where it is written
//	group     section of the reference page; level: where it is usually set
//	aka       names that older inventories use for it, comma separated
//	required  "true": an object must have this field
//	bare      "true": an object may be written as this field's value alone
//	enum      the only values allowed; fold:"true" ignores case
//	usual     values that are offered and near misses of which are warned of; any other is allowed
//	min, max  bounds of a number
//	pattern   regular expression that a text must match, described by form
//	format    a named form of text or range of numbers, listed in format.go
//	unique    of a list: the field whose value must differ between items
//	key       of a mapping: format of its keys
//	secrets   of a mapping to Setting: patterns of the keys that hold secrets
//
// A default of "" is the empty string, and so differs from none at all.
// Tags about a single value apply to the items of a list or mapping. A field
// named _ carries what concerns the object itself: doc, param for a name other
// than that of the Go type, and object:"tuple" for one that may be written as a
// list of its fields in order. A field of type
// diag.Pos is filled with the place where the object was written.
//
// # Types
//
// string, bool, int, float64, secret.Value, Setting, structs, and lists and
// mappings of these; mappings have string or int keys. A pointer is nil when
// nothing was written and there is no default.
package param

import "pigsty/internal/diag"

// Module is a module's declaration.
type Module struct {
	Name     string            // "PGSQL"
	Doc      string            // what the module manages, for the reference page
	Params   any               // zero value of the struct whose fields are its parameters
	Defaults []byte            // YAML mapping from which "@name" defaults are taken
	Groups   map[string]string // what a group of parameters is about
	Prefixes []string          // such as "pg_": names that begin so can only be this module's
	Obsolete map[string]string // parameters of older versions that no longer do anything, with the reason
}

// Checker is implemented by structured objects that have rules about more than
// one field. Check is called on an object whose fields are all valid.
type Checker interface {
	Check(*diag.List)
}
