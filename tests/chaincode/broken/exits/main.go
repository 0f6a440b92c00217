// Command exits ends at once, before it could register.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "exits: the configuration is missing")
	fmt.Fprintln(os.Stderr, "exits: giving up with status 3")
	os.Exit(3)
}
