// Pigsty turns plain Linux hosts into a PostgreSQL service from one declarative inventory.
package main

import (
	"os"

	"pigsty/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
