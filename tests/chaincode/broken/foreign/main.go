// Command foreign sends messages for a transaction that it was not given.
package main

import (
	"strings"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"selvedge.example/broken/link"
)

func main() {
	link.Main(map[string]link.Function{"PutState": putState, "Completed": completed})
}

// putState writes a key ("stolen") in the foreign transaction, then answers its
// own: ["PutState"], or ["PutState",txid,channel].
func putState(tx *link.Transaction) error {
	payload, err := proto.Marshal(&peer.PutState{Key: "stolen", Value: []byte("by foreign")})
	if err != nil {
		return err
	}
	if err := tx.Send(other(tx).Message(peer.ChaincodeMessage_PUT_STATE, payload)); err != nil {
		return err
	}
	return tx.Answer("sent PUT_STATE")
}

// completed ends the foreign transaction, then answers its own: ["Completed"],
// or ["Completed",txid,channel].
func completed(tx *link.Transaction) error {
	if err := other(tx).Answer("stolen"); err != nil {
		return err
	}
	return tx.Answer("sent COMPLETED")
}

// other is the transaction that the arguments name: one that does not exist,
// on the same channel, if they name none.
func other(tx *link.Transaction) *link.Transaction {
	nobody := strings.Repeat("f", 64)
	return &link.Transaction{Stream: tx.Stream, ID: tx.Arg(0, nobody), Channel: tx.Arg(1, tx.Channel)}
}
