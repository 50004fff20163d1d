package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"golang.org/x/term"

	"pigsty/internal/secret"
)

// errDeclined ends a command that the user was asked about and did not want.
var errDeclined = status(exitError, "nothing was changed")

// cannotAsk says why nobody can be asked to agree to a plan, "" if somebody can.
func (a *app) cannotAsk() string {
	switch {
	case a.json:
		return "--json shows no plan to say yes to"
	case !isTerminal(a.in):
		return "there is no terminal to ask on"
	}
	return ""
}

// answer asks question on the terminal and returns the line that is typed,
// without the space around it. Ctrl-C, which ends ctx, ends the question, too;
// input that ends says errDeclined.
func (a *app) answer(ctx context.Context, question string) (string, error) {
	fmt.Fprint(a.err, question)
	line, err := await(ctx, func() (string, error) {
		return bufio.NewReader(a.in).ReadString('\n') // a terminal hands out one line at a time
	})
	if err == nil || line != "" {
		return strings.TrimSpace(line), nil
	}
	fmt.Fprintln(a.err)
	if ctx.Err() == nil {
		err = errDeclined
	}
	return "", err
}

// await returns what read does, or errInterrupted as soon as ctx ends. The read
// is then left behind, since nothing ends it.
func await[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, errInterrupted
	}
}

// typeName has the user type name before what destroys it is done.
func (a *app) typeName(ctx context.Context, what, name string) error {
	answer, err := a.answer(ctx, what+". Type its name to go on: ")
	if err == nil && answer != name {
		err = status(exitError, "that is not %s; nothing was changed", name)
	}
	return err
}

// readPassword reads a line from the terminal without showing it. Ctrl-C ends
// it and leaves the terminal as it was, whatever asks: some do so before there
// is anything else to interrupt.
func (a *app) readPassword(prompt string) (secret.Value, error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	terminal := int(os.Stdin.Fd())
	before, err := term.GetState(terminal)
	if err != nil {
		return secret.Value{}, err
	}
	fmt.Fprint(a.err, prompt)
	text, err := await(ctx, func() ([]byte, error) { return term.ReadPassword(terminal) })
	fmt.Fprintln(a.err)
	if ctx.Err() != nil {
		_ = term.Restore(terminal, before)
	}
	return secret.New(string(text)), err
}
