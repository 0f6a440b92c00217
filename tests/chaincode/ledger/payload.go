package main

// Payloads of any size, in both directions.

import (
	"bytes"
	"fmt"
	"strconv"
)

// maxSize bounds a payload, in bytes. It is well above the 100 MiB of a peer's
// gRPC message, so that a test can go over that limit.
const maxSize = 256 << 20

const alphabet = "abcdefghijklmnopqrstuvwxyz"

// echo returns its argument. A peer sends a call's arguments twice in one
// message, in the proposal and as the input, so over 50 MiB never arrive.
func echo(_ stub, args []string) ([]byte, error) {
	return []byte(args[0]), nil
}

// big returns size bytes: the alphabet, over and over.
func big(_ stub, args []string) ([]byte, error) {
	return pattern(args[0])
}

// putBig stores what Big returns under key.
func putBig(stub stub, args []string) ([]byte, error) {
	value, err := pattern(args[1])
	if err != nil {
		return nil, err
	}
	return nil, stub.PutState(args[0], value)
}

func pattern(size string) ([]byte, error) {
	n, err := strconv.Atoi(size)
	if err != nil {
		return nil, err
	}
	if n < 0 || n > maxSize {
		return nil, fmt.Errorf("size %d is not in 0..%d", n, maxSize)
	}
	return bytes.Repeat([]byte(alphabet), n/len(alphabet)+1)[:n], nil
}
