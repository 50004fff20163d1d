//go:build !linux

package postgres

import (
	"context"
	"net"
)

// dialAs connects as the current user: agents run on Linux only.
func dialAs(ctx context.Context, path string, _, _ int) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "unix", path)
}
