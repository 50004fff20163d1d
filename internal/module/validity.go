package module

import (
	"time"

	"pigsty/internal/param"
)

// Validity reads how long certificates are valid, such as 365d or 1y: twenty years,
// the default of cert_validity, where nothing is written.
func Validity(text string) time.Duration {
	length, err := param.Days(text)
	if err != nil {
		return 7300 * 24 * time.Hour
	}
	return length
}
