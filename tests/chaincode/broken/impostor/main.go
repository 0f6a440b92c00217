// Command impostor registers under the package ID in victim.txt, which is not
// its own. A test may write another ID there before it packages the impostor.
package main

import (
	_ "embed"
	"fmt"
	"os"
	"strings"

	"selvedge.example/broken/link"
)

//go:embed victim.txt
var victim string

func main() {
	fmt.Fprintln(os.Stderr, link.ServeAs(strings.TrimSpace(victim)))
	os.Exit(1)
}
