// Command greedy has others keep as much for it as they will.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/hyperledger/fabric-protos-go-apiv2/peer"
	"google.golang.org/protobuf/proto"

	"selvedge.example/broken/link"
)

const (
	mebibyte = 1 << 20
	// announced is the longest message that a peer takes, in bytes.
	announced = 100 * mebibyte
	// sent is how much of it is ever sent.
	sent = 99 * mebibyte
	// maxStreams bounds one Swell.
	maxStreams = 64
)

func main() {
	link.Main(map[string]link.Function{"Store": store, "Gorge": gorge, "Swell": swell})
}

// store writes a value of so many bytes: ["Store","key","10485760"].
func store(tx *link.Transaction) error {
	size, err := strconv.Atoi(tx.Arg(1, ""))
	if err != nil {
		return err
	}
	put := &peer.PutState{Key: tx.Arg(0, "key"), Value: bytes.Repeat([]byte("x"), size)}
	payload, err := proto.Marshal(put)
	if err != nil {
		return err
	}
	if _, err := tx.Ask(peer.ChaincodeMessage_PUT_STATE, payload); err != nil {
		return err
	}
	return tx.Answer("")
}

// gorge asks for a value again and again, for so many milliseconds, and reads no
// answer: once the stream's window is full, nobody gives it another one.
func gorge(tx *link.Transaction) error {
	milliseconds, err := strconv.Atoi(tx.Arg(1, ""))
	if err != nil {
		return err
	}
	payload, err := proto.Marshal(&peer.GetState{Key: tx.Arg(0, "key")})
	if err != nil {
		return err
	}
	// The peer drops what is asked before it has answered, so there is no harm in
	// asking too soon.
	const pause = 2 * time.Millisecond
	for end := time.Now().Add(time.Duration(milliseconds) * time.Millisecond); time.Now().Before(end); {
		if err := tx.Send(tx.Message(peer.ChaincodeMessage_GET_STATE, payload)); err != nil {
			return err
		}
		time.Sleep(pause)
	}
	return tx.Answer("")
}

// swell opens so many streams, registers on each if it is told to ("registered"),
// and sends a message of each that never ends: ["Swell","8","unregistered"].
func swell(tx *link.Transaction) error {
	streams, err := strconv.Atoi(tx.Arg(0, ""))
	if err != nil || streams > maxStreams {
		return fmt.Errorf("%q is no number of streams", tx.Arg(0, ""))
	}
	register := tx.Arg(1, "") == "registered"
	for range streams {
		go func() { fmt.Fprintln(os.Stderr, "swell:", neverEnd(register)) }()
	}
	return tx.Answer("")
}

// neverEnd returns why it could send no more; the stream stays open.
func neverEnd(register bool) error {
	stream, err := link.Dial()
	if err != nil {
		return err
	}
	if register {
		if err := stream.Register(); err != nil {
			return err
		}
	}
	if err := stream.SendFrame(announced, nil); err != nil {
		return err
	}
	chunk := bytes.Repeat([]byte("x"), mebibyte)
	for range sent / mebibyte {
		if err := stream.SendBytes(chunk); err != nil {
			return err
		}
	}
	return nil
}
