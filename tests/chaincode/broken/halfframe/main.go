// Command halfframe puts on the wire what is no gRPC message.
package main

import (
	"fmt"
	"math"
	"strings"

	"selvedge.example/broken/link"
)

func main() {
	link.Main(map[string]link.Function{"Half": half, "Huge": huge, "Garbage": garbage})
}

// half sends half of a message and then, as its argument says, ends the stream
// ("end", the preset), resets it ("cut"), or leaves it open ("hang").
func half(tx *link.Transaction) error {
	const announced = 1000
	if err := tx.SendFrame(announced, []byte(strings.Repeat("x", announced/2))); err != nil {
		return err
	}
	switch then := tx.Arg(0, "end"); then {
	case "end":
		return tx.End()
	case "cut":
		return tx.Cut()
	case "hang":
		return nil
	default:
		return fmt.Errorf("no way %q to go on", then)
	}
}

// huge announces a message of 4 GiB.
func huge(tx *link.Transaction) error {
	return tx.SendFrame(math.MaxUint32, []byte("the first bytes"))
}

// garbage sends a whole gRPC message that is no ChaincodeMessage.
func garbage(tx *link.Transaction) error {
	bytes := []byte(strings.Repeat("\xff", 64))
	return tx.SendFrame(uint32(len(bytes)), bytes)
}
