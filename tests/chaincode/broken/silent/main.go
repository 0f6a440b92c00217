// Command silent never registers; it runs until SIGTERM and says that it came.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	fmt.Fprintln(os.Stderr, "silent: running without a word to the peer")
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	<-terminated
	fmt.Fprintln(os.Stderr, "silent: ended by SIGTERM")
}
