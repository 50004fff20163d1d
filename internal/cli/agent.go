package cli

import (
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"pigsty/internal/agent"
	"pigsty/internal/host"
	"pigsty/internal/resource"
)

func (a *app) agentCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "agent",
		Hidden: true,
		Short:  "Work on this host for the control side (started over SSH by the other commands)",
		Args:   cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			signal.Ignore(syscall.SIGPIPE, syscall.SIGHUP, os.Interrupt) // the connection says when to stop
			registerResources()
			rw := struct {
				io.Reader
				io.Writer
			}{a.in, a.out}
			return agent.Serve(c.Context(), rw, func(ctl resource.Control) (*resource.Host, error) { return host.Open(ctl) })
		},
	}
}
