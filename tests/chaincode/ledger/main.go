// Command ledger is the contract that Selvedge's demo and end-to-end suites
// install: reads, writes, private data and events, and calls that are slow,
// large or fatal on demand.
//
// It uses the plain shim, runs under Fabric v2.5 and v3.1 peers, and takes
// calls in the peer CLI's form: {"Args":["Put","key","value"]}.
package main

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-chaincode-go/v2/shim"
)

func main() {
	fmt.Fprintf(os.Stderr, "ledger: process %d starts\n", os.Getpid())
	if reason := os.Getenv("LEDGER_FAILS"); reason != "" {
		fmt.Fprintf(os.Stderr, "ledger: %s\n", reason)
		os.Exit(3)
	}
	if err := shim.Start(contract{}); err != nil {
		fmt.Fprintf(os.Stderr, "ledger: %v\n", err)
		os.Exit(1)
	}
}
