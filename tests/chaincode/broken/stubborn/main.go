// Command stubborn is sound but for one thing: neither SIGTERM nor the end of
// its stream ends it, only SIGKILL does.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"selvedge.example/broken/link"
)

func main() {
	// A write to a stderr that nobody reads any more would end it, too.
	signal.Ignore(syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)

	go func() { fmt.Fprintln(os.Stderr, link.Serve(nil)) }()
	for range terminated {
		fmt.Fprintln(os.Stderr, "stubborn: SIGTERM ignored")
	}
}
