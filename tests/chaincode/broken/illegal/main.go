// Command illegal sends messages that a chaincode has no business to send.
package main

import (
	"fmt"
	"strconv"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/encoding/protowire"

	"selvedge.example/broken/link"
)

func main() {
	link.Main(map[string]link.Function{"Illegal": illegal, "Unknown": unknown})
}

// illegal sends a message of the type that its argument names, or numbers:
// ["Illegal","REGISTER"], ["Illegal","999"]. The transaction gets no answer.
func illegal(tx *link.Transaction) error {
	name := tx.Arg(0, "TRANSACTION")
	kind, known := peer.ChaincodeMessage_Type_value[name]
	if !known {
		number, err := strconv.ParseInt(name, 10, 32)
		if err != nil {
			return fmt.Errorf("no message type %q", name)
		}
		kind = int32(number)
	}
	return tx.Send(tx.Message(peer.ChaincodeMessage_Type(kind), nil))
}

// unknown answers "pong" in a message with a field that no version of the
// protocol knows: legal, for a receiver has to pass over it.
func unknown(tx *link.Transaction) error {
	message, err := tx.Completed("pong")
	if err != nil {
		return err
	}
	field := protowire.AppendTag(nil, 1000, protowire.BytesType)
	message.ProtoReflect().SetUnknown(protowire.AppendString(field, "from the future"))
	return tx.Send(message)
}
