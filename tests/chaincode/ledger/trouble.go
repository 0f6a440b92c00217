package main

// Transactions that take long, ones that take the process with them, and what
// they leave behind.

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// leftBehind takes the place where a goroutine that Leave left behind is to say
// what it was told.
var leftBehind = make(chan chan<- string)

// maxDelay bounds a slow call, well above a peer's executetimeout (30 s).
const maxDelay = 10 * time.Minute

// slow reads key, waits, and answers what it read: until then it has only read
// by key. A key without a value is answered by an empty payload.
func slow(stub stub, args []string) ([]byte, error) {
	pause, err := delay(args[0])
	if err != nil {
		return nil, err
	}
	value, err := stub.GetState(args[1])
	if err != nil {
		return nil, err
	}
	time.Sleep(pause)
	return value, nil
}

// slowPut writes first and waits then: a transaction in flight that may not be
// run again by anyone but the client.
func slowPut(stub stub, args []string) ([]byte, error) {
	pause, err := delay(args[0])
	if err != nil {
		return nil, err
	}
	if err := stub.PutState(args[1], []byte(args[2])); err != nil {
		return nil, err
	}
	time.Sleep(pause)
	return nil, nil
}

func delay(milliseconds string) (time.Duration, error) {
	n, err := strconv.Atoi(milliseconds)
	if err != nil {
		return 0, err
	}
	pause := time.Duration(n) * time.Millisecond
	if pause < 0 || pause > maxDelay {
		return 0, fmt.Errorf("%d ms is not in 0..%d", n, maxDelay.Milliseconds())
	}
	return pause, nil
}

// crash ends the process in the middle of the transaction.
func crash(stub stub, _ []string) ([]byte, error) {
	fmt.Fprintf(os.Stderr, "ledger: crash on demand in transaction %s\n", stub.GetTxID())
	os.Exit(42)
	return nil, nil
}

// panics ends the process as a programming error would: with a Go trace.
func panics(stub stub, _ []string) ([]byte, error) {
	panic("ledger: panic on demand in transaction " + stub.GetTxID())
}

// leave leaves a goroutine behind, as a chaincode does that forgot one of its own:
// when Recall wants it to, it asks for key in a transaction that has ended.
func leave(stub stub, args []string) ([]byte, error) {
	go func() {
		told := <-leftBehind
		value, err := stub.GetState(args[0])
		if err != nil {
			told <- "refused: " + err.Error()
			return
		}
		told <- "answered: " + string(value)
	}()
	return nil, nil
}

// recall has such a goroutine ask, and returns what it was told.
func recall(stub, []string) ([]byte, error) {
	told := make(chan string, 1)
	select {
	case leftBehind <- told:
		return []byte(<-told), nil
	case <-time.After(10 * time.Second):
		return nil, errors.New("nothing was left behind")
	}
}
