package link

import (
	"fmt"
	"os"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"
)

// Function answers a transaction, or does to the stream what its chaincode is
// there for. An error ends the process.
type Function func(tx *Transaction) error

// Transaction is one call.
type Transaction struct {
	*Stream
	// Channel and ID are the key of the transaction on the stream.
	Channel, ID string
	// Args are the arguments after the function's name.
	Args []string
}

// Arg is the i-th argument, or preset if the call has none there.
func (tx *Transaction) Arg(i int, preset string) string {
	if i < len(tx.Args) {
		return tx.Args[i]
	}
	return preset
}

// Message makes a message of this transaction.
func (tx *Transaction) Message(kind peer.ChaincodeMessage_Type, payload []byte) *peer.ChaincodeMessage {
	return &peer.ChaincodeMessage{Type: kind, ChannelId: tx.Channel, Txid: tx.ID, Payload: payload}
}

// Completed makes the message that ends this transaction well, with payload as
// what the client gets.
func (tx *Transaction) Completed(payload string) (*peer.ChaincodeMessage, error) {
	return tx.completed(&peer.Response{Status: 200, Payload: []byte(payload)})
}

func (tx *Transaction) completed(response *peer.Response) (*peer.ChaincodeMessage, error) {
	bytes, err := proto.Marshal(response)
	return tx.Message(peer.ChaincodeMessage_COMPLETED, bytes), err
}

// Ask sends a request of this transaction and waits for the answer. No other
// transaction may be under way: what comes for one is lost.
func (tx *Transaction) Ask(kind peer.ChaincodeMessage_Type, payload []byte) ([]byte, error) {
	if err := tx.Send(tx.Message(kind, payload)); err != nil {
		return nil, err
	}
	for {
		message, err := tx.receive()
		if err != nil {
			return nil, err
		}
		switch {
		case message.GetTxid() != tx.ID:
		case message.GetType() == peer.ChaincodeMessage_ERROR:
			return nil, fmt.Errorf("%s: %s", kind, message.GetPayload())
		default:
			return message.GetPayload(), nil
		}
	}
}

// Answer ends this transaction well.
func (tx *Transaction) Answer(payload string) error {
	message, err := tx.Completed(payload)
	if err != nil {
		return err
	}
	return tx.Send(message)
}

// refuse ends this transaction with a 500, as the shim's Error does.
func (tx *Transaction) refuse(reason string) error {
	message, err := tx.completed(&peer.Response{Status: 500, Message: reason})
	if err != nil {
		return err
	}
	return tx.Send(message)
}

// Main is Serve for a chaincode that has nothing to do without its stream: the
// process exits with 1 and the reason on stderr.
func Main(functions map[string]Function) {
	fmt.Fprintln(os.Stderr, Serve(functions))
	os.Exit(1)
}

// Serve registers under the package ID that the process was given and answers
// Ping ("pong") and the given functions until the stream ends. It returns why.
func Serve(functions map[string]Function) error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	return serve(c, functions)
}

// ServeAs is Serve for a chaincode that registers under another package ID.
func ServeAs(packageID string) error {
	c, err := loadConfig()
	if err != nil {
		return err
	}
	c.packageID = packageID
	return serve(c, nil)
}

func serve(c config, functions map[string]Function) error {
	register, err := registration(c)
	if err != nil {
		return err
	}
	stream, err := open(c, register)
	if err != nil {
		return fmt.Errorf("registering as %s: %w", c.packageID, err)
	}
	for {
		message, err := stream.receive()
		if err != nil {
			return fmt.Errorf("the stream of %s: %w", c.packageID, err)
		}
		switch message.GetType() {
		case peer.ChaincodeMessage_INIT, peer.ChaincodeMessage_TRANSACTION:
			err = call(stream, message, functions)
		case peer.ChaincodeMessage_KEEPALIVE:
			err = stream.Send(message)
		default: // REGISTERED, READY, and answers to what was not asked
			fmt.Fprintf(os.Stderr, "received %s %q\n", message.GetType(), message.GetPayload())
		}
		if err != nil {
			return err
		}
	}
}

func call(stream *Stream, message *peer.ChaincodeMessage, functions map[string]Function) error {
	input := &peer.ChaincodeInput{}
	if err := proto.Unmarshal(message.GetPayload(), input); err != nil {
		return err
	}
	tx := &Transaction{Stream: stream, Channel: message.GetChannelId(), ID: message.GetTxid()}
	name := ""
	for i, arg := range input.GetArgs() {
		if i == 0 {
			name = string(arg)
		} else {
			tx.Args = append(tx.Args, string(arg))
		}
	}
	if name == "Ping" || message.GetType() == peer.ChaincodeMessage_INIT {
		return tx.Answer("pong")
	}
	if run, known := functions[name]; known {
		return run(tx)
	}
	return tx.refuse(fmt.Sprintf("no function %q", name))
}
